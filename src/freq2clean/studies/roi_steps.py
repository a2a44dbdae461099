"""Steps of the study of ROIs: denoise, fuse, find, and score what was found."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freq2clean.fusion import get_method
from freq2clean.metrics import (
    ROIMatches,
    ROIScores,
    average_scores,
    match_rois,
    matched_correlation,
    score_events,
    score_rois,
)
from freq2clean.metrics.masks import Masks
from freq2clean.pipeline import denoise, fuse
from freq2clean.pipeline.labels import read_labels
from freq2clean.recordings import open_recording
from freq2clean.recordings.small_files import load_npz, save_npz
from freq2clean.rois import RoiFinder, Rois
from freq2clean.rois.images import summarised
from freq2clean.rois.spikes import infer_spikes, spike_times
from freq2clean.rois.traces import extract_traces
from freq2clean.studies.stages import File, GivenFile, Input, Progress, Stage
from freq2clean.version import __version__

__all__ = [
    "CORE",
    "IMAGES",
    "Truth",
    "compared",
    "denoised_at_once",
    "found_by",
    "fused_by",
    "pictured",
    "read_pictures",
    "traced",
]

TOLERANCE_S = 0.1
"""How far an inferred spike may be from the true one."""
NEUROPIL_SHARE = 0.7
"""How much of the fluorescence around an ROI is in its trace, as Suite2p has it."""
IMAGES = ("frames", "mean", "max", "movie", "cells")
"""What ROIs come from: images, for a tool that looks at such, or the movie, and of that what the
tool takes for a cell, by the pixels that weigh at least `CORE` of the heaviest."""
CORE = 0.2
_FILES_OF_TOOLS = ("cell_model", "classifier")
"""Options that are files: what is in them counts, and not where they are."""
_ROIS, _FUSED, _DENOISED, _PICTURES = "rois.npz", "fused.npy", "denoised.tif", "pictures.npz"


@dataclass(frozen=True)
class Truth:
    """What is known of the true ROIs.

    Attributes
    ----------
    labels : Input
        A label image.
    traces, spikes : Input, optional
        A trace and spikes per frame for each label, where they were simulated.
    kinetics : mapping, optional
        Frame rate, rise and decay time of the simulation, as `infer_spikes` takes them.
    """

    labels: Input
    traces: Input | None = None
    spikes: Input | None = None
    kinetics: Mapping[str, float] | None = None

    def inputs(self) -> list[Input]:
        """All files."""
        return [one for one in (self.labels, self.traces, self.spikes) if one is not None]


def denoised_at_once(root: Path, raw: Input, model: str) -> File:
    """A recording denoised by a model that is fitted to it or ships with the package."""

    def work(folder: Path, raw: str, *, progress: Progress | None) -> dict[str, Any]:
        done = denoise(raw, model=model, out=folder / _DENOISED, progress=progress)
        return {"seconds": done.seconds, "notes": list(done.notes)}

    parameters = {"model": model, "version": __version__}
    return Stage(root, "denoise", parameters, [raw], work).file(_DENOISED)


def fused_by(root: Path, raw: Input, denoised: Input, fusion: Mapping[str, Any]) -> File:
    """A fused recording.

    Raises
    ------
    InputError
        If the method or one of its options is not allowed.
    """
    get_method(fusion["method"], **{k: v for k, v in fusion.items() if k != "method"})

    def work(folder: Path, raw: str, denoised: str, *, progress: Progress | None) -> dict[str, Any]:
        began = time.perf_counter()
        fuse(raw, denoised, out=folder / _FUSED, progress=progress, **fusion)
        return {"seconds": time.perf_counter() - began}

    parameters = {"fusion": fusion, "version": __version__}
    return Stage(root, "fuse", parameters, [raw, denoised], work).file(_FUSED)


def found_by(root: Path, finder: RoiFinder, recording: Input) -> File:
    """What a tool finds in a recording.

    Raises
    ------
    InputError
        If a file that the tool is to read cannot be.
    """

    def work(folder: Path, path: str, *_: str, progress: Progress | None) -> dict[str, Any]:
        began = time.perf_counter()
        with open_recording(path) as opened:
            rois = finder.find(opened, progress=progress)
        rois.save(folder / _ROIS)
        return {"rois": len(rois), "seconds": time.perf_counter() - began}

    options = asdict(finder)  # type: ignore[call-overload]
    files = [options.pop(name, None) for name in _FILES_OF_TOOLS]
    inputs = [recording, *(GivenFile(file) for file in files if file is not None)]
    return Stage(root, "find", {"tool": finder.name, **options}, inputs, work).file(_ROIS)


def pictured(root: Path, recording: Input, *, spread: int) -> File:
    """The mean image, the maximum projection and the middle one of ``spread`` frames."""

    def work(folder: Path, path: str, *, progress: Progress | None) -> dict[str, Any]:
        with open_recording(path) as opened:
            images = summarised(opened, spread, progress=progress)
        frame = images.frames[len(images.frames) // 2]
        pictures = {"mean": images.mean, "max": images.maximum, "frame": frame}
        save_npz(folder / _PICTURES, {}, pictures)
        return {}

    return Stage(root, "picture", {"spread": spread}, [recording], work).file(_PICTURES)


def read_pictures(file: File) -> dict[str, NDArray[np.float32]]:
    """What `pictured` left: ``mean``, ``max`` and ``frame``."""
    return load_npz(file.path(), what="pictures")[1]


def compared(root: Path, found: File, truth: Truth | None, reference: File | None) -> Stage:
    """Scores of what a tool found, by the image it looked at, against the truth or other ROIs.

    The result has the scores for each image of `IMAGES` that there is, with ``most_rois``, the
    largest number in any frame. Where true traces are known, it has the correlation of each true
    ROI's match and the F1 of its spikes, and from which ``image`` these ROIs are.
    """

    def work(folder: Path, path: str, *others: str, progress: Progress | None) -> dict[str, Any]:
        rois = Rois.load(path)
        if reference is not None:
            return {"images": _scores(rois, Rois.load(others[0]))}
        labels = read_labels(others[0])
        result: dict[str, Any] = {"images": _scores(rois, Rois.from_label_image(labels))}
        if len(others) > 1 and rois.traces is not None and truth is not None:
            known, cells = _known(labels, *others[1:]), rois.cells()
            assert cells.traces is not None
            around = 0 if cells.neuropil is None else NEUROPIL_SHARE * cells.neuropil
            matches = match_rois(_core(cells), known.rois.footprints)
            result |= _activity(cells.traces - around, matches, known, truth)
            result["image"] = rois.options["image"] if rois.mean_labels is not None else "cells"
        return result

    others = [reference] if reference is not None else truth.inputs() if truth is not None else []
    against = "found" if reference is not None else "truth"
    parameters: dict[str, Any] = {"against": against, "version": __version__}
    if truth is not None and reference is None:
        parameters |= {"kinetics": truth.kinetics, "tolerance_s": TOLERANCE_S}
    return Stage(root, "compare", parameters, [found, *others], work)


def traced(root: Path, recording: Input, truth: Truth) -> Stage:
    """Scores of the traces that a recording has in the true ROIs, whatever a tool would find."""

    def work(folder: Path, path: str, *others: str, progress: Progress | None) -> dict[str, Any]:
        known = _known(read_labels(others[0]), *others[1:])
        with open_recording(path) as opened:
            traces = extract_traces(known.rois, opened, progress=progress)
        every = np.arange(len(known.rois))
        matches = ROIMatches(len(every), len(every), every, every, np.ones(len(every)))
        return _activity(traces, matches, known, truth)

    parameters = {"kinetics": truth.kinetics, "tolerance_s": TOLERANCE_S, "version": __version__}
    return Stage(root, "trace", parameters, [recording, *truth.inputs()], work)


@dataclass(frozen=True)
class _Known:
    rois: Rois
    traces: NDArray[np.float32]
    spikes: NDArray[np.uint8]


def _known(labels: NDArray[Any], traces: str, spikes: str) -> _Known:
    """Of the cells that the label image shows; another cell may hide one."""
    shown = np.unique(labels[labels > 0]) - 1
    of_shown = (np.load(path, allow_pickle=False)[shown] for path in (traces, spikes))
    return _Known(Rois.from_label_image(labels), *of_shown)


def _scores(rois: Rois, truth: Rois) -> dict[str, dict[str, Any]]:
    scores: dict[str, dict[str, Any]] = {}
    if rois.frame_labels is not None:
        references = truth.frame_labels
        if references is None:
            references = np.broadcast_to(truth.label_image(), rois.frame_labels.shape)
        every = [score_rois(*pair) for pair in zip(rois.frame_labels, references, strict=True)]
        scores["frames"] = _plain(average_scores(every), max(int(one.rois) for one in every))
    for image in ("mean", "max"):
        labels = getattr(rois, f"{image}_labels")
        if labels is not None:
            reference = getattr(truth, f"{image}_labels")
            scores[image] = _of_one(labels, truth.footprints if reference is None else reference)
    if not scores:
        scores["movie"] = _of_one(rois.footprints, truth.footprints)
        scores["cells"] = _of_one(_core(rois.cells()), _core(truth.cells()))
    return scores


def _core(rois: Rois) -> NDArray[np.bool_]:
    return rois.masks(at_least=CORE)


def _of_one(found: Masks, truth: Masks) -> dict[str, Any]:
    scores = score_rois(found, truth)
    return _plain(scores, int(scores.rois))


def _plain(scores: ROIScores, most: int) -> dict[str, Any]:
    values = {name: _or_none(value) for name, value in asdict(scores).items()}
    return {**values, "most_rois": most}


def _activity(
    traces: NDArray[np.float32], matches: ROIMatches, known: _Known, truth: Truth
) -> dict[str, Any]:
    """Correlation by true ROI, and the F1 of spikes in those that have any."""
    assert truth.kinetics is not None
    found = matched_correlation(traces, known.traces, matches)
    fires = known.spikes[matches.true].any(axis=1)
    rate = {"frame_rate_hz": truth.kinetics["frame_rate_hz"]}
    inferred = infer_spikes(traces[matches.found[fires]], **truth.kinetics)
    true = known.spikes[matches.true[fires]].astype(np.float32)
    events = score_events(
        spike_times(inferred, **rate), spike_times(true, share=0, **rate), tolerance_s=TOLERANCE_S
    )
    pairs = zip(matches.true.tolist(), found.values.tolist(), strict=True)
    return {
        "correlations": {str(roi): value for roi, value in pairs if not math.isnan(value)},
        "spike_f1": _or_none(events.f1),
    }


def _or_none(value: float) -> float | None:
    """JSON has no nan."""
    return None if math.isnan(value) else value

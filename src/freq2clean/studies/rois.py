"""What fusion is worth downstream: cells that tools find, their traces and their spikes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from freq2clean.errors import Freq2CleanError, InputError
from freq2clean.pipeline.labels import read_labels
from freq2clean.recordings import open_recording
from freq2clean.rois import RoiFinder
from freq2clean.rois.cellpose import Cellpose
from freq2clean.rois.reading import part_of
from freq2clean.rois.suite2p import Suite2p
from freq2clean.rois.tools import check_installed
from freq2clean.studies.cell_model import CellModel
from freq2clean.studies.presets import fusions_of
from freq2clean.studies.roi_steps import (
    Truth,
    compared,
    denoised_at_once,
    found_by,
    fused_by,
    pictured,
    traced,
)
from freq2clean.studies.stages import File, Given, GivenFile, Input, Progress, Stage, run_all
from freq2clean.studies.steps import DENOISED, given_scene, imitated, simulated_scene, steps_in

__all__ = [
    "CLEAN",
    "DENOISERS_AT_HAND",
    "RAW",
    "ROIS_OF_CLEAN",
    "ROI_COLUMNS",
    "ROI_PRESETS",
    "TRUE_ROIS",
    "RoiPreset",
    "RoiStudy",
    "Version",
    "finders_of",
    "study_rois",
]

ROI_COLUMNS = (
    "seed", "denoiser", "method", "tool", "image", "against",
    "rois", "most_rois", "true_rois", "precision", "recall", "f1", "ap50", "ap75", "mean_iou",
    "union_iou", "trace_correlation", "trace_gain", "spike_f1", "seconds", "problem",
)  # fmt: skip
DENOISERS_AT_HAND = ("imitated", "pretrained", "pca", "gaussian")
"""Those that need no training; the first one needs a ground truth."""
RAW, CLEAN = "raw", "clean"
"""What rows call the recordings that are neither denoised nor fused."""
TRUE_ROIS, ROIS_OF_CLEAN = "true ROIs", "ROIs of clean"
"""What ROIs are compared with; the first is the tool too where traces are taken in true ROIs."""
Version = tuple[str | None, str]
"""Denoiser, if any, and method."""
SIMULATED = "simulated"
"""The model of Cellpose that is trained here."""
_STUDY = {
    "snr_db": -5.52,
    "frame_rate_hz": 30.0,
    "pixel_size_um": 1.02,
    "cell_density_per_mm2": 284 / (490 * 1.02e-3) ** 2,
    "rise_s": 0.07,
    "decay_s": 0.7,
}
"""The study's recording: its noise, and 284 cells in 490 x 490 pixels."""
_KINETICS = {name: _STUDY[name] for name in ("frame_rate_hz", "rise_s", "decay_s")}


@dataclass(frozen=True)
class RoiPreset:
    """What is simulated and denoised.

    Parameters
    ----------
    shape : (int, int, int)
        Of the simulated recording.
    denoisers : tuple of str
    cellpose_frames : int
        How many frames Cellpose looks at, spread over the recording.
    """

    shape: tuple[int, int, int]
    denoisers: tuple[str, ...] = DENOISERS_AT_HAND
    cellpose_frames: int = 50


ROI_PRESETS = {
    "tiny": RoiPreset((120, 96, 96), ("imitated", "gaussian"), 3),
    "small": RoiPreset((1200, 160, 160), ("imitated", "pretrained"), 10),
    "paper": RoiPreset((6000, 490, 490)),
}
"""``tiny`` shows in a minute that all works, ``small`` suits a CPU, ``paper`` has the study's size
and needs a GPU, or a night."""


@dataclass(frozen=True)
class RoiStudy:
    """What `study_rois` found.

    Attributes
    ----------
    rows : list of dict
        By `ROI_COLUMNS`.
    pictures : dict
        Of each version of the recording, by denoiser and method: a file of `read_pictures`.
    rois : dict
        By denoiser, method and tool: a file for `freq2clean.rois.Rois.load`.
    labels : Input or None
        A label image of the true ROIs.
    """

    rows: list[dict[str, Any]]
    pictures: dict[Version, File]
    rois: dict[tuple[Version, str], File]
    labels: Input | None


@dataclass(frozen=True)
class _Scene:
    """Recordings and what is true of them."""

    seed: int | None
    raw: Input
    clean: Input | None
    truth: Truth | None
    denoised: Mapping[str, Input]

    def versions(self, root: Path) -> dict[Version, Input]:
        """All recordings that tools are run on."""
        found: dict[Version, Input] = {(None, RAW): self.raw}
        if self.clean is not None:
            found[None, CLEAN] = self.clean
        fusions = fusions_of(is_simulated=self.seed is not None)
        methods = {name: fusions[name] for name in ("fft", "dct", "wiener")}
        methods["auto"] = {"method": "auto"}
        for denoiser, file in self.denoised.items():
            found[denoiser, DENOISED] = file
            for name, options in methods.items():
                found[denoiser, name] = fused_by(root, self.raw, file, options)
        return found


@dataclass(frozen=True, eq=False)
class _Plan:
    """What is done with one version of the recording."""

    recording: Input
    picture: File
    rois: Mapping[str, File]
    scores: Mapping[tuple[str, str], Stage]
    is_fused: bool
    failed: dict[Stage, Freq2CleanError] = field(default_factory=dict)

    def run(self, progress: Progress | None) -> None:
        """Do all of it; what is fused is not kept, for it is large."""
        stages = dict.fromkeys([self.picture.stage, *self.scores.values()], 0.1)
        stages |= dict.fromkeys([file.stage for file in self.rois.values()], 1.0)
        finds_first = sorted(stages, key=lambda stage: -stages[stage])
        todo = {stage: stages[stage] for stage in finds_first}
        self.failed.update(run_all(todo, progress, may_fail=True))
        if self.is_fused and isinstance(self.recording, File):
            self.recording.remove()


def finders_of(
    tools: Sequence[str],
    folder: str | Path,
    *,
    cell_model: str | None,
    diameter_px: float | None,
    tau_s: float,
    frame_rate_hz: float | None,
    n_frames: int,
) -> list[RoiFinder]:
    """The tools of a study, by name.

    Parameters
    ----------
    tools : sequence of str
        "cellpose", "suite2p", or both.
    folder : path
        Of the study; it gets the model if one is trained.
    cell_model : str or None
        Weights of Cellpose; "simulated" for those of `CellModel`; None for Cellpose's own.
    diameter_px, n_frames
        See `freq2clean.rois.Cellpose`.
    tau_s, frame_rate_hz
        See `freq2clean.rois.Suite2p`.

    Raises
    ------
    InputError
        For another name, or an option that cannot be used.
    MissingExtraError
        If a tool is not installed.
    """
    unknown = [name for name in tools if name not in ("cellpose", "suite2p")]
    if unknown or not tools:
        raise InputError(f"tools = {','.join(tools)!r}; choose from cellpose,suite2p")
    for tool in tools:
        check_installed(tool)
    finders: list[RoiFinder] = []
    if "cellpose" in tools:
        weights: str | Path | None = cell_model
        if cell_model == SIMULATED:
            weights = CellModel().train(steps_in(folder))
        finders.append(Cellpose(cell_model=weights, diameter_px=diameter_px, n_frames=n_frames))
    if "suite2p" in tools:
        finders.append(Suite2p(frame_rate_hz=frame_rate_hz, tau_s=tau_s))
    return finders


def study_rois(
    folder: str | Path,
    finders: Sequence[RoiFinder],
    *,
    preset: str = "small",
    truth: str | Path | None = None,
    raw: str | Path | None = None,
    denoised: Sequence[str | Path] = (),
    labels: str | Path | None = None,
    denoisers: Sequence[str] = (),
    seed: int = 0,
    progress: Progress | None = None,
) -> RoiStudy:
    """Find ROIs in raw, denoised, fused and clean recordings, and score them.

    Parameters
    ----------
    folder : path
        Where every step is kept: what is there is not done again.
    finders : sequence of RoiFinder
        The tools; see `freq2clean.rois`.
    preset : str
        See `ROI_PRESETS`.
    truth, raw : path, optional
        A recording of the user's, instead of the preset's; ``raw`` may come without ``truth``.
    denoised : sequence of path
        The same recording, denoised; without any, it is denoised here.
    labels : path, optional
        True ROIs of the user's recording, as a label image.
    denoisers : sequence of str
        Instead of the preset's: some of `DENOISERS_AT_HAND`.
    seed : int
        Of the simulation.
    progress : callable, optional
        Called with the work done and the work in all.

    Returns
    -------
    RoiStudy
        With rows for every recording, tool and image that the tool looked at. The method
        "denoised" is no fusion. ``against`` says what ROIs are compared with: the true ones, or
        those that the same tool finds in the clean recording, as in the study. A step that fails
        leaves a row that says why, and the others go on.

    Raises
    ------
    InputError, OutputError
        If a preset, a recording or the folder cannot be used.
    """
    root = steps_in(folder)
    if preset not in ROI_PRESETS:
        raise InputError(f"no preset is called {preset!r}; choose from {', '.join(ROI_PRESETS)}")
    unknown = [name for name in denoisers if name not in DENOISERS_AT_HAND]
    if unknown:
        raise InputError(f"denoiser {unknown[0]!r}; choose from {', '.join(DENOISERS_AT_HAND)}")
    if raw is None:
        if truth or denoised or labels:
            raise InputError("a recording of yours needs its noisy version (--noisy RAW) too")
        scene = _simulated(root, ROI_PRESETS[preset], denoisers, seed)
    else:
        scene = _given(root, raw, truth, denoised, labels, denoisers)
    plans = _plans(root, scene, _at_rate(finders, scene.raw))
    for index, plan in enumerate(plans.values()):
        plan.run(part_of(progress, index, len(plans)))
    return RoiStudy(
        _rows(plans, scene.seed),
        {version: plan.picture for version, plan in plans.items()},
        {(version, tool): plan.rois[tool] for version, plan in plans.items() for tool in plan.rois},
        None if scene.truth is None else scene.truth.labels,
    )


def _simulated(root: Path, preset: RoiPreset, denoisers: Sequence[str], seed: int) -> _Scene:
    made = simulated_scene(root, preset.shape, seed=seed, options=_STUDY)
    assert isinstance(made.raw, File)
    made_too = made.raw.stage.file
    truth = Truth(
        made_too("labels.tif"), made_too("traces.npy"), made_too("spikes.npy"), kinetics=_KINETICS
    )
    quiet: dict[str, Input] = {
        name: imitated(root, made) if name == "imitated" else denoised_at_once(root, made.raw, name)
        for name in denoisers or preset.denoisers
    }
    return _Scene(seed, made.raw, made.truth, truth, quiet)


def _given(
    root: Path,
    raw: str | Path,
    clean: str | Path | None,
    denoised: Sequence[str | Path],
    labels: str | Path | None,
    denoisers: Sequence[str],
) -> _Scene:
    if clean is None and labels is None:
        raise InputError(
            "there is nothing to compare ROIs with; give the clean recording (--recording CLEAN), "
            "or true ROIs (--labels FILE)"
        )
    noisy = Given(raw)
    truth = None if labels is None else Truth(_checked_labels(labels, noisy.shape[1:]))
    quiet: dict[str, Input] = {Path(path).stem: Given(path) for path in denoised}
    if len(quiet) < len(denoised):
        raise InputError("two denoised recordings have the same file name; rename one")
    for name in denoisers or (() if denoised else DENOISERS_AT_HAND[1:]):
        if name == "imitated":
            if clean is None:
                raise InputError("to imitate a denoiser takes the clean recording (--recording)")
            quiet[name] = imitated(root, given_scene(clean, raw))
        else:
            quiet[name] = denoised_at_once(root, noisy, name)
    return _Scene(None, noisy, None if clean is None else Given(clean), truth, quiet)


def _checked_labels(labels: str | Path, frame: tuple[int, ...]) -> GivenFile:
    file = GivenFile(labels)
    image = read_labels(labels)
    if image.shape != frame or image.dtype.kind not in "ui":
        raise InputError(
            f"{labels} holds {image.dtype} of shape {image.shape}; give a label image of whole "
            f"numbers, {frame[0]} x {frame[1]} as the recording"
        )
    return file


def _at_rate(finders: Sequence[RoiFinder], raw: Input) -> list[RoiFinder]:
    """Tools that are told the frame rate of the raw recording; denoised files often lose it."""
    with open_recording(raw.path()) as recording:
        rate_hz = recording.metadata.frame_rate_hz
    return [
        replace(finder, frame_rate_hz=rate_hz)  # type: ignore[type-var]
        if getattr(finder, "frame_rate_hz", "none to set") is None
        else finder
        for finder in finders
    ]


def _plans(root: Path, scene: _Scene, finders: Sequence[RoiFinder]) -> dict[Version, _Plan]:
    versions = scene.versions(root)
    rois = {
        version: {finder.name: found_by(root, finder, recording) for finder in finders}
        for version, recording in versions.items()
    }
    of_clean = rois.get((None, CLEAN), {})
    spread = max([1, *(getattr(finder, "n_frames", 1) for finder in finders)])
    plans = {}
    for version, recording in versions.items():
        scores: dict[tuple[str, str], Stage] = {}
        for tool, file in rois[version].items():
            if scene.truth is not None:
                scores[tool, TRUE_ROIS] = compared(root, file, scene.truth, None)
            if of_clean and version != (None, CLEAN):
                scores[tool, ROIS_OF_CLEAN] = compared(root, file, None, of_clean[tool])
        if scene.truth is not None and scene.truth.kinetics is not None:
            scores[TRUE_ROIS, TRUE_ROIS] = traced(root, recording, scene.truth)
        is_fused = version[1] not in (RAW, CLEAN, DENOISED)
        picture = pictured(root, recording, spread=spread)
        plans[version] = _Plan(recording, picture, rois[version], scores, is_fused)
    return plans


def _rows(plans: Mapping[Version, _Plan], seed: int | None) -> list[dict[str, Any]]:
    rows = []
    for version, plan in plans.items():
        for (tool, against), stage in plan.scores.items():
            base = dict.fromkeys(ROI_COLUMNS) | {
                "seed": seed,
                "denoiser": version[0],
                "method": version[1],
                "tool": tool,
                "against": against,
            }
            find = plan.rois[tool].stage if tool in plan.rois else stage
            error = plan.failed.get(find) or plan.failed.get(stage)
            if error is not None:
                rows.append(base | {"problem": str(error)})
                continue
            result = stage.result()
            activity = _activity(result, plans.get((version[0], DENOISED)), tool, against)
            seconds = {"seconds": find.result().get("seconds")}
            for image, scores in result.get("images", {None: {}}).items():
                nothing = {"problem": f"{tool} found no ROI"} if scores.get("rois") == 0 else {}
                of_traces = activity if image == result.get("image") else {}
                rows.append(base | {"image": image} | scores | of_traces | seconds | nothing)
    return rows


def _activity(
    result: Mapping[str, Any], denoised: _Plan | None, tool: str, against: str
) -> dict[str, float | None]:
    """Scores of traces; the gain is over the ROIs that the denoised recording shows too."""
    these = result.get("correlations", {})
    before = denoised.scores[tool, against] if denoised is not None else None
    those = before.result().get("correlations", {}) if before is not None and before.is_done else {}
    both = these.keys() & those.keys()
    return {
        "trace_correlation": fmean(these.values()) if these else None,
        "trace_gain": fmean(these[roi] - those[roi] for roi in both) if both else None,
        "spike_f1": result.get("spike_f1"),
    }

"""A public recording, denoised, fused and scored against its truth, with the study's settings."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from freq2clean.datasets import Dataset
from freq2clean.denoisers import default_model
from freq2clean.errors import InputError
from freq2clean.pipeline import denoise
from freq2clean.studies.stages import File, Given, Input, Progress, Stage, run_all
from freq2clean.studies.steps import (
    DATA_RANGE,
    DENOISED,
    SCORES,
    given_scene,
    scored,
    steps_in,
)

__all__ = ["DATASET_COLUMNS", "study_dataset"]

DATASET_COLUMNS = ("dataset", "denoiser", "method", *SCORES, "data_range", "fusion_seconds")
_RAW = "raw"


def study_dataset(
    folder: str | Path,
    dataset: Dataset,
    files: Mapping[str, Path],
    *,
    denoised: str | Path | None = None,
    model: str | None = None,
    progress: Progress | None = None,
) -> list[dict[str, Any]]:
    """Score a public recording as it is, denoised, and fused by the study's settings and by `Auto`.

    Parameters
    ----------
    folder : path
        Where every step is kept: what is there is not done again.
    dataset : Dataset
        With a raw recording and a truth.
    files : mapping
        What `freq2clean.datasets.fetch` gave.
    denoised : path, optional
        The raw recording, denoised; without it, ``model`` denoises it.
    model : str, optional
        A denoiser; the one that `freq2clean.run` takes, if not given.
    progress : callable, optional
        Called with the work done and the work in all.

    Returns
    -------
    list of dict
        By `DATASET_COLUMNS`. The data range is the study's where that is known, else the 99.9 %
        quantile of the truth; SSIM3D is computed as in the study.

    Raises
    ------
    InputError, OutputError
        If the recording has no truth, or something cannot be read or written.
    """
    raw, truth = dataset.pair
    if denoised is not None and model is not None:
        raise InputError(f"a denoised recording and model = {model!r} are given; give one of them")
    root = steps_in(folder)
    scene = given_scene(files[truth], files[raw])
    chosen = model or default_model()
    quiet: Input = Given(denoised) if denoised else _denoised(root, scene.raw, chosen)
    data_range = dataset.data_range or DATA_RANGE
    recordings: dict[str, tuple[Input, Mapping[str, Any] | None]] = {
        _RAW: (scene.raw, None),
        DENOISED: (quiet, None),
        **{name: (quiet, options) for name, options in _fusions(dataset).items()},
    }
    stages = {
        method: scored(root, scene, one, fusion, data_range=data_range)
        for method, (one, fusion) in recordings.items()
    }
    run_all(dict.fromkeys(stages.values(), 1.0), progress)
    rows = []
    for method, stage in stages.items():
        result = stage.result()
        rows.append(
            {
                "dataset": dataset.name,
                "denoiser": "given" if denoised else chosen,
                "method": method,
                **{metric: result[metric] for metric in SCORES},
                "data_range": data_range,
                "fusion_seconds": result["seconds"],
            }
        )
    return rows


def _fusions(dataset: Dataset) -> dict[str, dict[str, Any]]:
    """The study's two, with its settings, and what is chosen here."""
    return {
        "fft": {"method": "fft", "alpha": dataset.alpha, "matching": "histogram", "window": 3000},
        "dct": {"method": "dct"},
        "auto": {"method": "auto"},
    }


def _denoised(root: Path, raw: Input, model: str) -> File:
    def work(folder: Path, raw: str, *, progress: Progress | None) -> dict[str, Any]:
        done = denoise(raw, model=model, out=folder / "denoised.tif", progress=progress)
        return {"seconds": done.seconds, "notes": list(done.notes)}

    return Stage(root, "denoise", {"model": model}, [raw], work).file("denoised.tif")

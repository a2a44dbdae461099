"""The study's two parameters, window and alpha, beside methods that have neither."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from freq2clean.errors import InputError
from freq2clean.studies.stages import Given, Input, Progress, run_all
from freq2clean.studies.steps import (
    DENOISED,
    SCORES,
    Scene,
    given_scene,
    imitated,
    scored,
    simulated_scene,
    steps_in,
)

__all__ = ["ALPHAS", "WINDOWS", "Parameter", "columns_of", "study_parameter"]

Parameter = Literal["window", "alpha"]

WINDOWS = (100, 200, 300, 600, 1000, 1500, 3000)
ALPHAS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 1.0)
SHAPE = (3000, 64, 64)
DRIFT_PX = 4.0
_STUDY = {"method": "fft", "alpha": 0.85, "matching": "histogram", "window": 3000}
_ACROSS = ("wiener", "subspace", "auto")


@dataclass(frozen=True)
class _Sweep:
    """The values of a parameter, and the curves: options of the study's fusion beside it."""

    values: Sequence[float]
    curves: Mapping[str, Mapping[str, Any]]


_SWEEPS: dict[str, _Sweep] = {
    "window": _Sweep(
        WINDOWS,
        {
            "fft, mean of all raw frames": {},
            "fft, mean of the window": {"raw_mean": "window"},
        },
    ),
    "alpha": _Sweep(
        ALPHAS,
        {
            "fft, histograms matched": {},
            "fft, gain and offset matched": {"matching": "affine"},
        },
    ),
}


def columns_of(parameter: Parameter) -> tuple[str, ...]:
    """Those of the rows of `study_parameter`."""
    return ("recording", "seed", "method", parameter, *SCORES, "fusion_seconds")


def study_parameter(
    folder: str | Path,
    parameter: Parameter,
    *,
    values: Sequence[float] = (),
    truth: str | Path | None = None,
    raw: str | Path | None = None,
    denoised: str | Path | None = None,
    shape: tuple[int, int, int] = SHAPE,
    drift_px: float = DRIFT_PX,
    seed: int = 0,
    progress: Progress | None = None,
) -> list[dict[str, Any]]:
    """Score the study's fusion for every value of a parameter, and methods that have none.

    Parameters
    ----------
    folder : path
        Where every step is kept: what is there is not done again.
    parameter : "window" or "alpha"
    values : sequence of float
        Instead of `WINDOWS` or `ALPHAS`.
    truth, raw, denoised : path, optional
        Recordings of the user's. Without them, two are simulated, one that stands still and one
        that drifts, and a denoiser is imitated.
    shape : (int, int, int)
        Of the simulated ones.
    drift_px : float
        How far the second one drifts, in pixels.
    seed : int
        Of the simulation.
    progress : callable, optional
        Called with the work done and the work in all.

    Returns
    -------
    list of dict
        A row for each recording, curve and value, by `columns_of`; in those of methods that have
        no such parameter, and of the denoised recording itself, its value is None.

    Raises
    ------
    InputError, OutputError
        If a recording, a value or the folder cannot be used.
    """
    root, sweep = steps_in(folder), _SWEEPS[parameter]
    fusions: dict[tuple[str, float | None], dict[str, Any] | None] = {(DENOISED, None): None}
    fusions |= {(name, None): {"method": name} for name in _ACROSS}
    fusions |= {
        (curve, value): {**_STUDY, **options, parameter: value}
        for curve, options in sweep.curves.items()
        for value in values or sweep.values
    }
    stages = {
        (name, *key): scored(root, scene, quiet, how)
        for name, (scene, quiet) in _recordings(
            root, truth, raw, denoised, shape=shape, drift_px=drift_px, seed=seed
        ).items()
        for key, how in fusions.items()
    }
    run_all(dict.fromkeys(stages.values(), 1.0), progress)
    rows = []
    for (recording, method, value), stage in stages.items():
        result = stage.result()
        rows.append(
            {
                "recording": recording,
                "seed": None if truth else seed,
                "method": method,
                parameter: value,
                **{metric: result[metric] for metric in SCORES},
                "fusion_seconds": result["seconds"],
            }
        )
    return rows


def _recordings(
    root: Path,
    truth: str | Path | None,
    raw: str | Path | None,
    denoised: str | Path | None,
    *,
    shape: tuple[int, int, int],
    drift_px: float,
    seed: int,
) -> dict[str, tuple[Scene, Input]]:
    """Scenes and their denoised versions, by name."""
    if truth and raw and denoised:
        return {"given": (given_scene(truth, raw), Given(denoised))}
    if truth or raw or denoised:
        raise InputError("of truth, raw and denoised, some are missing; give all three, or none")
    motions = {"still": {}, f"drifting {drift_px:g} px": {"drift_px": drift_px}}
    scenes = {
        name: simulated_scene(root, shape, seed=seed, options=motion)
        for name, motion in motions.items()
    }
    return {name: (scene, imitated(root, scene)) for name, scene in scenes.items()}

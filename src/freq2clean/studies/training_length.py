"""Does fusion replace training? A denoiser trained on short and long patches, with and without."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import prod
from pathlib import Path
from typing import Any

from freq2clean.studies.presets import fusions_of, get_preset
from freq2clean.studies.stages import Progress, Stage, run_all
from freq2clean.studies.steps import (
    DENOISED,
    SCORES,
    denoised_by,
    given_scene,
    scored,
    simulated_scene,
    steps_in,
    trained,
)

__all__ = ["COLUMNS", "Verdict", "study_patch_t", "verdicts"]

COLUMNS = (
    "preset", "denoiser", "patch_t", "seed", "method", *SCORES,
    "training_seconds", "training_voxels", "denoising_seconds", "fusion_seconds",
)  # fmt: skip
_SCORING_VOXELS = 1e6


@dataclass(frozen=True)
class Verdict:
    """A short training with fusion against the longest without.

    Attributes
    ----------
    method : str
    short_patch_t, long_patch_t : int
    psnr_gain_db, ssim3d_gain : float
        Of the short one, fused, over the long one.
    times_faster : float
        Training of the short one, in seconds.
    holds : bool
        Whether the short one, fused, is better by both scores.
    """

    method: str
    short_patch_t: int
    long_patch_t: int
    psnr_gain_db: float
    ssim3d_gain: float
    times_faster: float
    holds: bool

    def as_dict(self) -> dict[str, Any]:
        """The same, JSON-serialisable."""
        return asdict(self)


def study_patch_t(
    folder: str | Path,
    *,
    preset: str = "small",
    patch_t: Sequence[int] = (),
    truth: str | Path | None = None,
    raw: str | Path | None = None,
    seed: int = 0,
    device: str | None = None,
    progress: Progress | None = None,
) -> list[dict[str, Any]]:
    """Train a denoiser for every patch_t, denoise, fuse by every method, and score.

    Parameters
    ----------
    folder : path
        Where every step is kept: what is there is not done again, and an interrupted training
        goes on after its last epoch.
    preset : str
        See `freq2clean.studies.presets.PRESETS`.
    patch_t : sequence of int
        Instead of the preset's.
    truth, raw : path, optional
        A recording of the user's, instead of the preset's.
    seed : int
        Of the simulation and of the trainings.
    device : str, optional
        Of the network.
    progress : callable, optional
        Called with the work done and the work in all.

    Returns
    -------
    list of dict
        A row for each patch_t and method, by `COLUMNS`; the method "denoised" is no fusion.

    Raises
    ------
    InputError, OutputError, MissingExtraError
        If a preset, a recording or a folder cannot be used.
    """
    chosen = get_preset(preset, patch_t=tuple(patch_t), has_recording=truth is not None)
    root = steps_in(folder)
    if truth is not None and raw is not None:
        scene = given_scene(truth, raw)
    else:
        assert chosen.shape is not None
        scene = simulated_scene(root, chosen.shape, seed=seed)
    fusions = {DENOISED: None, **fusions_of(is_simulated=scene.is_simulated)}
    todo: dict[Stage, float] = {}
    plans = []
    for length, options in chosen.trainings(seed):
        training = trained(root, scene.raw, chosen.model, options, device=device)
        denoising = denoised_by(
            root, training, scene.raw, chosen.model, chosen.prediction, device=device
        )
        scores = {name: scored(root, scene, denoising, how) for name, how in fusions.items()}
        voxels = _voxels(options)
        todo[training] = voxels or _SCORING_VOXELS
        todo |= dict.fromkeys(scores.values(), _SCORING_VOXELS)
        plans.append((length, voxels, training, denoising, scores))
    run_all(todo, progress)
    return [
        {
            "preset": preset,
            "denoiser": chosen.model,
            "patch_t": length,
            "seed": seed,
            "method": name,
            **{metric: stage.result()[metric] for metric in SCORES},
            "training_seconds": training.result()["seconds"],
            "training_voxels": voxels,
            "denoising_seconds": denoising.stage.result()["seconds"],
            "fusion_seconds": stage.result()["seconds"],
        }
        for length, voxels, training, denoising, scores in plans
        for name, stage in scores.items()
    ]


def verdicts(rows: Sequence[dict[str, Any]]) -> list[Verdict]:
    """The study's claim, for every method: its second shortest patch_t fused, its longest not.

    Empty where fewer than two lengths were trained.
    """
    lengths = sorted({row["patch_t"] for row in rows if row["patch_t"] is not None})
    if len(lengths) < 2:
        return []
    short, long = lengths[1 if len(lengths) > 2 else 0], lengths[-1]
    of = {(row["patch_t"], row["method"]): row for row in rows}
    found = []
    for method in dict.fromkeys(row["method"] for row in rows):
        fused, plain = of[short, method], of[long, DENOISED]
        psnr, ssim3d = (
            float(fused[metric]) - float(plain[metric]) for metric in ("psnr_db", "ssim3d")
        )
        times = plain["training_seconds"] / fused["training_seconds"]
        found.append(Verdict(method, short, long, psnr, ssim3d, times, psnr > 0 and ssim3d > 0))
    return found


def _voxels(options: dict[str, Any]) -> int | None:
    """Values that the network is shown in training, where the options say so."""
    names = ("patch_t", "patch_y", "patch_x", "patches_per_epoch", "n_epochs")
    return prod(options[name] for name in names) if all(n in options for n in names) else None

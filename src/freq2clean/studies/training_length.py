"""Does fusion replace training? A denoiser trained on short and long patches, with and without."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import prod
from pathlib import Path
from statistics import fmean
from typing import Any

from freq2clean.errors import InputError
from freq2clean.studies.presets import Preset, fusions_of, get_preset
from freq2clean.studies.stages import File, Progress, Stage, run_all
from freq2clean.studies.steps import (
    DENOISED,
    SCORES,
    Scene,
    denoised_by,
    given_scene,
    scored,
    simulated_scene,
    steps_in,
    trained,
)

__all__ = ["COLUMNS", "SUMMARY", "Verdict", "study_patch_t", "summarised", "verdicts"]

COLUMNS = (
    "preset", "denoiser", "patch_t", "seed", "method", *SCORES,
    "training_seconds", "training_voxels", "denoising_seconds", "fusion_seconds",
)  # fmt: skip
SUMMARY = (
    "denoiser", "patch_t", "method", "n_seeds",
    *(f"{metric}{end}" for metric in SCORES for end in ("", "_lowest", "_highest")),
    "training_seconds",
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
        Of the short one, fused, over the long one; means over seeds.
    psnr_gain_range_db, ssim3d_gain_range : (float, float)
        Lowest and highest of any seed.
    times_faster : float
        Training of the short one, in seconds.
    n_seeds, n_held : int
        With how many seeds it was tried, and with how many the short one, fused, is better by both
        scores.
    holds : bool
        Whether it is with all.
    """

    method: str
    short_patch_t: int
    long_patch_t: int
    psnr_gain_db: float
    psnr_gain_range_db: tuple[float, float]
    ssim3d_gain: float
    ssim3d_gain_range: tuple[float, float]
    times_faster: float
    n_seeds: int
    n_held: int
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
    seeds: Sequence[int] = (0,),
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
    seeds : sequence of int
        Of the simulation and of the trainings: all is done for each.
    device : str, optional
        Of the network.
    progress : callable, optional
        Called with the work done and the work in all.

    Returns
    -------
    list of dict
        A row for each seed, patch_t and method, by `COLUMNS`; the method "denoised" is no fusion.

    Raises
    ------
    InputError, OutputError, MissingExtraError
        If a preset, a recording or a folder cannot be used.
    """
    if not seeds or min(seeds) < 0:
        raise InputError(f"seeds = {tuple(seeds)}; give one or more numbers from 0 up")
    chosen = get_preset(preset, patch_t=tuple(patch_t), has_recording=truth is not None)
    root = steps_in(folder)
    given = given_scene(truth, raw) if truth is not None and raw is not None else None
    plans = [
        plan
        for seed in dict.fromkeys(seeds)
        for plan in _plans(root, chosen, given, seed=seed, device=device)
    ]
    todo: dict[Stage, float] = {}
    for plan in plans:
        todo[plan.training] = plan.voxels or _SCORING_VOXELS
        todo |= dict.fromkeys(plan.scores.values(), _SCORING_VOXELS)
    run_all(todo, progress)
    return [
        {
            "preset": preset,
            "denoiser": chosen.model,
            "patch_t": plan.patch_t,
            "seed": plan.seed,
            "method": name,
            **{metric: stage.result()[metric] for metric in SCORES},
            "training_seconds": plan.training.result()["seconds"],
            "training_voxels": plan.voxels,
            "denoising_seconds": plan.denoising.stage.result()["seconds"],
            "fusion_seconds": stage.result()["seconds"],
        }
        for plan in plans
        for name, stage in plan.scores.items()
    ]


@dataclass(frozen=True)
class _Plan:
    """One training, and what is done with it."""

    patch_t: int | None
    seed: int
    voxels: int | None
    training: Stage
    denoising: File
    scores: dict[str, Stage]


def _plans(
    root: Path, preset: Preset, given: Scene | None, *, seed: int, device: str | None
) -> Iterator[_Plan]:
    """One for each patch_t of a preset."""
    scene = given
    if scene is None:
        assert preset.shape is not None
        scene = simulated_scene(root, preset.shape, seed=seed)
    fusions = {DENOISED: None, **fusions_of(is_simulated=scene.is_simulated)}
    for length, options in preset.trainings(seed):
        training = trained(root, scene.raw, preset.model, options, device=device)
        denoising = denoised_by(
            root, training, scene.raw, preset.model, preset.prediction, device=device
        )
        scores = {name: scored(root, scene, denoising, how) for name, how in fusions.items()}
        yield _Plan(length, seed, _voxels(options), training, denoising, scores)


def summarised(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One row for each training and method, over seeds.

    Returns
    -------
    list of dict
        By `SUMMARY`: means, and the lowest and the highest score of any seed.
    """
    groups: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["denoiser"], row["patch_t"], row["method"]), []).append(row)
    found = []
    for (denoiser, patch_t, method), group in groups.items():
        summary = {
            "denoiser": denoiser, "patch_t": patch_t, "method": method, "n_seeds": len(group),
        }  # fmt: skip
        for metric in SCORES:
            scores = [float(row[metric]) for row in group]
            summary |= {
                metric: fmean(scores),
                f"{metric}_lowest": min(scores),
                f"{metric}_highest": max(scores),
            }
        summary["training_seconds"] = fmean(row["training_seconds"] for row in group)
        found.append(summary)
    return found


def verdicts(rows: Sequence[Mapping[str, Any]]) -> list[Verdict]:
    """The study's claim, for every method: its second shortest patch_t fused, its longest not.

    Empty where fewer than two lengths were trained.
    """
    lengths = sorted({row["patch_t"] for row in rows if row["patch_t"] is not None})
    if len(lengths) < 2:
        return []
    short, long = lengths[1 if len(lengths) > 2 else 0], lengths[-1]
    of = {(row["seed"], row["patch_t"], row["method"]): row for row in rows}
    seeds = list(dict.fromkeys(row["seed"] for row in rows))
    found = []
    for method in dict.fromkeys(row["method"] for row in rows):
        pairs = [(of[seed, short, method], of[seed, long, DENOISED]) for seed in seeds]
        psnr, ssim3d = (
            [float(fused[metric]) - float(plain[metric]) for fused, plain in pairs]
            for metric in ("psnr_db", "ssim3d")
        )
        slow, fast = (sum(pair[which]["training_seconds"] for pair in pairs) for which in (1, 0))
        n_held = sum(a > 0 and b > 0 for a, b in zip(psnr, ssim3d, strict=True))
        found.append(
            Verdict(
                method,
                short,
                long,
                psnr_gain_db=fmean(psnr),
                psnr_gain_range_db=(min(psnr), max(psnr)),
                ssim3d_gain=fmean(ssim3d),
                ssim3d_gain_range=(min(ssim3d), max(ssim3d)),
                times_faster=slow / fast,
                n_seeds=len(seeds),
                n_held=n_held,
                holds=n_held == len(seeds),
            )
        )
    return found


def _voxels(options: dict[str, Any]) -> int | None:
    """Values that the network is shown in training, where the options say so."""
    names = ("patch_t", "patch_y", "patch_x", "patches_per_epoch", "n_epochs")
    return prod(options[name] for name in names) if all(n in options for n in names) else None

"""What studies have in common: simulate, train, denoise, fuse and score, each a stage."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from freq2clean.denoisers import get_denoiser, kind_of
from freq2clean.denoisers.contract import Denoiser
from freq2clean.fusion import get_method
from freq2clean.pipeline import denoise, evaluate, fuse, simulate, train
from freq2clean.pipeline.denoising import halves
from freq2clean.recordings import open_recording
from freq2clean.recordings.small_files import whole_file
from freq2clean.simulation import imitate_denoiser
from freq2clean.studies.stages import File, Given, Input, Progress, Stage
from freq2clean.version import __version__

__all__ = [
    "DATA_RANGE",
    "DENOISED",
    "SCORES",
    "Scene",
    "denoised_by",
    "given_scene",
    "imitated",
    "scored",
    "simulated_scene",
    "steps_in",
    "trained",
]

DATA_RANGE = "q99.9"
DENOISED = "denoised"
"""What rows call the method that is no fusion."""
SCORES = ("psnr_db", "psnr_active_db", "ssim3d")
_MODEL, _OUT, _FUSED = "model.pth", "denoised.tif", "fused.npy"


@dataclass(frozen=True)
class Scene:
    """A noisy recording and its truth, and whether their units are known to be right."""

    truth: Input
    raw: Input
    is_simulated: bool


def steps_in(folder: str | Path) -> Path:
    """Where the stages of a study lie, apart from its results."""
    return Path(folder) / "steps"


def simulated_scene(
    root: Path, shape: tuple[int, int, int], *, seed: int, options: Mapping[str, Any] | None = None
) -> Scene:
    """A simulated recording, made when it is needed."""
    options = dict(options or {})

    def work(folder: Path, *, progress: Progress | None) -> dict[str, Any]:
        made = simulate(shape, seed=seed, out=folder, progress=progress, **options)
        return {"photons_per_pixel": made.photons_per_pixel}

    stage = Stage(root, "simulate", {"shape": shape, "seed": seed, **options}, [], work)
    return Scene(stage.file("truth.tif"), stage.file("raw.tif"), True)


def given_scene(truth: str | Path, raw: str | Path) -> Scene:
    """Recordings of the user."""
    return Scene(Given(truth), Given(raw), False)


def trained(
    root: Path, raw: Input, model: str, options: Mapping[str, Any], *, device: str | None
) -> Stage:
    """A denoiser trained on a recording; its result says how long that took.

    What an interrupted training left is gone on with, if the denoiser can.
    """
    where: dict[str, Any] = {} if device is None else {"device": device}
    get_denoiser(model, **options, **where)

    def work(folder: Path, raw: str, *, progress: Progress | None) -> dict[str, Any]:
        out = folder / _MODEL
        goes_on = kind_of(model).train is not Denoiser.train
        if not goes_on:
            out.unlink(missing_ok=True)
        done = train(
            raw, out=out, model=model, resume=goes_on, progress=progress, **options, **where
        )
        epochs = [epoch.get("seconds") for epoch in done.findings.get("history", [])]
        seconds = sum(epochs) if epochs and None not in epochs else done.seconds
        return {"seconds": seconds, "findings": done.findings}

    return Stage(root, "train", {"model": model, **options}, [raw], work)


def denoised_by(
    root: Path,
    training: Stage,
    raw: Input,
    model: str,
    options: Mapping[str, Any],
    *,
    device: str | None,
) -> File:
    """A recording denoised by a trained model."""
    where: dict[str, Any] = {} if device is None else {"device": device}

    def work(
        folder: Path, model_file: str, raw: str, *, progress: Progress | None
    ) -> dict[str, Any]:
        done = denoise(
            raw,
            model=model,
            checkpoint=model_file,
            out=folder / _OUT,
            progress=progress,
            **options,
            **where,
        )
        return {"seconds": done.seconds, "notes": list(done.notes)}

    inputs = [training.file(_MODEL), raw]
    return Stage(root, "denoise", {"model": model, **options}, inputs, work).file(_OUT)


def imitated(root: Path, scene: Scene) -> File:
    """What a trained denoiser would make of a scene: see `imitate_denoiser`."""

    def work(folder: Path, truth: str, raw: str, *, progress: Progress | None) -> dict[str, Any]:
        with open_recording(truth) as true, open_recording(raw) as noisy:
            quiet = imitate_denoiser(true[:], noisy[:])
        with whole_file(folder / "denoised.npy") as file:
            np.save(file, quiet, allow_pickle=False)
        return {}

    return Stage(root, "imitate", {}, [scene.truth, scene.raw], work).file("denoised.npy")


def scored(
    root: Path,
    scene: Scene,
    denoised: Input,
    fusion: Mapping[str, Any] | None,
    *,
    data_range: float | str = DATA_RANGE,
) -> Stage:
    """The scores of a denoised recording, fused by a method with options, or as it is.

    The fused recording is not kept: it is as large as the others and made in no time.

    Raises
    ------
    InputError
        If the method or one of its options is not allowed.
    """
    if fusion is not None:
        options = {name: value for name, value in fusion.items() if name != "method"}
        get_method(fusion["method"], **options)

    def work(
        folder: Path, truth: str, raw: str, denoised: str, *, progress: Progress | None
    ) -> dict[str, Any]:
        first, second = halves(progress)
        fused, seconds = folder / _FUSED, 0.0
        try:
            if fusion is not None:
                began = time.perf_counter()
                fuse(raw, denoised, out=fused, progress=first, **fusion)
                seconds = time.perf_counter() - began
            scores = evaluate(
                truth,
                denoised if fusion is None else fused,
                data_range=data_range,
                progress=second,
            ).as_dict()
        finally:
            fused.unlink(missing_ok=True)
        values = {**scores, "ssim3d": scores["ssim3d"]["value"]}
        return {"seconds": seconds, **{name: values[name] for name in SCORES}}

    parameters = {"fusion": fusion, "data_range": data_range, "version": __version__}
    return Stage(root, "score", parameters, [scene.truth, scene.raw, denoised], work)

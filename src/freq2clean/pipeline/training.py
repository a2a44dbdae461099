"""Raw recordings in, a denoiser's model out."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from freq2clean.denoisers import get_denoiser
from freq2clean.denoisers.contract import Denoiser
from freq2clean.errors import InputError, OutputError
from freq2clean.pipeline.opening import open_one
from freq2clean.recordings import Recording

__all__ = ["TrainResult", "check_new_model", "train"]


@dataclass(frozen=True)
class TrainResult:
    """What `train` wrote, and what was learned."""

    path: str
    recordings: list[str]
    parameters: dict[str, Any]
    findings: dict[str, Any]
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """The same, JSON-serialisable."""
        return asdict(self)


def train(
    *raws: Any,
    out: str | Path,
    model: str = "deepcad",
    resume: bool = False,
    channel: int | None = None,
    plane: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    **options: Any,
) -> TrainResult:
    """Train a denoiser on raw recordings and save it, for ``denoise(..., checkpoint=out)``.

    Parameters
    ----------
    *raws : array-like (T, Y, X), path or Recording
        One, or several for models that take them; noise2noise takes two acquisitions of a scene.
    out : path
        The model, written anew after every epoch.
    model : "deepcad", "noise2noise", "noise2void", "gaussian" or "pca"
    resume : bool
        Go on with what stands under ``out``.
    channel, plane
        As in `fuse`.
    progress : callable, optional
        Called with the work done and the work in all.
    **options
        Of the model.

    Returns
    -------
    TrainResult

    Raises
    ------
    InputError
        If a recording, an option or what is to be resumed cannot be used.
    OutputError
        If the model cannot be written, or would replace something else.
    MissingExtraError
        If the model needs a library that is not installed.

    Examples
    --------
    >>> import numpy as np, tempfile
    >>> raw = np.random.default_rng(0).poisson(5, (60, 32, 32)).astype(np.uint16)
    >>> result = train(raw, out=f"{tempfile.mkdtemp()}/model", model="gaussian")
    >>> result.findings["sigma_t_frames"] > 1
    True
    """
    denoiser = get_denoiser(model, **options)
    denoiser.check_installed()
    if not raws:
        raise InputError("no recording is given to train on; give one or more")
    began = time.perf_counter()
    with ExitStack() as stack:
        recordings = [open_one(stack, raw, channel=channel, plane=plane) for raw in raws]
        _check_out(Path(out), recordings, type(denoiser))
        fitted = denoiser.train(recordings, out, resume=resume, progress=progress)
        return TrainResult(
            str(out),
            [recording.name for recording in recordings],
            {"model": model, **options},
            dict(fitted.findings),
            time.perf_counter() - began,
        )


def check_new_model(out: Path) -> None:
    """Raise OutputError unless a model can be written there that replaces nothing."""
    _check_place(out)
    if out.exists():
        raise OutputError(
            f"{out} is there already: leave train away to use it, or give another name"
        )


def _check_place(out: Path) -> None:
    if not out.parent.is_dir():
        raise OutputError(f"{out}: there is no folder {out.parent}; make it first")
    if out.is_dir():
        raise OutputError(f"{out} is a folder: give the name of a file")


def _check_out(out: Path, recordings: list[Recording], kind: type[Denoiser]) -> None:
    _check_place(out)
    if not out.exists():
        return
    if any(path.exists() and out.samefile(path) for r in recordings for path in r.paths):
        raise OutputError(f"{out} is one of the recordings: give another name")
    try:
        kind.load(out)
    except InputError as error:
        raise OutputError(
            f"{out} stands there and is no model of {kind.name}: give another name"
        ) from error

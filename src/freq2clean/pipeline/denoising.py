"""A raw recording in, a denoised one out."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from freq2clean.errors import InputError
from freq2clean.pipeline.memory import DEFAULT_MEMORY, block_frames, parse_bytes
from freq2clean.pipeline.opening import open_one
from freq2clean.pipeline.saving import Target, check_file_options, save
from freq2clean.pipeline.training import check_new_model
from freq2clean.pipeline.workers import working
from freq2clean.recordings import check_target, target_dtype
from freq2clean.recordings.writing import note_on

__all__ = ["DenoiseResult", "denoise", "halves", "shares"]

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class DenoiseResult:
    """What `denoise` wrote, what the denoiser learned, and what had to be done on the way."""

    path: str
    shape: tuple[int, int, int]
    dtype: str
    n_clipped: int
    parameters: dict[str, Any]
    findings: dict[str, Any]
    notes: list[str]
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """The same, JSON-serialisable."""
        return asdict(self)


@overload
def denoise(raw: Any, /, *, out: str | Path, **options: Any) -> DenoiseResult: ...
@overload
def denoise(raw: Any, /, *, out: None = None, **options: Any) -> NDArray[np.float32]: ...
def denoise(
    raw: Any,
    /,
    *,
    model: str | Callable[[NDArray[Any]], Any] = "gaussian",
    checkpoint: str | Path | None = None,
    train: bool = False,
    out: str | Path | None = None,
    dtype: str = "float32",
    compression: str | None = None,
    channel: int | None = None,
    plane: int | None = None,
    memory: str | int = DEFAULT_MEMORY,
    workers: int | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> NDArray[np.float32] | DenoiseResult:
    """Denoise a recording, with a model fitted to it or with one that was trained before.

    Parameters
    ----------
    raw : array-like (T, Y, X), path or Recording
    model : "gaussian", "pca", "pretrained", "deepcad", "noise2noise", "noise2void", "command" or \
callable
        A Gaussian in space and time whose widths are chosen from the data, a local PCA, a network
        that ships with the package (extra ``onnx`` or ``torch``), that of DeepCAD-RT (extra
        ``torch``), which takes long to train, the same trained on pairs, that of Noise2Void (extra
        ``careamics``), or any program, as in
        ``denoise(raw, model="command", command="prog {input} {output}")``; or a function that takes
        the whole recording as an array and gives the denoised one.
    checkpoint : path, optional
        A model that `train` wrote, or one of the public DeepCAD-RT package. Nothing is fitted.
    train : bool
        Fit to this recording and write the model there first, as `train` does.
    out : path, optional
        Where to write; without it, the array is returned.
    dtype, compression, channel, plane, memory, workers, progress
        As in `fuse`.
    **options
        Of the model; with a checkpoint that is there, those that concern prediction.

    Returns
    -------
    ndarray (T, Y, X), float32, or DenoiseResult

    Examples
    --------
    >>> import numpy as np
    >>> raw = np.random.default_rng(0).poisson(5, (60, 32, 32)).astype(np.uint16)
    >>> bool(denoise(raw).std() < 0.5 * raw.std())
    True
    """
    from freq2clean.denoisers import get_denoiser, load_model

    check_file_options(out, dtype=dtype, compression=compression)
    memory_bytes = parse_bytes(memory)
    if checkpoint is not None and not isinstance(model, str):
        raise InputError(f"checkpoint = {checkpoint}: a function has none; leave it away")
    if checkpoint is None or train:
        loaded, denoiser = None, get_denoiser(model, **options)
        denoiser.check_installed()
    else:
        loaded = load_model(str(model), checkpoint, **options)
        denoiser = loaded.denoiser
    began = time.perf_counter()
    with working(workers), ExitStack() as stack:
        recording = open_one(stack, raw, channel=channel, plane=plane)
        if out is not None:
            check_target(out, inputs=[recording, raw], compression=compression)
            target_dtype(dtype, recording.dtype)
        if checkpoint is not None and train:
            check_new_model(Path(checkpoint))
        fit, write = halves(progress) if loaded is None else (None, progress)
        if loaded is not None:
            fitted = loaded
        elif checkpoint is None:
            fitted = denoiser.fit(recording, progress=fit)
        else:
            fitted = denoiser.train([recording], checkpoint, progress=fit)
        denoised = fitted.predict(recording)
        if out is None:
            return denoised[:]
        denoised.read(0, 1)  # in this thread, where a signal ends a program that is run for it
        known = options if isinstance(model, str) else denoiser.options()
        parameters = {"model": denoiser.name, **known}
        if checkpoint is not None:
            parameters["checkpoint"] = Path(checkpoint).name
        saved = save(
            denoised,
            Target(out, dtype, compression),
            raw=recording,
            how=parameters,
            inputs=[recording],
            n_block=block_frames(recording, memory_bytes=memory_bytes),
            progress=write,
        )
    return DenoiseResult(
        **asdict(saved),
        parameters=parameters,
        findings=dict(fitted.findings),
        notes=[*recording.notes, *denoised.notes, *filter(None, [note_on(saved.path)])],
        seconds=time.perf_counter() - began,
    )


def halves(progress: Progress | None) -> tuple[Progress | None, Progress | None]:
    """The same progress for two steps, one after the other."""
    first, second = shares(progress, 1, 1)
    return first, second


def shares(progress: Progress | None, *weights: int) -> list[Progress | None]:
    """The same progress for steps one after the other, by what each weighs.

    Examples
    --------
    >>> seen = []
    >>> quick, slow = shares(lambda done, total: seen.append(done / total), 1, 3)
    >>> quick(5, 5), slow(1, 2), seen
    (None, None, [0.25, 0.625])
    """
    if progress is None:
        return [None] * len(weights)

    def part(before: int, weight: int) -> Progress:
        return lambda done, of: progress(before * of + weight * done, sum(weights) * of)

    return [part(sum(weights[:i]), weight) for i, weight in enumerate(weights)]

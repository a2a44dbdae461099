"""A raw recording in, the denoised and fused one out: `denoise` and `fuse` in one go."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from freq2clean.denoisers import default_model, kind_of
from freq2clean.errors import InputError, OutputError
from freq2clean.fusion import DEFAULT_METHOD, get_method
from freq2clean.fusion.scale import Scale
from freq2clean.inspection import Gain
from freq2clean.pipeline.denoising import DenoiseResult, Progress, denoise, halves
from freq2clean.pipeline.fusing import FuseResult, fuse
from freq2clean.pipeline.memory import DEFAULT_MEMORY
from freq2clean.pipeline.opening import open_one
from freq2clean.pipeline.probing import Probed, probed_gain
from freq2clean.pipeline.saving import check_file_options
from freq2clean.pipeline.workers import working
from freq2clean.recordings import Recording, check_target, target_dtype
from freq2clean.recordings.formats import locate

__all__ = ["RunResult", "run"]

_NO_RUNTIME = (
    "a Gaussian has been taken: the pretrained network, which does better, needs ONNX Runtime or "
    'PyTorch; install with pip install "freq2clean[onnx]"'
)


@dataclass(frozen=True)
class RunResult:
    """What `run` wrote and found, step by step.

    Attributes
    ----------
    denoised : DenoiseResult
        Its ``path`` is empty where the denoised recording was not kept.
    fused : FuseResult
    gain : Gain or None
        What fusion gained, where a probe was asked for.
    """

    denoised: DenoiseResult
    fused: FuseResult
    gain: Gain | None = None

    def as_dict(self) -> dict[str, Any]:
        """The same, JSON-serialisable."""
        return asdict(self)


Look = Callable[[Mapping[str, Recording], RunResult | None], object]


@overload
def run(raw: Any, /, *, out: str | Path, **options: Any) -> RunResult: ...
@overload
def run(raw: Any, /, *, out: None = None, **options: Any) -> NDArray[np.float32]: ...
def run(
    raw: Any,
    /,
    *,
    model: str | Callable[[NDArray[Any]], Any] | None = None,
    checkpoint: str | Path | None = None,
    train: bool = False,
    model_options: Mapping[str, Any] | None = None,
    method: str = DEFAULT_METHOD,
    register: bool = False,
    probe: bool = False,
    out: str | Path | None = None,
    keep_denoised: str | Path | None = None,
    dtype: str = "float32",
    compression: str | None = None,
    channel: int | None = None,
    plane: int | None = None,
    memory: str | int = DEFAULT_MEMORY,
    workers: int | None = None,
    progress: Progress | None = None,
    look: Look | None = None,
    **options: Any,
) -> NDArray[np.float32] | RunResult:
    """Denoise a recording and give it its detail back: `denoise`, then `fuse`.

    Parameters
    ----------
    raw : array-like (T, Y, X), path or Recording
    model, checkpoint, train, model_options
        As in `denoise`, which takes the options by name. Without a model it is "pretrained", or
        "gaussian" where neither PyTorch nor ONNX Runtime is installed.
    method, register
        As in `fuse`.
    probe : bool
        Do both steps once more, with a fifth of the raw recording's noise added to it again: how
        that leaks tells, without ground truth, what squared error the denoised and the fused
        recording have. Needs ``out``.
    out : path, optional
        Where to write the fused recording; without it, the array is returned.
    keep_denoised : path, optional
        Where to keep the denoised recording, float32. Without it, a hidden file beside ``out``
        holds it meanwhile.
    dtype, compression, channel, plane, memory, workers
        As in `fuse`.
    progress : callable, optional
        Called with the work done and the work in all, both steps together.
    look : callable, optional
        Called in the end with the recordings "raw", "denoised" and "fused", before they are
        closed, and with the result, or None where an array is returned.
    **options
        Of the method, as in `fuse`.

    Returns
    -------
    ndarray (T, Y, X), float32, or RunResult

    Raises
    ------
    InputError, OutputError, MissingExtraError
        As `denoise` and `fuse`. Targets and options are looked at before the work begins.

    Examples
    --------
    >>> import numpy as np
    >>> raw = np.random.default_rng(0).poisson(5, (60, 32, 32)).astype(np.uint16)
    >>> run(raw).shape
    (60, 32, 32)
    """
    get_method(method, **options)
    if probe and out is None:
        raise InputError("probe=True tells what was gained in the result; give out=... for one")
    chosen = model or default_model()
    check_file_options(out, dtype=dtype, compression=compression)

    steps = _Steps(
        {"model": chosen, "checkpoint": checkpoint, "train": train, "memory": memory},
        model_options or {},
        {"method": method, "register": register, "memory": memory, **options},
    )
    with working(workers), ExitStack() as stack:
        recording = open_one(stack, raw, channel=channel, plane=plane)
        target_dtype(dtype, recording.dtype)
        _check_targets(out, keep_denoised, inputs=[recording, raw], compression=compression)
        probed = Probed(recording) if probe else None
        progress, probing = halves(progress) if probed else (progress, None)
        kept = keep_denoised
        if kept is None and out is not None:
            kept = stack.enter_context(_passing(out, "denoised"))
        target = {"out": out, "dtype": dtype, "compression": compression}
        made = steps.both(stack, recording, kept=kept, target=target, progress=progress)
        gain = None
        if probed and out is not None:
            gain = _probe(stack, steps, recording, made, probed, out=out, progress=probing)
        result = None
        if isinstance(made.fusing, FuseResult):
            if model is None and chosen == "gaussian":
                made.denoising.notes.append(_NO_RUNTIME)
            denoising = made.denoising if keep_denoised else replace(made.denoising, path="")
            result = RunResult(denoising, made.fusing, gain)
        if look:
            look({"raw": recording, "denoised": made.denoised, "fused": made.fused}, result)
    return result or made.fusing


@dataclass(frozen=True)
class _Made:
    """What both steps made: their results, arrays where nothing is written, and recordings."""

    denoising: Any
    fusing: Any
    denoised: Recording
    fused: Recording


@dataclass(frozen=True)
class _Steps:
    """How recordings are denoised, and how they are fused."""

    denoising: Mapping[str, Any]
    model_options: Mapping[str, Any]
    fusing: Mapping[str, Any]

    def denoise(self, raw: Recording, **options: Any) -> Any:
        return denoise(raw, **self.denoising, **self.model_options, **options)

    def trained(self) -> _Steps:
        """The same with the network that was trained into the checkpoint, if one was."""
        if not self.denoising["train"] or self.denoising["checkpoint"] is None:
            return self
        free = kind_of(self.denoising["model"]).prediction_options
        return replace(
            self,
            denoising={**self.denoising, "train": False},
            model_options={k: v for k, v in self.model_options.items() if k in free},
        )

    def both(
        self,
        stack: ExitStack,
        raw: Recording,
        *,
        kept: str | Path | None,
        target: Mapping[str, Any],
        progress: Progress | None,
    ) -> _Made:
        """Denoise into ``kept``, and fuse into the target; None keeps an array."""
        first, second = halves(progress)
        denoising = self.denoise(raw, out=kept, progress=first)
        denoised = open_one(stack, denoising if kept is None else kept)
        denoised.name = self._name(raw)
        fusing = fuse(raw, denoised, **self.fusing, **target, progress=second)
        fused = open_one(stack, fusing if target["out"] is None else target["out"])
        return _Made(denoising, fusing, denoised, fused)

    def _name(self, raw: Recording) -> str:
        """What the provenance of the fused recording calls the denoised one."""
        model, checkpoint = self.denoising["model"], self.denoising["checkpoint"]
        if not isinstance(model, str):
            model = getattr(model, "__qualname__", "function")
        how = model if checkpoint is None else f"{model}, {Path(checkpoint).name}"
        return f"{raw.name} ({how})"


def _probe(
    stack: ExitStack,
    steps: _Steps,
    raw: Recording,
    plain: _Made,
    probed: Probed,
    *,
    out: str | Path,
    progress: Progress | None,
) -> Gain:
    """Do both steps once more with a probe, and see what they gained."""
    kept, target = (stack.enter_context(_passing(out, step)) for step in ("denoised", "fused"))
    echoes = steps.trained().both(
        stack, probed, kept=kept, target={"out": target}, progress=progress
    )
    return probed_gain(
        raw,
        (plain.denoised, plain.fused),
        probed,
        (echoes.denoised, echoes.fused),
        scale=Scale(**plain.fusing.findings["scale"]),
    )


def _check_targets(
    out: str | Path | None,
    keep_denoised: str | Path | None,
    *,
    inputs: Sequence[Any],
    compression: str | None,
) -> None:
    """Refuse before any work what could not be written after it."""
    if out is not None:
        check_target(out, inputs=inputs, compression=compression)
    if keep_denoised is None:
        return
    check_target(keep_denoised, inputs=inputs)
    if out is not None and _file(out) == _file(keep_denoised):
        raise OutputError(
            f"{keep_denoised} is to hold the denoised recording and the fused one: "
            "give two different files"
        )


def _file(target: str | Path) -> Path:
    return locate(target)[0].resolve()


@contextmanager
def _passing(out: str | Path, step: str) -> Iterator[Path]:
    """A hidden name beside a target, for a recording that does not stay."""
    file = _file(out)
    path = file.with_name(f".{file.stem}.{uuid.uuid4().hex[:12]}.{step}.npy")
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)

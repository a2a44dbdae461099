"""A raw and a denoised recording in, the fused recording out."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from itertools import cycle
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from freq2clean.fusion import Fusion, Method, get_method
from freq2clean.fusion.method import as_frames
from freq2clean.pipeline.memory import DEFAULT_MEMORY, block_frames, parse_bytes
from freq2clean.pipeline.opening import Pair, open_pair
from freq2clean.pipeline.saving import Saved, Target, check_file_options, saving
from freq2clean.pipeline.swapped import FrameChanges
from freq2clean.recordings import Metadata, check_target
from freq2clean.streaming import IN_FLIGHT, two_passes

__all__ = ["FuseResult", "fuse"]

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class FuseResult:
    """What `fuse` wrote, and what it found on the way.

    Attributes
    ----------
    path : str
    shape : (int, int, int)
    dtype : str
    n_clipped : int
        Values that the dtype could not hold.
    parameters : dict
        The method's name and parameters.
    findings : dict
        What the method measured; see the class of the method.
    notes : tuple of str
        What a user should know, in plain words.
    seconds : float
    """

    path: str
    shape: tuple[int, int, int]
    dtype: str
    n_clipped: int
    parameters: dict[str, Any]
    findings: dict[str, Any]
    notes: tuple[str, ...]
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """The same, JSON-serialisable."""
        return asdict(self)


@overload
def fuse(raw: Any, denoised: Any, /, *, out: str | Path, **options: Any) -> FuseResult: ...
@overload
def fuse(
    raw: Any, denoised: Any, /, *, out: None = None, **options: Any
) -> NDArray[np.float32]: ...
def fuse(
    raw: Any,
    denoised: Any,
    /,
    *,
    method: str = "wiener",
    out: str | Path | None = None,
    dtype: str = "float32",
    compression: str | None = None,
    align: str | None = None,
    channel: int | None = None,
    plane: int | None = None,
    rescale: bool = True,
    memory: str | int = DEFAULT_MEMORY,
    progress: Progress | None = None,
    **options: Any,
) -> NDArray[np.float32] | FuseResult:
    """Give the raw recording's detail back to its denoised version.

    Parameters
    ----------
    raw, denoised : array-like (T, Y, X), path or Recording
        Read in blocks of frames; see `freq2clean.recordings.open_recording` for the formats.
    method : "wiener", "subspace", "fft" or "dct"
        `Wiener` measures its weights; `Subspace` brings back the detail of what is active too;
        `Fft` and `Dct` are the study's.
    out : path, optional
        Where to write the fused recording; without it, the array is returned.
    dtype : str
        Of the file: "float32", "same" as the raw recording, or any other real dtype. Integers are
        rounded and clipped, never wrapped, and clipped values are counted.
    compression : {None, "deflate", "zstd"}
        Of the file.
    align : {None, "start", "end", "center"}
        Where a denoised recording of fewer frames lies in the raw one; the result has its length.
    channel, plane : int, optional
        Of recordings with more than three axes.
    rescale : bool
        Bring a denoised recording that is clearly on another scale to the raw one's.
    memory : str or int
        Bound on the working memory, such as "1GB".
    progress : callable, optional
        Called with frames done and frames to do, both passes together.
    **options
        Of the method: see `Wiener`, `Subspace`, `Fft`, `Dct`.

    Returns
    -------
    ndarray (T, Y, X), float32, or FuseResult
        On the raw recording's scale; NaN where either input is.

    Raises
    ------
    InputError, OutputError
        Where the recordings do not fit together, an option is not allowed, or the target cannot
        be written.

    Examples
    --------
    >>> import numpy as np
    >>> raw = np.random.default_rng(0).poisson(5, (60, 32, 32)).astype(np.uint16)
    >>> denoised = np.full(raw.shape, 5, np.float32)
    >>> fuse(raw, denoised, method="fft", alpha=0.85, matching="histogram", window=3000).shape
    (60, 32, 32)
    """
    chosen = get_method(method, **options)
    check_file_options(out, dtype=dtype, compression=compression)
    memory_bytes = parse_bytes(memory)
    began = time.perf_counter()
    with ExitStack() as stack:
        pair, notes = open_pair(stack, raw, denoised, align=align, channel=channel, plane=plane)
        chosen = _in_units_of(chosen, pair[0].metadata)
        fusion = Fusion(chosen, pair[0].shape, rescale=rescale, memory_bytes=memory_bytes // 2)
        how = _How(block_frames(*pair, memory_bytes=memory_bytes), rescale, progress)
        if out is None:
            return _fuse_to_array(fusion, pair, how)
        target = Target(out, dtype, compression)
        check_target(out, inputs=[*pair, raw, denoised], compression=compression)
        saved = _fuse_to_file(fusion, pair, target, how)
    findings = fusion.findings
    return FuseResult(
        **asdict(saved),
        parameters=chosen.parameters(),
        findings=findings,
        notes=(*notes, *describe(fusion, findings, saved)),
        seconds=time.perf_counter() - began,
    )


@dataclass(frozen=True)
class _How:
    """How the recordings are streamed through a fusion."""

    block_frames: int
    rescale: bool
    progress: Progress | None


def _in_units_of(method: Method, metadata: Metadata) -> Method:
    """The method with frame rate and pixel size from the recording, where it lacks them."""
    missing = getattr(method, "missing_units", ())
    return replace(method, **{name: getattr(metadata, name) for name in missing})


def _stream(
    fusion: Fusion,
    pair: Pair,
    how: _How,
    *,
    room: Callable[[int, int], NDArray[np.float32]],
    write: Callable[[NDArray[np.float32]], None] | None = None,
) -> None:
    """Fuse into what ``room`` gives for a range of frames, then hand it to ``write``."""
    raw, denoised = pair

    def read_both(start: int, stop: int) -> tuple[NDArray[Any], NDArray[Any]]:
        return as_frames(raw.read(start, stop)), as_frames(denoised.read(start, stop))

    def accumulate(start: int, both: tuple[NDArray[Any], NDArray[Any]]) -> int:
        fusion.add(start, *both)
        for run in fusion.review_runs:
            fusion.review(run[0], *read_both(*run))
        if start == 0 and how.rescale:
            changes.check(fusion.scale.gain)
        return fusion.settled

    def apply(start: int, frames: NDArray[Any]) -> None:
        for fused in fusion.stream(frames, first_frame=start, room=room):
            if write:
                write(fused)

    changes = FrameChanges()
    for start, stop in fusion.survey_runs:
        both = read_both(start, stop)
        fusion.look(*both)
        changes.look(*both)
    two_passes(
        fusion.n_frames,
        how.block_frames,
        read_first=read_both,
        first=accumulate,
        read_second=denoised.read,
        second=apply,
        progress=how.progress,
    )


def _fuse_to_array(fusion: Fusion, pair: Pair, how: _How) -> NDArray[np.float32]:
    fused = np.empty(pair[0].shape, np.float32)
    _stream(fusion, pair, how, room=lambda start, stop: fused[start:stop])
    return fused


def _fuse_to_file(fusion: Fusion, pair: Pair, target: Target, how: _How) -> Saved:
    raw = pair[0]
    parameters = fusion.method.parameters()
    shape = (min(how.block_frames, len(raw)), *raw.shape[1:])
    buffers = cycle([np.empty(shape, np.float32) for _ in range(IN_FLIGHT)])
    with saving(target, raw.shape, raw=raw, how=parameters, inputs=pair) as (append, saved):
        _stream(
            fusion, pair, how, room=lambda start, stop: next(buffers)[: stop - start], write=append
        )
    return saved


def describe(fusion: Fusion, findings: dict[str, Any], saved: Saved) -> list[str]:
    """What a user should know of a fusion, in plain words."""
    notes = []
    if not fusion.scale.is_identity:
        notes.append(
            "the denoised recording is on another scale: it was brought to the raw one's as "
            f"{fusion.scale.gain:.6g} x denoised {fusion.scale.offset:+.6g}"
        )
    if findings.get("n_bins_limited_by_memory"):
        notes.append(
            f"memory allows {findings['n_bins']} temporal bins, fewer than would be of use; "
            "give more memory for a better result"
        )
    if "expected_mse_reduction" in findings:
        notes.append(_describe_gain(findings))
    if saved.n_clipped:
        notes.append(f"{saved.n_clipped} values were clipped to what {saved.dtype} can hold")
    return notes


def _describe_gain(findings: dict[str, Any]) -> str:
    before, after = findings["expected_mse_in_bands"]
    if before == 0:
        return (
            "no detail was found that the denoised recording lacks: it was left as it is "
            "(expected gain 0)"
        )
    share = findings["expected_mse_reduction"] / findings["noise_sd"] ** 2
    return (
        f"expected gain, without ground truth: the mean squared error falls by "
        f"{findings['expected_mse_reduction']:.4g} ({share:.2%} of the raw noise variance); in "
        f"the corrected bands from {before:.4g} to {after:.4g}, "
        f"{findings['expected_gain_in_bands_db']:.1f} dB"
    )

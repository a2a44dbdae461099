"""Dask arrays in, a Dask array out: nothing but the survey is computed before it is asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from freq2clean.errors import InputError
from freq2clean.fusion.method import Method, as_frames, check_pair
from freq2clean.fusion.parts import FusionInParts
from freq2clean.recordings.pixels import pixel_dtype
from freq2clean.streaming.dask import grouped, needs_dask

if TYPE_CHECKING:
    import dask.array as da

__all__ = ["check_as_they_are", "fuse_lazily"]

_WINDOWS_PER_PIECE = 4
_SHARE_OF_PART = 8


def fuse_lazily(
    raw: Any, denoised: Any, *, method: Method, rescale: bool, memory_bytes: int
) -> da.Array:
    """The fused recording of two Dask arrays (T, Y, X), float32, in chunks of whole frames.

    The windows, and so the graph, follow from what the survey sees: a few runs of frames are
    looked at now, the rest when the result is computed. Then each chunk of the raw array is read
    once (those with the runs that a power limit reviews, twice) and each of the denoised one
    twice, and no more frames are held at a time than a part or a piece of the result has: some
    multiple of ``memory_bytes`` where chunks are larger than that.
    """
    with needs_dask():
        import dask.array as da
        from dask.delayed import delayed

        from freq2clean.pipeline.graph import FusionGraph, Surveyed
    raw, denoised = da.asanyarray(raw), da.asanyarray(denoised)
    if np.isnan(raw.shape + denoised.shape).any():
        raise InputError("an array with chunks of unknown size: call its compute_chunk_sizes()")
    shape = check_pair(raw.shape, denoised.shape)
    for name, array in (("raw", raw), ("denoised", denoised)):
        pixel_dtype(array.dtype, name=f"the {name} recording")
    fusion = FusionInParts(method, shape, rescale=rescale, memory_bytes=memory_bytes // 2)
    frames = _Frames(raw, denoised)
    surveyed: Any = delayed(Surveyed, pure=False)(fusion)
    for run in fusion.survey_runs:
        surveyed = surveyed.looked(frames.both(*run))
    decided = surveyed.decided(rescale=rescale).persist()
    layout = decided.layout.compute()
    size = max(1, memory_bytes // _SHARE_OF_PART // (4 * shape[1] * shape[2]))
    graph = FusionGraph(
        decided,
        layout,
        frames,
        grouped(raw.chunks[0], size),
        has_gaps=raw.dtype.kind == "f",
    )
    if layout.limited:
        first, last = layout.limited[0]
        size = max(size, _WINDOWS_PER_PIECE * (last - first))
    pieces = [
        da.from_delayed(
            graph.fused(start, stop, _as_array, (stop - start, *shape[1:])),
            (stop - start, *shape[1:]),
            np.float32,
        )
        for start, stop in grouped(raw.chunks[0], size)
    ]
    fused: da.Array = da.concatenate(pieces)
    return fused


def check_as_they_are(*, register: bool, workers: int | None, **options: Any) -> None:
    """Refuse options that Dask arrays have no need of, or that need a pass of their own."""
    needless = [name for name, value in options.items() if value is not None]
    if needless:
        raise InputError(f"{needless[0]}: Dask arrays are taken as they are; slice them first")
    if workers is not None:
        raise InputError("workers: say it where the result is computed, or give out")
    if register:
        raise InputError("register measures the whole recording: give out, or compute it first")


class _Frames:
    """Frames of Dask arrays."""

    def __init__(self, raw: da.Array, denoised: da.Array) -> None:
        self._raw, self._denoised = raw, denoised

    def both(self, start: int, stop: int) -> Any:
        from dask.delayed import delayed

        some = slice(start, stop)
        return delayed(_block, pure=False)(start, self._raw[some], self._denoised[some])

    def both_by_range(self, ranges: Sequence[tuple[int, int]]) -> Any:
        from dask.delayed import delayed

        return delayed(_Runs, pure=False)([self.both(*some) for some in ranges])

    def denoised(self, start: int, stop: int) -> Any:
        """Not as tasks, whose results would be kept since they were added up: each reads anew.

        Those that are in a cluster's memory anyway are taken from there.
        """
        import dask

        frames = self._denoised[start:stop]
        if _is_in_memory(frames):
            return dask.delayed(_block, pure=False)(start, frames)
        return _Unread(start, *dask.optimize(frames))


def _is_in_memory(array: da.Array) -> bool:
    try:
        from distributed import futures_of
    except ModuleNotFoundError:
        return False
    return bool(futures_of(array))


class _Unread:
    """A block of frames that is computed when it is asked for, where it is asked for."""

    def __init__(self, start: int, frames: da.Array) -> None:
        self._start, self._frames = start, frames

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        yield from _block(self._start, self._frames.compute(scheduler="sync"))


def _block(start: int, *frames: NDArray[Any]) -> list[tuple[Any, ...]]:
    return [(start, *(as_frames(x) for x in frames))]


class _Runs:
    """Some runs of frames."""

    def __init__(self, runs: Sequence[Sequence[tuple[int, NDArray[Any], NDArray[Any]]]]) -> None:
        self._runs = [block for run in runs for block in run]

    def read_both(self, start: int, stop: int) -> tuple[NDArray[Any], NDArray[Any]]:
        """Frames ``start`` to ``stop``, which lie in one run."""
        first, raw, denoised = next(
            run for run in self._runs if run[0] <= start and stop <= run[0] + len(run[1])
        )
        return raw[start - first : stop - first], denoised[start - first : stop - first]


def _as_array(
    blocks: Iterable[NDArray[np.float32]], shape: tuple[int, int, int]
) -> NDArray[np.float32]:
    fused = np.empty(shape, np.float32)
    start = 0
    for block in blocks:
        fused[start : start + len(block)] = block
        start += len(block)
    return fused

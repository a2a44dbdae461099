"""Two recordings that all workers can read, fused by them into one Zarr recording.

Each task opens the recordings itself and reads what it needs, block by block: no frame goes from
worker to worker, and none to the client.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freq2clean.errors import InputError, OutputError
from freq2clean.fusion.method import Method, as_frames
from freq2clean.fusion.parts import FusionInParts, Layout
from freq2clean.pipeline.denoising import Progress
from freq2clean.pipeline.memory import block_frames
from freq2clean.pipeline.opening import Pair, open_pair
from freq2clean.pipeline.saving import Saved, Target, metadata_of
from freq2clean.recordings import target_dtype
from freq2clean.recordings.formats import suffix_of
from freq2clean.recordings.in_parts import PartWritten, ZarrParts, in_parts
from freq2clean.recordings.urls import is_url
from freq2clean.streaming import blocks, read_ahead
from freq2clean.streaming.dask import connected, needs_dask, results_of

__all__ = ["StoredPair", "check_shared", "fuse_on_cluster"]

_FRAMES_PER_PART = 256
_FRAMES_PER_IMAGE = 4
_FRAMES_PER_PIECE = 1024
_TASKS_PER_WORKER = 4


@dataclass(frozen=True)
class StoredPair:
    """How to open two recordings; can be sent to whoever reads them.

    Parameters
    ----------
    raw, denoised : str
        Paths or URLs.
    align, channel, plane
        As in `freq2clean.fuse`.
    memory_bytes : int
        Bound on the working memory of a task.
    job : str
        What tells one job from the next: files may change in between.
    """

    raw: str
    denoised: str
    align: str | None
    channel: int | None
    plane: int | None
    memory_bytes: int
    job: str = field(default_factory=lambda: uuid.uuid4().hex)

    @classmethod
    def of(cls, raw: str | Path, denoised: str | Path, **options: Any) -> StoredPair:
        """With paths that mean the same in every process."""
        x, y = (str(s if is_url(s) else Path(s).absolute()) for s in (raw, denoised))
        return cls(x, y, **options)

    def opened(self) -> Pair:
        """The recordings, which a process opens once."""
        return _opened(self)

    def read_both(self, start: int, stop: int) -> tuple[NDArray[Any], NDArray[Any]]:
        """Frames ``start`` to ``stop`` of both."""
        raw, denoised = self.opened()
        return as_frames(raw.read(start, stop)), as_frames(denoised.read(start, stop))

    def read_denoised(self, start: int, stop: int) -> tuple[NDArray[Any]]:
        """Those of the denoised one."""
        return (self.opened()[1].read(start, stop),)


@lru_cache(maxsize=2)
def _opened(pair: StoredPair) -> Pair:
    opened, _ = open_pair(
        ExitStack(),
        pair.raw,
        pair.denoised,
        align=pair.align,
        channel=pair.channel,
        plane=pair.plane,
    )
    return opened


@dataclass(frozen=True)
class _Blocks:
    """A range of frames, in blocks that a task reads one after the other."""

    pair: StoredPair
    start: int
    stop: int
    both: bool = True

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        n_block = block_frames(*self.pair.opened(), memory_bytes=self.pair.memory_bytes)
        ranges = blocks(self.start, self.stop, n_block)
        read = self.pair.read_both if self.both else self.pair.read_denoised
        for (first, _), frames in read_ahead(read, ranges):
            yield first, *frames


class _Frames:
    """Frames that tasks read themselves."""

    def __init__(self, pair: StoredPair) -> None:
        self._pair = pair

    def both(self, start: int, stop: int) -> _Blocks:
        return _Blocks(self._pair, start, stop)

    def both_by_range(self, ranges: Sequence[tuple[int, int]]) -> StoredPair:
        return self._pair

    def denoised(self, start: int, stop: int) -> _Blocks:
        return _Blocks(self._pair, start, stop, both=False)


def check_shared(
    raw: Any,
    denoised: Any,
    target: Target | None,
    *,
    register: bool,
    resume: bool,
    workers: int | None,
) -> None:
    """Refuse what cannot be given to workers.

    Raises
    ------
    InputError, OutputError
    """
    for source in (raw, denoised):
        if not isinstance(source, str | Path):
            raise InputError(
                f"scheduler: workers read files; a {type(source).__name__} was given. Give paths "
                "or URLs that all of them can read, or Dask arrays without scheduler"
            )
    if target is None or suffix_of(Path(str(target.path).rstrip("/"))) != ".zarr":
        given = "none was" if target is None else f"{target.path} was"
        raise OutputError(f"scheduler: workers write Zarr: give an out that ends in .zarr; {given}")
    if workers is not None:
        raise InputError(
            "workers and scheduler are both given: the scheduler has its own, as in local:4"
        )
    if resume:
        raise InputError("resume is for one machine, and a scheduler was given: leave one away")
    if register:
        raise InputError("register is for one machine: leave scheduler away, or register first")


def fuse_on_cluster(
    pair: Pair,
    stored: StoredPair,
    *,
    method: Method,
    target: Target,
    scheduler: str,
    rescale: bool,
    progress: Progress | None,
) -> tuple[Saved, dict[str, Any]]:
    """Fuse on the workers of a scheduler; see `freq2clean.streaming.dask.connected`.

    Returns
    -------
    saved : Saved
    findings : dict
        As in `freq2clean.pipeline.FuseResult`.
    """
    raw = pair[0]
    dtype = target_dtype(target.dtype, raw.dtype)
    with needs_dask():
        from dask.delayed import delayed

        from freq2clean.pipeline.graph import FusionGraph
    with (
        in_parts(
            target.path,
            raw.shape,
            dtype,
            metadata=metadata_of(raw, how=method.parameters(), inputs=pair),
            compression=target.compression,
        ) as (parts, written),
        connected(scheduler) as client,
    ):
        decided = delayed(_decide, pure=False)(stored, method, raw.shape, rescale).persist()
        layout: Layout = decided.layout.compute()
        n_tasks = _TASKS_PER_WORKER * max(1, len(client.nthreads()))
        ranges = blocks(0, len(raw), _frames_per_part(layout, n_tasks))
        gaps = raw.dtype.kind == "f"
        graph = FusionGraph(decided, layout, _Frames(stored), ranges, has_gaps=gaps)
        size = _frames_per_piece(layout, n_tasks, parts.chunk_frames)
        pieces = blocks(0, len(raw), size)
        tasks = [graph.fused(start, stop, _write, parts, start) for start, stop in pieces]
        *accounts, findings = results_of(client, [*tasks, graph.findings], progress=progress)
        written += accounts
    n_clipped = sum(account.n_clipped for account in accounts)
    return Saved(str(target.path), raw.shape, dtype.name, n_clipped), findings


def _decide(
    stored: StoredPair, method: Method, shape: tuple[int, int, int], rescale: bool
) -> FusionInParts:
    """Survey, and plan."""
    from freq2clean.pipeline.graph import Surveyed

    fusion = FusionInParts(method, shape, rescale=rescale, memory_bytes=stored.memory_bytes // 2)
    runs = ((start, *stored.read_both(start, stop)) for start, stop in fusion.survey_runs)
    return Surveyed(fusion).looked(runs).decided(rescale=rescale)


def _write(frames: Iterator[NDArray[np.float32]], parts: ZarrParts, start: int) -> PartWritten:
    return parts.write(start, frames)


def _frames_per_part(layout: Layout, n_tasks: int) -> int:
    """Many, so that the images that are sent are few; but few enough for every worker to help."""
    enough = max(_FRAMES_PER_PART, _FRAMES_PER_IMAGE * layout.n_images)
    return min(enough, max(1, layout.n_frames // n_tasks))


def _frames_per_piece(layout: Layout, n_tasks: int, chunk_frames: int) -> int:
    """Many, as pieces share windows of the limit with their neighbours; in whole chunks."""
    least = 2 * (layout.limited[0][1] - layout.limited[0][0]) if layout.limited else 1
    size = max(least, min(_FRAMES_PER_PIECE, layout.n_frames // n_tasks))
    return -(-size // chunk_frames) * chunk_frames

"""A fusion as a graph of few, large tasks: sums over parts, trees of them, windows, pieces."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from functools import cached_property
from typing import Any, Protocol

from dask.delayed import Delayed, delayed
from dask.sizeof import sizeof

from freq2clean.fusion.corrections import Correction
from freq2clean.fusion.limit import Limit, LimitMoments
from freq2clean.fusion.moments import Projection
from freq2clean.fusion.parts import (
    FusionInParts,
    Layout,
    Limited,
    Solved,
    Sums,
    merge,
    overlapping,
)
from freq2clean.fusion.regression import CourseMoments
from freq2clean.pipeline.swapped import FrameChanges
from freq2clean.streaming.dask import TOGETHER, sent_bytes, tree

__all__ = ["Frames", "FusionGraph", "Surveyed"]

Range = tuple[int, int]

# Dask moves tasks to what is large, and what is small to tasks: it has to know which is which.
for _kind in (Projection, CourseMoments, Correction, Limit, LimitMoments, FusionInParts):
    sizeof.register(_kind, sent_bytes)


class Frames(Protocol):
    """Where tasks find frames: what these give is known, or promised, when a task runs."""

    def both(self, start: int, stop: int) -> Any:
        """First frames, raw and denoised blocks, in order."""

    def both_by_range(self, ranges: Sequence[Range]) -> Any:
        """What has a ``read_both`` for pieces of some ranges."""

    def denoised(self, start: int, stop: int) -> Any:
        """First frames and denoised blocks, in order."""


class Surveyed:
    """A fusion whose survey is under way, and what tells a pair that was swapped."""

    def __init__(self, fusion: FusionInParts) -> None:
        self._fusion = fusion
        self._changes = FrameChanges()

    def looked(self, blocks: Iterable[tuple[int, Any, Any]]) -> Surveyed:
        """The same after a look at some runs; this one stays as it is."""
        after = deepcopy(self)
        for _, raw, denoised in blocks:
            after._fusion.look(raw, denoised)
            after._changes.look(raw, denoised)
        return after

    def decided(self, *, rescale: bool) -> FusionInParts:
        """The fusion, planned."""
        fusion = deepcopy(self)._fusion
        fusion.decide()
        if rescale:
            self._changes.check(fusion.scale.gain)
        return fusion


class FusionGraph:
    """What each step gives, as tasks.

    Parameters
    ----------
    fusion : Delayed
        A `FusionInParts`, decided.
    layout : Layout
    frames : Frames
    parts : sequence of (int, int)
        Ranges of frames that are added up by one task each, and cover the recording in order.
    has_gaps : bool
        Whether single values of the raw recording may be no numbers.
    """

    def __init__(
        self,
        fusion: Delayed,
        layout: Layout,
        frames: Frames,
        parts: Sequence[Range],
        *,
        has_gaps: bool,
    ) -> None:
        self._fusion, self._layout, self._frames, self._parts = fusion, layout, frames, parts
        self._has_gaps = has_gaps
        self._sums = [
            _task(_add_up)(fusion, start, stop, frames.both(*layout.to_add(start, stop)))
            for start, stop in parts
        ]

    def fused(self, start: int, stop: int, use: Callable[..., Any], *args: Any) -> Delayed:
        """``use(blocks, *args)`` of the fused frames ``start`` to ``stop``."""
        first, last = self._layout.to_apply(start, stop)
        limits = [self._limited[i] for i in self._layout.limits(start, stop)]
        masks = overlapping(self._parts, first, last) if self._has_gaps else []
        return _task(_fuse)(
            self._fusion,
            start,
            stop,
            self._solved_over(first, last),
            self._frames.denoised(first, last),
            limits,
            [self._masked[i] for i in masks],
            use,
            *args,
        )

    @cached_property
    def findings(self) -> Delayed:
        """What was found on the way."""
        return _task(_findings)(self._fusion, self._solved, self._limited)

    @cached_property
    def _masked(self) -> list[Delayed]:
        return [_task(_masked)(sums) for sums in self._sums]

    @cached_property
    def _solved(self) -> list[Delayed]:
        """The correction of each window, from its own terms and those that windows share."""
        users: dict[int, list[int]] = {}
        for window, terms in enumerate(self._layout.jobs):
            for term in terms:
                users.setdefault(term, []).append(window)
        terms_of: dict[tuple[int, ...], list[int]] = {}
        for term, windows in users.items():
            terms_of.setdefault(tuple(windows), []).append(term)
        parts_of: list[list[Any]] = [[] for _ in self._layout.jobs]
        for sharers, own in terms_of.items():
            merged = self._merged(own, most=1 if len(sharers) > 1 else TOGETHER)
            for window in sharers:
                parts_of[window] += merged
        return [_task(_solve)(self._fusion, window, parts) for window, parts in enumerate(parts_of)]

    def _merged(self, terms: Sequence[int], *, most: int) -> list[Any]:
        spans = [self._layout.spans[term] for term in terms]
        first, last = min(start for start, _ in spans), max(stop for _, stop in spans)
        held = overlapping(self._parts, first, last)
        return tree(merge, [_task(_pick)(self._sums[i], terms) for i in held], most=most)

    def _solved_over(self, start: int, stop: int) -> list[Delayed]:
        return [self._solved[i] for i in overlapping(self._layout.windows, start, stop)]

    @cached_property
    def _limited(self) -> list[Delayed]:
        """The limit from the start of each window on."""
        layout = self._layout
        if not layout.limited:
            return []
        windows = range(len(layout.windows))
        reviews = [
            _task(_look_again)(
                self._fusion,
                window,
                self._solved_over(*layout.stretch(window)),
                self._frames.both_by_range(layout.review_runs(window)),
            )
            for window in windows
        ]
        return [
            _task(_limit)(self._fusion, [reviews[i] for i in layout.reviews(window)])
            for window in windows
        ]


def _task(function: Callable[..., Any]) -> Callable[..., Delayed]:
    task: Callable[..., Delayed] = delayed(function, pure=False)
    return task


def _add_up(fusion: FusionInParts, start: int, stop: int, blocks: Any) -> Sums:
    return fusion.add_up(start, stop, blocks)


def _pick(sums: Sums, terms: Sequence[int]) -> dict[int, Any]:
    return {term: sums.terms[term] for term in terms if term in sums.terms}


def _masked(sums: Sums) -> Any:
    return sums.masked


def _solve(fusion: FusionInParts, window: int, parts: Sequence[Any]) -> Solved:
    return fusion.solve(window, parts)


def _look_again(
    fusion: FusionInParts, window: int, solved: Sequence[Solved], frames: Any
) -> LimitMoments:
    return fusion.look_again(window, [one.correction for one in solved], frames.read_both)


def _limit(fusion: FusionInParts, reviews: Sequence[LimitMoments]) -> Limited:
    return fusion.limit(reviews)


def _fuse(
    fusion: FusionInParts,
    start: int,
    stop: int,
    solved: Sequence[Solved],
    blocks: Any,
    limited: Sequence[Limited],
    masked: Sequence[Any],
    use: Callable[..., Any],
    *args: Any,
) -> Any:
    frames = fusion.fuse(
        start,
        stop,
        [one.correction for one in solved],
        blocks,
        limits=[one.limit for one in limited],
        masked=masked,
    )
    return use(frames, *args)


def _findings(
    fusion: FusionInParts, solved: Sequence[Solved], limited: Sequence[Limited]
) -> dict[str, Any]:
    notes = [*(one.notes for one in solved), *(one.notes for one in limited)]
    return fusion.findings_with(notes)

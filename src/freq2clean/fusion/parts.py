"""The three steps of a fusion done apart: on any frames, in any order, in any process.

What is accumulated over some frames is a sum, and what is applied to some frames is a map. So once
a survey has decided on a plan, the steps are functions of that plan and of what earlier steps gave,
which they leave as it is. Who calls them, and where, is not known here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from freq2clean.fusion.corrections import Correction
from freq2clean.fusion.limit import MOST_RUNS, Limit, Limiter, LimitMoments, limit_windows
from freq2clean.fusion.method import Fusion, Review, review_runs
from freq2clean.fusion.missing import MaskedValues
from freq2clean.fusion.moments import Projection, accumulate
from freq2clean.fusion.parallel import Spare
from freq2clean.fusion.regression import CourseMoments

__all__ = ["FusionInParts", "Layout", "Limited", "Solved", "Sums", "merge"]

Range = tuple[int, int]
Term = Projection | CourseMoments


class Sums(NamedTuple):
    """What was added up over some frames: some of the fusion's terms, and where values lack."""

    terms: Mapping[int, Term]
    masked: MaskedValues


class Solved(NamedTuple):
    """The correction of a window, and what was found on the way."""

    correction: Correction
    notes: Mapping[str, list[Any]]


class Limited(NamedTuple):
    """The limit from the start of a window on, and what was found on the way."""

    limit: Limit
    notes: Mapping[str, list[Any]]


@dataclass(frozen=True)
class Layout:
    """Which frames and which results each step needs: all that a scheduler has to know.

    Parameters
    ----------
    n_frames : int
    spans : sequence of (int, int)
        The frames that each term sums over.
    jobs : sequence of sequence of int
        The terms from which the correction of each window is solved.
    windows : sequence of (int, int)
        The frames of each.
    halo : int
        How many frames around those that are added up must be given with them.
    n_images : int
        Images that are added up at a time, about.
    limited : sequence of (int, int)
        The windows of the power limit; none where there is no limit.
    """

    n_frames: int
    spans: Sequence[Range]
    jobs: Sequence[Sequence[int]]
    windows: Sequence[Range]
    halo: int
    n_images: int
    limited: Sequence[Range]

    def to_add(self, start: int, stop: int) -> Range:
        """The frames to give where ``start`` to ``stop`` are to be added up."""
        return max(0, start - self.halo), min(self.n_frames, stop + self.halo)

    def to_apply(self, start: int, stop: int) -> Range:
        """The frames to give where ``start`` to ``stop`` are to be fused."""
        windows = [self.limited[i] for i in overlapping(self.limited, start, stop)]
        return (windows[0][0], windows[-1][1]) if windows else (start, stop)

    def limits(self, start: int, stop: int) -> list[int]:
        """Which limits are in force where frames ``start`` to ``stop`` are fused."""
        middles = [sum(self.limited[i]) // 2 for i in overlapping(self.limited, start, stop)]
        firsts = [first for first, _ in self.windows]
        return sorted({max(0, int(np.searchsorted(firsts, m, "right")) - 1) for m in middles})

    def stretch(self, window: int) -> Range:
        """The frames of a window that the next does not have: its limit is measured there."""
        firsts = [*(first for first, _ in self.windows), self.n_frames]
        return firsts[window], firsts[window + 1]

    def review_runs(self, window: int) -> list[Range]:
        """The runs of frames to review for the limit of a window."""
        first, last = self.limited[0]
        return review_runs(*self.stretch(window), last - first)

    def reviews(self, window: int) -> list[int]:
        """Which reviews the limit of a window is found from, its own at the end."""
        first, n_runs = window, len(self.review_runs(window))
        while first and n_runs < MOST_RUNS:
            first -= 1
            n_runs += len(self.review_runs(first))
        return list(range(first, window + 1))


def overlapping(ranges: Sequence[Range], start: int, stop: int) -> list[int]:
    """Which of some ranges hold any of the frames ``start`` to ``stop``."""
    return [i for i, (first, last) in enumerate(ranges) if first < stop and start < last]


def merge(parts: Sequence[Mapping[int, Term]]) -> dict[int, Term]:
    """Terms over all frames of some parts, each in the order of its frames."""
    indices = dict.fromkeys(index for part in parts for index in part)
    return {index: _merged([part[index] for part in parts if index in part]) for index in indices}


def _merged(parts: Sequence[Any]) -> Term:
    merged: Term = type(parts[0]).merged(parts)
    return merged


class FusionInParts(Fusion):
    """A fusion that does not change any more once its survey is done and `decide` was called.

    Examples
    --------
    >>> from freq2clean import Fft
    >>> raw, denoised = np.full((60, 8, 8), 7.0), np.full((60, 8, 8), 5.0)
    >>> fusion = FusionInParts(Fft(alpha=1.0, matching="none"), raw.shape)
    >>> for start, stop in fusion.survey_runs:
    ...     fusion.look(raw[start:stop], denoised[start:stop])
    >>> layout = fusion.decide()
    >>> sums = [
    ...     fusion.add_up(start, start + 20, [(start, raw[start:][:20], denoised[start:][:20])])
    ...     for start in (0, 20, 40)
    ... ]
    >>> solved = fusion.solve(0, [part.terms for part in sums])
    >>> (part,) = fusion.fuse(30, 33, [solved.correction], [(30, denoised[30:33])])
    >>> part.shape, float(part[0, 0, 0])
    ((3, 8, 8), 7.0)
    """

    def decide(self) -> Layout:
        """Plan, and say what the plan needs."""
        self._make_plan()
        self._terms: list[Term] = list(
            dict.fromkeys(term for job in self._jobs for term in _terms_of(job))
        )
        return self.layout

    @cached_property
    def layout(self) -> Layout:
        """What the steps need of each other."""
        assert self._plan is not None, "decided"
        index = {id(term): i for i, term in enumerate(self._terms)}
        tiling = self._plan.tiling
        windows = limit_windows(tiling, 0, self.n_frames) if tiling else []
        return Layout(
            self.n_frames,
            [(term.start, term.stop) for term in self._terms],
            [[index[id(term)] for term in _terms_of(job)] for job in self._jobs],
            [(job.window.start, job.window.stop) for job in self._jobs],
            max(_reach(term) for term in self._terms),
            max(sum(len(p.weights) for p in job.projections) for job in self._jobs),
            [(window.start, window.stop) for window in windows],
        )

    def add_up(
        self, start: int, stop: int, blocks: Iterable[tuple[int, NDArray[Any], NDArray[Any]]]
    ) -> Sums:
        """Step 1 for frames ``start`` to ``stop``.

        ``blocks`` are first frames, raw and denoised blocks (n, Y, X), in order; together they are
        the frames that the layout says to give.
        """
        terms = {
            i: term.part(max(start, term.start), min(stop, term.stop))
            for i, term in enumerate(self._terms)
            if term.start < stop and start < term.stop
        }
        projections = [term for term in terms.values() if isinstance(term, Projection)]
        masked = MaskedValues()
        for first, raw, denoised in blocks:
            inside = slice(max(start - first, 0), max(stop - first, 0))
            accumulate(
                max(start, first),
                raw[inside],
                denoised[inside],
                projections,
                scale=self.scale,
                masked=masked,
            )
            for term in terms.values():
                if isinstance(term, CourseMoments):
                    term.add(first, raw, denoised, self.scale)
        return Sums(terms, masked)

    def solve(self, window: int, parts: Sequence[Mapping[int, Term]]) -> Solved:
        """Step 2 for a window, from all parts of its terms."""
        assert self._plan is not None, "decided"
        terms = merge(parts)
        own = [terms[i] for i in self.layout.jobs[window]]
        projections = tuple(term for term in own if isinstance(term, Projection))
        courses = next((term for term in own if isinstance(term, CourseMoments)), None)
        plan = self._plan.with_notes()
        job = replace(self._jobs[window], projections=projections, courses=courses)
        return Solved(plan.solve(job, self.shape), plan.notes())

    def look_again(
        self,
        window: int,
        corrections: Sequence[Correction],
        read_both: Callable[[int, int], tuple[NDArray[Any], NDArray[Any]]],
    ) -> LimitMoments:
        """What the limit of a window is found from, by pieces of `Layout.review_runs`."""
        assert self._plan is not None, "decided"
        review = Review(self._plan.with_notes(), *self.layout.stretch(window), self.shape, Spare())
        piece = self._holding(corrections)
        for start, stop in list(review.pieces):
            piece._look_again(review, start, *read_both(start, stop))
        return review.moments

    def limit(self, reviews: Sequence[LimitMoments]) -> Limited:
        """The limit of a window, from the reviews that the layout names."""
        moments = reviews[-1].after(reviews[:-1])
        return Limited(moments.solve(), {"_limit_moments": [moments.without_powers()]})

    def fuse(
        self,
        start: int,
        stop: int,
        corrections: Sequence[Correction],
        blocks: Iterable[tuple[int, NDArray[Any]]],
        *,
        limits: Sequence[Limit] = (),
        masked: Sequence[MaskedValues] = (),
    ) -> Iterator[NDArray[np.float32]]:
        """Step 3 for frames ``start`` to ``stop``: arrays (n, Y, X), each valid until the next.

        ``blocks`` are first frames and denoised blocks, in order; together they are the frames
        that the layout says to give.
        """
        assert self._plan is not None, "decided"
        piece = self._holding(corrections, limits, masked)
        if tiling := self._plan.tiling:
            wanted = start, stop
            piece._limiter = Limiter(tiling, 0, self.n_frames, piece._spare, wanted=wanted)
        at, _ = self.layout.to_apply(start, stop)
        buffer = np.empty((0, *self.shape), np.float32)

        def room(first: int, last: int) -> NDArray[np.float32]:
            nonlocal buffer
            if last - first > len(buffer):
                buffer = np.empty((last - first, *self.shape), np.float32)
            return buffer[: last - first]

        for first, denoised in blocks:
            for fused in piece.stream(denoised, first_frame=first, room=room):
                part = fused[max(start - at, 0) : max(stop - at, 0)]
                at += len(fused)
                if len(part):
                    yield part

    def findings_with(self, notes: Sequence[Mapping[str, list[Any]]]) -> dict[str, Any]:
        """What was found on the way, from the notes of all windows in their order."""
        piece = self._holding(())
        assert self._plan is not None, "decided"
        piece._plan = self._plan.with_notes(*notes)
        return piece.findings

    def _holding(
        self,
        corrections: Sequence[Correction],
        limits: Sequence[Limit] = (),
        masked: Sequence[MaskedValues] = (),
    ) -> Fusion:
        """A fusion for which some windows are solved, to review or apply their frames."""
        piece = Fusion.__new__(Fusion)
        vars(piece).update(
            vars(self),
            corrections=list(corrections),
            _limits=list(limits),
            _masked=MaskedValues(),
            _jobs=[],
            _reviews=[],
            _limiter=None,
            _spare=Spare(),
        )
        for other in masked:
            piece._masked.take(other)
        return piece


def _terms_of(job: Any) -> tuple[Term, ...]:
    return (*job.projections, *([job.courses] if job.courses else []))


def _reach(term: Term) -> int:
    return term.reach if isinstance(term, CourseMoments) else 0

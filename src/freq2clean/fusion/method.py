"""The three steps of every fusion: accumulate, solve, apply."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, ClassVar, Protocol, Self

from freq2clean.errors import InputError
from freq2clean.fusion.corrections import Correction
from freq2clean.fusion.limit import Limit, Limiter, LimitMoments, Tiling, limit_windows
from freq2clean.fusion.missing import MaskedValues, filled, missing_rows, zero_where_unknown
from freq2clean.fusion.moments import Projection, accumulate
from freq2clean.fusion.parallel import Spare
from freq2clean.fusion.regression import CourseMoments, Detail
from freq2clean.fusion.scale import Scale
from freq2clean.fusion.spaces import HOST, Space, is_elsewhere, space_of
from freq2clean.fusion.survey import Survey, spread_runs
from freq2clean.fusion.windows import Window

__all__ = ["ArrayLike3D", "Fusion", "Job", "Method", "Plan", "Review", "review_runs"]


class ArrayLike3D(Protocol):
    """Anything with a (T, Y, X) shape that gives frames by slice: NumPy, Zarr, a Recording."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def __getitem__(self, key: slice, /) -> Any: ...


_REVIEW_RUNS = 4


@dataclass(frozen=True, eq=False)
class Job:
    """One window, and the projections and moments that its correction is solved from."""

    window: Window
    projections: tuple[Projection, ...]
    courses: CourseMoments | None = None

    @property
    def stop(self) -> int:
        """The frame from which on nothing more is needed."""
        return max(projection.stop for projection in self.projections)


class Plan(ABC):
    """What a method does with one pair of recordings: its jobs, and how each is solved.

    Jobs are taken from the list as they are solved, so that what they hold is let go of.
    One that limits the power of what is fused has a ``tiling``, in which it wants to review some
    of it.
    """

    jobs: list[Job]
    tiling: Tiling | None = None
    noted: ClassVar[tuple[str, ...]] = ()
    """Names of the lists to which each window adds what it finds."""

    @abstractmethod
    def solve(self, job: Job, shape: tuple[int, int]) -> Correction:
        """Step 2: the correction of one window, from its coefficient images alone."""

    def limit_moments(self, start: int) -> LimitMoments:
        """What finds the limit that is in force from a frame on."""
        raise NotImplementedError

    @abstractmethod
    def findings(self) -> dict[str, Any]:
        """What was found on the way, JSON-serialisable.

        Every plan tells its ``windows``, the first frame of each and the one after the last, and
        ``n_bins``, how many temporal bins are corrected.
        """

    def with_notes(self, *notes: Mapping[str, list[Any]]) -> Self:
        """The same plan with what was found elsewhere, in the order of windows, or nothing."""
        plan = copy(self)
        for name in self.noted:
            setattr(plan, name, [found for note in notes for found in note.get(name, ())])
        return plan

    def notes(self) -> dict[str, list[Any]]:
        """What was found so far, for `with_notes`."""
        return {name: getattr(self, name) for name in self.noted}


@dataclass(frozen=True, kw_only=True)
class Method(ABC):
    """A fusion method and its parameters. Subclasses say how jobs are planned and solved."""

    name: ClassVar[str]

    def survey(self, n_frames: int, shape: tuple[int, int], *, find_scale: bool) -> Survey:
        """What to look at before the first pass."""
        return Survey(shape, spread_runs(n_frames, n_runs=8, length=8), find_scale=find_scale)

    @abstractmethod
    def plan(
        self, n_frames: int, shape: tuple[int, int], survey: Survey, *, memory_bytes: int | None
    ) -> Plan:
        """The jobs for a recording of ``n_frames`` frames, after the survey."""

    def parameters(self) -> dict[str, Any]:
        """Name and parameters, JSON-serialisable, for the provenance."""
        return {"method": self.name, **asdict(self)}

    def fit(
        self,
        raw: ArrayLike3D,
        denoised: ArrayLike3D,
        /,
        *,
        rescale: bool = True,
        memory_bytes: int | None = None,
        block_frames: int | None = None,
    ) -> Fusion:
        """Accumulate and solve, for a pair of recordings that give frames by slice.

        Parameters
        ----------
        raw, denoised : array-like, (T, Y, X)
            NumPy arrays, whatever gives them by slice, or arrays of another library on one device.
            Read in blocks of ``block_frames`` frames; by default 64, more where these are small.
        rescale : bool
            Match a denoised recording that is clearly on another scale than the raw one.
        memory_bytes : int, optional
            Bound on what the coefficient images may take.

        Returns
        -------
        Fusion
            Its ``apply`` gives fused frames; its ``findings`` say what was measured.
        """
        fusion = Fusion(
            self, check_pair(raw.shape, denoised.shape), rescale=rescale, memory_bytes=memory_bytes
        )
        for start, stop in fusion.survey_runs:
            fusion.look(_frames(raw, start, stop), _frames(denoised, start, stop))
        n_pixels = fusion.shape[0] * fusion.shape[1]
        step = block_frames or max(64, space_of(denoised).few_frames(n_pixels))
        for start in range(0, fusion.n_frames, step):
            stop = min(start + step, fusion.n_frames)
            fusion.add(start, _frames(raw, start, stop), _frames(denoised, start, stop))
            for first, last in fusion.review_runs:
                fusion.review(first, _frames(raw, first, last), _frames(denoised, first, last))
        return fusion


class Fusion:
    """The fusion of one pair of recordings: takes frames of both, then gives fused frames.

    Frames up to ``settled`` can be applied before the last ones were added, so a recording of any
    length passes through with the corrections of a few windows in memory; ``forget`` drops those
    that are done with.
    """

    def __init__(
        self,
        method: Method,
        shape: tuple[int, int, int],
        *,
        rescale: bool = True,
        memory_bytes: int | None = None,
    ) -> None:
        self.method = method
        self.n_frames = shape[0]
        self.shape = shape[1:]
        self._memory_bytes = memory_bytes
        self._survey: Survey | None = method.survey(self.n_frames, self.shape, find_scale=rescale)
        self._survey_runs = self._survey.runs
        self._plan: Plan | None = None
        self._jobs: list[Job] = []
        self._masked = MaskedValues()
        self._space: Space = HOST
        self.scale = Scale()
        self.corrections: list[Correction] = []
        self._reviews: list[Review] = []
        self._limits: list[Limit] = []
        self._limiter: Limiter | None = None
        self._spare = Spare()
        self._forgotten = 0

    @property
    def survey_runs(self) -> Sequence[tuple[int, int]]:
        """Ranges of frames to `look` at before the first `add`."""
        return self._survey_runs

    def look(self, raw: Any, denoised: Any) -> None:
        """Survey one of the runs: two blocks (n, Y, X)."""
        assert self._survey is not None, "surveyed, and planned"
        self._space = space_of(raw, denoised)
        self._survey.add(raw, denoised)

    def add(self, start: int, raw: Any, denoised: Any) -> None:
        """Step 1: the next frames, ``start`` onward, two blocks (n, Y, X); solves what it can."""
        plan = self._plan or self._make_plan()
        projections = dict.fromkeys(p for job in self._jobs for p in job.projections)
        accumulate(start, raw, denoised, list(projections), scale=self.scale, masked=self._masked)
        stop = start + raw.shape[0]
        for job in self._jobs:
            if job.courses:
                job.courses.add(start, raw, denoised, self.scale)
        while self._jobs and self._jobs[0].stop <= stop:
            settled = self._solved
            self.corrections.append(plan.solve(self._jobs.pop(0), self.shape))
            if plan.tiling:
                self._reviews.append(
                    Review(plan, settled, self._solved, self.shape, self._spare, space=self._space)
                )

    def _make_plan(self) -> Plan:
        """Plan by what the survey found, and let go of it; jobs are taken from the plan's list."""
        assert self._survey is not None
        self.scale = self._survey.scale()
        self._plan = self.method.plan(
            self.n_frames, self.shape, self._survey, memory_bytes=self._memory_bytes
        )
        self._jobs, self._survey = self._plan.jobs, None
        return self._plan

    @property
    def review_runs(self) -> list[tuple[int, int]]:
        """Ranges of frames to `review`, in this order, before more can be applied."""
        return [piece for review in self._reviews for piece in review.pieces]

    def review(self, start: int, raw: Any, denoised: Any) -> None:
        """Look once more at frames ``start`` onward, now that their correction is known."""
        review = self._reviews[0]
        self._look_again(review, start, raw, denoised)
        if not review.pieces:
            self._limits.append(review.moments.solve())
            self._reviews.pop(0)

    def _look_again(self, review: Review, start: int, raw: Any, denoised: Any) -> None:
        space, xp = self._space, self._space.xp
        values, fused = review.room(start, start + raw.shape[0])
        zero_where_unknown(self._corrected(denoised, start, fused, components=False))
        space.copy(raw, out=values)
        if missing_rows(raw).any() or not space.holds(xp.isfinite(xp.sum(values))):
            whole = xp.asarray(fused, copy=True)
            self._put_back(start, whole)
            values[...] = filled(raw, whole)
        review.look(self._details)

    @property
    def _solved(self) -> int:
        """Frames before this one have all their corrections."""
        return self._jobs[0].window.start if self._jobs else self.n_frames

    @property
    def settled(self) -> int:
        """Frames before this one can be applied."""
        if self._plan is None:
            return 0
        return self._reviews[0].start if self._reviews else self._solved

    @property
    def findings(self) -> dict[str, Any]:
        """What was found on the way, JSON-serialisable."""
        found = {"scale": {"gain": self.scale.gain, "offset": self.scale.offset}}
        return found if self._plan is None else {**found, **self._plan.findings()}

    def apply(self, denoised: Any, /, *, first_frame: int = 0, out: Any = None) -> Any:
        """Step 3: fused frames.

        Parameters
        ----------
        denoised : array, (n, Y, X)
            Frames ``first_frame`` onward of the denoised recording, where those were that the
            fusion was fit to.
        out : array, (n, Y, X), float32, contiguous, optional
            Where to put the result: memory that was used before is much faster than new.

        Returns
        -------
        array, (n, Y, X), float32
            Of the library and on the device of ``denoised``; on the raw recording's scale; NaN
            where either recording is.
        """
        self._check_block(denoised, first_frame)
        denoised = as_frames(denoised)
        tiling = self._plan.tiling if self._plan else None
        fused = self._corrected(denoised, first_frame, out, components=not tiling)
        if tiling:
            if fused.shape[0] < tiling.n_frames:
                raise InputError(
                    f"{fused.shape[0]} frames given; the power limit needs {tiling.n_frames} or "
                    "more at once"
                )
            n_frames = fused.shape[0]
            limiter = self._new_limiter(tiling, first_frame, first_frame + n_frames)
            write = partial(_copy_some, fused)
            for start, part in limiter.push(n_frames, write, self._limit_at):
                fused[start - first_frame : start - first_frame + part.shape[0], ...] = part
            self._put_back(first_frame, fused)
        self._blank(first_frame, fused)
        return fused

    def stream(
        self, denoised: Any, /, *, first_frame: int, room: Callable[[int, int], Any]
    ) -> Iterator[Any]:
        """Step 3 for a recording that comes in order, in blocks of any size, from frame 0 on.

        Frames that need later ones come with those. They are written into what ``room`` gives for
        a range of frames, which may be the same memory again.
        """
        tiling = self._plan.tiling if self._plan else None
        if tiling is None:
            stop = first_frame + denoised.shape[0]
            out = room(first_frame, stop)
            yield self.apply(denoised, first_frame=first_frame, out=out)
            self._forget(stop, stop)
            return
        self._check_block(denoised, first_frame)
        if self._limiter is None:
            self._limiter = self._new_limiter(tiling, 0, self.n_frames)
        late = max(0, self._limiter.start - first_frame)
        denoised, first_frame = denoised[late:, ...], first_frame + late
        n_block = denoised.shape[0]

        def write(some: slice, out: Any) -> None:
            part = denoised[some, ...]
            self._corrected(part, first_frame + some.start, out, components=False)

        for start, done in self._limiter.push(n_block, write, self._limit_at):
            self._put_back(start, done)
            for first in range(0, done.shape[0], n_block):
                part = done[first : min(first + n_block, done.shape[0]), ...]
                out = room(start + first, start + first + part.shape[0])
                out[...] = part
                self._blank(start + first, out)
                yield out
            self._forget(first_frame + n_block, start + done.shape[0])

    def _new_limiter(
        self, tiling: Tiling, start: int, stop: int, *, wanted: tuple[int, int] | None = None
    ) -> Limiter:
        return Limiter(tiling, start, stop, self._spare, space=self._space, wanted=wanted)

    def begin_at(self, frame: int) -> int:
        """Have `stream` give frame ``frame`` and those after it, and few before; bit for bit.

        To be called before it is, after the first `add`. Returns the frame from which on it is to
        be given blocks: those that it would have got from frame 0 on, for how frames are blocked
        shows in the last bit.
        """
        tiling = self._plan.tiling if self._plan else None
        if tiling is None:
            return frame
        windows = limit_windows(tiling, 0, self.n_frames)
        wanted = next(window for window in windows if window.stop > frame)
        before = [window for window in windows if window.stop <= wanted.start] or windows[:1]
        needed = before[-1].stop - 1, self.n_frames
        self._limiter = self._new_limiter(tiling, 0, self.n_frames, wanted=needed)
        return self._limiter.start

    def _check_block(self, denoised: Any, first_frame: int) -> None:
        n_frames = denoised.shape[0]
        if tuple(denoised.shape[1:]) != self.shape:
            raise InputError(f"frames are {denoised.shape[1:]}; the fusion was fit to {self.shape}")
        if first_frame < self._forgotten or first_frame + n_frames > self.settled:
            raise InputError(
                f"frames {first_frame}:{first_frame + n_frames} asked for; "
                f"frames {self._forgotten}:{self.settled} are solved and kept"
            )

    def _corrected(
        self, denoised: Any, first_frame: int, out: Any = None, *, components: bool
    ) -> Any:
        """The denoised frames plus the corrections, on the raw recording's scale.

        False for ``components`` to take these out: the limit does not touch them.
        """
        space = space_of(denoised)
        result = space.empty(denoised.shape) if out is None else out
        n_frames, n_pixels = denoised.shape[0], self.shape[0] * self.shape[1]
        y, fused = (space.xp.reshape(x, (n_frames, n_pixels)) for x in (denoised, result))

        def add_pixels(pixels: slice) -> None:
            target = fused[:, pixels]
            level = self.scale.apply(y[:, pixels], out=target)
            for correction in self.corrections:
                level = correction.add_to(first_frame, level, pixels, out=target)
            if level is not target:
                target[...] = level

        one_sweep = len(self.corrections) == 1 and self.corrections[0].is_constant
        space.over_pixels(add_pixels, n_pixels, one_sweep=one_sweep)
        if self._details:
            level = self.scale.apply(denoised)
            for detail in self._details:
                detail.add_to(first_frame, level, result, components=components)
        return result

    def _put_back(self, start: int, frames: Any) -> None:
        """Add the components to frames ``start`` onward."""
        for detail in self._details:
            detail.add_components(start, frames)

    @property
    def _details(self) -> list[Detail]:
        return [correction.detail for correction in self.corrections if correction.detail]

    def _blank(self, start: int, fused: Any) -> None:
        """NaN where the raw recording is not a number."""
        flat = space_of(fused).xp.reshape(fused, (fused.shape[0], self.shape[0] * self.shape[1]))
        self._masked.blank(start, flat)

    def _limit_at(self, frame: int) -> Limit:
        """The limit in force at a frame."""
        return next((x for x in reversed(self._limits) if x.start <= frame), self._limits[0])

    def forget(self, before: int) -> None:
        """Drop what is needed only before a frame; those frames cannot be applied again."""
        self._forget(before, before)

    def _forget(self, corrected: int, given: int) -> None:
        """Drop what is needed only before frames that were corrected, and given out."""
        self._forgotten = max(self._forgotten, corrected)
        self.corrections = [c for c in self.corrections if c.window.stop > given]
        self._masked.forget(given)
        while len(self._limits) > 1 and self._limits[1].start <= given:
            self._limits.pop(0)


class Review:
    """Runs of frames that are still to be looked at, in pieces, for the limit from ``start`` on."""

    def __init__(
        self,
        plan: Plan,
        start: int,
        stop: int,
        shape: tuple[int, int],
        spare: Spare,
        *,
        space: Space = HOST,
    ) -> None:
        assert plan.tiling is not None
        self.start = start
        self.moments = plan.limit_moments(start)
        self._spare, self._space = spare, space
        self._shape = length, *_ = plan.tiling.n_frames, *shape
        self._firsts = [first for first, _ in review_runs(start, stop, length)]
        step = space.few_frames(shape[0] * shape[1])
        self.pieces = [
            (first + begin, first + min(begin + step, length))
            for first in self._firsts
            for begin in range(0, length, step)
        ]
        self._run: tuple[Any, Any] | None = None

    def room(self, start: int, stop: int) -> tuple[Any, Any]:
        """Where the next piece goes, of the raw and of the fused recording."""
        if self._run is None:
            take = self._spare.take
            self._run = take(self._space, self._shape), take(self._space, self._shape)
        inside = slice(start - self._firsts[0], stop - self._firsts[0])
        return self._run[0][inside, ...], self._run[1][inside, ...]

    def look(self, details: Sequence[Detail]) -> None:
        """Add the run to the moments once its last piece is there."""
        _, stop = self.pieces.pop(0)
        if self._run is None or stop < self._firsts[0] + self._shape[0]:
            return
        raw, fused = self._run
        for detail in details:
            detail.project_out(self._firsts[0], raw)
        self.moments.add(raw, fused)
        self._firsts.pop(0)
        if not self.pieces:
            self._spare.give_back(raw)
            self._run = None


def review_runs(start: int, stop: int, length: int) -> list[tuple[int, int]]:
    """The runs of frames that are looked at once more, of those from ``start`` to ``stop``."""
    runs = spread_runs(stop - start, n_runs=_REVIEW_RUNS, length=length)
    return [(start + first, start + last) for first, last in runs]


def _copy_some(frames: Any, some: slice, out: Any) -> None:
    out[...] = frames[some, ...]


def check_pair(raw: Sequence[int], denoised: Sequence[int]) -> tuple[int, int, int]:
    """The common (T, Y, X) shape of a pair of recordings, or an error that says what differs."""
    for name, shape in (("raw", raw), ("denoised", denoised)):
        if len(shape) != 3 or 0 in shape:
            raise InputError(f"the {name} recording has shape {tuple(shape)}; (T, Y, X) is needed")
    if tuple(raw) != tuple(denoised):
        raise InputError(
            f"the raw recording has shape {tuple(raw)} and the denoised one {tuple(denoised)}; "
            "they must be equal"
        )
    return raw[0], raw[1], raw[2]


def as_frames(block: Any) -> Any:
    """A block as a contiguous array of real numbers, where it is."""
    return space_of(block).frames(block)


def _frames(recording: ArrayLike3D, start: int, stop: int) -> Any:
    if is_elsewhere(recording):
        there: Any = recording
        return as_frames(there[start:stop, ...])
    return as_frames(recording[start:stop])

"""Detail that comes and goes with a denoised recording's own courses, fitted patch by patch.

The residual is regressed on courses that frame t does not decide: noise of a frame leaks into the
denoised version of that frame most of all, so the course at t is the average of those at t - 2,
t - 1, t + 1 and t + 2. What is fitted is then predicted from the frame itself.

The courses themselves are then mended by what the raw recording shows of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass, fields
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dctn, idctn
from scipy.special import chdtri

from freq2clean.fusion.components import Components
from freq2clean.fusion.courses import Courses, common_support, mend
from freq2clean.fusion.missing import missing_rows, zero_where_unknown
from freq2clean.fusion.moments import total
from freq2clean.fusion.noise import NoiseMoments, PhotonTransfer
from freq2clean.fusion.parallel import (
    few_frames,
    frames_per_task,
    over_items,
    over_rows,
    plain_scratch,
)
from freq2clean.fusion.patches import PatchGrid
from freq2clean.fusion.rings import ring_index, ring_sizes, ring_sums
from freq2clean.fusion.scale import Scale
from freq2clean.fusion.windows import Window

__all__ = ["CourseMoments", "Detail", "fit_detail"]

_LAGS = (-2, -1, 1, 2)
_REACH = max(_LAGS)
_CHANCE = 0.05


@dataclass(eq=False)
class _GroupMoments:
    """Sums over the frames of a window for a group of patches; courses have a leading 1."""

    squares: NDArray[np.float64]
    noise: NDArray[np.float64]
    residual: NDArray[np.float64]
    basis: NDArray[np.float64]
    own_squares: NDArray[np.float64]
    own_products: NDArray[np.float64]
    own_courses: NDArray[np.float32]
    residual_courses: NDArray[np.float32]

    @classmethod
    def empty(
        cls, n_patches: int, n_courses: int, n_pixels: int, n_bins: int, n_frames: int
    ) -> _GroupMoments:
        square = (n_patches, n_courses, n_courses)
        courses = (n_patches, n_frames, n_courses - 1)
        return cls(
            np.zeros(square),
            np.zeros(square),
            np.zeros((n_patches, n_courses, n_pixels)),
            np.zeros((n_patches, n_courses, n_bins)),
            np.zeros(square),
            np.zeros(square),
            np.empty(courses, np.float32),
            np.empty(courses, np.float32),
        )

    @classmethod
    def merged(cls, parts: Sequence[_GroupMoments]) -> _GroupMoments:
        """Over the frames of all parts, which follow each other."""

        def all_of(name: str) -> list[NDArray[Any]]:
            return [getattr(part, name) for part in parts]

        *sums, own, residual = (field.name for field in fields(cls))
        return cls(
            *(total(all_of(name)) for name in sums),
            *(np.concatenate(all_of(name), axis=1) for name in (own, residual)),
        )

    def take_courses(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Own and residual courses, which are not kept."""
        taken = self.own_courses, self.residual_courses
        self.own_courses = self.residual_courses = np.empty((0, 0, 0), np.float32)
        return taken


class CourseMoments:
    """What a fit of the residual on courses needs, added up over the frames of one window.

    Parameters
    ----------
    window : Window
    components : Components
    basis : ndarray, (K, window.n_frames)
        Temporal basis of what is corrected already, so that it can be taken off.
    noise : PhotonTransfer
        Variance of a value at each brightness.

    Attributes
    ----------
    start, stop : int
        The frames that count: those of the window, or of a `part` of it.
    """

    def __init__(
        self,
        window: Window,
        components: Components,
        basis: NDArray[np.float64],
        noise: PhotonTransfer,
    ) -> None:
        self.window = window
        self.start, self.stop = window.start, window.stop
        self.components = components
        self.basis = basis.astype(np.float32)
        self._noise = noise
        self.groups: list[_GroupMoments] = []
        self._brightness: list[NDArray[np.float32]] = []
        self._kept: _Kept | None = None

    def add(self, start: int, raw: NDArray[Any], denoised: NDArray[Any], scale: Scale) -> None:
        """Add frames ``start`` onward, (n, Y, X); those outside the window do not count.

        Frames come in order. They are kept until there are enough to be worked on at once.
        """
        begin, stop = self.needed
        first, end = max(start, begin), min(start + len(raw), stop)
        if first >= end:
            return
        if self._kept is None:
            self._kept = self._begin()
        while first < end:
            last = min(first + self._kept.room, end)
            part = slice(first - start, last - start)
            self._kept.take(raw[part], scale.apply(denoised[part]))
            first = last
            if not self._kept.room or last == stop:
                self._work_off(self._kept)
        if end == stop:
            self._kept = None

    @property
    def reach(self) -> int:
        """How many frames around those that count are needed."""
        return _REACH

    @property
    def needed(self) -> tuple[int, int]:
        """First and last-but-one frame to `add`: a few more than count, as far as they reach."""
        window = self.window
        return max(self.start - _REACH, window.start), min(self.stop + _REACH, window.stop)

    def part(self, start: int, stop: int) -> CourseMoments:
        """The same over some of its frames only, with none added."""
        part = copy(self)
        part.start, part.stop = start, stop
        part.groups, part._brightness, part._kept = [], [], None
        return part

    @classmethod
    def merged(cls, parts: Sequence[CourseMoments]) -> CourseMoments:
        """Over the frames of all parts, which follow each other."""
        whole = parts[0].part(parts[0].start, parts[-1].stop)
        each = zip(*(part.groups for part in parts), strict=True)
        whole.groups = [_GroupMoments.merged(groups) for groups in each]
        return whole

    def _begin(self) -> _Kept:
        """Take memory, which windows to come do without."""
        components, n_frames = self.components, self.stop - self.start
        n_pixels = components.grid.size[0] * components.grid.size[1]
        self.groups = [
            _GroupMoments.empty(len(x), x.shape[2] + 1, n_pixels, len(self.basis), n_frames)
            for x in components.loadings
        ]
        self._brightness = [self._brightness_of(index) for index in range(len(self.groups))]
        return _Kept(components, self.needed[0], self.start)

    def _work_off(self, kept: _Kept) -> None:
        """Add the frames that are kept, but for the last two: these wait for those that follow."""
        ready = kept.stop if kept.stop == self.window.stop else kept.stop - _REACH
        ready = min(ready, self.stop)
        frames = np.arange(kept.done, ready)
        near = np.clip(frames[:, None] + _LAGS, self.window.start, self.window.stop - 1)
        averaging = np.zeros((len(frames), kept.stop - kept.start), np.float32)
        which = np.arange(len(frames))[:, None], near - kept.start
        np.add.at(averaging, which, np.float32(1 / len(_LAGS)))
        inside = slice(kept.done - kept.start, ready - kept.start)
        residual, cells = kept.residual[inside], kept.cells[: averaging.shape[1]]
        counted = slice(kept.done - self.start, ready - self.start)
        bins = self.basis[:, frames - self.window.start].T

        def add_group(index: int) -> None:
            moments = self.groups[index]
            n_patches = len(moments.squares)
            courses = self.components.courses(cells, index)
            own = _per_patch(courses[inside], n_patches)
            others = _per_patch(averaging @ courses, n_patches)
            self._add_group(index, own, others, residual, bins)
            missing = self.components.courses(kept.residual_cells[inside], index)
            moments.own_courses[:, counted] = own[:, :, 1:]
            moments.residual_courses[:, counted] = _by_patch(missing, n_patches)

        over_items(add_group, range(len(self.groups)))
        kept.drop(ready)

    def _add_group(
        self,
        index: int,
        own: NDArray[np.float32],
        others: NDArray[np.float32],
        residual: NDArray[np.float32],
        bins: NDArray[np.float32],
    ) -> None:
        moments, pixels = self.groups[index], self.components.groups[index].pixels
        own_turned, turned = (x.transpose(0, 2, 1) for x in (own, others))
        n_patches, n_courses, n_frames = turned.shape
        products = turned.reshape(-1, n_frames) @ pixels.cut(residual)
        moments.squares += turned @ others
        moments.noise += turned @ (others * self._variance(index, own))
        moments.residual += pixels.gather(products.reshape(n_patches, n_courses, -1))
        moments.basis += turned @ bins
        moments.own_squares += own_turned @ own
        moments.own_products += own_turned @ others

    def _variance(self, index: int, own: NDArray[np.float32]) -> NDArray[np.float32]:
        """Noise variance of an average pixel of each patch and frame, (patches, n, 1)."""
        level = self._brightness[index][:, :1]
        floor = np.maximum(0.1 * (self._noise.gain * level + self._noise.offset), 1e-12)
        variance = self._noise.gain * (own @ self._brightness[index]) + self._noise.offset
        above: NDArray[np.float32] = np.maximum(variance, floor, dtype=np.float32)
        return above

    def most_noise(self, index: int) -> NDArray[np.float64]:
        """Covariance of the raw courses' noise by the photon transfer, (patches, K, K)."""
        components, grid = self.components, self.components.grid
        patches = components.groups[index].cells.patches(grid.binned(components.reference[None]))
        variance = self._noise.gain * patches[:, 0] / grid.cell + self._noise.offset
        loadings = components.loadings[index].astype(np.float64)
        weighted = loadings * np.maximum(variance, 0)[:, :, None]
        covariance: NDArray[np.float64] = loadings.transpose(0, 2, 1) @ weighted
        return covariance

    def _brightness_of(self, index: int) -> NDArray[np.float32]:
        """What a 1 and each course give an average pixel of each patch, (patches, 1 + K, 1)."""
        components, grid = self.components, self.components.grid
        patches = components.groups[index].pixels.patches(components.reference[None])
        share = components.loadings[index].sum(axis=1) / (grid.cell * grid.n_cells)
        return np.concatenate([patches.mean(axis=2), share], axis=1)[:, :, None]


class _Kept:
    """Frames that wait to be worked on: the residual, and the denoised recording in cells."""

    def __init__(self, components: Components, start: int, done: int) -> None:
        grid = components.grid
        n_frames = few_frames(grid.shape[0] * grid.shape[1]) + 2 * _REACH
        self._components = components
        self.residual = np.empty((n_frames, *grid.padded), np.float32)
        self.cells = np.empty((n_frames, *(n // grid.cell for n in grid.padded)), np.float32)
        self.residual_cells = np.empty_like(self.cells)
        self.start = self.stop = start
        self.done = done

    @property
    def room(self) -> int:
        """How many frames more can be taken."""
        return len(self.residual) - (self.stop - self.start)

    def take(self, raw: NDArray[Any], level: NDArray[np.float32]) -> None:
        """Take the next frames."""
        new = slice(self.stop - self.start, self.stop - self.start + len(raw))
        residual, cells = self.residual[new], self.residual_cells[new]
        step = frames_per_task(residual[0].size)

        def subtract(first: int) -> None:
            some = slice(first, first + step)
            self._components.grid.fill(residual[some], _residual(raw[some], level[some]))
            cells[some] = self._components.grid.binned(residual[some])

        over_items(subtract, range(0, len(raw), step))
        self.cells[new] = self._components.deviations(level)
        self.stop += len(raw)

    def drop(self, done: int) -> None:
        """Forget what is needed only for frames before ``done``."""
        first = max(self.start, done - _REACH)
        for buffer in (self.residual, self.cells, self.residual_cells):
            buffer[: self.stop - first] = buffer[first - self.start : self.stop - self.start].copy()
        self.start, self.done = first, done


def _per_patch(courses: NDArray[np.float32], n_patches: int) -> NDArray[np.float32]:
    """A 1, then the courses, of each patch, (patches, n, 1 + K), from (n, patches * K)."""
    ones = np.ones((n_patches, len(courses), 1), np.float32)
    return np.concatenate([ones, _by_patch(courses, n_patches)], axis=2)


def _by_patch(courses: NDArray[np.float32], n_patches: int) -> NDArray[np.float32]:
    """(patches, n, K) from (n, patches * K)."""
    return courses.reshape(len(courses), n_patches, -1).transpose(1, 0, 2)


@dataclass(frozen=True, eq=False)
class Detail:
    """What courses add to the denoised recording in the frames of a window: a map per frame.

    Parameters
    ----------
    window : Window
    components : Components
    images : list of ndarray, (1 + 2 * N, pixels), float32
        For each group of patches, in its box: what a constant, the course of each of its N
        components, and each change of a course add, tapered.
    changes, courses : list of ndarray, (window.n_frames, N), float32
        For each group of patches: by how much its courses are changed, and what they are then.
    """

    window: Window
    components: Components
    images: list[NDArray[np.float32]]
    changes: list[NDArray[np.float32]]
    courses: list[NDArray[np.float32]]

    def add_to(
        self,
        start: int,
        level: NDArray[np.float32],
        out: NDArray[np.float32],
        *,
        components: bool = True,
    ) -> None:
        """Add to ``out`` what the denoised frames ``start`` onward say; all (n, Y, X).

        False for ``components`` to take these out, with their courses, at the same time.
        """
        for frames, inside in self._parts(start, out):
            deviations = self.components.deviations(level[frames])
            courses = partial(self._own_and_changes, deviations, inside, components)
            self._add(out[frames], inside, courses, self.images)

    def add_components(self, start: int, out: NDArray[np.float32]) -> None:
        """Add to frames ``start`` onward the components, with their courses."""
        for frames, inside in self._parts(start, out):
            courses = [courses[inside] for courses in self.courses]
            self._add(out[frames], inside, courses.__getitem__, self._whole_images)

    def project_out(self, start: int, out: NDArray[np.float32]) -> None:
        """Take from frames ``start`` onward what varies as components, as these frames show."""
        deviations = self.components.deviations(out)
        deviations -= deviations.mean(axis=0)
        for frames, inside in self._parts(start, out):
            courses = partial(self.components.present_courses, -deviations[frames])
            self._add(out[frames], inside, courses, self._whole_images)

    def _own_and_changes(
        self, deviations: NDArray[np.float32], inside: slice, components: bool, index: int
    ) -> NDArray[np.float32]:
        """A 1, the courses of a group in the denoised frames, and how they are changed."""
        own = self.components.present_courses(deviations, index)
        changes = self.changes[index][inside]
        if not components:
            changes = changes - self.courses[index][inside]
        ones = np.ones((len(own), 1), np.float32)
        return np.concatenate([ones, own, changes], axis=1)

    @property
    def _whole_images(self) -> list[NDArray[np.float32]]:
        """The components as images, tapered."""
        pairs = zip(self.images, self.courses, strict=True)
        return [images[-courses.shape[1] :] for images, courses in pairs]

    def _parts(self, start: int, out: NDArray[np.float32]) -> Iterator[tuple[slice, slice]]:
        """A few frames at a time: which of ``out``, and which of the window."""
        first, last = max(start, self.window.start), min(start + len(out), self.window.stop)
        step = few_frames(self.components.reference.size)
        for begin in range(first, last, step):
            end = min(begin + step, last)
            yield (
                slice(begin - start, end - start),
                slice(begin - self.window.start, end - self.window.start),
            )

    def _add(
        self,
        out: NDArray[np.float32],
        inside: slice,
        courses_of: Callable[[int], NDArray[np.float32]],
        images: list[NDArray[np.float32]],
    ) -> None:
        """Add to frames ``inside`` the window, for each group, its courses times its images."""
        taper = self.window.taper[inside].astype(np.float32)[:, None]

        def add_row(row: int) -> None:
            for index in self._rows[row]:
                pixels = self.components.groups[index].pixels
                added = (taper * courses_of(index)) @ images[index]
                target = out[pixels.slices]
                target += added.reshape(len(out), *pixels.size)[
                    :, : target.shape[1], : target.shape[2]
                ]

        over_rows(add_row, len(self._rows))

    @cached_property
    def _rows(self) -> list[list[int]]:
        """Which groups lie in each row of patches."""
        rows: list[list[int]] = [[] for _ in self.components.grid.starts[0]]
        for index, group in enumerate(self.components.groups):
            rows[group.row].append(index)
        return rows


def fit_detail(
    moments: CourseMoments,
    corrected: NDArray[np.float32],
    noise: NoiseMoments,
) -> tuple[Detail, tuple[float, float]]:
    """Regress what is left of the residual on courses, and shrink it by its own signal-to-noise;
    then change the courses by what the raw recording shows of them.

    Parameters
    ----------
    moments : CourseMoments
    corrected : ndarray, (K, Y, X)
        Images of what was corrected already, along the moments' basis.
    noise : NoiseMoments
        Of the raw recording; its profile over rings counts.

    Returns
    -------
    Detail
    (float, float)
        Sums of squares that the residual shows in what is corrected, before and after.
    """
    components, grid = moments.components, moments.components.grid
    shrinker = _Shrinker(grid, noise)
    tapers = grid.tapers()
    padded = grid.pad(corrected)
    groups = components.groups
    nothing = np.zeros(0, np.float32)
    images, changes, courses = ([nothing] * len(groups) for _ in range(3))
    mended: list[Courses | None] = [None] * len(groups)
    strengths = [nothing] * len(groups)
    errors = np.zeros((len(groups), 2))

    def fit_group(index: int) -> None:
        group = groups[index]
        taper = tapers[group.row, group.columns].reshape(len(group.columns), 1, -1)
        share = taper.mean(axis=(1, 2))
        done = group.pixels.patches(padded)
        fitted, *fit_errors = _fit(moments.groups[index], done, shrinker)
        errors[index] = [share @ x for x in fit_errors]
        whole = components.images(index) + fitted[:, 1:]
        mended[index] = _mend(moments, index, done, fitted[:, 1:])
        present = components.present(index)
        constant, *rest = (
            group.pixels.spread(x * taper) for x in (fitted[:, :1], fitted[:, 1:], whole)
        )
        images[index] = np.concatenate(
            [constant.sum(axis=0, keepdims=True), *(x[present] for x in rest)]
        )
        strengths[index] = share * np.square(whole).sum(axis=2).mean(axis=1)

    def change_group(index: int) -> None:
        group, mended[index] = mended[index], None
        assert group is not None
        changed, *change_errors = group.changes(common)
        present = components.present(index)
        changes[index], courses[index] = (
            _side_by_side(x)[:, present] for x in (changed, group.fused + changed)
        )
        errors[index] += [strengths[index] @ x for x in change_errors]

    over_items(fit_group, range(len(groups)))
    common = common_support([group for group in mended if group])
    over_items(change_group, range(len(groups)))
    before, after = errors.sum(axis=0)
    detail = Detail(moments.window, components, images, changes, courses)
    return detail, (float(before), float(after))


def _mend(
    moments: CourseMoments, index: int, done: NDArray[np.float32], fitted: NDArray[np.float64]
) -> Courses:
    """The courses of a group in the fused recording, and what the raw one adds to them."""
    components, group = moments.components, moments.groups[index]
    own, residual = group.take_courses()
    added = moments.basis.T @ components.seen_in(done, index)
    added += own @ components.seen_in(fitted.astype(np.float32), index)
    return mend(own + added, residual - added, moments.most_noise(index))


def _side_by_side(courses: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n, patches * K) from (patches, n, K)."""
    return np.ascontiguousarray(courses.transpose(1, 0, 2)).reshape(courses.shape[1], -1)


def _fit(
    moments: _GroupMoments, done: NDArray[np.float32], shrinker: _Shrinker
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Images (patches, 1 + K, pixels), and squared errors per patch before and after."""
    n_frames = moments.squares[:, :1, :1]
    mean = moments.squares[:, 1:, :1] / n_frames
    residual = moments.residual - moments.basis @ done
    residual = residual[:, 1:] - mean * residual[:, :1]
    squares = _centered(moments.squares, mean, mean)
    noise = _centered(moments.noise, mean, mean)
    _fill_absent(squares, noise)
    inverse = np.linalg.inv(squares)
    fitted = inverse @ residual
    # Combinations of courses whose images have independent noise of variance 1.
    values, vectors = np.linalg.eigh(inverse @ noise @ inverse)
    mix = vectors * np.sqrt(values.clip(min=0))[:, None]
    energies, turn = np.linalg.eigh(mix.transpose(0, 2, 1) @ squares @ mix)
    mix = mix @ turn
    shrunk, before, after = shrinker(np.linalg.solve(mix, fitted))
    own_mean = moments.own_squares[:, 1:, :1] / n_frames
    own_squares = _centered(moments.own_squares, own_mean, own_mean)
    products = _centered(moments.own_products, own_mean, mean)
    _fill_absent(own_squares, products)
    predicted = np.linalg.solve(own_squares, products @ (mix @ shrunk))
    constant = -own_mean.transpose(0, 2, 1) @ predicted
    return (
        np.concatenate([constant, predicted], axis=1),
        (energies * before).sum(axis=1),
        (energies * after).sum(axis=1),
    )


def _centered(
    products: NDArray[np.float64], left: NDArray[np.float64], right: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Products of courses less their means, from products that have a leading 1."""
    centered: NDArray[np.float64] = (
        products[:, 1:, 1:]
        - left * products[:, :1, 1:]
        - products[:, 1:, :1] * right.transpose(0, 2, 1)
        + left * right.transpose(0, 2, 1) * products[:, :1, :1]
    )
    return centered


def _fill_absent(squares: NDArray[np.float64], products: NDArray[np.float64]) -> None:
    """Make courses that do not vary, as where a patch has fewer than others, solvable."""
    absent = np.einsum("pkk->pk", squares) <= 1e-9 * np.trace(squares, axis1=1, axis2=2)[:, None]
    for matrix in (squares, products):
        matrix[np.broadcast_to(absent[:, :, None], matrix.shape)] = 0
        matrix[np.broadcast_to(absent[:, None, :], matrix.shape)] = 0
        np.einsum("pkk->pk", matrix)[absent] = 1


class _Shrinker:
    """Weights ``1 - noise / power`` per ring of a patch, 0 where chance alone may show as much.

    Noise is not taken to be less than the finest rings of all patches given show.
    """

    def __init__(self, grid: PatchGrid, noise: NoiseMoments) -> None:
        self._size = grid.size
        self._index = ring_index(grid.size)
        self._number = ring_sizes(self._index)
        self._noise = np.maximum(noise.profile(self._number.size), 1e-6)
        self._chance = chdtri(self._number, _CHANCE) / self._number

    def __call__(
        self, images: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Shrunk images (patches, K, pixels), and squared errors (patches, K) before and after."""
        spectrum = dctn(images.reshape(*images.shape[:2], *self._size), axes=(2, 3), norm="ortho")
        power = ring_sums(spectrum**2, self._index) / self._number
        noise = self._noise * max(1, self._finest(power))
        significant = power > noise * self._chance
        weights = np.where(significant, 1 - noise / np.maximum(power, 1e-12), 0.0)
        spectrum *= weights[..., self._index]
        shrunk = idctn(spectrum, axes=(2, 3), norm="ortho", overwrite_x=True)
        before = np.sum(self._number * weights * power, axis=-1)
        after = np.sum(self._number * weights * (1 - weights) * power, axis=-1)
        return shrunk.reshape(images.shape), before, after

    def _finest(self, power: NDArray[np.float64]) -> float:
        """Power over noise in the finest rings, the mean of images that are there."""
        fine = slice(-(self._number.size // 3), None)
        there = power[power.any(axis=-1)][:, fine] / self._noise[fine]
        if not there.size:
            return 0.0
        return float(np.mean(there @ self._number[fine]) / self._number[fine].sum())


def _residual(raw: NDArray[Any], level: NDArray[np.float32]) -> NDArray[np.float32]:
    """Raw minus denoised, in this thread's scratch; 0 where either was not measured."""
    residual = plain_scratch("residual of frames", raw.shape)
    with np.errstate(invalid="ignore"):
        np.subtract(raw, level, out=residual, dtype=np.float32)
    residual[missing_rows(raw)] = 0
    return zero_where_unknown(residual)

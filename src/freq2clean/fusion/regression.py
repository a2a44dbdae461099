"""Detail that comes and goes with a denoised recording's own courses, fitted patch by patch.

The residual is regressed on courses that frame t does not decide: noise of a frame leaks into the
denoised version of that frame most of all, so the course at t is the average of those at t - 2,
t - 1, t + 1 and t + 2. What is fitted is then predicted from the frame itself.

The courses themselves are then mended by what the raw recording shows of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass, fields
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtri

from freq2clean.fusion.components import Components
from freq2clean.fusion.courses import Courses, common_support, mend
from freq2clean.fusion.missing import missing_rows, zero_where_unknown
from freq2clean.fusion.moments import total
from freq2clean.fusion.noise import NoiseMoments, PhotonTransfer
from freq2clean.fusion.patches import PatchGrid
from freq2clean.fusion.rings import ring_index, ring_sizes, ring_sums
from freq2clean.fusion.scale import Scale
from freq2clean.fusion.spaces import Space, space_of
from freq2clean.fusion.windows import Window

__all__ = ["CourseMoments", "Detail", "fit_detail"]

_LAGS = (-2, -1, 1, 2)
_REACH = max(_LAGS)
_CHANCE = 0.05


@dataclass(eq=False)
class _GroupMoments:
    """Sums over the frames of a window for a group of patches; courses have a leading 1."""

    squares: Any
    noise: Any
    residual: Any
    basis: Any
    own_squares: Any
    own_products: Any
    own_courses: Any
    residual_courses: Any

    @classmethod
    def empty(
        cls, space: Space, shape: tuple[int, int], n_pixels: int, n_bins: int, n_frames: int
    ) -> _GroupMoments:
        """For some patches with so many courses, and a 1."""
        n_patches, n_courses = shape
        sums = (
            space.zeros((n_patches, n_courses, n), space.real)
            for n in (n_courses, n_courses, n_pixels, n_bins, n_courses, n_courses)
        )
        courses = (space.empty((n_patches, n_frames, n_courses - 1)) for _ in range(2))
        return cls(*sums, *courses)

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

    def take_courses(self) -> tuple[Any, Any]:
        """Own and residual courses, which are not kept."""
        taken = self.own_courses, self.residual_courses
        self.own_courses = self.residual_courses = None
        return taken

    def tables(self) -> Iterator[NDArray[np.float64]]:
        """Products of courses with courses, on the host."""
        host = space_of(self.squares).host
        for sums in (self.squares, self.noise, self.own_squares, self.own_products):
            yield host(sums).astype(np.float64)


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
        self.basis = components.space.array(basis.astype(np.float32))
        self._noise = noise
        self.groups: list[_GroupMoments] = []
        self._brightness: list[Any] = []
        self._kept: _Kept | None = None

    def add(self, start: int, raw: Any, denoised: Any, scale: Scale) -> None:
        """Add frames ``start`` onward, (n, Y, X); those outside the window do not count.

        Frames come in order. They are kept until there are enough to be worked on at once.
        """
        begin, stop = self.needed
        first, end = max(start, begin), min(start + raw.shape[0], stop)
        if first >= end:
            return
        if self._kept is None:
            self._kept = self._begin()
        while first < end:
            last = min(first + self._kept.room, end)
            part = slice(first - start, last - start)
            self._kept.take(raw[part, ...], scale.apply(denoised[part, ...]))
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
            _GroupMoments.empty(
                components.space,
                (x.shape[0], x.shape[2] + 1),
                n_pixels,
                self.basis.shape[0],
                n_frames,
            )
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
        residual, cells = kept.residual[inside, ...], kept.cells[: averaging.shape[1], ...]
        counted = slice(kept.done - self.start, ready - self.start)
        in_window = slice(kept.done - self.window.start, ready - self.window.start)
        space, components = self.components.space, self.components
        bins = space.xp.matrix_transpose(self.basis[:, in_window])
        near_by = space.array(averaging)

        def add_group(index: int) -> None:
            moments = self.groups[index]
            n_patches = moments.squares.shape[0]
            courses = components.courses(cells, index)
            own = _per_patch(courses[inside, :], n_patches)
            others = _per_patch(near_by @ courses, n_patches)
            self._add_group(index, own, others, residual, bins)
            missing = components.courses(kept.residual_cells[inside, ...], index)
            moments.own_courses[:, counted, :] = own[:, :, 1:]
            moments.residual_courses[:, counted, :] = _by_patch(missing, n_patches)

        space.over_items(add_group, range(len(self.groups)))
        kept.drop(ready)

    def _add_group(self, index: int, own: Any, others: Any, residual: Any, bins: Any) -> None:
        moments, xp = self.groups[index], self.components.space.xp
        own_turned, turned = (xp.matrix_transpose(x) for x in (own, others))
        moments.squares += turned @ others
        moments.noise += turned @ (others * self._variance(index, own))
        moments.residual += self.components.correlated(turned, residual, index)
        moments.basis += turned @ bins
        moments.own_squares += own_turned @ own
        moments.own_products += own_turned @ others

    def _variance(self, index: int, own: Any) -> Any:
        """Noise variance of an average pixel of each patch and frame, (patches, n, 1)."""
        space, gain, offset = self.components.space, self._noise.gain, self._noise.offset
        level = self._brightness[index][:, :1, :]
        floor = space.at_least(0.1 * (gain * level + offset), 1e-12)
        variance = gain * (own @ self._brightness[index]) + offset
        return space.xp.maximum(variance, floor)

    def most_noise(self, index: int) -> NDArray[np.float64]:
        """Covariance of the raw courses' noise by the photon transfer, (patches, K, K)."""
        components, grid, host = self.components, self.components.grid, self.components.space.host
        cells = grid.binned(components.reference[None, ...])
        level = host(components.groups[index].cells.patches(cells)[:, 0, :]) / grid.cell
        variance = self._noise.gain * level + self._noise.offset
        loadings = host(components.loadings[index]).astype(np.float64)
        weighted = loadings * np.maximum(variance, 0)[:, :, None]
        covariance: NDArray[np.float64] = loadings.transpose(0, 2, 1) @ weighted
        return covariance

    def _brightness_of(self, index: int) -> Any:
        """What a 1 and each course give an average pixel of each patch, (patches, 1 + K, 1)."""
        components, grid, xp = self.components, self.components.grid, self.components.space.xp
        patches = components.groups[index].pixels.patches(components.reference[None, ...])
        share = xp.sum(components.loadings[index], axis=1) / (grid.cell * grid.n_cells)
        return xp.concat([xp.mean(patches, axis=2), share], axis=1)[:, :, None]


class _Kept:
    """Frames that wait to be worked on: the residual, and the denoised recording in cells."""

    def __init__(self, components: Components, start: int, done: int) -> None:
        grid, space = components.grid, components.space
        n_frames = space.few_frames(grid.shape[0] * grid.shape[1]) + 2 * _REACH
        n_cells = tuple(n // grid.cell for n in grid.padded)
        self._components = components
        self.residual = space.empty((n_frames, *grid.padded))
        self.cells, self.residual_cells = (space.empty((n_frames, *n_cells)) for _ in range(2))
        self.start = self.stop = start
        self.done = done

    @property
    def room(self) -> int:
        """How many frames more can be taken."""
        return int(self.residual.shape[0]) - (self.stop - self.start)

    def take(self, raw: Any, level: Any) -> None:
        """Take the next frames."""
        components, grid, n_frames = self._components, self._components.grid, raw.shape[0]
        new = slice(self.stop - self.start, self.stop - self.start + n_frames)
        residual, cells = self.residual[new, ...], self.residual_cells[new, ...]

        def subtract(some: slice) -> None:
            grid.fill(residual[some, ...], _residual(raw[some, ...], level[some, ...]))
            cells[some, ...] = grid.binned(residual[some, ...])

        components.space.over_frames(subtract, n_frames, math.prod(grid.padded))
        self.cells[new, ...] = components.deviations(level)
        self.stop += n_frames

    def drop(self, done: int) -> None:
        """Forget what is needed only for frames before ``done``."""
        first = max(self.start, done - _REACH)
        for buffer in (self.residual, self.cells, self.residual_cells):
            left = buffer[first - self.start : self.stop - self.start, ...]
            buffer[: self.stop - first, ...] = self._components.space.xp.asarray(left, copy=True)
        self.start, self.done = first, done


def _per_patch(courses: Any, n_patches: int) -> Any:
    """A 1, then the courses, of each patch, (patches, n, 1 + K), from (n, patches * K)."""
    space = space_of(courses)
    ones = space.empty((n_patches, courses.shape[0], 1))
    ones[...] = 1
    return space.xp.concat([ones, _by_patch(courses, n_patches)], axis=2)


def _by_patch(courses: Any, n_patches: int) -> Any:
    """(patches, n, K) from (n, patches * K)."""
    xp = space_of(courses).xp
    return xp.permute_dims(xp.reshape(courses, (courses.shape[0], n_patches, -1)), (1, 0, 2))


@dataclass(frozen=True, eq=False)
class Detail:
    """What courses add to the denoised recording in the frames of a window: a map per frame.

    Parameters
    ----------
    window : Window
    components : Components
    images : list of array, (..., 1 + 2 * N, pixels), float32
        For each group of patches, as `Components.placed` has them: what a constant, the course of
        each component, and each change of a course add, tapered.
    changes, courses : list of array, (window.n_frames, N), float32
        For each group of patches: by how much its courses are changed, and what they are then.
    """

    window: Window
    components: Components
    images: list[Any]
    changes: list[Any]
    courses: list[Any]

    def add_to(self, start: int, level: Any, out: Any, *, components: bool = True) -> None:
        """Add to ``out`` what the denoised frames ``start`` onward say; all (n, Y, X).

        False for ``components`` to take these out, with their courses, at the same time.
        """
        for frames, inside in self._parts(start, out):
            deviations = self.components.deviations(level[frames, ...])
            courses = partial(self._own_and_changes, deviations, inside, components)
            self._add(out[frames, ...], inside, courses, self.images)

    def add_components(self, start: int, out: Any) -> None:
        """Add to frames ``start`` onward the components, with their courses."""
        for frames, inside in self._parts(start, out):
            courses = [[courses[inside, :]] for courses in self.courses]
            self._add(out[frames, ...], inside, courses.__getitem__, self._whole_images)

    def project_out(self, start: int, out: Any) -> None:
        """Take from frames ``start`` onward what varies as components, as these frames show."""
        deviations = self.components.deviations(out)
        deviations -= self.components.space.xp.mean(deviations, axis=0)
        for frames, inside in self._parts(start, out):
            courses = partial(self._taken_out, deviations[frames, ...])
            self._add(out[frames, ...], inside, courses, self._whole_images)

    def _taken_out(self, deviations: Any, index: int) -> list[Any]:
        return [-self.components.present_courses(deviations, index)]

    def _own_and_changes(
        self, deviations: Any, inside: slice, components: bool, index: int
    ) -> list[Any]:
        """A 1, the courses of a group in the denoised frames, and how they are changed."""
        own = self.components.present_courses(deviations, index)
        changes = self.changes[index][inside, :]
        if not components:
            changes = changes - self.courses[index][inside, :]
        return [self.components.space.xp.ones_like(own[:, :1]), own, changes]

    @property
    def _whole_images(self) -> list[Any]:
        """The components as images, tapered."""
        return [images[..., 1 + images.shape[-2] // 2 :, :] for images in self.images]

    def _parts(self, start: int, out: Any) -> Iterator[tuple[slice, slice]]:
        """A few frames at a time: which of ``out``, and which of the window."""
        first, last = max(start, self.window.start), min(start + out.shape[0], self.window.stop)
        step = self.components.space.few_frames(math.prod(self.components.grid.padded))
        for begin in range(first, last, step):
            end = min(begin + step, last)
            yield (
                slice(begin - start, end - start),
                slice(begin - self.window.start, end - self.window.start),
            )

    def _add(
        self, out: Any, inside: slice, courses: Callable[[int], list[Any]], images: list[Any]
    ) -> None:
        """Add to frames ``inside`` the window, for each group, its courses times its images."""
        taper = self.components.space.array(self.window.taper[inside].astype(np.float32))[:, None]

        def tapered(index: int) -> Any:
            return taper * self.components.lined_up(courses(index), index)

        self.components.add(tapered, images, out)


def fit_detail(
    moments: CourseMoments,
    corrected: Any,
    noise: NoiseMoments,
) -> tuple[Detail, tuple[float, float]]:
    """Regress what is left of the residual on courses, and shrink it by its own signal-to-noise;
    then change the courses by what the raw recording shows of them.

    Parameters
    ----------
    moments : CourseMoments
    corrected : array, (K, Y, X)
        Images of what was corrected already, along the moments' basis.
    noise : NoiseMoments
        Of the raw recording; its profile over rings counts.

    Returns
    -------
    Detail
    (float, float)
        Sums of squares that the residual shows in what is corrected, before and after.
    """
    components, grid, space = moments.components, moments.components.grid, moments.components.space
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
        taper = tapers[group.where].reshape(group.where[1].size, 1, -1)
        share = taper.mean(axis=(1, 2))
        done = group.pixels.patches(padded)
        fitted, *fit_errors = _fit(moments.groups[index], done, shrinker, group.neighbourhoods)
        errors[index] = [share @ x for x in fit_errors]
        varying, there = fitted[:, 1:, :], space.array(taper)
        whole = components.images(index) + varying
        mended[index] = _mend(moments, index, done, varying)
        images[index] = components.placed(
            fitted[:, :1, :] * there, [varying * there, whole * there], index
        )
        power = space.host(space.xp.sum(whole * whole, axis=2))
        strengths[index] = share * power.mean(axis=1)

    def change_group(index: int) -> None:
        group, mended[index] = mended[index], None
        assert group is not None
        changed, *change_errors = group.changes(common)
        changes[index], courses[index] = (
            components.present(x, index) for x in (changed, group.fused + changed)
        )
        errors[index] += [strengths[index] @ x for x in change_errors]

    space.over_items(fit_group, range(len(groups)))
    common = common_support([group for group in mended if group])
    space.over_items(change_group, range(len(groups)))
    before, after = errors.sum(axis=0)
    detail = Detail(moments.window, components, images, changes, courses)
    return detail, (float(before), float(after))


def _mend(moments: CourseMoments, index: int, done: Any, fitted: Any) -> Courses:
    """The courses of a group in the fused recording, and what the raw one adds to them."""
    components, space = moments.components, moments.components.space
    own, residual = moments.groups[index].take_courses()
    added = space.xp.matrix_transpose(moments.basis) @ components.seen_in(done, index)
    added += own @ components.seen_in(space.floats(fitted), index)
    return mend(
        own + added,
        residual - added,
        moments.most_noise(index),
        neighbourhoods=components.groups[index].neighbourhoods,
    )


def _fit(
    moments: _GroupMoments, done: Any, shrinker: _Shrinker, neighbourhoods: Sequence[slice]
) -> tuple[Any, NDArray[np.float64], NDArray[np.float64]]:
    """Images (patches, 1 + K, pixels), and squared errors per patch before and after.

    Products of courses are few, and worked on by the host.
    """
    space = space_of(done)
    products, noises, own_products, cross_products = moments.tables()
    n_frames = products[:, :1, :1]
    mean = products[:, 1:, :1] / n_frames
    squares, noise = (_centered(x, mean, mean) for x in (products, noises))
    _fill_absent(squares, noise)
    inverse = np.linalg.inv(squares)
    # Combinations of courses whose images have independent noise of variance 1.
    values, vectors = np.linalg.eigh(inverse @ noise @ inverse)
    mix = vectors * np.sqrt(values.clip(min=0))[:, None]
    energies, turn = np.linalg.eigh(mix.transpose(0, 2, 1) @ squares @ mix)
    mix = mix @ turn
    residual = moments.residual - moments.basis @ space.xp.astype(done, space.real)
    residual = residual[:, 1:, :] - space.array(mean) * residual[:, :1, :]
    independent = space.array(np.linalg.solve(mix, inverse)) @ residual
    shrunk, before, after = shrinker(independent, neighbourhoods)
    own_mean = own_products[:, 1:, :1] / n_frames
    own_squares = _centered(own_products, own_mean, own_mean)
    cross = _centered(cross_products, own_mean, mean)
    _fill_absent(own_squares, cross)
    predicted = space.array(np.linalg.solve(own_squares, cross @ mix)) @ shrunk
    constant = -space.array(own_mean.transpose(0, 2, 1)) @ predicted
    return (
        space.xp.concat([constant, predicted], axis=1),
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
        self, images: Any, neighbourhoods: Sequence[slice]
    ) -> tuple[Any, NDArray[np.float64], NDArray[np.float64]]:
        """Shrunk images (patches, K, pixels), and squared errors (patches, K) before and after."""
        space, xp, ring = space_of(images), space_of(images).xp, self._index
        spectrum = xp.reshape(images, (*images.shape[:2], *self._size))
        spectrum = space.dctn(spectrum, axes=(-2, -1))
        power = ring_sums(spectrum * spectrum, ring) / self._number
        weights = np.concatenate([self._weights(power[patches]) for patches in neighbourhoods])
        ring_of_pixel = space.constant(("ring", ring.shape), ring.ravel)
        each = xp.take(space.array(weights), ring_of_pixel, axis=2)
        spectrum *= xp.reshape(each, spectrum.shape)
        shrunk = space.idctn(spectrum, axes=(-2, -1), overwrite=True)
        before = np.sum(self._number * weights * power, axis=-1)
        after = np.sum(self._number * weights * (1 - weights) * power, axis=-1)
        return xp.reshape(shrunk, images.shape), before, after

    def _weights(self, power: NDArray[np.float64]) -> NDArray[np.float64]:
        """Of neighbours' rings, (patches, K, rings)."""
        noise = self._noise * max(1, self._finest(power))
        significant = power > noise * self._chance
        weights: NDArray[np.float64] = np.where(
            significant, 1 - noise / np.maximum(power, 1e-12), 0.0
        )
        return weights

    def _finest(self, power: NDArray[np.float64]) -> float:
        """Power over noise in the finest rings, the mean of images that are there."""
        fine = slice(-(self._number.size // 3), None)
        there = power[power.any(axis=-1)][:, fine] / self._noise[fine]
        if not there.size:
            return 0.0
        return float(np.mean(there @ self._number[fine]) / self._number[fine].sum())


def _residual(raw: Any, level: Any) -> Any:
    """Raw minus denoised; 0 where either was not measured. In this thread's scratch on the host."""
    space, xp, flat = space_of(raw, level), space_of(raw).xp, (raw.shape[0], -1)
    with np.errstate(invalid="ignore"):
        residual = space.difference(xp.reshape(raw, flat), xp.reshape(level, flat))
    residual = xp.reshape(residual, raw.shape)
    dropped = missing_rows(raw)
    if dropped.any():
        residual = xp.where(space.array(dropped)[:, :, None], 0.0, residual)
    return zero_where_unknown(residual)

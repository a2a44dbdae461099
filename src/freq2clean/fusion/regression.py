"""Detail that comes and goes with a denoised recording's own courses, fitted patch by patch.

The residual is regressed on courses that frame t does not decide: noise of a frame leaks into the
denoised version of that frame most of all, so the course at t is the average of those at t - 2,
t - 1, t + 1 and t + 2. What is fitted is then predicted from the frame itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dctn, idctn
from scipy.special import chdtri

from freq2clean.fusion.components import Components
from freq2clean.fusion.missing import missing_rows, zero_where_unknown
from freq2clean.fusion.noise import NoiseMoments, PhotonTransfer
from freq2clean.fusion.parallel import few_frames, over_items, over_rows, plain_scratch
from freq2clean.fusion.patches import PatchGrid
from freq2clean.fusion.rings import ring_index, ring_sizes, ring_sums
from freq2clean.fusion.scale import Scale
from freq2clean.fusion.windows import Window

__all__ = ["CourseMoments", "Detail", "fit_detail"]

_LAGS = (-2, -1, 1, 2)
_REACH = max(_LAGS)
_CHANCE = 1e-3
_FRAMES_PER_TASK = 4


@dataclass(eq=False)
class _GroupMoments:
    """Sums over the frames of a window for a group of patches; courses have a leading 1."""

    squares: NDArray[np.float64]
    noise: NDArray[np.float64]
    residual: NDArray[np.float64]
    basis: NDArray[np.float64]
    own_squares: NDArray[np.float64]
    own_products: NDArray[np.float64]

    @classmethod
    def empty(cls, n_patches: int, n_courses: int, n_pixels: int, n_bins: int) -> _GroupMoments:
        square = (n_patches, n_courses, n_courses)
        return cls(
            np.zeros(square),
            np.zeros(square),
            np.zeros((n_patches, n_courses, n_pixels)),
            np.zeros((n_patches, n_courses, n_bins)),
            np.zeros(square),
            np.zeros(square),
        )


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
    """

    def __init__(
        self,
        window: Window,
        components: Components,
        basis: NDArray[np.float64],
        noise: PhotonTransfer,
    ) -> None:
        self.window = window
        self.components = components
        self._basis = basis.astype(np.float32)
        self._noise = noise
        grid = components.grid
        n_pixels = grid.size[0] * grid.size[1]
        self.groups = [
            _GroupMoments.empty(len(loadings), loadings.shape[2] + 1, n_pixels, len(basis))
            for loadings in components.loadings
        ]
        self._brightness = [self._brightness_of(index) for index in range(len(self.groups))]
        self._kept: _Kept | None = None

    def add(self, start: int, raw: NDArray[Any], denoised: NDArray[Any], scale: Scale) -> None:
        """Add frames ``start`` onward, (n, Y, X); those outside the window do not count.

        Frames come in order. They are kept until there are enough to be worked on at once.
        """
        first, end = max(start, self.window.start), min(start + len(raw), self.window.stop)
        if self._kept is None:
            self._kept = _Kept(self.components, self.window.start)
        while first < end:
            last = min(first + self._kept.room, end)
            part = slice(first - start, last - start)
            self._kept.take(raw[part], scale.apply(denoised[part]))
            first = last
            if not self._kept.room or last == self.window.stop:
                self._work_off(self._kept)

    def _work_off(self, kept: _Kept) -> None:
        """Add the frames that are kept, but for the last two: these wait for those that follow."""
        ready = kept.stop if kept.stop == self.window.stop else kept.stop - _REACH
        frames = np.arange(kept.done, ready)
        near = np.clip(frames[:, None] + _LAGS, self.window.start, self.window.stop - 1)
        averaging = np.zeros((len(frames), kept.stop - kept.start), np.float32)
        which = np.arange(len(frames))[:, None], near - kept.start
        np.add.at(averaging, which, np.float32(1 / len(_LAGS)))
        inside = slice(kept.done - kept.start, ready - kept.start)
        residual, cells = kept.residual[inside], kept.cells[: averaging.shape[1]]
        bins = self._basis[:, frames - self.window.start].T

        def add_group(index: int) -> None:
            n_patches = len(self.groups[index].squares)
            courses = self.components.courses(cells, index)
            own = _per_patch(courses[inside], n_patches)
            others = _per_patch(averaging @ courses, n_patches)
            self._add_group(index, own, others, residual, bins)

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

    def _brightness_of(self, index: int) -> NDArray[np.float32]:
        """What a 1 and each course give an average pixel of each patch, (patches, 1 + K, 1)."""
        components, grid = self.components, self.components.grid
        patches = components.groups[index].pixels.patches(components.reference[None])
        share = components.loadings[index].sum(axis=1) / (grid.cell * grid.n_cells)
        return np.concatenate([patches.mean(axis=2), share], axis=1)[:, :, None]


class _Kept:
    """Frames that wait to be worked on: the residual, and the denoised recording in cells."""

    def __init__(self, components: Components, start: int) -> None:
        grid = components.grid
        n_frames = few_frames(grid.shape[0] * grid.shape[1]) + 2 * _REACH
        self._components = components
        self.residual = np.empty((n_frames, *grid.padded), np.float32)
        self.cells = np.empty((n_frames, *(n // grid.cell for n in grid.padded)), np.float32)
        self.start = self.done = self.stop = start

    @property
    def room(self) -> int:
        """How many frames more can be taken."""
        return len(self.residual) - (self.stop - self.start)

    def take(self, raw: NDArray[Any], level: NDArray[np.float32]) -> None:
        """Take the next frames."""
        new = slice(self.stop - self.start, self.stop - self.start + len(raw))
        residual = self.residual[new]

        def subtract(first: int) -> None:
            some = slice(first, first + _FRAMES_PER_TASK)
            self._components.grid.fill(residual[some], _residual(raw[some], level[some]))

        over_items(subtract, range(0, len(raw), _FRAMES_PER_TASK))
        self.cells[new] = self._components.deviations(level)
        self.stop += len(raw)

    def drop(self, done: int) -> None:
        """Forget what is needed only for frames before ``done``."""
        first = max(self.start, done - _REACH)
        for buffer in (self.residual, self.cells):
            buffer[: self.stop - first] = buffer[first - self.start : self.stop - self.start].copy()
        self.start, self.done = first, done


def _per_patch(courses: NDArray[np.float32], n_patches: int) -> NDArray[np.float32]:
    """A 1, then the courses, of each patch, (patches, n, 1 + K), from (n, patches * K)."""
    n_frames = len(courses)
    parts = courses.reshape(n_frames, n_patches, -1).transpose(1, 0, 2)
    return np.concatenate([np.ones((n_patches, n_frames, 1), np.float32), parts], axis=2)


@dataclass(frozen=True, eq=False)
class Detail:
    """What courses add to the denoised recording in the frames of a window: a map per frame.

    Parameters
    ----------
    window : Window
    components : Components
    images : list of ndarray, (1 + patches * K, pixels), float32
        For each group of patches, in its box: what a constant and each course add, tapered.
    """

    window: Window
    components: Components
    images: list[NDArray[np.float32]]

    def add_to(self, start: int, level: NDArray[np.float32], out: NDArray[np.float32]) -> None:
        """Add to ``out`` what the denoised frames ``start`` onward say; all (n, Y, X)."""
        first, last = max(start, self.window.start), min(start + len(level), self.window.stop)
        step = few_frames(self.components.reference.size)
        for begin in range(first, last, step):
            part = slice(begin - start, min(begin + step, last) - start)
            self._add_frames(begin, level[part], out[part])

    def _add_frames(self, start: int, level: NDArray[np.float32], out: NDArray[np.float32]) -> None:
        cells = self.components.deviations(level)
        begin = start - self.window.start
        taper = self.window.taper[begin : begin + len(level)].astype(np.float32)[:, None]

        def add_row(row: int) -> None:
            for index in self._rows[row]:
                courses = self.components.courses(cells, index)
                courses = np.concatenate([taper, taper * courses], axis=1)
                pixels = self.components.groups[index].pixels
                added = (courses @ self.images[index]).reshape(len(level), *pixels.size)
                target = out[pixels.slices]
                target += added[:, : target.shape[1], : target.shape[2]]

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
    """Regress what is left of the residual on courses, and shrink it by its own signal-to-noise.

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
    grid = moments.components.grid
    shrinker = _Shrinker(grid, noise)
    tapers = grid.tapers()
    padded = grid.pad(corrected)
    groups = moments.components.groups
    images: list[NDArray[np.float32]] = [np.zeros(0, np.float32)] * len(groups)
    errors = np.zeros((len(groups), 2))

    def fit_group(index: int) -> None:
        group = groups[index]
        taper = tapers[group.row, group.columns].reshape(len(group.columns), 1, -1)
        fitted, before, after = _fit(moments.groups[index], group.pixels.patches(padded), shrinker)
        constant, rest = (group.pixels.spread(x * taper) for x in np.split(fitted, [1], axis=1))
        images[index] = np.concatenate([constant.sum(axis=0, keepdims=True), rest])
        share = taper.mean(axis=(1, 2))
        errors[index] = (before * share).sum(), (after * share).sum()

    over_items(fit_group, range(len(groups)))
    before, after = errors.sum(axis=0)
    return Detail(moments.window, moments.components, images), (float(before), float(after))


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
    """Weights ``1 - noise / power`` per ring of a patch, 0 where chance alone may show as much."""

    def __init__(self, grid: PatchGrid, noise: NoiseMoments) -> None:
        self._size = grid.size
        self._index = ring_index(grid.size)
        self._number = ring_sizes(self._index)
        self._noise = np.maximum(noise.profile(self._number.size), 1e-6)
        self._least = self._noise * chdtri(self._number, _CHANCE) / self._number

    def __call__(
        self, images: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Shrunk images (patches, K, pixels), and squared errors (patches, K) before and after."""
        spectrum = dctn(images.reshape(*images.shape[:2], *self._size), axes=(2, 3), norm="ortho")
        power = ring_sums(spectrum**2, self._index) / self._number
        weights = np.where(power > self._least, 1 - self._noise / np.maximum(power, 1e-12), 0.0)
        spectrum *= weights[..., self._index]
        shrunk = idctn(spectrum, axes=(2, 3), norm="ortho", overwrite_x=True)
        before = np.sum(self._number * weights * power, axis=-1)
        after = np.sum(self._number * weights * (1 - weights) * power, axis=-1)
        return shrunk.reshape(images.shape), before, after


def _residual(raw: NDArray[Any], level: NDArray[np.float32]) -> NDArray[np.float32]:
    """Raw minus denoised, in this thread's scratch; 0 where either was not measured."""
    residual = plain_scratch("residual of frames", raw.shape)
    with np.errstate(invalid="ignore"):
        np.subtract(raw, level, out=residual, dtype=np.float32)
    residual[missing_rows(raw)] = 0
    return zero_where_unknown(residual)

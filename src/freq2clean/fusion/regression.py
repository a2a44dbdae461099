"""Detail that comes and goes with a denoised recording's own courses, fitted patch by patch.

The residual is regressed on courses that frame t does not decide: noise of a frame leaks into the
denoised version of that frame most of all, so the course at t is the average of those at t - 2,
t - 1, t + 1 and t + 2. What is fitted is then predicted from the frame itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dctn, idctn
from scipy.stats import chi2

from freq2clean.fusion.components import Components
from freq2clean.fusion.missing import missing_rows, zero_where_unknown
from freq2clean.fusion.noise import NoiseMoments, PhotonTransfer
from freq2clean.fusion.parallel import few_frames, over_items
from freq2clean.fusion.patches import PatchGrid
from freq2clean.fusion.rings import ring_index, ring_sizes, ring_sums
from freq2clean.fusion.scale import Scale
from freq2clean.fusion.windows import Window

__all__ = ["CourseMoments", "Detail", "fit_detail"]

_LAGS = (-2, -1, 1, 2)
_REACH = max(_LAGS)
_CHANCE = 1e-3


@dataclass(eq=False)
class _RowMoments:
    """Sums over the frames of a window for one row of patches; courses have a leading 1."""

    squares: NDArray[np.float64]
    noise: NDArray[np.float64]
    residual: NDArray[np.float64]
    basis: NDArray[np.float64]
    own_squares: NDArray[np.float64]
    own_products: NDArray[np.float64]
    tail: NDArray[np.float32]

    @classmethod
    def empty(cls, n_patches: int, n_courses: int, n_pixels: int, n_bins: int) -> _RowMoments:
        square = (n_patches, n_courses, n_courses)
        return cls(
            np.zeros(square),
            np.zeros(square),
            np.zeros((n_patches, n_courses, n_pixels)),
            np.zeros((n_patches, n_courses, n_bins)),
            np.zeros(square),
            np.zeros(square),
            np.zeros((n_patches, 0, n_courses), np.float32),
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
        self.rows = [
            _RowMoments.empty(len(loadings), loadings.shape[2] + 1, n_pixels, len(basis))
            for loadings in components.loadings
        ]
        self._waiting = np.zeros((0, *grid.padded), np.float32)

    def add(self, start: int, raw: NDArray[Any], denoised: NDArray[Any], scale: Scale) -> None:
        """Add frames ``start`` onward, (n, Y, X); those outside the window do not count.

        Frames come in order. The last two wait for those that follow.
        """
        begin, end = max(start, self.window.start), min(start + len(raw), self.window.stop)
        step = few_frames(raw[0].size)
        for first in range(begin, end, step):
            part = slice(first - start, min(first + step, end) - start)
            self._add(first, raw[part], scale.apply(denoised[part]))

    def _add(self, first: int, raw: NDArray[Any], level: NDArray[np.float32]) -> None:
        last = first + len(raw)
        residual = _residual(raw, level)
        residual = np.concatenate([self._waiting, self.components.grid.pad(residual)])
        deviations = self.components.deviations(level)
        done = first - len(self._waiting)
        ready = last if last == self.window.stop else max(done, last - _REACH)

        def add_row(row: int) -> None:
            if len(self.components.columns[row]):
                courses = self._courses(deviations, row, last)
                self._add_row(row, courses, residual, done, ready, last)

        self.components.grid.each_row(add_row)
        self._waiting = residual[ready - done :].copy()

    def _courses(self, deviations: NDArray[np.float32], row: int, last: int) -> NDArray[np.float32]:
        """A 1, then the courses, of the frames seen last: (patches, m, 1 + K), up to ``last``."""
        courses = self.components.courses(deviations, row)
        ones = np.ones((*courses.shape[:2], 1), np.float32)
        moments = self.rows[row]
        seen = np.concatenate([moments.tail, np.concatenate([ones, courses], axis=2)], axis=1)
        moments.tail = seen[:, -2 * _REACH :].copy()
        return seen

    def _add_row(
        self,
        row: int,
        courses: NDArray[np.float32],
        residual: NDArray[np.float32],
        done: int,
        ready: int,
        last: int,
    ) -> None:
        """Add frames ``done`` to ``ready``; ``courses`` end with frame ``last``."""
        moments, frames = self.rows[row], np.arange(done, ready)
        oldest = last - courses.shape[1]
        own = courses[:, frames - oldest]
        others = np.zeros_like(own)
        for lag in _LAGS:
            near = np.clip(frames + lag, self.window.start, self.window.stop - 1)
            others += courses[:, near - oldest]
        others /= np.float32(len(_LAGS))
        values = self.components.grid.strip(
            residual[: ready - done], row, self.components.columns[row]
        )
        bins = self._basis[:, done - self.window.start : ready - self.window.start].T
        turned, own_turned = others.transpose(0, 2, 1), own.transpose(0, 2, 1)
        moments.squares += turned @ others
        moments.noise += turned @ (others * self._variance(row, own)[:, :, None])
        moments.residual += turned @ values
        moments.basis += turned @ bins
        moments.own_squares += own_turned @ own
        moments.own_products += own_turned @ others

    def _variance(self, row: int, courses: NDArray[np.float32]) -> NDArray[np.float32]:
        """Noise variance of an average pixel of each patch and frame, (patches, n)."""
        components = self.components
        grid, columns = components.grid, components.columns[row]
        level = grid.strip(components.reference[None], row, columns).mean(axis=2)
        share = components.loadings[row].sum(axis=1, keepdims=True) / (grid.cell * grid.n_cells)
        brightness = level + (courses[:, :, 1:] @ share.transpose(0, 2, 1))[:, :, 0]
        variance: NDArray[Any] = self._noise.gain * brightness + self._noise.offset
        floor = 0.1 * (self._noise.gain * level + self._noise.offset)
        variance = np.maximum(variance, np.maximum(floor, 1e-12))
        return variance.astype(np.float32, copy=False)


@dataclass(frozen=True, eq=False)
class Detail:
    """What courses add to the denoised recording in the frames of a window: a map per frame.

    Parameters
    ----------
    window : Window
    components : Components
    images : list of ndarray, (patches, 1 + K, pixels of a patch), float32
        For each row of patches: what a constant and each course add, tapered.
    """

    window: Window
    components: Components
    images: list[NDArray[np.float32]]

    def add_to(self, start: int, level: NDArray[np.float32], out: NDArray[np.float32]) -> None:
        """Add to ``out`` what the denoised frames ``start`` onward say; all (n, Y, X)."""
        first, last = max(start, self.window.start), min(start + len(level), self.window.stop)
        if first >= last:
            return
        step = few_frames(level[0].size)

        def add_frames(first: int) -> None:
            part = slice(first - start, min(first + step, last) - start)
            self._add_frames(first, level[part], out[part])

        over_items(add_frames, range(first, last, step))

    def _add_frames(self, start: int, level: NDArray[np.float32], out: NDArray[np.float32]) -> None:
        grid = self.components.grid
        deviations = self.components.deviations(level)
        begin = start - self.window.start
        taper = self.window.taper[begin : begin + len(level)].astype(np.float32)[:, None]
        height, width = grid.size
        for row, (first_row, columns) in enumerate(
            zip(grid.starts[0], self.components.columns, strict=True)
        ):
            if not len(columns):
                continue
            courses = self.components.courses(deviations, row)
            images = self.images[row]
            added = (courses * taper) @ images[:, 1:] + taper * images[:, :1]
            added = added.reshape(len(columns), len(level), height, width)
            for values, first_column in zip(added, grid.starts[1][columns], strict=True):
                target = out[:, first_row : first_row + height, first_column : first_column + width]
                target += values[:, : target.shape[1], : target.shape[2]]


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
    images: list[NDArray[np.float32]] = [np.zeros(0, np.float32)] * len(moments.rows)
    errors = np.zeros((len(moments.rows), 2))

    def fit_row(row: int) -> None:
        columns = moments.components.columns[row]
        if not len(columns):
            return
        taper = tapers[row, columns].reshape(len(columns), 1, -1)
        done = grid.strip(padded, row, columns)
        fitted, before, after = _fit(moments.rows[row], done, shrinker)
        images[row] = (fitted * taper).astype(np.float32)
        share = taper.mean(axis=(1, 2))
        errors[row] = (before * share).sum(), (after * share).sum()

    grid.each_row(fit_row)
    before, after = errors.sum(axis=0)
    return Detail(moments.window, moments.components, images), (float(before), float(after))


def _fit(
    row: _RowMoments, done: NDArray[np.float32], shrinker: _Shrinker
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Images (patches, 1 + K, pixels), and squared errors per patch before and after."""
    n_frames = row.squares[:, :1, :1]
    mean = row.squares[:, 1:, :1] / n_frames
    residual = row.residual - row.basis @ done
    residual = residual[:, 1:] - mean * residual[:, :1]
    squares = _centered(row.squares, mean, mean)
    noise = _centered(row.noise, mean, mean)
    _fill_absent(squares, noise)
    inverse = np.linalg.inv(squares)
    fitted = inverse @ residual
    # Combinations of courses whose images have independent noise of variance 1.
    values, vectors = np.linalg.eigh(inverse @ noise @ inverse)
    mix = vectors * np.sqrt(values.clip(min=0))[:, None]
    energies, turn = np.linalg.eigh(mix.transpose(0, 2, 1) @ squares @ mix)
    mix = mix @ turn
    shrunk, before, after = shrinker(np.linalg.solve(mix, fitted))
    own_mean = row.own_squares[:, 1:, :1] / n_frames
    own_squares = _centered(row.own_squares, own_mean, own_mean)
    products = _centered(row.own_products, own_mean, mean)
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
        self._least = self._noise * chi2.isf(_CHANCE, self._number) / self._number

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
    """Raw minus denoised; 0 where either was not measured."""
    with np.errstate(invalid="ignore"):
        residual = np.subtract(raw, level, dtype=np.float32)
    residual[missing_rows(raw)] = 0
    return zero_where_unknown(residual)

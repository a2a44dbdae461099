"""The power limit: no band keeps more power than the raw recording supports.

What a denoiser leaves of the noise shows as power that the raw recording, less its own noise,
does not have. Bands are groups of temporal frequencies crossed with rings of spatial frequency,
in tiles. The excess is measured over some runs of frames and taken off everywhere, from the power
that each tile has at the time: a cell that fires now and then keeps its transients. The mean image
is left alone.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import pairwise, product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dctn, idctn, next_fast_len
from scipy.ndimage import convolve

from freq2clean.fusion.bases import dct_basis, temporal_bands
from freq2clean.fusion.courses import has_excess, variance_of_supported
from freq2clean.fusion.parallel import Spare, over_items, plain_scratch
from freq2clean.fusion.rings import fine_rings, ring_index, ring_sizes, ring_sums
from freq2clean.fusion.spaces import HOST, Space, space_of
from freq2clean.fusion.windows import Window, plan_windows

__all__ = [
    "MOST_RUNS",
    "Limit",
    "LimitMoments",
    "Limiter",
    "Tiling",
    "limit_frames",
    "limit_windows",
    "shares_of_excess",
]

_TILE_PIXELS = 96
_OVERLAP = 0.15
MOST_RUNS = 8
_MARGIN = 0.3
_TRACE = 3e-4
_LENGTHS = (256, 192, 128, 96, 64, 48, 32)


def limit_frames(n_frames: int, shape: tuple[int, int], memory_bytes: int) -> int:
    """Frames per window of the filter: as many as fit twice, 256 at most; 0 where too few do."""
    fits = memory_bytes // (8 * shape[0] * shape[1])
    return next((length for length in _LENGTHS if length <= min(fits, n_frames)), 0)


def _tile_pixels(n: int) -> int:
    """About `_TILE_PIXELS`: as many as let tiles cover ``n`` with hardly more overlap than due."""
    hops = max(0, round((n / _TILE_PIXELS - 1) / (1 - _OVERLAP)))
    least = math.ceil(n / (1 + hops * (1 - _OVERLAP)))
    return min(n, int(next_fast_len(least, real=True)))


@dataclass(frozen=True, eq=False)
class Tiling:
    """Overlapping boxes of frames and pixels; their squared tapers add up to 1.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns of the image.
    n_frames : int
        Frames of a box.
    """

    shape: tuple[int, int]
    n_frames: int

    @cached_property
    def axes(self) -> tuple[list[Window], list[Window]]:
        """Where tiles lie along rows and along columns."""
        rows, columns = (
            plan_windows(n, window=_tile_pixels(n), overlap=_OVERLAP) for n in self.shape
        )
        return rows, columns

    @cached_property
    def index(self) -> NDArray[np.intp]:
        """The ring of each spatial coefficient of a tile."""
        rows, columns = self.axes
        return ring_index((rows[0].n_frames, columns[0].n_frames))

    @cached_property
    def bands(self) -> list[tuple[int, int]]:
        """First and last-but-one temporal coefficient of each band."""
        half = self.n_frames // 2
        edges = [*temporal_bands(half), half, self.n_frames]
        return list(pairwise(edges))

    @cached_property
    def widths(self) -> NDArray[np.intp]:
        """Temporal coefficients per band."""
        return np.array([stop - start for start, stop in self.bands])

    @cached_property
    def number(self) -> NDArray[np.float64]:
        """Coefficients per band and ring."""
        return np.outer(self.widths, ring_sizes(self.index))

    @cached_property
    def typical_taper(self) -> NDArray[np.float32]:
        """The temporal taper of a window that has neighbours on both sides."""
        window = plan_windows(3 * self.n_frames, window=self.n_frames, overlap=_OVERLAP)[1]
        return np.sqrt(window.taper).astype(np.float32)

    @cached_property
    def noise_share(self) -> NDArray[np.float64]:
        """What is left of white noise in each band once the mean of the frames is taken off."""
        tapered = self.cosines.astype(np.float64) * self.typical_taper
        left = tapered - tapered.mean(axis=1, keepdims=True)
        starts = np.cumsum([0, *self.widths[:-1]])
        sums = np.add.reduceat(np.square(left).sum(axis=1), starts)
        share: NDArray[np.float64] = sums / self.widths / np.mean(self.typical_taper**2)
        return share

    def in_time(self, time_taper: NDArray[np.float32]) -> float:
        """The power that a taper leaves, over that which the typical one does."""
        return float(np.mean(time_taper**2) / np.mean(self.typical_taper**2))

    def spatial_tapers(self, row: int, column: int) -> tuple[NDArray[np.float32], ...]:
        """Tapers of a tile along its rows and along its columns."""
        windows = self.axes[0][row], self.axes[1][column]
        return tuple(np.sqrt(window.taper).astype(np.float32) for window in windows)

    @cached_property
    def cosines(self) -> NDArray[np.float32]:
        """The DCT-II along the frames of a box, as a matrix."""
        return dct_basis(self.n_frames, self.n_frames).astype(np.float32)

    def box(self, row: int, column: int) -> tuple[slice, slice, slice]:
        rows, columns = self.axes
        return (
            slice(None),
            slice(rows[row].start, rows[row].stop),
            slice(columns[column].start, columns[column].stop),
        )

    def each_tile(self, function: Callable[[int, int], None]) -> None:
        """Call ``function`` for each tile on a few threads, never for two that overlap at once."""
        rows, columns = self.axes
        for row, column in product(range(3), repeat=2):
            apart = product(range(row, len(rows), 3), range(column, len(columns), 3))
            over_items(lambda tile: function(*tile), apart)

    def powers(
        self, frames: NDArray[np.float32], reference: NDArray[np.float32]
    ) -> NDArray[np.float64]:
        """Sums of squared coefficients, (rows, columns, bands, rings), of deviations in a box."""
        rows, columns = self.axes
        sums = np.zeros((len(rows), len(columns), *self.number.shape))

        def measure(row: int, column: int) -> None:
            values = self._tapered(frames, reference, row, column)
            values *= self.typical_taper[:, None, None]
            spectrum = dctn(values, norm="ortho", overwrite_x=True)
            sums[row, column] = _band_powers(spectrum, self.widths, self.index)

        self.each_tile(measure)
        return sums

    def take_off(
        self,
        frames: NDArray[np.float32],
        limit: Limit,
        time_taper: NDArray[np.float32],
        out: NDArray[np.float32],
    ) -> None:
        """Take off ``out``, which starts as the frames, the share of each band that is excess.

        What is scaled is the frames' deviation from the reference, tapered on the way in and out.
        Bands that are scaled as one need no transform: they are what the others leave.
        """
        in_time = self.in_time(time_taper)

        def take_off(row: int, column: int) -> None:
            excess, n_apart = limit.excess[row, column], limit.n_apart[row, column]
            if not excess.any():
                return
            widths = self.widths[:n_apart]
            values = self._tapered(frames, limit.reference, row, column)
            cosines = self.cosines[: widths.sum()] * time_taper
            images = _product("images", cosines, values.reshape(self.n_frames, -1))
            spectrum = images.reshape(-1, *self.index.shape)
            spectrum = dctn(spectrum, axes=(1, 2), norm="ortho", overwrite_x=True)
            power = _band_powers(spectrum, widths, self.index)
            whole_power = np.einsum("tyx,tyx->t", values, values) @ np.square(time_taper)
            apart, together = shares_of_excess(in_time * self.number * excess, power, whole_power)
            for part, per_ring in zip(_parts(spectrum, widths), apart, strict=True):
                part *= per_ring.astype(np.float32)[self.index]
            images = idctn(spectrum, axes=(1, 2), norm="ortho", overwrite_x=True)
            taken = _product("taken", cosines.T, images.reshape(len(images), -1))
            values *= (np.float32(together) * np.square(time_taper))[:, None, None]
            values += taken.reshape(values.shape)
            values *= np.outer(*self.spatial_tapers(row, column))
            out[self.box(row, column)] -= values

        self.each_tile(take_off)

    def _tapered(
        self,
        frames: NDArray[np.float32],
        reference: NDArray[np.float32],
        row: int,
        column: int,
    ) -> NDArray[np.float32]:
        """A tile's deviation from the reference, tapered in space, in this thread's scratch."""
        box = self.box(row, column)
        values = plain_scratch("values", (self.n_frames, *self.index.shape))
        np.subtract(frames[box], reference[box[1:]], out=values)
        values *= np.outer(*self.spatial_tapers(row, column))
        return values


def _product(
    name: str, left: NDArray[np.float32], right: NDArray[np.float32]
) -> NDArray[np.float32]:
    """A matrix product, in this thread's scratch."""
    out = plain_scratch(name, (len(left), right.shape[1]))
    product: NDArray[np.float32] = np.matmul(left, right, out=out)
    return product


def shares_of_excess(
    too_much: NDArray[np.float64], power: NDArray[np.float64], whole_power: float
) -> tuple[NDArray[np.float64], float]:
    """What part of a tile's power is excess, ring by ring in its first bands, and in all others.

    ``too_much`` is for all bands and rings, ``power`` for those of the first; theirs is given less
    that of the others.
    """
    together = float(_shares(too_much[len(power) :].sum(), whole_power - power.sum()))
    return _shares(too_much[: len(power)], power) - together, together


def _shares(too_much: Any, power: Any) -> Any:
    """What part of the power is excess."""
    return np.clip(too_much / np.maximum(power, 1e-30), 0, 1)


def _parts(spectrum: NDArray[np.float32], widths: NDArray[np.intp]) -> list[NDArray[np.float32]]:
    """A spectrum's bands."""
    return np.split(spectrum, np.cumsum(widths)[:-1])


def _band_powers(
    spectrum: NDArray[np.float32], widths: NDArray[np.intp], index: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Sums of squares per band and ring."""
    parts = _parts(spectrum, widths)
    return ring_sums(np.stack([np.einsum("tyx,tyx->yx", x, x) for x in parts]), index)


@dataclass(frozen=True, eq=False)
class Limit:
    """What is in force from one frame to the next limit's.

    Parameters
    ----------
    start : int
        From this frame on.
    reference : array, (Y, X), float32
        The image whose deviations are scaled.
    excess : ndarray, (rows, columns, bands, rings)
        Mean squared coefficient that the raw recording does not support, in each tile.
    n_apart : ndarray of int, (rows, columns)
        How many bands of each tile are scaled ring by ring, 1 or more; those above are scaled as
        one.
    """

    start: int
    reference: Any
    excess: NDArray[np.float64]
    n_apart: NDArray[np.intp]


class LimitMoments:
    """Powers of the raw and of the fused recording in each tile, over some runs of frames.

    Parameters
    ----------
    tiling : Tiling
    start : int
        The limit is in force from this frame on.
    before : LimitMoments, optional
        Of earlier frames, solved first: its last runs count too, for excess hardly changes.

    Attributes
    ----------
    expected_errors : (float, float)
        Once solved: the mean squared excess, and what of it a gain of 1 - excess / power leaves.
    """

    def __init__(self, tiling: Tiling, start: int, before: LimitMoments | None = None) -> None:
        self._start = start
        self._tiling = tiling
        self._reference: Any = None
        self._before = before
        self.expected_errors = (0.0, 0.0)
        self._powers: list[NDArray[np.float64]] = []

    def add(self, raw: Any, fused: Any) -> None:
        """Add a run of as many frames as the tiling has, without values that are not finite."""
        mean = space_of(raw, fused).xp.mean
        if self._reference is None:
            self._reference = mean(fused, axis=0)
        both = [self._tiling.powers(frames, mean(frames, axis=0)) for frames in (raw, fused)]
        self._powers.append(np.stack(both))

    def after(self, earlier: Sequence[LimitMoments]) -> LimitMoments:
        """The same, where the last runs of earlier ones, which need not be solved, count too."""
        both = copy(self)
        both._powers = [x for moments in (*earlier, self) for x in moments._powers][-MOST_RUNS:]
        return both

    def without_powers(self) -> LimitMoments:
        """What is left to say once they are solved, and none builds on them."""
        light = copy(self)
        light._powers = []
        return light

    def solve(self) -> Limit:
        """What the fused recording has beyond the supported power and its sampling error."""
        assert self._reference is not None, "no run was added"
        if self._before:
            self._powers = [*self._before._powers, *self._powers][-MOST_RUNS:]
            self._before = None
        number = self._tiling.number
        raw, fused = np.mean(self._powers, axis=0) / number
        noise = self._noise_power(raw)
        counted = number * len(self._powers) * self._independent_share()
        sure = has_excess(fused, raw - noise, noise, counted)
        variance = variance_of_supported(noise, raw - noise, fused)
        beyond, error = _with_neighbours(fused - raw + noise, variance, counted)
        excess = np.where(sure, np.clip(beyond - _MARGIN * error, 0, fused), 0)
        removed = excess**2 / np.maximum(fused, 1e-30)
        n_values = np.sum(self._tiling.typical_taper**2) * np.prod(self._tiling.shape)
        before, gained = (float(np.sum(number * x) / n_values) for x in (excess, removed))
        self.expected_errors = before, before - gained
        limit = Limit(self._start, self._reference, excess, _n_apart(number, excess, fused))
        self._reference = None
        return limit

    def _noise_power(self, raw: NDArray[np.float64]) -> NDArray[np.float64]:
        """Mean squared coefficients of noise, (rows, columns, bands, rings): those of high bands.

        Fluorescence has next to no power above a quarter of the frame rate. A recording that
        shakes has, in coarse rings; so no ring counts for more than the finest.
        """
        high = [start >= self._tiling.n_frames // 2 for start, _ in self._tiling.bands]
        number = self._tiling.number[high].sum(axis=0)
        sums = (raw[..., high, :] * self._tiling.number[high]).sum(axis=-2, keepdims=True)
        fine = fine_rings(number.size)
        finest = sums[..., fine].sum(axis=-1, keepdims=True) / number[fine].sum()
        noise: NDArray[np.float64] = np.minimum(sums / number, finest)
        return noise * self._tiling.noise_share[:, None]

    def _independent_share(self) -> float:
        """Tapers make neighbouring coefficients alike: the share of them that count."""
        tapers = [
            self._tiling.typical_taper.astype(np.float64) ** 2,
            *(taper.astype(np.float64) ** 2 for taper in self._tiling.spatial_tapers(0, 0)),
        ]
        shares = [np.mean(taper) ** 2 / np.mean(taper**2) for taper in tapers]
        return float(np.prod(shares))


def _n_apart(
    number: NDArray[np.float64], excess: NDArray[np.float64], fused: NDArray[np.float64]
) -> NDArray[np.intp]:
    """How many bands of each tile to leave, such that those above are excess but for a trace.

    What they would lose, were they taken off entirely, is next to nothing beside the excess.
    """
    kept = number * np.square(fused - excess) / np.maximum(fused, 1e-30)
    lost_above = kept.sum(axis=-1)[..., ::-1].cumsum(axis=-1)[..., ::-1]
    least = _TRACE * (number * excess).sum(axis=(-2, -1))
    n_apart: NDArray[np.intp] = np.count_nonzero(lost_above > least[..., None], axis=-1)
    return np.maximum(n_apart, 1)


def _with_neighbours(
    values: NDArray[np.float64], variance: NDArray[np.float64], number: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The mean of each band and ring and those next to it, and its standard error."""
    near = partial(convolve, weights=np.ones((1, 1, 3, 3)), mode="constant")
    counts = near(np.broadcast_to(number, values.shape))
    return near(values * number) / counts, np.sqrt(near(variance * number)) / counts


def limit_windows(tiling: Tiling, start: int, stop: int) -> list[Window]:
    """The windows in which frames ``start`` to ``stop`` are limited."""
    plan = plan_windows(stop - start, window=tiling.n_frames, overlap=_OVERLAP)
    return [Window(w.start + start, w.stop + start, w.taper) for w in plan]


class Limiter:
    """Applies limits to frames in order; what comes out lags by a window at most.

    Parameters
    ----------
    tiling : Tiling
    start, stop : int
        Frames of the recording that will be pushed.
    spare : Spare
        Where memory for as many frames as the tiling has is taken from, while a window is worked
        on.
    space : Space
        Where the frames are.
    wanted : (int, int), optional
        Frames that must come out right: others are pushed only where windows reach beyond these.
    """

    def __init__(
        self,
        tiling: Tiling,
        start: int,
        stop: int,
        spare: Spare,
        *,
        space: Space = HOST,
        wanted: tuple[int, int] | None = None,
    ) -> None:
        self._tiling = tiling
        self._spare = spare
        self._space = space
        first, last = wanted or (start, stop)
        windows = limit_windows(tiling, start, stop)
        self._windows = deque(w for w in windows if w.start < last and first < w.stop)
        self._start = self._end = self._windows[0].start
        self._shape = (self._windows[0].n_frames, *tiling.shape)
        self._frames = space.empty(self._shape)
        self._begun = self._frames[:0, ...]
        self._unknown: dict[int, Any] = {}

    @property
    def start(self) -> int:
        """The first frame that it still holds, or else takes."""
        return self._start

    def push(
        self,
        n_frames: int,
        write: Callable[[slice, Any], object],
        limit_at: Callable[[int], Limit],
    ) -> Iterator[tuple[int, Any]]:
        """Take the next frames; gives those that are done, valid until the next are asked for.

        Parameters
        ----------
        n_frames : int
        write : callable
            ``(some, out)``: writes some of these frames.
        limit_at : callable
            Which limit is in force at a frame.
        """
        first = 0
        while first < n_frames:
            held = self._end - self._start
            last = min(n_frames, first + self._shape[0] - held)
            room = self._frames[held : held + last - first, ...]
            write(slice(first, last), room)
            self._set_aside(room)
            self._end += last - first
            first = last
            if self._end == self._windows[0].stop:
                limited = self._spare.take(self._space, self._shape)
                yield self._limit(limited, limit_at)
                self._spare.give_back(limited)

    def _set_aside(self, frames: Any) -> None:
        """Remember what is not finite, and put 0 in its place."""
        space, xp = self._space, self._space.xp
        if space.holds(xp.isfinite(xp.sum(frames))):
            return
        unknown = ~xp.isfinite(frames)
        for i in np.flatnonzero(space.host(xp.any(unknown, axis=(1, 2)))).tolist():
            self._unknown[self._end + i] = xp.asarray(unknown[i, ...], copy=True)
        frames[unknown] = 0

    def _limit(self, limited: Any, limit_at: Callable[[int], Limit]) -> tuple[int, Any]:
        """Finish the oldest window, and make room for the next."""
        xp, window = self._space.xp, self._windows.popleft()
        limit = limit_at((window.start + window.stop) // 2)
        taper = np.sqrt(window.taper).astype(np.float32)
        n_begun = self._begun.shape[0]
        limited[:n_begun, ...] = self._begun
        limited[n_begun:, ...] = self._frames[n_begun:, ...]
        self._tiling.take_off(self._frames, limit, taper, limited)
        n_done = (self._windows[0].start if self._windows else window.stop) - window.start
        for frame in range(window.start, window.start + n_done):
            if frame in self._unknown:
                done = limited[frame - window.start, ...]
                done[self._unknown.pop(frame)] = np.nan
        self._begun = xp.asarray(limited[n_done:, ...], copy=True)
        left = xp.asarray(self._frames[n_done:, ...], copy=True)
        self._frames[: left.shape[0], ...] = left
        self._start += n_done
        return window.start, limited[:n_done, ...]

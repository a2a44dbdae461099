"""What a fusion gained in squared error, without ground truth: Stein's estimate with a probe.

A recording ``z`` that was made from the raw one, ``x = s + n``, has the mean squared error
``E|z - s|^2 = E|x - z|^2 - E|n|^2 + 2 E<n, z>``. The last term is the noise that leaked into ``z``.
A faint probe added to the raw recording leaks in the same way, and can be seen: what comes out
with the probe, less what came out without, is correlated with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dctn

from freq2clean.fusion.bases import temporal_bands
from freq2clean.fusion.missing import filled
from freq2clean.fusion.rings import RINGS_PER_CYCLE, fine_rings, ring_index, ring_sizes, ring_sums
from freq2clean.fusion.survey import spread_runs
from freq2clean.threads import n_threads

__all__ = ["Gain", "GainMoments", "gain_runs"]

_RUN_FRAMES = 64
_LEAST_RUN_FRAMES = 16
_RUN_VALUES = 1 << 24
_RUNS = 24
_TILE_PIXELS = 64
_LEAST_TILE_PIXELS = 16
_RAW, _OWN, _BOTH, _WITH_RAW = 0, slice(1, 3), 3, slice(4, 6)
_PROBE, _WITH_PROBE, _ECHO = 6, slice(7, 9), 9
_ERRORS = 3.0
_LEAST_ERRORS = 2.0
_LEAST_CORRELATION = 0.5
_TINY = 1e-30


@dataclass(frozen=True)
class Gain:
    """What fusion gained, as far as the recordings tell.

    Attributes
    ----------
    db : float or None
        By how much the mean squared error fell; None where one of them is not measurable.
    interval_db : (float or None, float or None)
        What ``db`` lies between, at three standard errors, as these are of noise that is the same
        everywhere; None where no bound is known.
    mse_denoised, mse_fused : float
        Mean squared errors, in squared counts. Their difference is surer than they are.
    mse_change : float
        What was added to the mean squared error.
    mse_change_error : float
        Its standard error.
    noise_left : float
        Of ``mse_fused``, what is noise that leaked; the rest is structure, missing or wrong.
    ring_frequencies : tuple of float
        Middle of each ring, in cycles per pixel.
    ring_correlation_denoised, ring_correlation_fused : tuple of float or None
        Correlation with the true recording in each ring (Fourier ring correlation); None where
        there is no signal to be seen.
    detail_px_denoised, detail_px_fused : float or None
        Period of the finest detail, in pixels, up to which that correlation is at least 0.5.
    map_db : tuple of tuples of float or None
        ``db`` of each tile of the field, row by row; None where it is not measurable.
    tile_shape : (int, int)
        Pixels of a tile.
    frames : int
        Frames that were looked at.
    """

    db: float | None
    interval_db: tuple[float | None, float | None]
    mse_denoised: float
    mse_fused: float
    mse_change: float
    mse_change_error: float
    noise_left: float
    ring_frequencies: tuple[float, ...]
    ring_correlation_denoised: tuple[float | None, ...]
    ring_correlation_fused: tuple[float | None, ...]
    detail_px_denoised: float | None
    detail_px_fused: float | None
    map_db: tuple[tuple[float | None, ...], ...]
    tile_shape: tuple[int, int]
    frames: int


def gain_runs(shape: tuple[int, int, int]) -> list[tuple[int, int]]:
    """Ranges of frames of a recording (T, Y, X) that `GainMoments` asks for."""
    length = min(_RUN_FRAMES, max(_LEAST_RUN_FRAMES, _RUN_VALUES // (shape[1] * shape[2])))
    return spread_runs(shape[0], n_runs=_RUNS, length=length)


class GainMoments:
    """Adds up what `Gain` needs over runs of frames.

    It takes the raw recording's noise as it is above a quarter of the frame rate, in fine rings:
    noise that is correlated between pixels or frames is not all seen.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns.

    References
    ----------
    Stein (1981), doi:10.1214/aos/1176345632; with a probe: Ramani, Blu and Unser (2008),
    doi:10.1109/TIP.2008.2001404. Ring correlation: Saxton and Baumeister (1982),
    doi:10.1111/j.1365-2818.1982.tb00405.x.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> truth = 20 + 5 * np.sin(np.arange(64) / 3) * np.ones((64, 64, 1))
    >>> raw = truth + rng.normal(0, 1, truth.shape)
    >>> probe = rng.normal(0, 0.3, truth.shape)
    >>> moments = GainMoments((64, 64))
    >>> moments.add(raw, 0.6 * raw, 0.9 * raw, probe=probe, echoes=(0.6 * probe, 0.9 * probe))
    >>> 8 < moments.solve().db < 12
    True
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        self._counts = tuple(_n_tiles(size) for size in shape)
        self._tile = shape[0] // self._counts[0], shape[1] // self._counts[1]
        self._index = ring_index(self._tile)
        self._runs: list[NDArray[np.float64]] = []
        self._run_frames = 0

    def add(
        self,
        raw: NDArray[Any],
        denoised: NDArray[Any],
        fused: NDArray[Any],
        /,
        *,
        probe: NDArray[Any],
        echoes: tuple[NDArray[Any], NDArray[Any]],
    ) -> None:
        """Add a run of consecutive frames, blocks (n, Y, X); all runs are equally long.

        Parameters
        ----------
        raw, denoised, fused : ndarray
            Where one of them has no value, nothing is compared.
        probe : ndarray
            What was added to the raw recording.
        echoes : (ndarray, ndarray)
            What that added to the denoised recording, and to the fused one.
        """
        fused = np.nan_to_num(fused, posinf=0, neginf=0)
        denoised = filled(denoised, fused)
        blocks = [filled(raw, fused), denoised, fused, probe, *map(np.nan_to_num, echoes)]
        tiles = product(*(range(count) for count in self._counts))
        self._runs.append(np.stack([self._sums(blocks, *tile) for tile in tiles]))
        self._run_frames = len(raw)

    def _sums(self, blocks: list[NDArray[Any]], row: int, column: int) -> NDArray[np.float64]:
        """Products of coefficients of a tile, (products, bands, rings)."""
        height, width = self._tile
        box = (
            slice(None),
            slice(row * height, (row + 1) * height),
            slice(column * width, (column + 1) * width),
        )
        x, y, z, probe, by, bz = (
            dctn(block[box].astype(np.float32), norm="ortho", workers=n_threads())
            for block in blocks
        )
        pairs = [(x, x), (y, y), (z, z), (y, z), (x, y), (x, z)]
        pairs += [(probe, probe), (probe, by), (probe, bz), (bz, bz)]
        bands = temporal_bands(len(x))
        return np.stack(
            [np.add.reduceat(ring_sums(a * b, self._index), bands, axis=0) for a, b in pairs]
        )

    def solve(self) -> Gain:
        """The gain, and how sure it is."""
        runs = np.stack(self._runs)
        tiles = [self._estimate(sums, len(runs)).db for sums in runs.sum(axis=0)]
        whole = self._estimate(runs.sum(axis=(0, 1)), runs.shape[0] * runs.shape[1])
        before, after = whole.mse
        width = self._counts[1]
        frequencies = np.maximum(np.arange(whole.number.shape[1]) - 0.5, 0) / RINGS_PER_CYCLE
        correlations = whole.ring_correlations()
        detail = [_finest(frequencies, found) for found in correlations]
        return Gain(
            db=whole.db,
            interval_db=_interval(whole),
            mse_denoised=before,
            mse_fused=after,
            mse_change=after - before,
            mse_change_error=whole.change_error,
            noise_left=whole.noise_left,
            ring_frequencies=tuple(frequencies.tolist()),
            ring_correlation_denoised=correlations[0],
            ring_correlation_fused=correlations[1],
            detail_px_denoised=detail[0],
            detail_px_fused=detail[1],
            map_db=tuple(tuple(tiles[i : i + width]) for i in range(0, len(tiles), width)),
            tile_shape=self._tile,
            frames=len(runs) * self._run_frames,
        )

    def _estimate(self, sums: NDArray[np.float64], n_boxes: int) -> _Estimate:
        """From sums over some boxes, each a tile of a run."""
        bands = np.array(temporal_bands(self._run_frames))
        width = np.diff([*bands, self._run_frames])
        number = n_boxes * np.outer(width, ring_sizes(self._index))
        return _Estimate(sums, number, bands >= min(self._run_frames / 2, bands[-1]))


class _Estimate:
    """Squared errors from sums of products (products, bands, rings) of coefficients."""

    def __init__(
        self, sums: NDArray[np.float64], number: NDArray[np.float64], fast: NDArray[np.bool_]
    ) -> None:
        self.number = number
        self._powers = sums / number
        self._fast = fast
        fine = fine_rings(number.shape[1])
        self._n_noise = number[fast, fine].sum()
        self._noise = float(sums[0, fast, fine].sum() / self._n_noise)

    @cached_property
    def _common(self) -> NDArray[np.float64]:
        """What the true recording has in common with each of the two, (2, bands, rings)."""
        leak = self._powers[_WITH_PROBE] / np.maximum(self._powers[_PROBE], _TINY)
        common: NDArray[np.float64] = self._powers[_WITH_RAW] - leak * self._noise
        return common

    @cached_property
    def _signal(self) -> NDArray[np.float64]:
        """Power of the true recording; may come out negative."""
        signal: NDArray[np.float64] = self._powers[_RAW] - self._noise
        return signal

    @cached_property
    def mse(self) -> tuple[float, float]:
        """Mean squared errors of the denoised and of the fused recording."""
        errors = self._powers[_OWN] - 2 * self._common + self._signal
        before, after = np.sum(errors * self.number, axis=(1, 2)) / self.number.sum()
        return float(before), float(after)

    @property
    def mse_error(self) -> float:
        """Standard error of both: how well the noise is known, and what of it is in the sums."""
        n = self.number.sum()
        return float(self._noise * np.sqrt(2 / n + 2 / self._n_noise))

    @property
    def db(self) -> float | None:
        """By how much the mean squared error fell, unless chance may be all that is left of it."""
        before, after = self.mse
        return _db(before, after) if after > _LEAST_ERRORS * self.mse_error else None

    @property
    def change_error(self) -> float:
        """Standard error of the difference of both."""
        change = self._powers[_OWN].sum(axis=0) - 2 * self._powers[_BOTH]
        n = self.number.sum()
        return float(2 * np.sqrt(self._noise * np.sum(change * self.number)) / n)

    @property
    def noise_left(self) -> float:
        """The part of the fused recording's error that is leaked noise."""
        passed = self._powers[_ECHO] / np.maximum(self._powers[_PROBE], _TINY)
        return float(self._noise * np.sum(passed * self.number) / self.number.sum())

    def ring_correlations(self) -> list[tuple[float | None, ...]]:
        """Of the denoised and of the fused recording with the true one."""
        slow = ~self._fast
        number = self.number[slow].sum(axis=0)
        signal = np.sum(self._signal[slow] * self.number[slow], axis=0)
        seen = signal > 3 * self._noise * np.sqrt(2 * number)
        found = []
        for common, power in zip(self._common, self._powers[_OWN], strict=True):
            shared, own = (np.sum(p[slow] * self.number[slow], axis=0) for p in (common, power))
            ratio = shared / np.sqrt(np.maximum(signal * own, _TINY))
            found.append(
                tuple(
                    float(np.clip(r, -1, 1)) if clear else None
                    for r, clear in zip(ratio, seen, strict=True)
                )
            )
        return found


def _n_tiles(size: int) -> int:
    """Tiles along an axis: of about 64 pixels, two at least."""
    return max(1, min(max(2, round(size / _TILE_PIXELS)), size // _LEAST_TILE_PIXELS))


def _db(before: float, after: float) -> float | None:
    return float(10 * np.log10(before / after)) if before > 0 and after > 0 else None


def _finest(frequencies: NDArray[np.float64], correlations: Sequence[float | None]) -> float | None:
    """Period in pixels of the last ring, from coarse to fine, with a correlation of 0.5."""
    found = None
    for frequency, correlation in zip(frequencies[1:], correlations[1:], strict=True):
        if correlation is None or correlation < _LEAST_CORRELATION:
            break
        found = float(1 / frequency)
    return found


def _interval(estimate: _Estimate) -> tuple[float | None, float | None]:
    """Bounds on the gain in dB, at three standard errors.

    What was gained is sure; how much error is left beside it, is less so.
    """
    before, after = estimate.mse
    both, change = _ERRORS * estimate.mse_error, _ERRORS * estimate.change_error
    bounds = [
        _db(before + common + sign * change, after + common)
        for common in (both, -both)
        for sign in (-1, 1)
    ]
    known = [bound for bound in bounds if bound is not None]
    if not known:
        return None, None
    low, high = min(known), max(known)
    if len(known) == len(bounds):
        return low, high
    return (low, None) if before > after else (None, high)

"""The correction of the mean image, solved in small steps: a few rows or columns at a time.

Each step is a ``yield``: whoever runs it decides when the next one is due.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dct, idct

from freq2clean.fusion.leak import leaked_share
from freq2clean.fusion.live.sums import AllSums, RoundSums
from freq2clean.fusion.local import LocalWeights
from freq2clean.fusion.pattern import bad_pixels, fill_in, find_line_offsets
from freq2clean.fusion.rings import ring_index, ring_sizes
from freq2clean.fusion.scale import Scale
from freq2clean.fusion.wiener import shrinkage

__all__ = ["Solved", "Solver"]

Image = NDArray[np.float32]
Rings = NDArray[np.float64]

_PASS_PIXELS = 1 << 15
_LOCAL_PIXELS = 1 << 13
_MARGIN = 4


@dataclass(frozen=True, eq=False)
class Solved:
    """What is added to every denoised frame, once that is on the raw recording's scale.

    Parameters
    ----------
    scale : Scale
        Of the denoised recording.
    image : ndarray, (Y, X), float32, or None
        None where nothing is to be added.
    weights : ndarray, (n_rings,)
        Of the first estimate.
    noise_sd : float
        Of the raw recording, in a pixel of a frame.
    n_frames : float
        Frames of equal weight in whose mean there is as much noise as in this one.
    """

    scale: Scale
    image: Image | None
    weights: Rings
    noise_sd: float
    n_frames: float


class Solver:
    """Adds up rounds of frames, and solves for the correction after each.

    What it finds is what `Wiener` finds with ``n_bins=1``, but that frames fade.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns.
    keep : float
        What a frame counts for when the next one comes; 1 to forget nothing.
    keep_fixed_pattern : bool
        True to take offsets of whole lines and hot pixels of the raw recording for signal.
    """

    def __init__(self, shape: tuple[int, int], keep: float, *, keep_fixed_pattern: bool) -> None:
        self._shape = shape
        self._keep = keep
        self._keep_fixed_pattern = keep_fixed_pattern
        self._all = AllSums(shape, keep)
        self._index = ring_index(shape)
        self._ring_size = ring_sizes(self._index)
        self._image, self._spectrum = np.empty(shape, np.float32), np.empty(shape, np.float32)
        self._seen = np.zeros(shape, np.bool_)
        self._ring_power = np.zeros(self._ring_size.size)
        self._n_differences = 0.0
        self._bad = np.zeros(shape, np.bool_)
        self._next_look = 0.0

    def solve(self, batch: RoundSums, scale: Scale) -> Generator[None, None, Solved]:
        """Take in a round, clear it, and solve."""
        yield from self._measure_noise(batch)
        for rows in self._rows(_PASS_PIXELS):
            self._all.fold(batch, rows)
            batch.clear(rows)
            yield
        self._all.count(batch)
        batch.reset()
        noise = self._ring_power / (self._ring_size * (self._n_differences or 1))
        noise_power = float(self._ring_size @ noise / self._ring_size.sum())
        weights = np.zeros_like(noise)
        image = None
        if self._n_differences:
            stretch = yield from self._average(scale)
            yield from self._take_out_pattern(noise_power)
            power = yield from self._transform(self._image)
            power = power[None] / self._ring_size
            local = stretch * noise
            leak = leaked_share(power, self._ring_size[None], local)
            weights = shrinkage(
                power,
                (1 - leak) ** 2 * local,
                self._ring_size,
                noise_error=np.sqrt(2 / (self._ring_size * self._n_differences)),
            )[0]
            if weights.any():
                local /= max(self._seen.mean(), 1 / self._seen.size)
                image = yield from self._weigh(weights, local, leak[0])
        n_frames = self._all.weight**2 / self._all.squares
        return Solved(scale, image, weights, float(np.sqrt(noise_power)), n_frames)

    def _measure_noise(self, batch: RoundSums) -> Iterator[None]:
        fade = self._keep**batch.n_frames
        self._ring_power *= fade
        self._n_differences *= fade
        if batch.has_difference:
            batch.difference[batch.unmeasured] = 0
            self._ring_power += yield from self._transform(batch.difference)
            self._n_differences += 1 - float(batch.unmeasured.mean())

    def _average(self, scale: Scale) -> Generator[None, None, float]:
        """The mean residual, with as much noise as in a frame; the rise of it by lost values."""
        total = self._all
        stretch = 0.0
        for rows in self._rows(_PASS_PIXELS):
            weight = total.weight - total.lost[rows]
            seen = weight > 1e-6 * total.weight
            weight = np.where(seen, weight, np.inf)
            raw, denoised = total.sums[:, rows]
            mean = (raw - scale.gain * denoised) / weight - scale.offset
            self._image[rows] = np.where(seen, mean / self._per_frame, 0)
            self._seen[rows] = seen
            stretch += float((total.weight / weight).sum())
            yield
        return stretch / self._seen.size

    @property
    def _per_frame(self) -> float:
        """What the average makes of the noise of a frame."""
        return float(np.sqrt(self._all.squares) / self._all.weight)

    def _take_out_pattern(self, noise: float) -> Iterator[None]:
        if self._keep_fixed_pattern:
            return
        if self._all.weight >= self._next_look:
            self._next_look = 2 * self._all.weight
            yield from self._look_for_bad_pixels(np.sqrt(noise) * self._per_frame)
        if self._bad.any():
            for inner, outer in self._bands(_PASS_PIXELS, margin=1):
                filled = fill_in(self._image[outer][None], self._bad[outer])[0]
                self._spectrum[inner] = filled[_within(inner, outer)]
                yield
            self._image, self._spectrum = self._spectrum, self._image
        rows = find_line_offsets(self._image)
        yield
        columns = find_line_offsets(self._image.T)
        yield
        if rows.values.any() or columns.values.any():
            self._image -= rows.values.astype(np.float32)[:, None]
            self._image -= columns.values.astype(np.float32)
            yield

    def _look_for_bad_pixels(self, error: float) -> Iterator[None]:
        total = self._all
        for inner, outer in self._bands(_PASS_PIXELS, margin=1):
            weight = np.maximum(total.weight - total.lost[outer], 1e-6 * total.weight)
            bad = bad_pixels(total.sums[0, outer] / weight, error)
            self._bad[inner] = bad[_within(inner, outer)] & self._seen[inner]
            yield

    def _transform(self, image: Image) -> Generator[None, None, Rings]:
        """Put the DCT-II of an image in ``_spectrum``; the sums of its squares per ring."""
        for columns in self._columns():
            self._spectrum[:, columns] = dct(image[:, columns], axis=0, norm="ortho")
            yield
        power = np.zeros(self._ring_size.size)
        for rows in self._rows(_PASS_PIXELS):
            spectrum = dct(self._spectrum[rows], axis=1, norm="ortho")
            self._spectrum[rows] = spectrum
            squares = np.square(spectrum).ravel()
            power += np.bincount(self._index[rows].ravel(), squares, power.size)
            yield
        return power

    def _weigh(self, weights: Rings, noise: Rings, leak: Rings) -> Generator[None, None, Image]:
        """The image as it is to be added: a first estimate, then by what that has in patches."""
        estimate, result = self._spectrum, np.empty(self._shape, np.float32)
        for rows in self._rows(_PASS_PIXELS):
            weighted = estimate[rows] * weights.astype(np.float32)[self._index[rows]]
            estimate[rows] = idct(weighted, axis=1, norm="ortho")
            yield
        for columns in self._columns():
            estimate[:, columns] = idct(estimate[:, columns], axis=0, norm="ortho")
            yield
        lacking = 0.0
        for inner, outer in self._bands(_LOCAL_PIXELS, margin=_MARGIN):
            weigh = LocalWeights(estimate[outer].shape)
            weighted, _ = weigh(self._image[outer], estimate[outer], noise=noise, leak=leak)
            result[inner] = weighted[_within(inner, outer)]
            lacking += float((estimate[inner] - result[inner]).sum())
            yield
        # The level is known from all pixels: a patch would see it as detail in its own noise.
        result += np.float32(lacking / result.size)
        result *= np.float32(self._per_frame)
        yield
        return result

    def _rows(self, n_pixels: int) -> Iterator[slice]:
        """The rows, some pixels at a time: a multiple of the margin, or less than that."""
        step = max(1, n_pixels // self._shape[1])
        return _slices(self._shape[0], step - step % _MARGIN or step)

    def _columns(self) -> Iterator[slice]:
        return _slices(self._shape[1], max(1, _PASS_PIXELS // self._shape[0]))

    def _bands(self, n_pixels: int, *, margin: int) -> Iterator[tuple[slice, slice]]:
        """Bands of rows, and the same with margins."""
        for inner in self._rows(n_pixels):
            first, last = max(0, inner.start - margin), min(inner.stop + margin, self._shape[0])
            yield inner, slice(first, last)


def _slices(stop: int, step: int) -> Iterator[slice]:
    return (slice(first, min(first + step, stop)) for first in range(0, stop, step))


def _within(inner: slice, outer: slice) -> slice:
    """Where a band lies in the same with margins."""
    return slice(inner.start - outer.start, inner.stop - outer.start)

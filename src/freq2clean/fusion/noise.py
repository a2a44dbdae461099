"""The noise of the raw recording, measured where signal changes too slowly to be seen.

Fourth differences of consecutive frames pass the top of the temporal band, where fluorescence
indicators have next to no power, and stop the bottom by the eighth power of frequency.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freq2clean.fusion.rings import ring_index, ring_sizes
from freq2clean.fusion.spaces import HOST, Space, space_of
from freq2clean.fusion.survey import measured

__all__ = ["NoiseMoments", "PhotonTransfer", "photon_transfer"]

_STENCIL = np.array([1.0, -4.0, 6.0, -4.0, 1.0]) / np.sqrt(70.0)
_DIFFERENCES_PER_RUN = 8


@dataclass(frozen=True)
class PhotonTransfer:
    """Noise variance of a pixel and frame: ``gain * mean + offset``.

    Source: Janesick, Photon Transfer (2007), doi:10.1117/3.725073.
    """

    gain: float
    offset: float


class NoiseMoments:
    """Adds up the noise power per ring and the noise variance per pixel over runs of frames."""

    def __init__(self, shape: tuple[int, int]) -> None:
        self._index = ring_index(shape)
        self._ring_size = ring_sizes(self._index)
        self._ring_power = np.zeros(self._ring_size.size)
        self._n_differences = 0.0
        self._shape = shape
        self._space: Space = HOST
        self._squares: Any = np.zeros(shape)
        self._levels: Any = np.zeros(shape)
        self._n_values: Any = np.zeros(shape)

    def add(self, run: Any) -> None:
        """Add consecutive frames (n, Y, X); dropped lines and NaN do not count."""
        length, space = len(_STENCIL), space_of(run)
        n_groups = run.shape[0] // length
        if not n_groups:
            return
        if space is not self._space:
            self._space = space
            self._squares, self._levels, self._n_values = (
                space.zeros(self._shape, space.real) for _ in range(3)
            )
        firsts = length * np.unique(np.linspace(0, n_groups - 1, _DIFFERENCES_PER_RUN).astype(int))
        for some in space.together(firsts.tolist()):
            groups = [run[first : first + length, ...] for first in some]
            self._add_differences(measured(space.xp.concat(groups)), len(some))

    def _add_differences(self, frames: Any, n_groups: int) -> None:
        space, xp = self._space, self._space.xp
        frames = xp.reshape(frames, (n_groups, len(_STENCIL), *self._shape))
        stencil = space.array(_STENCIL.astype(np.float32))
        difference = xp.tensordot(stencil, frames, axes=((0,), (1,)))
        valid = xp.isfinite(difference)
        counts = xp.astype(valid, space.real)
        difference = xp.where(valid, difference, 0.0)
        powers = space.ring_powers(space.dctn(difference, axes=(-2, -1)), self._index)
        self._ring_power += powers.sum(axis=0)
        self._n_differences += float(xp.sum(counts)) / math.prod(self._shape)
        self._squares += xp.sum(difference * difference, axis=0, dtype=space.real)
        self._levels += xp.sum(xp.where(valid, xp.mean(frames, axis=1), 0.0), axis=0)
        self._n_values += xp.sum(counts, axis=0)

    @property
    def is_empty(self) -> bool:
        return self._n_differences == 0

    @property
    def _number(self) -> NDArray[np.float64]:
        """Coefficients measured per ring; a frame of which half is missing counts as half."""
        return self._ring_size * (self._n_differences or 1.0)

    def power_per_ring(self) -> NDArray[np.float64]:
        """Mean squared DCT coefficient of one frame's noise, per ring."""
        return self._ring_power / self._number

    def mean_power(self) -> float:
        """Variance of an average value."""
        return float(self._ring_power.sum() / self._number.sum())

    def profile(self, n_rings: int) -> NDArray[np.float64]:
        """The same over the mean of all rings, for an image with ``n_rings`` rings: 1 if white."""
        power = self.power_per_ring()
        mean = self.mean_power()
        rings = np.minimum(np.arange(n_rings), power.size - 1)
        return power[rings] / mean if mean > 0 else np.ones(n_rings)

    def relative_error_per_ring(self) -> NDArray[np.float64]:
        """Standard error of `power_per_ring` over its value."""
        return np.sqrt(2 / self._number)

    def photon_transfer(self) -> PhotonTransfer:
        """Gain and offset of the noise variance against the mean."""
        squares, levels, n_values = (
            self._space.host(x).astype(np.float64)
            for x in (self._squares, self._levels, self._n_values)
        )
        seen = n_values > 0
        mean = levels[seen] / n_values[seen]
        variance = squares[seen] / n_values[seen]
        return photon_transfer(mean, variance)


def photon_transfer(
    mean: NDArray[np.float64], variance: NDArray[np.float64], *, n_bins: int = 32
) -> PhotonTransfer:
    """Fit ``variance = gain * mean + offset`` to pixels, grouped by their mean.

    Parameters
    ----------
    mean, variance : ndarray, same shape
        Mean and noise variance of each pixel.
    n_bins : int
        Groups of equally many pixels.

    Returns
    -------
    PhotonTransfer
        ``gain`` 0 where all pixels have the same mean; both 0 where there are no pixels.
    """
    if mean.size == 0:
        return PhotonTransfer(0.0, 0.0)
    order = np.argsort(mean, axis=None)
    groups = [g for g in np.array_split(order, n_bins) if g.size]
    means = np.array([mean.flat[g].mean() for g in groups])
    variances = np.array([variance.flat[g].mean() for g in groups])
    if np.ptp(means) <= 1e-9 * max(1.0, np.abs(means).max()):
        return PhotonTransfer(0.0, float(variances.mean()))
    weights = 1 / np.maximum(variances, variances.max() * 1e-3 + 1e-30)
    gain, offset = np.polyfit(means, variances, 1, w=weights)
    return PhotonTransfer(float(gain), float(offset))

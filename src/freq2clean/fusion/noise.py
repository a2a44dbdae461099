"""The noise of the raw recording, measured where signal changes too slowly to be seen.

Fourth differences of consecutive frames pass the top of the temporal band, where fluorescence
indicators have next to no power, and stop the bottom by the eighth power of frequency.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dctn

from freq2clean.fusion.rings import ring_index, ring_sizes, ring_sums
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
        self._squares = np.zeros(shape)
        self._levels = np.zeros(shape)
        self._n_values = np.zeros(shape)

    def add(self, run: NDArray[Any]) -> None:
        """Add consecutive frames (n, Y, X); dropped lines and NaN do not count."""
        length = len(_STENCIL)
        n_groups = len(run) // length
        if n_groups:
            for group in np.unique(np.linspace(0, n_groups - 1, _DIFFERENCES_PER_RUN).astype(int)):
                self._add_difference(measured(run[group * length : (group + 1) * length]))

    def _add_difference(self, frames: NDArray[np.float32]) -> None:
        difference = np.tensordot(_STENCIL.astype(np.float32), frames, 1)
        valid = np.isfinite(difference)
        difference = np.where(valid, difference, np.float32(0))
        self._ring_power += ring_sums(dctn(difference, norm="ortho") ** 2, self._index)
        self._n_differences += float(valid.mean())
        self._squares += difference**2
        self._levels += np.where(valid, frames.mean(axis=0), 0)
        self._n_values += valid

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
        seen = self._n_values > 0
        mean = self._levels[seen] / self._n_values[seen]
        variance = self._squares[seen] / self._n_values[seen]
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

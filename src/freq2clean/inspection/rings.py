"""Power by ring of spatial frequency that two noisy images of one scene have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

__all__ = ["FINE_CYCLES_PER_PX", "RingPower", "common_power"]

FINE_CYCLES_PER_PX = 0.125
RINGS_PER_CYCLE = 64


@dataclass(frozen=True)
class RingPower:
    """Sums over the rings; ``power / pixels**2`` is a mean square over the image.

    Attributes
    ----------
    frequencies : (R,) float64
        Mean frequency of each ring, in cycles per pixel; the zero frequency is left out.
    power : (R,) float64
        Power that the images share. Noise has no part in it, so it can come out negative.
    error : (R,) float64
        Sampling error of ``power``.
    """

    frequencies: NDArray[np.float64]
    power: NDArray[np.float64]
    error: NDArray[np.float64]

    @property
    def fine(self) -> NDArray[np.bool_]:
        """Rings of detail finer than 8 pixels."""
        return self.frequencies >= FINE_CYCLES_PER_PX


def common_power(
    one: NDArray[np.complexfloating[Any, Any]], two: NDArray[np.complexfloating[Any, Any]], /
) -> RingPower:
    """Real part of the cross-spectrum of two Fourier transforms (Y, X), summed over rings."""
    rows, columns = (fft.fftfreq(size) for size in one.shape)
    radius = np.hypot(rows[:, None], columns)
    ring = np.ceil(radius * RINGS_PER_CYCLE).astype(np.intp).ravel()
    cross = (one * two.conj()).real.astype(np.float64).ravel()
    count = np.bincount(ring)[1:]
    power = np.bincount(ring, cross)[1:]
    scatter = np.bincount(ring, cross**2)[1:] - power**2 / np.maximum(count, 1)
    filled = count > 0
    return RingPower(
        frequencies=np.bincount(ring, radius.ravel())[1:][filled] / count[filled],
        power=np.asarray(power[filled], np.float64),
        error=np.sqrt(np.maximum(scatter[filled], 0)),
    )

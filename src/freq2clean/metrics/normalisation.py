"""Scaling a recording to the range that SSIM expects."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from freq2clean.errors import InputError
from freq2clean.metrics.quantiles import QuantileSketch

__all__ = ["Scaling", "checked_data_range"]


@dataclass(frozen=True)
class Scaling:
    """``(pixel - low) / (high - low)``, clipped to [0, 1] if asked for.

    A recording whose two percentiles coincide is constant once clipped, and becomes 0.
    """

    low: float
    high: float
    clip: bool

    @classmethod
    def by_percentiles(cls, sketch: QuantileSketch, percentiles: Sequence[float]) -> Self:
        """Clip to two percentiles of the pixels seen and scale them to 0 and 1."""
        low, high = sketch.quantiles([percentile / 100 for percentile in percentiles])
        return cls(low, high, clip=True)

    @classmethod
    def by_data_range(cls, data_range: float) -> Self:
        """Divide by the data range; no offset, no clipping."""
        return cls(0.0, checked_data_range(data_range), clip=False)

    def apply(self, frame: NDArray[np.float64], /) -> NDArray[np.float64]:
        """The scaled frame, a new float64 array."""
        if self.high == self.low:
            return np.zeros_like(frame)
        scaled = frame - self.low
        scaled /= self.high - self.low
        return np.clip(scaled, 0, 1, out=scaled) if self.clip else scaled


def checked_data_range(data_range: float) -> float:
    """The data range as a float if it is finite and positive, or an InputError."""
    if not (math.isfinite(data_range) and data_range > 0):
        raise InputError(
            f"data_range={data_range}; give a positive number in the units of the pixels, "
            "such as the 99.9 % quantile of the truth"
        )
    return float(data_range)

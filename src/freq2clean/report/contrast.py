"""From pixel values to shades: between which limits, taken from percentiles."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freq2clean.errors import InputError
from freq2clean.metrics.quantiles import QuantileSketch

__all__ = ["PERCENTILES", "Limits", "check_percentiles", "in_words", "limits_of", "shades"]

Limits = tuple[float, float]

PERCENTILES = (0.5, 99.5)
"""Of the pixels, drawn as the darkest and the brightest shade."""


def limits_of(
    images: Iterable[NDArray[Any]],
    percentiles: tuple[float, float] = PERCENTILES,
    *,
    symmetric: bool = False,
) -> Limits:
    """Percentiles of all pixels of some images, in the memory of one.

    Parameters
    ----------
    images : iterable of ndarray
        Pixels that are not finite are left out; without any other the limits are 0 and 1.
    percentiles : (float, float)
        Between 0 and 100.
    symmetric : bool
        Around 0, as far as the farther of both: for differences.

    Examples
    --------
    >>> limits_of([np.arange(50.0), np.arange(50.0, 101.0)], (0, 100))
    (0.0, 100.0)
    """
    sketch = QuantileSketch()
    for image in images:
        sketch.add(np.asarray(image, np.float32))
    if not sketch.count:
        return 0.0, 1.0
    low, high = sketch.quantiles([percent / 100 for percent in check_percentiles(percentiles)])
    if symmetric:
        high = max(abs(low), abs(high))
        low = -high
    return low, high


def check_percentiles(percentiles: tuple[float, float]) -> tuple[float, float]:
    """The percentiles, or an InputError."""
    low, high = percentiles
    if not 0 <= low < high <= 100:
        raise InputError(
            f"percentiles = {low:g}, {high:g}; give two between 0 and 100, the smaller one first"
        )
    return low, high


def in_words(limits: Limits) -> str:
    """Both with as many decimals as their distance asks for.

    Examples
    --------
    >>> in_words((0.0004, 1229.4)), in_words((20.83, 97.31)), in_words((-0.0123, 0.0123))
    ('0 to 1229', '20.8 to 97.3', '-0.0123 to 0.0123')
    """
    low, high = limits
    decimals = max(0, 2 - math.floor(math.log10(high - low))) if high > low else 0
    low, high = (round(limit, decimals) + 0.0 for limit in limits)  # no -0
    return f"{low:.{decimals}f} to {high:.{decimals}f}" if decimals < 9 else f"{low:g} to {high:g}"


def shades(image: NDArray[Any], limits: Limits, *, gamma: float = 1.0) -> NDArray[np.float32]:
    """Pixels as shades from 0 to 1; NaN stays NaN, and infinity is one of the ends.

    Examples
    --------
    >>> shades(np.array([5.0, 10.0, 15.0, 30.0]), (10, 20)).tolist()
    [0.0, 0.0, 0.5, 1.0]
    """
    low, high = limits
    shade = image.astype(np.float32)
    shade -= np.float32(low)
    shade /= np.float32(max(high - low, 1e-30))
    np.clip(shade, 0, 1, out=shade)
    if gamma != 1:
        shade **= np.float32(gamma)
    return shade

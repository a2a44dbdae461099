"""Rings of equal spatial frequency in the DCT-II of an image."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from freq2clean.fusion.spaces import space_of

__all__ = [
    "RINGS_PER_CYCLE",
    "fine_rings",
    "radius_cycles_per_pixel",
    "ring_index",
    "ring_sizes",
    "ring_sums",
]

RINGS_PER_CYCLE = 24.0
_FINE_RING = 9


def radius_cycles_per_pixel(
    shape: tuple[int, int], *, pixel_size: tuple[float, float] = (1.0, 1.0)
) -> NDArray[np.float64]:
    """Spatial frequency of each DCT-II coefficient, (Y, X); cycles per unit of ``pixel_size``."""
    y = np.arange(shape[0]) / (2 * shape[0] * pixel_size[0])
    x = np.arange(shape[1]) / (2 * shape[1] * pixel_size[1])
    radius: NDArray[np.float64] = np.hypot(y[:, None], x)
    return radius


def ring_index(shape: tuple[int, int]) -> NDArray[np.intp]:
    """The ring of each DCT-II coefficient, (Y, X).

    Ring 0 is the mean alone, which is no detail; the others are 1/24 cycle per pixel wide.
    """
    index: NDArray[np.intp] = 1 + (radius_cycles_per_pixel(shape) * RINGS_PER_CYCLE).astype(np.intp)
    index[0, 0] = 0
    return index


def fine_rings(n_rings: int) -> slice:
    """The rings in which what moves leaves next to nothing: from 1/3 cycle per pixel up."""
    return slice(min(_FINE_RING, n_rings - 1), None)


def ring_sizes(index: NDArray[np.intp]) -> NDArray[np.float64]:
    """Coefficients per ring; 1 where a small image has none, so that means over it are 0."""
    sizes: NDArray[np.float64] = np.maximum(np.bincount(index.ravel()), 1.0)
    return sizes


def ring_sums(values: Any, index: NDArray[np.intp]) -> NDArray[np.float64]:
    """Sums of (..., Y, X), wherever they are, over each ring: (..., n_rings), float64."""
    return space_of(values).ring_sums(values, index)

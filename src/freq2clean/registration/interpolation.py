"""Frames sampled between their pixels, by a long windowed sinc.

White noise stays white up to 0.45 cycles per pixel, and whole pixels are copied as they are.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["inside", "sample"]

REACH = 16
KAISER_BETA = 5.0
BLOCK = 64

Frame = NDArray[np.float32]


def sample(
    frame: Frame, start: tuple[float, float] | NDArray[np.float64], shape: tuple[int, int], /
) -> Frame:
    """A frame on a grid of the same pitch that begins elsewhere.

    Parameters
    ----------
    frame : (y, x) float32
        Finite. Beyond its edges it is taken to go on as at them.
    start : (float, float)
        Row and column, in pixels of the frame, of the grid's first point.
    shape : (int, int)
        Of the grid.

    Returns
    -------
    shape, float32

    Examples
    --------
    >>> import numpy as np
    >>> frame = np.arange(6, dtype=np.float32)[:, None] * np.ones((6, 40), np.float32)
    >>> sample(frame, (1.0, -2.0), (3, 40))[:, 0]
    array([1., 2., 3.], dtype=float32)
    """
    rows, columns = (
        _Axis(size, float(first), n)
        for size, first, n in zip(frame.shape, start, shape, strict=True)
    )
    return columns.interpolate(rows.interpolate(frame).T).T


def inside(size: int, start: float, n: int, /) -> NDArray[np.bool_]:
    """Which of ``n`` points from ``start`` on lie on one of ``size`` pixels."""
    points = np.arange(n) + start
    return (points >= -0.5) & (points <= size - 0.5)


class _Axis:
    """One axis of a grid: which pixels it needs, and their weights."""

    def __init__(self, size: int, start: float, n: int) -> None:
        self._whole = int(np.rint(start))
        self._weights = _kernel(start - self._whole)
        reach = len(self._weights) // 2
        pixels = np.arange(-reach, n + reach) + self._whole
        self._pixels = np.clip(pixels, 0, size - 1)
        self._n = n

    def interpolate(self, image: Frame) -> Frame:
        """Along rows: (size, m) to (n, m)."""
        image = image[self._pixels]
        if len(self._weights) == 1:
            return image
        out = np.empty((self._n, image.shape[1]), np.float32)
        overhang = len(self._weights) - 1
        for first in range(0, self._n, BLOCK):
            block = image[first : first + BLOCK + overhang]
            matrix = _sliding(self._weights, len(block) - overhang)
            np.matmul(matrix, block, out=out[first : first + BLOCK])
        return out


def _kernel(fraction: float) -> Frame:
    """Weights of the pixels around a point that lies ``fraction`` beyond the middle one."""
    if abs(fraction) < 1e-6:
        return np.ones(1, np.float32)
    distance = np.arange(-REACH, REACH + 1) - fraction
    taper = np.i0(KAISER_BETA * np.sqrt(np.maximum(0, 1 - (distance / (REACH + 0.5)) ** 2)))
    weights = np.sinc(distance) * taper
    return np.asarray(weights / weights.sum(), np.float32)


def _sliding(weights: Frame, n: int) -> Frame:
    """A matrix (n, n + len(weights) - 1) whose row i holds the weights from column i on."""
    padded = np.zeros((n, n + len(weights)), np.float32)
    padded[:, : len(weights)] = weights
    return padded.ravel()[: n * (n + len(weights) - 1)].reshape(n, -1)

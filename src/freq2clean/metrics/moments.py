"""Correlation of many traces at once, one time point after the other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["PairMoments"]


class PairMoments:
    """First and second moments in time of pairs of traces.

    Each trace is shifted by its first value, so that squares do not cancel on a high baseline.

    Parameters
    ----------
    shape : tuple of int
        One pair of traces for each entry: (Y, X) for pixels, (K,) for ROIs.

    Attributes
    ----------
    count : ndarray, int64
        Time points at which both traces are there.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.count = np.zeros(shape, np.int64)
        self._shifts = np.zeros((2, *shape))
        self._sums = np.zeros((2, *shape))
        self._squares = np.zeros((2, *shape))
        self._products = np.zeros(shape)
        self._scratch = np.empty((3, *shape))
        self._all_started = False

    def add(
        self,
        first: NDArray[np.float64],
        second: NDArray[np.float64],
        ok: NDArray[np.bool_] | None = None,
        /,
    ) -> None:
        """Take one time point of all pairs; where `ok` is False, the point is missing."""
        if not self._all_started:
            self._start(first, second, ok)
        self.count += 1 if ok is None else ok
        a, b, product = self._scratch
        np.subtract(first, self._shifts[0], out=a)
        np.subtract(second, self._shifts[1], out=b)
        if ok is not None:
            a *= ok
            b *= ok
        self._sums[0] += a
        self._sums[1] += b
        self._products += np.multiply(a, b, out=product)
        self._squares[0] += np.square(a, out=a)
        self._squares[1] += np.square(b, out=b)

    def _start(
        self,
        first: NDArray[np.float64],
        second: NDArray[np.float64],
        ok: NDArray[np.bool_] | None,
    ) -> None:
        fresh = self.count == 0
        if ok is not None:
            fresh &= ok
        self._shifts[0][fresh] = first[fresh]
        self._shifts[1][fresh] = second[fresh]
        self._all_started = bool((fresh | (self.count > 0)).all())

    def variances(self) -> NDArray[np.float64]:
        """Variances in time (2, ...) of the first and the second traces; 0 without a time point."""
        count = np.maximum(self.count, 1)
        return np.maximum(self._squares / count - (self._sums / count) ** 2, 0)

    def correlation(self) -> NDArray[np.float64]:
        """Pearson correlation of each pair; nan where one of the two does not vary."""
        count = np.maximum(self.count, 1)
        covariance = self._products / count - self._sums[0] / count * (self._sums[1] / count)
        spread = np.sqrt(self.variances()).prod(axis=0)
        with np.errstate(invalid="ignore", divide="ignore"):
            ratio = np.where(spread > 0, covariance / spread, np.nan)
        clipped: NDArray[np.float64] = np.clip(ratio, -1, 1)
        return clipped

"""The mean image of a recording, block by block."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["MeanImage"]


class MeanImage:
    """Takes frames in blocks and gives their mean; values that are not finite are left out.

    Examples
    --------
    >>> mean = MeanImage((1, 2))
    >>> mean.add(np.array([[[1.0, np.nan]], [[3.0, np.nan]]]))
    >>> mean.image().tolist()
    [[2.0, nan]]
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        self._total = np.zeros(shape)
        self._number = np.zeros(shape, np.int64)

    def add(self, block: NDArray[Any]) -> None:
        """The next frames (n, Y, X)."""
        with np.errstate(invalid="ignore"):
            total = block.sum(axis=0, dtype=np.float64)
        if np.isfinite(total).all():
            self._total += total
            self._number += len(block)
            return
        known = np.isfinite(block)
        self._total += np.where(known, block, 0).sum(axis=0, dtype=np.float64)
        self._number += known.sum(axis=0)

    def image(self) -> NDArray[np.float64]:
        """(Y, X); NaN where no frame has a value."""
        seen = self._number > 0
        mean: NDArray[np.float64] = np.where(
            seen, self._total / np.maximum(self._number, 1), np.nan
        )
        return mean

"""Negative values that an unsigned integer turned into the largest ones."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["count_wrapped"]

HIGH_SHARE = 0.9
LOW_SHARE = 0.1


def count_wrapped(block: NDArray[Any], /) -> int:
    """Values in the top tenth of an unsigned dtype with a neighbour in the bottom tenth.

    A true recording that reaches so high passes through the middle of its range as well; whether
    it does is for the caller to see. ``block`` is (n, Y, X); only unsigned integers can wrap.
    """
    if block.dtype.kind != "u":
        return 0
    top = np.iinfo(block.dtype).max
    if block.max() < HIGH_SHARE * top:
        return 0
    frames = np.flatnonzero((block >= HIGH_SHARE * top).any(axis=(1, 2)))
    return sum(_count_in(block[t], top) for t in frames)


def _count_in(frame: NDArray[Any], top: int) -> int:
    low = np.pad(frame < LOW_SHARE * top, 1)
    beside_low = low[:-2, 1:-1] | low[2:, 1:-1] | low[1:-1, :-2] | low[1:-1, 2:]
    return int(np.count_nonzero((frame >= HIGH_SHARE * top) & beside_low))

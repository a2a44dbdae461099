"""Lines that a detector dropped: rows of exact zeros that stand for no measurement."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["missing_rows"]

NEGLIGIBLE_LOG_CHANCE = np.log(1e-12)


def missing_rows(block: NDArray[Any], /) -> NDArray[np.bool_]:
    """Rows of single frames that were never measured and must not count as dark signal.

    A row is missing where it is exactly zero from end to end although the same row holds values in
    at least half of the other frames, so many that a row of zeros cannot be chance (below 1e-12,
    if pixels are independent). A masked border that is always zero is therefore not missing, nor
    is a dark row of a recording with few photons. Every row of a frame of zeros is missing under
    the same two conditions, asked of whole frames.

    Parameters
    ----------
    block : array (n, Y, X)
        Consecutive frames, of any real dtype. NaN counts as a value.

    Returns
    -------
    array (n, Y) of bool

    Examples
    --------
    >>> import numpy as np
    >>> block = np.full((20, 4, 32), 7, np.uint16)
    >>> block[3, 2] = 0
    >>> np.argwhere(missing_rows(block)).tolist()
    [[3, 2]]
    """
    zero: NDArray[np.bool_] = ~block.any(axis=2)
    missing = np.zeros_like(zero)
    for row in np.flatnonzero(zero.any(axis=0)):
        if _is_dropout(np.asarray(zero[:, row]), block[:, row]):
            missing[:, row] = zero[:, row]
    zero_frames: NDArray[np.bool_] = zero.all(axis=1)
    if zero_frames.any() and _is_dropout(zero_frames, block):
        missing[zero_frames] = True
    return missing


def _is_dropout(zero: NDArray[np.bool_], samples: NDArray[Any]) -> bool:
    """Whether the zero ones among `samples` (n, ...) are too improbable to be few photons."""
    others = zero.size - int(zero.sum())
    if others == 0 or 2 * others < zero.size - 1:
        return False
    lit = np.count_nonzero(samples, axis=0)
    return bool(np.log1p(-lit / (others + 1)).sum() < NEGLIGIBLE_LOG_CHANCE)

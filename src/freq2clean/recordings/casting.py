"""Values into another dtype: rounded and clipped, never wrapped, and counted."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from freq2clean.errors import InputError

__all__ = ["DTYPE_NAMES", "cast", "target_dtype"]

DTYPE_NAMES = (
    "same", "uint8", "uint16", "uint32", "int16", "int32", "float16", "float32", "float64",
)  # fmt: skip


def target_dtype(name: str, raw_dtype: Any) -> np.dtype[Any]:
    """The dtype that an option names; ``same`` means the raw recording's.

    Raises
    ------
    InputError
        Where the name is none of `DTYPE_NAMES`.

    Examples
    --------
    >>> target_dtype("same", "uint16")
    dtype('uint16')
    """
    if name not in DTYPE_NAMES:
        raise InputError(f"dtype {name!r} is unknown; allowed are {', '.join(DTYPE_NAMES)}")
    return np.dtype(raw_dtype if name == "same" else name)


def cast(block: NDArray[Any], dtype: Any) -> tuple[NDArray[Any], int]:
    """Cast values, rounding half to even and clipping to what the dtype can hold.

    Parameters
    ----------
    block : array
        Integers or real numbers.
    dtype : dtype-like

    Returns
    -------
    array
        Of ``dtype``; ``block`` itself where it is so already.
    n_clipped : int
        How many values the dtype cannot hold. NaN becomes 0 in an integer dtype and counts.
        Infinities stay in a float dtype and do not count.

    Examples
    --------
    >>> import numpy as np
    >>> cast(np.array([-3.0, 0.5, 1.5, 300.0, np.nan]), "uint8")
    (array([  0,   0,   2, 255,   0], dtype=uint8), 3)
    """
    dtype = np.dtype(dtype)
    if block.dtype == dtype or not block.size:
        return block.astype(dtype, copy=False), 0
    if dtype.kind == "f":
        return _to_float(block, dtype)
    return _to_integer(block, dtype)


def _to_float(block: NDArray[Any], dtype: np.dtype[Any]) -> tuple[NDArray[Any], int]:
    with np.errstate(over="ignore"):
        out = block.astype(dtype)
    if np.can_cast(block.dtype, dtype):
        return out, 0
    over = np.isinf(out)
    if block.dtype.kind == "f":
        over &= ~np.isinf(block)
    n_clipped = int(np.count_nonzero(over))
    if n_clipped:
        out[over] = np.copysign(np.finfo(dtype).max, block[over]).astype(dtype)
    return out, n_clipped


def _to_integer(block: NDArray[Any], dtype: np.dtype[Any]) -> tuple[NDArray[Any], int]:
    rounded = np.rint(block) if block.dtype.kind == "f" else block
    lowest, highest = _bounds(dtype, rounded.dtype)
    if lowest <= rounded.min() and rounded.max() <= highest:  # false where there is NaN
        return rounded.astype(dtype), 0
    low, high, lost = rounded < lowest, rounded > highest, np.isnan(rounded)
    rounded = np.where(lost, rounded.dtype.type(0), rounded)
    out = np.clip(rounded, lowest, highest).astype(dtype)
    out[high] = np.iinfo(dtype).max
    return out, int(sum(map(np.count_nonzero, (low, high, lost))))


def _bounds(dtype: np.dtype[Any], source: np.dtype[Any]) -> tuple[Any, Any]:
    """Lowest and highest value of an integer dtype that the source dtype can express."""
    limits = np.iinfo(dtype)
    if source.kind != "f":
        own = np.iinfo(source)
        return max(limits.min, own.min), min(limits.max, own.max)
    largest = np.finfo(source).max
    lowest = source.type(max(limits.min, -float(largest)))
    highest = source.type(min(limits.max, float(largest)))
    if int(highest) > limits.max:
        highest = np.nextafter(highest, source.type(0))
    return lowest, highest

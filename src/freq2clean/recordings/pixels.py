"""Which values a pixel may hold, and bytes of a file as pixels."""

from __future__ import annotations

import mmap
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freq2clean.errors import InputError

__all__ = ["map_bytes", "native", "pixel_dtype"]


def pixel_dtype(dtype: Any, *, name: str) -> np.dtype[Any]:
    """The native form of a dtype that a recording may have.

    Raises
    ------
    InputError
        Where it is neither an integer nor a real number of at most 64 bits.
    """
    try:
        given: np.dtype[Any] = np.dtype(dtype)
    except TypeError:
        raise InputError(f"{name}: its dtype {dtype} is none that NumPy knows") from None
    if given.kind in "iuf" and given.itemsize <= 8:
        return given.newbyteorder("=")
    raise InputError(
        f"{name}: its pixels are {given}; a recording holds integers or real numbers "
        "(uint8 to int64, float16 to float64): convert it first"
    )


def native(pixels: NDArray[Any]) -> NDArray[Any]:
    """The same pixels aligned and in native byte order; copied only if they are not."""
    return np.require(pixels, pixels.dtype.newbyteorder("="), "A")


def map_bytes(path: Path, start: int, stop: int) -> memoryview:
    """Bytes ``start`` to ``stop`` of a file, mapped for as long as someone looks at them.

    Mapping each range anew keeps resident memory bounded and needs no open file.
    """
    first = start - start % mmap.ALLOCATIONGRANULARITY
    try:
        with path.open("rb") as file:
            mapped = mmap.mmap(file.fileno(), stop - first, access=mmap.ACCESS_READ, offset=first)
    except FileNotFoundError:
        raise InputError(f"{path} has gone since it was opened") from None
    except (OSError, ValueError, OverflowError) as error:
        raise InputError(f"{path} cannot be read ({error}); was it changed meanwhile?") from error
    return memoryview(mapped)[start - first :]

"""Memory that is used again when nobody looks at it any more: fresh memory is slow to touch."""

from __future__ import annotations

import math
import mmap
import weakref
from collections import deque
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["SpareMemory"]

_LEAST_BYTES = 2**20
_MOST_SPARE = 1


class SpareMemory:
    """Gives arrays whose memory comes back once neither they nor views of them are referred to.

    So whoever gets one may keep it. Small ones are ordinary arrays. Memory goes back to the system
    when this object does, which that of an allocator may not. Thread-safe.

    Examples
    --------
    >>> memory = SpareMemory()
    >>> frames = memory.empty((8, 512, 512), "uint16")
    >>> place = frames.ctypes.data
    >>> del frames
    >>> memory.empty((8, 512, 512), "uint16").ctypes.data == place
    True
    """

    def __init__(self) -> None:
        self._spare: deque[mmap.mmap] = deque(maxlen=_MOST_SPARE)

    def empty(self, shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
        """An array whose values are whatever the memory holds."""
        dtype = np.dtype(dtype)
        n_values = math.prod(shape)
        n_bytes = n_values * dtype.itemsize
        if n_bytes < _LEAST_BYTES:
            return np.empty(shape, dtype)
        memory = self._take(n_bytes)
        lent: NDArray[Any] = np.frombuffer(memory, dtype, n_values)
        weakref.finalize(lent, self._spare.append, memory).atexit = False
        return lent.reshape(shape)

    def _take(self, n_bytes: int) -> mmap.mmap:
        """Spare memory that fits, or else new; what does not fit is let go of."""
        try:
            spare = self._spare.pop()
        except IndexError:
            return _new(n_bytes)
        return spare if n_bytes <= len(spare) <= 2 * n_bytes else _new(n_bytes)


def _new(n_bytes: int) -> mmap.mmap:
    """In large pages, where the system has them."""
    if not hasattr(mmap, "MADV_HUGEPAGE"):
        return mmap.mmap(-1, n_bytes)
    memory = mmap.mmap(-1, n_bytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    with suppress(OSError):
        memory.madvise(mmap.MADV_HUGEPAGE)
    return memory

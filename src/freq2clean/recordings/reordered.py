"""An array whose axes come in another order, without reading it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Reordered"]


class Reordered:
    """An array-like with its axes in another order; a slice of it is a slice of what is stored.

    Parameters
    ----------
    array : array-like
        Has ``shape``, ``dtype`` and slicing.
    order : sequence of int
        Which stored axis each axis is, as for `numpy.transpose`.

    Examples
    --------
    >>> stored = np.arange(24).reshape(2, 3, 4)
    >>> swapped = Reordered(stored, (0, 2, 1))
    >>> swapped.shape, swapped[1:2, 3].tolist()
    ((2, 4, 3), [[15, 19, 23]])
    """

    def __init__(self, array: Any, order: Sequence[int]) -> None:
        self.shape = tuple(int(array.shape[axis]) for axis in order)
        self.dtype = array.dtype
        chunks = getattr(array, "chunks", None)
        self.chunks = tuple(chunks[axis] for axis in order) if chunks else None
        self._array = array
        self._order = tuple(order)

    def __getitem__(self, key: tuple[int | slice, ...]) -> NDArray[Any]:
        stored: list[int | slice] = [slice(None)] * len(self._order)
        for axis, index in zip(self._order, key, strict=False):
            stored[axis] = index
        part = np.asarray(self._array[tuple(stored)])
        kept = [axis for axis, index in enumerate(stored) if isinstance(index, slice)]
        wanted = [kept.index(axis) for axis in self._order if axis in kept]
        return np.ascontiguousarray(part.transpose(wanted))

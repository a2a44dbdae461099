"""Recordings over anything with a shape, a dtype and slices: NumPy, Zarr, HDF5, Dask arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from freq2clean.errors import InputError
from freq2clean.recordings.axes import NAMELESS, select
from freq2clean.recordings.contract import Metadata, Recording
from freq2clean.recordings.pixels import native, pixel_dtype

__all__ = ["ArrayRecording"]


class ArrayRecording(Recording):
    """A recording whose frames are slices of an array-like, taken when they are asked for.

    Parameters
    ----------
    array : array-like
        Anything with ``shape``, ``dtype`` and slicing.
    name : str
        What messages call it.
    axes : str, optional
        One letter per axis, ending in YX; without them TYX, or TZCYX if there are five.
    channel, plane : int, optional
        Which index of the other axes to take.
    metadata : Metadata, optional

    Raises
    ------
    InputError
        Where the array is no recording, or needs a channel or plane.
    """

    def __init__(
        self,
        array: Any,
        *,
        name: str = "array",
        axes: str | None = None,
        channel: int | None = None,
        plane: int | None = None,
        metadata: Metadata | None = None,
    ) -> None:
        if isinstance(array, np.ma.MaskedArray):
            raise InputError(f"{name} is a masked array: put NaN at its masked pixels instead")
        shape = tuple(int(size) for size in array.shape)
        if axes is None:
            axes = NAMELESS.get(
                len(shape), "YX"[-len(shape) :] if len(shape) <= 2 else "?" * len(shape)
            )
        self.name = name
        self.dtype = pixel_dtype(array.dtype, name=name)
        self.metadata = metadata or Metadata()
        self._index = select(axes, shape, channel=channel, plane=plane, name=name)
        self._time = self._index.index(slice(None))
        self.shape = (shape[self._time], shape[-2], shape[-1])
        self._array = array
        chunks = getattr(array, "chunks", None)
        if chunks and isinstance(chunks[self._time], int):
            self.chunk_frames = chunks[self._time]

    def _read(self, start: int, stop: int) -> NDArray[Any]:
        try:
            return self._taken(start, stop)
        except InputError:
            raise
        except (OSError, RuntimeError, ValueError) as error:
            raise InputError(
                f"{self.name}: frames {start}:{stop} cannot be read ({error}): the file is damaged"
            ) from error

    def _taken(self, start: int, stop: int) -> NDArray[Any]:
        """The same frames, and errors as the array raises them."""
        index = list(self._index)
        index[self._time] = slice(start, stop)
        return native(np.asarray(self._array[tuple(index)]))

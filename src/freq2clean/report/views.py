"""A region of a recording, and the difference of two, as lazily read recordings."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from freq2clean.errors import InputError
from freq2clean.recordings import Metadata, Recording

__all__ = ["Difference", "Zoomed"]


class Zoomed(Recording):
    """Rows and columns, each (first, end), of a recording.

    Examples
    --------
    >>> from freq2clean.recordings import open_recording
    >>> Zoomed(open_recording(np.arange(24).reshape(2, 3, 4)), (1, 3), (0, 2))[0].tolist()
    [[4, 5], [8, 9]]
    """

    def __init__(self, source: Recording, rows: tuple[int, int], columns: tuple[int, int]) -> None:
        _, height, width = source.shape
        for what, (first, end), size in (("rows", rows, height), ("columns", columns, width)):
            if not 0 <= first < end <= size:
                raise InputError(
                    f"zoom to {what} {first}:{end} asked for; {source.name} has {what} 0:{size}"
                )
        self.name = source.name
        self.shape = (len(source), rows[1] - rows[0], columns[1] - columns[0])
        self.dtype = source.dtype
        self.metadata = source.metadata
        self.chunk_frames = source.chunk_frames
        self.paths = source.paths
        self._source = source
        self._rows, self._columns = slice(*rows), slice(*columns)

    def _read(self, start: int, stop: int) -> NDArray[Any]:
        return self._source.read(start, stop)[:, self._rows, self._columns]


class Difference(Recording):
    """What a recording holds more than another one, frame by frame, float32.

    Examples
    --------
    >>> from freq2clean.recordings import open_recording
    >>> dark, light = (open_recording(np.full((2, 1, 2), x, np.uint8)) for x in (3, 5))
    >>> Difference(dark, light)[0].tolist()
    [[-2.0, -2.0]]
    """

    def __init__(self, minuend: Recording, subtrahend: Recording) -> None:
        self.name = f"{minuend.name} - {subtrahend.name}"
        self.shape = (min(len(minuend), len(subtrahend)), *minuend.shape[1:])
        self.dtype = np.dtype(np.float32)
        self.metadata = Metadata()
        self.chunk_frames = max(minuend.chunk_frames, subtrahend.chunk_frames)
        self.paths = (*minuend.paths, *subtrahend.paths)
        self._minuend, self._subtrahend = minuend, subtrahend

    def _read(self, start: int, stop: int) -> NDArray[Any]:
        difference = self._minuend.read(start, stop).astype(np.float32)
        difference -= self._subtrahend.read(start, stop)
        return difference

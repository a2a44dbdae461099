"""A range of a recording's frames, as a recording."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from freq2clean.recordings.contract import Recording

__all__ = ["FrameRange"]


class FrameRange(Recording):
    """Frames ``start`` to ``stop`` of another recording; nothing is read until they are."""

    def __init__(self, source: Recording, start: int, stop: int) -> None:
        self.name = source.name
        self.shape = (stop - start, *source.shape[1:])
        self.dtype = source.dtype
        self.metadata = source.metadata
        self.chunk_frames = source.chunk_frames
        self.paths = source.paths
        self.opened_as = source.opened_as
        self.source = source
        self.start = start

    def _read(self, start: int, stop: int) -> NDArray[Any]:
        return self.source.read(self.start + start, self.start + stop)

"""Frames of anything recording-like, in blocks of bounded size."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from freq2clean.errors import InputError

__all__ = ["RecordingLike", "block_ranges", "check_recording", "read_frames"]

BLOCK_VALUES = 1 << 23
FEWEST_BLOCK_FRAMES = 8


class RecordingLike(Protocol):
    """An array or a `freq2clean.recordings.Recording`: (T, Y, X), sliced by frames."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def dtype(self) -> Any: ...

    def __getitem__(self, key: slice, /) -> Any: ...


def check_recording(recording: RecordingLike, name: str) -> None:
    """Raise `InputError` unless it is a non-empty (T, Y, X) recording of real numbers."""
    shape = tuple(recording.shape)
    if len(shape) != 3 or 0 in shape:
        raise InputError(
            f"{name} has shape {shape}: a recording has three axes (T, Y, X), none of them empty"
        )
    if np.dtype(recording.dtype).kind not in "uif":
        raise InputError(
            f"{name} has dtype {recording.dtype}: use whole numbers or floats; convert it first"
        )


def read_frames(recording: RecordingLike, start: int, stop: int) -> NDArray[Any]:
    """Frames ``start`` to ``stop``: an array (stop - start, Y, X)."""
    return np.asarray(recording[start:stop])


def block_ranges(frame_values: int, edges: NDArray[np.intp]) -> Iterator[slice]:
    """Ranges of frames that cover the recording, small enough to hold, none across an edge."""
    longest = max(FEWEST_BLOCK_FRAMES, BLOCK_VALUES // frame_values)
    for start, stop in pairwise(edges.tolist()):
        parts = -(-(stop - start) // longest)
        bounds = np.linspace(start, stop, parts + 1).astype(int).tolist()
        yield from (slice(a, b) for a, b in pairwise(bounds))

"""One pass over a recording in blocks of frames."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

from numpy.typing import NDArray

from freq2clean.recordings.contract import Recording
from freq2clean.streaming import blocks, read_ahead

__all__ = ["Progress", "frames_of", "part_of"]

Progress = Callable[[int, int], None]
"""Called with the work done and the work in all, in the same unit."""

_BLOCK_FRAMES = 64


def frames_of(
    recording: Recording, *, progress: Progress | None = None
) -> Iterator[tuple[int, NDArray[Any]]]:
    """Blocks of frames (n, Y, X) in order, each with the index of its first."""
    n_frames = len(recording)
    with closing(read_ahead(recording.read, blocks(0, n_frames, _BLOCK_FRAMES))) as reading:
        for (start, stop), frames in reading:
            yield start, frames
            if progress:
                progress(stop, n_frames)


def part_of(progress: Progress | None, part: int, parts: int) -> Progress | None:
    """Progress of one of several parts of the same length."""
    if progress is None:
        return None
    return lambda done, total: progress(part * total + done, parts * total)

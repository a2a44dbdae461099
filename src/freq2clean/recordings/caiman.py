"""CaImAn's memory maps: pixels x frames, with shape and order in the name of the file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freq2clean.errors import InputError
from freq2clean.recordings.contract import Metadata
from freq2clean.recordings.pixels import map_bytes
from freq2clean.recordings.plain_bytes import read_pieces
from freq2clean.recordings.stored import StoredArray, opener

__all__ = ["open_caiman"]

_NAME = re.compile(
    r"_d1_(?P<d1>\d+)_d2_(?P<d2>\d+)_d3_(?P<d3>\d+)_order_(?P<order>[CF])_frames_(?P<frames>\d+)"
)
_DTYPE = np.dtype("<f4")
_MAPPED_BYTES = 2**26


@opener
def open_caiman(path: Path, inside: str) -> StoredArray:
    """The frames of a memory map, of which CaImAn keeps the pixels column by column."""
    found = _NAME.search(path.name)
    if found is None:
        raise InputError(
            f"{path}: the name of a CaImAn memory map tells its shape, as in "
            "movie_d1_512_d2_512_d3_1_order_C_frames_3000.mmap; give it its name back"
        )
    height, width, depth, n_frames = (int(found[name]) for name in ("d1", "d2", "d3", "frames"))
    wanted, held = height * width * depth * n_frames * _DTYPE.itemsize, path.stat().st_size
    if held != wanted:
        raise InputError(
            f"{path} has {held} bytes; by its name, {n_frames} frames of {height} x {width} x "
            f"{depth} pixels, it should have {wanted}: is it truncated or renamed?"
        )
    kind = _ByFrame if found["order"] == "F" else _ByPixel
    return StoredArray(
        kind(path, n_frames, (depth, height, width)), str(path), Metadata(), axes="TZYX"
    )


class _MemoryMap:
    """Frames (T, Z, Y, X) in a file of which pixels lie with rows next to each other."""

    dtype = _DTYPE

    def __init__(self, path: Path, n_frames: int, volume: tuple[int, int, int]) -> None:
        self.shape = (n_frames, *volume)
        self._path = path
        self._n_pixels = volume[0] * volume[1] * volume[2]

    def __getitem__(self, key: tuple[slice, int]) -> NDArray[Any]:
        frames, plane = key
        _, _, height, width = self.shape
        pixels = slice(plane * height * width, (plane + 1) * height * width)
        columns = self._read(frames, pixels).reshape(-1, width, height)
        return np.ascontiguousarray(columns.swapaxes(1, 2))

    def _read(self, frames: slice, pixels: slice) -> NDArray[Any]:
        """Pixels of frames, as (frames, pixels)."""
        raise NotImplementedError


class _ByFrame(_MemoryMap):
    """Order F: one frame after the other."""

    def _read(self, frames: slice, pixels: slice) -> NDArray[Any]:
        out = np.empty((frames.stop - frames.start, pixels.stop - pixels.start), self.dtype)
        firsts = np.arange(frames.start, frames.stop) * self._n_pixels + pixels.start
        read_pieces(self._path, firsts * self.dtype.itemsize, out)
        return out


class _ByPixel(_MemoryMap):
    """Order C: the whole trace of one pixel after the other's. So much is mapped at a time.

    Reading would move all of the file for a few frames of every trace.
    """

    def _read(self, frames: slice, pixels: slice) -> NDArray[Any]:
        n_frames = self.shape[0]
        trace_bytes = n_frames * self.dtype.itemsize
        step = max(1, _MAPPED_BYTES // trace_bytes)
        out = np.empty((frames.stop - frames.start, pixels.stop - pixels.start), self.dtype)
        for first in range(pixels.start, pixels.stop, step):
            last = min(first + step, pixels.stop)
            data = map_bytes(self._path, first * trace_bytes, last * trace_bytes)
            traces = np.frombuffer(data, self.dtype).reshape(-1, n_frames)[:, frames]
            out[:, first - pixels.start : last - pixels.start] = traces.T
        return out

"""Chunks of a Zarr array that lie on the disk as they are: read without zarr."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freq2clean.recordings.plain_bytes import read_into
from freq2clean.recordings.spare_memory import SpareMemory

__all__ = ["PlainChunks", "has_plain_chunks"]


def has_plain_chunks(array: Any) -> bool:
    """Whether every chunk is a local file that holds whole frames, neither coded nor reordered."""
    from zarr.codecs import BytesCodec
    from zarr.storage import LocalStore

    return (
        isinstance(array.store, LocalStore)
        and array.ndim == 3
        and array.chunks[1:] == array.shape[1:]
        and isinstance(array.serializer, BytesCodec | None)
        and not (array.shards or array.filters or array.compressors)
        and array.order == "C"
    )


class PlainChunks:
    """Frames of a Zarr array with plain chunks; those that zarr has to make up, zarr reads."""

    def __init__(self, array: Any) -> None:
        self.shape = array.shape
        self.chunks = array.chunks
        endian = getattr(array.serializer, "endian", None)
        order = getattr(endian, "value", endian)  # An enumeration before zarr 3.2, then a word.
        self.dtype = array.dtype.newbyteorder(order) if order else array.dtype
        self._array = array
        self._memory = SpareMemory()

    def __getitem__(self, key: tuple[slice]) -> NDArray[Any]:
        (frames,) = key
        out = self._memory.empty((frames.stop - frames.start, *self.shape[1:]), self.dtype)
        numbers = range(frames.start // self.chunks[0], -(-frames.stop // self.chunks[0]))
        if all(self._read_from(number, frames, out) for number in numbers):
            return out
        return np.asarray(self._array[key])

    def _read_from(self, number: int, frames: slice, out: NDArray[Any]) -> bool:
        """Fill in the frames that are in a chunk; False where its file is missing or not whole."""
        first = number * self.chunks[0]
        start, stop = max(frames.start, first), min(frames.stop, first + self.chunks[0])
        key = self._array.metadata.encode_chunk_key((number, 0, 0))
        file = Path(self._array.store.root, self._array.path, key)
        frame_bytes = self.shape[1] * self.shape[2] * self.dtype.itemsize
        if not file.is_file() or file.stat().st_size != self.chunks[0] * frame_bytes:
            return False
        part = out[start - frames.start : stop - frames.start]
        read_into(file, (start - first) * frame_bytes, part)
        return True

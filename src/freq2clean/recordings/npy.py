"""NumPy's own files. Metadata stands in a second array of the same file, as JSON bytes."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from freq2clean.errors import InputError
from freq2clean.recordings.contract import Layout, Metadata, Sink
from freq2clean.recordings.pixels import map_bytes
from freq2clean.recordings.plain_bytes import read_pieces, read_segments
from freq2clean.recordings.provenance import metadata_from, metadata_items
from freq2clean.recordings.spare_memory import SpareMemory
from freq2clean.recordings.stored import StoredArray, opener

__all__ = ["NpySink", "open_npy"]

_HEADER_BYTES = 2**16
"""More is no header, whatever length it claims."""


@opener
def open_npy(path: Path, inside: str) -> StoredArray:
    """The array of a .npy file, in C or Fortran order."""
    array = _Array(path)
    return StoredArray(array, str(path), _metadata(path, array.offset + array.nbytes))


class _Array:
    """The array at a place in a file, read slice by slice.

    In Fortran order time runs fastest, and a frame is a value from every place of the file. There
    it is mapped anew for every slice: reading would move all of it for a few values of each page.
    """

    def __init__(self, path: Path, place: int = 0) -> None:
        with path.open("rb") as opened:
            opened.seek(place)
            file = io.BytesIO(opened.read(_HEADER_BYTES))
            try:
                version = npy_format.read_magic(file)
                read_header = {
                    (1, 0): npy_format.read_array_header_1_0,
                    (2, 0): npy_format.read_array_header_2_0,
                }.get(version, npy_format.read_array_header_2_0)
                self.shape, self.fortran_order, self.dtype = read_header(file)
            except ValueError as error:
                raise InputError(f"{path} is no .npy file that NumPy can read: {error}") from None
            self.offset = place + file.tell()
            held = opened.seek(0, 2) - self.offset
        if self.dtype.hasobject:
            raise InputError(
                f"{path} holds pickled Python objects, which are never loaded; save an array of "
                "numbers instead"
            )
        self.nbytes = int(np.prod(self.shape, dtype=object)) * self.dtype.itemsize
        if held < self.nbytes:
            raise InputError(
                f"{path} is truncated: its header claims shape {self.shape}, {self.nbytes} bytes; "
                f"it holds {held}"
            )
        self.path = path
        self._memory = SpareMemory()

    def __getitem__(self, key: tuple[int | slice, ...]) -> NDArray[Any]:
        """Frames (T, Y, X): of the axes before Y and X, one by a range and others by an index."""
        if self.fortran_order:
            data = map_bytes(self.path, self.offset, self.offset + self.nbytes)
            whole = np.frombuffer(data, self.dtype).reshape(self.shape, order="F")
            return np.ascontiguousarray(whole[key])
        index = tuple(np.arange(i.start, i.stop) if isinstance(i, slice) else i for i in key)
        frames = np.ravel_multi_index(index, self.shape[:-2])
        out = self._memory.empty((len(frames), *self.shape[-2:]), self.dtype)
        read_pieces(self.path, self.offset + out[0].nbytes * frames, out)
        return out

    def content(self) -> bytes:
        """All of it, as it is stored."""
        (data,) = read_segments(self.path, [self.offset], [self.nbytes])
        return data


def _metadata(path: Path, place: int) -> Metadata:
    try:
        items = json.loads(_Array(path, place).content())
    except (InputError, ValueError):
        return Metadata()
    return metadata_from(items) if isinstance(items, dict) else Metadata()


class NpySink(Sink):
    """Writes a .npy file front to back."""

    def __init__(self, path: Path, layout: Layout) -> None:
        self._items = metadata_items(layout.metadata)
        self._file = path.open("wb")
        header = {"descr": layout.dtype.str, "fortran_order": False, "shape": layout.shape}
        npy_format.write_array_header_1_0(self._file, header)

    def append(self, block: NDArray[Any]) -> None:
        self._file.write(np.ascontiguousarray(block).data)

    def close(self) -> None:
        with self._file:
            if self._items:
                text = np.frombuffer(json.dumps(self._items).encode(), np.uint8)
                npy_format.write_array(self._file, text, allow_pickle=False)

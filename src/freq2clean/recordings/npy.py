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
from freq2clean.recordings.contract import Metadata, Sink
from freq2clean.recordings.pixels import map_bytes
from freq2clean.recordings.provenance import metadata_from, metadata_items
from freq2clean.recordings.stored import StoredArray, opener

__all__ = ["NpySink", "open_npy"]

_HEADER_BYTES = 2**16
"""More is no header, whatever length it claims."""


@opener
def open_npy(path: Path, inside: str) -> StoredArray:
    """The array of a .npy file, in C or Fortran order."""
    array = _Mapped(path)
    return StoredArray(array, str(path), _metadata(path, array.offset + array.nbytes))


class _Mapped:
    """The array at a place in a file, mapped anew for every slice so that memory stays bounded."""

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

    def __getitem__(self, key: tuple[int | slice, ...]) -> NDArray[Any]:
        if self.fortran_order:
            return np.ascontiguousarray(self._view(0, self.nbytes, self.shape, "F")[key])
        first = key[0] if isinstance(key[0], slice) else slice(key[0], key[0] + 1)
        stride = self.nbytes // self.shape[0]
        shape = (first.stop - first.start, *self.shape[1:])
        part = self._view(first.start * stride, first.stop * stride, shape, "C")
        return part[(slice(None), *key[1:])] if first is key[0] else part[(0, *key[1:])]

    def _view(self, start: int, stop: int, shape: tuple[int, ...], order: Any) -> NDArray[Any]:
        data = map_bytes(self.path, self.offset + start, self.offset + stop)
        return np.frombuffer(data, self.dtype).reshape(shape, order=order)


def _metadata(path: Path, place: int) -> Metadata:
    try:
        kept = _Mapped(path, place)
        items = json.loads(bytes(kept[slice(0, kept.nbytes),]))
    except (InputError, ValueError):
        return Metadata()
    return metadata_from(items) if isinstance(items, dict) else Metadata()


class NpySink(Sink):
    """Writes a .npy file front to back."""

    def __init__(
        self,
        path: Path,
        inside: str,
        shape: tuple[int, int, int],
        dtype: np.dtype[Any],
        metadata: Metadata,
        compression: str | None,
    ) -> None:
        self._items = metadata_items(metadata)
        self._file = path.open("wb")
        header = {"descr": dtype.str, "fortran_order": False, "shape": shape}
        npy_format.write_array_header_1_0(self._file, header)

    def append(self, block: NDArray[Any]) -> None:
        self._file.write(np.ascontiguousarray(block).data)

    def close(self) -> None:
        with self._file:
            if self._items:
                text = np.frombuffer(json.dumps(self._items).encode(), np.uint8)
                npy_format.write_array(self._file, text, allow_pickle=False)

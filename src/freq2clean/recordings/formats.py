"""Which format a path means, and what reads and writes it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from freq2clean.recordings.contract import Recording, Sink
from freq2clean.recordings.hdf5 import Hdf5Sink, open_hdf5
from freq2clean.recordings.npy import NpySink, open_npy
from freq2clean.recordings.tiff import open_tiff, tiff_sink
from freq2clean.recordings.zarr import ZarrSink, open_zarr

__all__ = ["READABLE", "TIFF", "WRITABLE", "Format", "format_of", "locate"]


class Format(NamedTuple):
    """A file format: its suffixes, the first ones for writing too, and its two sides."""

    suffixes: tuple[str, ...]
    read_only_suffixes: tuple[str, ...]
    compressions: tuple[str, ...]
    open: Callable[..., Recording]
    sink: Callable[..., Sink]


TIFF = Format((".tif", ".tiff"), (".btf",), ("deflate", "zstd"), open_tiff, tiff_sink)
ZARR = Format((".zarr",), (), ("deflate", "zstd"), open_zarr, ZarrSink)
HDF5 = Format((".h5", ".hdf5"), (".nwb", ".hdf"), ("deflate",), open_hdf5, Hdf5Sink)
NPY = Format((".npy",), (), (), open_npy, NpySink)
_FORMATS = (TIFF, ZARR, HDF5, NPY)

WRITABLE = {suffix: one for one in _FORMATS for suffix in one.suffixes}
READABLE = WRITABLE | {suffix: one for one in _FORMATS for suffix in one.read_only_suffixes}

_ZARR_MARKS = ("zarr.json", ".zarray", ".zgroup")


def locate(source: str | Path) -> tuple[Path, str]:
    """The file of a recording, and the path inside it: ``a.h5::/b`` or ``a.zarr/b``."""
    text = str(source)
    if "::" in text:
        file, _, inside = text.partition("::")
        return Path(file), inside
    path = Path(text)
    for parent in path.parents:
        if parent.suffix.lower() == ".zarr":
            return parent, path.relative_to(parent).as_posix()
    return path, ""


def format_of(file: Path) -> Format | None:
    """The format in which a file can be read, by its suffix; a Zarr store may have none."""
    if any((file / mark).is_file() for mark in _ZARR_MARKS):
        return ZARR
    return READABLE.get(file.suffix.lower())

"""Which format a path means, and what reads and writes it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from freq2clean.recordings.caiman import open_caiman
from freq2clean.recordings.contract import Recording, Sink
from freq2clean.recordings.hdf5 import Hdf5Sink, open_hdf5
from freq2clean.recordings.matlab import open_matlab
from freq2clean.recordings.npy import NpySink, open_npy
from freq2clean.recordings.nwb import open_nwb
from freq2clean.recordings.nwb_writing import NwbSink
from freq2clean.recordings.ome_zarr import OmeZarrSink, open_ome_zarr
from freq2clean.recordings.suite2p import Suite2pSink, open_suite2p
from freq2clean.recordings.tiff import open_tiff, tiff_sink
from freq2clean.recordings.video import VideoSink, open_video
from freq2clean.recordings.zarr import ZarrSink, open_zarr

__all__ = [
    "FORMATS",
    "GENERAL",
    "HDF5",
    "NWB",
    "OME_ZARR",
    "READABLE",
    "SUITE2P",
    "TIFF",
    "VIDEO",
    "WRITABLE",
    "ZARR",
    "Format",
    "format_of",
    "is_store",
    "locate",
    "suffix_of",
]


@dataclass(frozen=True)
class Format:
    """A file format and its two sides.

    Parameters
    ----------
    name : str
        What people call it.
    suffixes : tuple of str
        That it is read by.
    open : callable
        Opens a recording: path, path inside, channel and plane.
    sink : callable, optional
        Writes a `Layout` to a path; nothing does if this is left at the abstract class.
    written : tuple of str
        Suffixes that it is written by.
    compressions : tuple of str
        That it can be written with.
    dtypes : tuple of str
        That it can be written with; all if there are none.
    inside : str
        What a path inside the file names; nothing if there can be none.
    parallel : bool
        Whether several threads read at once, or one after the other.
    metadata : str
        What is known of a recording, in words; the same is written.
    extra : str
        What has to be installed besides.
    note : str
        What a user should know who writes it.
    """

    name: str
    suffixes: tuple[str, ...]
    open: Callable[..., Recording]
    sink: Callable[..., Sink] = Sink
    written: tuple[str, ...] = ()
    compressions: tuple[str, ...] = ()
    dtypes: tuple[str, ...] = ()
    inside: str = ""
    parallel: bool = True
    metadata: str = "frame rate, pixel size, provenance"
    extra: str = ""
    note: str = ""


TIFF = Format(
    "TIFF", (".tif", ".tiff", ".btf"), open_tiff, tiff_sink, (".tif", ".tiff"), ("deflate", "zstd")
)
ZARR = Format(
    "Zarr", (".zarr",), open_zarr, ZarrSink, (".zarr",), ("deflate", "zstd"), inside="array"
)
OME_ZARR = Format(
    "OME-Zarr",
    (".ome.zarr",),
    open_ome_zarr,
    OmeZarrSink,
    (".ome.zarr",),
    ("deflate", "zstd"),
    inside="image or level",
)
HDF5 = Format(
    "HDF5",
    (".h5", ".hdf5", ".hdf"),
    open_hdf5,
    Hdf5Sink,
    (".h5", ".hdf5"),
    ("deflate",),
    inside="dataset",
    parallel=False,
)
NPY = Format("NumPy", (".npy",), open_npy, NpySink, (".npy",))
NWB = Format(
    "NWB",
    (".nwb",),
    open_nwb,
    NwbSink,
    (".nwb",),
    ("deflate",),
    inside="series",
    parallel=False,
    extra="nwb (to write)",
    note="the file is a copy of the raw one's, with the result in /processing/ophys besides",
)
SUITE2P = Format(
    "Suite2p binary",
    (".bin",),
    open_suite2p,
    Suite2pSink,
    (".bin",),
    dtypes=("int16", "uint16", "uint8", "int8"),
    inside="frame shape",
    metadata="frame rate (read)",
    note="Suite2p's binary holds int16: values were rounded, and uint16 halved, as Suite2p does",
)
CAIMAN = Format("CaImAn memory map", (".mmap",), open_caiman, metadata="none")
MATLAB = Format(
    "MATLAB 7.3", (".mat",), open_matlab, inside="variable", parallel=False, metadata="none"
)
VIDEO = Format(
    "video",
    (".avi", ".mp4", ".mkv", ".mov"),
    open_video,
    VideoSink,
    (".avi",),
    dtypes=("uint16", "uint8"),
    parallel=False,
    extra="video",
    note="a video holds integers: values were rounded",
)
FORMATS = (TIFF, ZARR, OME_ZARR, HDF5, NPY, NWB, SUITE2P, CAIMAN, MATLAB, VIDEO)

READABLE = {suffix: one for one in FORMATS for suffix in one.suffixes}
WRITABLE = {suffix: one for one in FORMATS for suffix in one.written}
GENERAL = {suffix: one for suffix, one in WRITABLE.items() if not one.dtypes and one is not NWB}
"""Those that any recording can be written in."""

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


def suffix_of(file: Path) -> str:
    """The suffix by which formats are told apart, the longest that is known."""
    name = file.name.lower()
    known = [suffix for suffix in READABLE if name.endswith(suffix) and name != suffix]
    return max(known, key=len, default=file.suffix.lower())


def is_store(folder: Path) -> bool:
    """Whether a folder is a Zarr store."""
    return any((folder / mark).is_file() for mark in _ZARR_MARKS)


def format_of(file: Path, inside: str = "") -> Format | None:
    """The format in which a file can be read: by its suffix, a Zarr store by what is in it."""
    if is_store(file):
        return _kind_of_store(file, inside)
    return READABLE.get(suffix_of(file))


def _kind_of_store(store: Path, inside: str) -> Format:
    if "nwb_version" in _attributes(store):
        return NWB
    held = {*_attributes(store), *_attributes(store / inside)}
    return OME_ZARR if held & {"ome", "multiscales"} else ZARR


def _attributes(group: Path) -> dict[str, Any]:
    """Of a Zarr group, version 2 or 3; none if there are none."""
    for name in ("zarr.json", ".zattrs"):
        try:
            held = json.loads((group / name).read_bytes())
        except (OSError, ValueError):
            continue
        if name == "zarr.json" and isinstance(held, dict):
            held = held.get("attributes", {})
        return held if isinstance(held, dict) else {}
    return {}

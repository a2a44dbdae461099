"""One small recording in every way that the formats are written, to be damaged."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from tests.recordings.conftest import (
    SOURCES,
    SOURCES_OF_SOME_DTYPES,
    add_nwb_series,
    make_movie,
    make_nwb_file,
    write_nwb_file,
)

from freq2clean.recordings import Metadata, create

__all__ = ["SEEDS"]

SHAPE = (5, 18, 21)
"""Small: what is damaged is more often a header, and more inputs are tried in a second."""

_DATA = Path(__file__).parents[1] / "recordings" / "data"
_METADATA = Metadata(12.5, (0.5, 0.25), {"method": "wiener", "versions": {"freq2clean": "1"}})


def _as_tests_do(name: str) -> Callable[[Path], str]:
    write, dtypes = SOURCES_OF_SOME_DTYPES.get(name) or (SOURCES[name], ("uint16",))

    def seed(folder: Path) -> str:
        dtype = "uint16" if "uint16" in dtypes else dtypes[0]
        return str(write(folder, make_movie(dtype, SHAPE)))

    return seed


def _written(name: str, compression: str | None = None) -> Callable[[Path], str]:
    """As freq2clean itself writes, with metadata."""

    def seed(folder: Path) -> str:
        target = str(folder / name)
        pixels = make_movie(shape=SHAPE)
        with create(
            target, pixels.shape, "uint16", metadata=_METADATA, compression=compression
        ) as writer:
            writer.append(pixels)
        return target

    return seed


def _unpacked(archive: str, inside: str) -> Callable[[Path], str]:
    def seed(folder: Path) -> str:
        shutil.unpack_archive(_DATA / archive, folder / "movie.zarr")
        return str(folder / "movie.zarr") + inside

    return seed


def _nwb_with_times(folder: Path) -> str:
    file = make_nwb_file(grid_spacing=[1e-6, 2e-6], grid_spacing_unit="meters")
    add_nwb_series(file, make_movie(shape=SHAPE), timestamps=np.arange(SHAPE[0]) / 30)
    return write_nwb_file(folder / "movie.nwb", file)


def _scanbox(folder: Path) -> str:
    import scipy.io

    make_movie(shape=(6, 10, 12)).tofile(folder / "movie.sbx")
    info: dict[str, Any] = {
        "channels": 2,
        "scanmode": 1,
        "recordsPerBuffer": 10,
        "bytesPerBuffer": 10 * 12 * 2 * 2,
        "sz": np.array([10, 12]),
        "resfreq": 8000,
        "config": {"lines": 10},
        "otwave": [],
    }
    scipy.io.savemat(folder / "movie.mat", {"info": info})
    return str(folder / "movie.sbx")


_OF_NO_FILE = ("array", "lazy-array")

SEEDS: dict[str, Callable[[Path], str]] = {
    **{name: _as_tests_do(name) for name in [*SOURCES, *SOURCES_OF_SOME_DTYPES]
       if name not in _OF_NO_FILE},
    "our-tiff": _written("movie.tif"),
    "our-tiff-zstd": _written("movie.tif", "zstd"),
    "our-zarr": _written("movie.zarr"),
    "our-ome-zarr": _written("movie.ome.zarr", "zstd"),
    "our-hdf5": _written("movie.h5", "deflate"),
    "our-npy": _written("movie.npy"),
    "our-avi": _written("movie.avi"),
    "ome-zarr-0.4": _unpacked("ome-0.4.zarr.zip", ""),
    "ome-zarr-0.5": _unpacked("ome-0.5.zarr.zip", ""),
    "nwb-zarr": _unpacked("session.nwb.zarr.zip", "::/acquisition/Red"),
    "nwb-timestamps": _nwb_with_times,
    "scanbox": _scanbox,
}  # fmt: skip
"""By name: what writes one into a folder and returns what opens it."""

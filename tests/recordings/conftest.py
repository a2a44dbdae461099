"""Movies, and how the libraries that people use write them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

DTYPES = ("uint8", "uint16", "uint32", "int16", "int32", "float16", "float32", "float64")


def make_movie(
    dtype: str = "uint16", shape: tuple[int, ...] = (9, 33, 47), seed: int = 0
) -> NDArray[Any]:
    """Pixels of which no two frames, rows or columns are alike, negative ones where possible."""
    low = 0 if np.dtype(dtype).kind == "u" else -100
    return np.random.default_rng(seed).uniform(low, 250, shape).astype(dtype)


@pytest.fixture
def movie() -> Callable[..., NDArray[Any]]:
    return make_movie


def _tiff(**options: Any) -> Callable[[Path, NDArray[Any]], str]:
    def write(folder: Path, pixels: NDArray[Any]) -> str:
        import tifffile

        file = folder / "movie.tif"
        tifffile.imwrite(file, pixels, photometric="minisblack", **options)
        return str(file)

    return write


def _tiff_page_by_page(folder: Path, pixels: NDArray[Any]) -> str:
    import tifffile

    file = folder / "movie.tif"
    with tifffile.TiffWriter(file) as writer:
        for frame in pixels:
            writer.write(frame, photometric="minisblack")
    return str(file)


def _tiff_in_blocks(folder: Path, pixels: NDArray[Any]) -> str:
    import tifffile

    file = folder / "movie.tif"
    for block in (pixels[:4], pixels[4:8], pixels[8:]):
        if len(block):
            tifffile.imwrite(file, block, append=True, photometric="minisblack", compression="zlib")
    return str(file)


def _tiff_folder(folder: Path, pixels: NDArray[Any]) -> str:
    import tifffile

    for i, frame in enumerate(pixels):
        tifffile.imwrite(folder / f"frame{i + 1}.tif", frame)
    (folder / "notes.txt").write_text("not a frame")
    return str(folder)


def _tiff_glob(folder: Path, pixels: NDArray[Any]) -> str:
    import tifffile

    for i in range(0, len(pixels), 4):
        block = pixels[i : i + 4]
        tifffile.imwrite(folder / f"part_{i}.tif", block, photometric="minisblack")
    tifffile.imwrite(folder / "other.tif", np.zeros((2, 5, 5), np.uint8), photometric="minisblack")
    return str(folder / "part_*.tif")


def _zarr(**options: Any) -> Callable[[Path, NDArray[Any]], str]:
    def write(folder: Path, pixels: NDArray[Any]) -> str:
        import zarr

        array = zarr.create_array(
            folder / "movie.zarr", shape=pixels.shape, dtype=pixels.dtype, **options
        )
        array[:] = pixels
        return str(folder / "movie.zarr")

    return write


def _zarr_in_group(folder: Path, pixels: NDArray[Any]) -> str:
    import zarr

    group = zarr.open_group(folder / "movie.zarr", mode="w").create_group("session")
    for name, values in (("movie", pixels), ("mean", pixels[0])):
        group.create_array(name, shape=values.shape, dtype=values.dtype)[:] = values
    return str(folder / "movie.zarr" / "session" / "movie")


def _zarr_lone_in_group(folder: Path, pixels: NDArray[Any]) -> str:
    _zarr_in_group(folder, pixels)
    return str(folder / "movie.zarr")


def _hdf5(inside: str, **options: Any) -> Callable[[Path, NDArray[Any]], str]:
    def write(folder: Path, pixels: NDArray[Any]) -> str:
        import h5py

        with h5py.File(folder / "movie.h5", "w") as file:
            file.create_dataset("session/movie", data=pixels, **options)
            file["session/mean"] = pixels[0]
        return f"{folder / 'movie.h5'}{inside}"

    return write


def _npy(order: str) -> Callable[[Path, NDArray[Any]], str]:
    def write(folder: Path, pixels: NDArray[Any]) -> str:
        np.save(folder / "movie.npy", np.asarray(pixels, order=order))  # type: ignore[call-overload]
        return str(folder / "movie.npy")

    return write


def _array(folder: Path, pixels: NDArray[Any]) -> NDArray[Any]:
    pixels = pixels.copy()
    pixels.flags.writeable = False
    return pixels


class LazyArray:
    """Has a shape, a dtype and slices, and counts the frames that were asked for."""

    def __init__(self, pixels: NDArray[Any]) -> None:
        self.shape, self.dtype, self.asked = pixels.shape, pixels.dtype, 0
        self._pixels = pixels

    def __getitem__(self, key: Any) -> NDArray[Any]:
        part: NDArray[Any] = self._pixels[key]
        self.asked += len(part)
        return part


@pytest.fixture
def lazy_array() -> type[LazyArray]:
    return LazyArray


def _lazy(folder: Path, pixels: NDArray[Any]) -> LazyArray:
    return LazyArray(pixels)


SOURCES: dict[str, Callable[[Path, NDArray[Any]], Any]] = {
    "tiff": _tiff(),
    "tiff-without-metadata": _tiff(metadata=None),
    "tiff-bigtiff": _tiff(bigtiff=True),
    "tiff-big-endian": _tiff(byteorder=">"),
    "tiff-strips": _tiff(rowsperstrip=5),
    "tiff-single-page": _tiff(truncate=True),
    "tiff-tiled": _tiff(tile=(16, 32)),
    "tiff-deflate": _tiff(compression="zlib", rowsperstrip=7),
    "tiff-deflate-big-endian": _tiff(compression="zlib", byteorder=">"),
    "tiff-lzw": _tiff(compression="lzw"),
    "tiff-zstd-tiled": _tiff(compression="zstd", tile=(16, 16)),
    "tiff-page-by-page": _tiff_page_by_page,
    "tiff-in-blocks": _tiff_in_blocks,
    "tiff-folder": _tiff_folder,
    "tiff-glob": _tiff_glob,
    "zarr-2": _zarr(zarr_format=2, chunks=(4, 20, 20)),
    "zarr-2-plain": _zarr(zarr_format=2, chunks=(4, 33, 47), compressors=None),
    "zarr-2-fortran": _zarr(zarr_format=2, chunks=(4, 33, 47), compressors=None, order="F"),
    "zarr-3": _zarr(zarr_format=3, chunks=(1, 33, 47)),
    "zarr-3-plain": _zarr(zarr_format=3, chunks=(4, 33, 47), compressors=None),
    "zarr-3-big-endian": _zarr(
        zarr_format=3,
        chunks=(2, 33, 47),
        compressors=None,
        serializer={"name": "bytes", "configuration": {"endian": "big"}},
    ),
    "zarr-3-sharded": _zarr(zarr_format=3, chunks=(1, 11, 47), shards=(3, 33, 47)),
    "zarr-in-group": _zarr_in_group,
    "zarr-lone-in-group": _zarr_lone_in_group,
    "hdf5": _hdf5("::/session/movie"),
    "hdf5-lone": _hdf5(""),
    "hdf5-chunked": _hdf5("", chunks=(2, 16, 16), compression="gzip"),
    "npy": _npy("C"),
    "npy-fortran": _npy("F"),
    "array": _array,
    "lazy-array": _lazy,
}
"""How to write pixels (T, Y, X) so that `open_recording` opens what is returned."""

SOURCES_OF_SOME_DTYPES = {
    "tiff-imagej": _tiff(imagej=True, metadata={"axes": "TYX"}),
    "tiff-ome": _tiff(ome=True, metadata={"axes": "TYX"}),
    "tiff-ome-deflate": _tiff(ome=True, metadata={"axes": "TYX"}, compression="zlib"),
}


@pytest.fixture(params=sorted(SOURCES))
def write_source(request: pytest.FixtureRequest) -> Callable[[Path, NDArray[Any]], Any]:
    return SOURCES[request.param]


@pytest.fixture(params=sorted(SOURCES | SOURCES_OF_SOME_DTYPES))
def write_any_source(request: pytest.FixtureRequest) -> Callable[[Path, NDArray[Any]], Any]:
    return (SOURCES | SOURCES_OF_SOME_DTYPES)[request.param]


TARGETS = {
    "tiff": ("movie.tif", None),
    "tiff-deflate": ("movie.tiff", "deflate"),
    "tiff-zstd": ("movie.tif", "zstd"),
    "zarr": ("movie.zarr", None),
    "zarr-deflate": ("movie.zarr", "deflate"),
    "zarr-zstd": ("movie.zarr", "zstd"),
    "hdf5": ("movie.h5", None),
    "hdf5-inside": ("movie.hdf5::/a/b", None),
    "hdf5-deflate": ("movie.h5", "deflate"),
    "npy": ("movie.npy", None),
}


@pytest.fixture(params=sorted(TARGETS))
def target(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, str | None]:
    """A path to write to and the compression to write with."""
    name, compression = TARGETS[request.param]
    return str(tmp_path / name), compression


@pytest.fixture(params=DTYPES)
def dtype(request: pytest.FixtureRequest) -> str:
    return str(request.param)

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


def make_nwb_file(**plane: Any) -> Any:
    """An NWB file in memory with a device and an imaging plane, as pynwb makes it."""
    from datetime import UTC, datetime

    import pynwb

    file = pynwb.NWBFile(
        session_description="two minutes of darkness",
        identifier="made for a test",
        session_start_time=datetime(2026, 1, 1, tzinfo=UTC),
    )
    file.create_imaging_plane(
        name="ImagingPlane",
        optical_channel=pynwb.ophys.OpticalChannel(
            name="green", description="GCaMP", emission_lambda=525.0
        ),
        description="layer 2/3",
        device=file.create_device(name="Microscope", description="it scans"),
        excitation_lambda=920.0,
        indicator="GCaMP6s",
        location="V1",
        **plane,
    )
    return file


def add_nwb_series(file: Any, pixels: NDArray[Any], **options: Any) -> None:
    """Pixels (T, Y, X) as an acquired series of an NWB file, frame, x, y."""
    from pynwb.ophys import OnePhotonSeries, TwoPhotonSeries

    one_photon = options.pop("one_photon", False)
    wrap = options.pop("wrap", lambda data: data)
    kind = OnePhotonSeries if one_photon else TwoPhotonSeries
    timing = {} if "timestamps" in options else {"rate": 30.0}
    file.add_acquisition(
        kind(
            **({"name": "Movie", "unit": "a.u."} | timing | options),
            data=wrap(pixels.transpose(0, 2, 1)),
            imaging_plane=file.imaging_planes["ImagingPlane"],
        )
    )


def write_nwb_file(path: Path, file: Any) -> str:
    import pynwb

    with pynwb.NWBHDF5IO(path, "w") as io:
        io.write(file)
    return str(path)


@pytest.fixture
def nwb_file() -> Callable[..., Any]:
    return make_nwb_file


@pytest.fixture
def add_series() -> Callable[..., None]:
    return add_nwb_series


@pytest.fixture
def write_nwb() -> Callable[[Path, Any], str]:
    return write_nwb_file


def _nwb(inside: str = "", **options: Any) -> Callable[[Path, NDArray[Any]], str]:
    def write(folder: Path, pixels: NDArray[Any]) -> str:
        file = make_nwb_file()
        add_nwb_series(file, pixels, **options)
        return write_nwb_file(folder / "movie.nwb", file) + inside

    return write


def _nwb_compressed(folder: Path, pixels: NDArray[Any]) -> str:
    from pynwb import H5DataIO

    options = {"compression": "gzip", "chunks": (4, 20, 10)}
    return _nwb(wrap=lambda data: H5DataIO(data, **options))(folder, pixels)


def _nwb_as_stored(folder: Path, pixels: NDArray[Any]) -> str:
    return _nwb("::/acquisition/Movie/data")(folder, pixels.transpose(0, 2, 1))


def _suite2p_binary(folder: Path, pixels: NDArray[Any]) -> str:
    pixels.tofile(folder / "data.bin")
    return f"{folder / 'data.bin'}::{pixels.shape[1]},{pixels.shape[2]}"


def _suite2p_folder(folder: Path, pixels: NDArray[Any]) -> str:
    pixels.tofile(folder / "data.bin")
    ops: Any = {"meanImg": pixels[0], "Ly": pixels.shape[1], "Lx": pixels.shape[2], "fs": 30.0}
    np.save(folder / "ops.npy", ops)
    return str(folder / "data.bin")


def _caiman(order: Any) -> Callable[[Path, NDArray[Any]], str]:
    """As CaImAn's save_memmap does: pixels column by column, and then pixels x frames."""

    def write(folder: Path, pixels: NDArray[Any]) -> str:
        n_frames, height, width = pixels.shape
        name = f"Yr_d1_{height}_d2_{width}_d3_1_order_{order}_frames_{n_frames}.mmap"
        columns = np.reshape(pixels, (n_frames, -1), order="F").T
        shape = (height * width, n_frames)
        held = np.memmap(folder / name, "float32", "w+", shape=shape, order=order)
        held[:] = columns
        held.flush()
        return str(folder / name)

    return write


def _matlab(inside: str, **options: Any) -> Callable[[Path, NDArray[Any]], str]:
    """As MATLAB's save(..., '-v7.3') does, of a variable (Y, X, T)."""

    def write(folder: Path, pixels: NDArray[Any]) -> str:
        import h5py

        path = folder / "movie.mat"
        with h5py.File(path, "w", userblock_size=512) as file:
            for name, values in (("movie", pixels.transpose(1, 2, 0)), ("mean", pixels[0])):
                layout = options if name == "movie" else {}
                data = file.create_dataset(name, data=values.T, **layout)
                data.attrs["MATLAB_class"] = np.bytes_("uint16")
        with path.open("r+b") as opened:
            opened.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\0\2IM")
        return f"{path}{inside}"

    return write


def write_video(
    path: Path,
    pixels: NDArray[Any],
    codec: str = "ffv1",
    layout: str = "",
    *,
    rate: Any = 30,
    given: str = "",
    **options: str,
) -> str:
    """Grey or colour pixels, in FFmpeg's layout ``given``, as a video of some codec."""
    import av

    grey = "gray" if pixels.dtype == np.uint8 else "gray16le"
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=rate, options=options)
        stream.height, stream.width = pixels.shape[1:3]
        stream.pix_fmt = layout or grey
        for frame in pixels:
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format=given or grey)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return str(path)


def _video(codec: str = "ffv1", **options: Any) -> Callable[[Path, NDArray[Any]], str]:
    def write(folder: Path, pixels: NDArray[Any]) -> str:
        return write_video(folder / "movie.avi", pixels, codec, **options)

    return write


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
    "matlab": _matlab("::movie"),
    "matlab-lone": _matlab("", chunks=(2, 16, 16), compression="gzip"),
    "npy": _npy("C"),
    "npy-fortran": _npy("F"),
    "array": _array,
    "lazy-array": _lazy,
}
"""How to write pixels (T, Y, X) so that `open_recording` opens what is returned."""

_NWB_DTYPES = tuple(dtype for dtype in DTYPES if dtype != "float16")

SOURCES_OF_SOME_DTYPES: dict[str, tuple[Callable[[Path, NDArray[Any]], Any], tuple[str, ...]]] = {
    "tiff-imagej": (_tiff(imagej=True, metadata={"axes": "TYX"}), ("uint16", "uint8", "float32")),
    "tiff-ome": (_tiff(ome=True, metadata={"axes": "TYX"}), ("uint16", "int32")),
    "tiff-ome-deflate": (
        _tiff(ome=True, metadata={"axes": "TYX"}, compression="zlib"),
        ("uint16", "float64"),
    ),
    "nwb": (_nwb(), _NWB_DTYPES),
    "nwb-one-photon": (_nwb("::/acquisition/Movie", one_photon=True), ("uint8",)),
    "nwb-compressed": (_nwb_compressed, ("uint16", "float32")),
    "nwb-as-stored": (_nwb_as_stored, ("uint16",)),
    "suite2p-binary": (_suite2p_binary, ("int16",)),
    "suite2p-folder": (_suite2p_folder, ("int16",)),
    "caiman-c": (_caiman("C"), ("float32",)),
    "caiman-f": (_caiman("F"), ("float32",)),
    "avi-ffv1": (_video(), ("uint8", "uint16")),
    "avi-ffv1-intra": (_video(g="1"), ("uint8", "uint16")),
    "avi-raw": (_video("rawvideo"), ("uint8",)),
    "avi-huffyuv-colours": (_video("huffyuv", layout="rgb24"), ("uint8",)),
}
"""The same, and the dtypes that the format has."""

_EVERY = {name: (write, DTYPES) for name, write in SOURCES.items()} | SOURCES_OF_SOME_DTYPES


@pytest.fixture(params=sorted(SOURCES))
def write_source(request: pytest.FixtureRequest) -> Callable[[Path, NDArray[Any]], Any]:
    return SOURCES[request.param]


@pytest.fixture(
    params=[(name, dtype) for name, (_, held) in SOURCES_OF_SOME_DTYPES.items() for dtype in held],
    ids="-".join,
)
def of_some_dtype(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Any, NDArray[Any]]:
    """A source in a format that does not have all dtypes, and its pixels."""
    name, dtype = request.param
    pixels = make_movie(dtype)
    return SOURCES_OF_SOME_DTYPES[name][0](tmp_path, pixels), pixels


@pytest.fixture(params=sorted(_EVERY))
def written(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Any, NDArray[Any]]:
    """A source in any format, and its pixels."""
    write, dtypes = _EVERY[request.param]
    pixels = make_movie("uint16" if "uint16" in dtypes else dtypes[0])
    return write(tmp_path, pixels), pixels


@pytest.fixture
def make_video() -> Callable[..., str]:
    return write_video


TARGETS = {
    "tiff": ("movie.tif", None),
    "tiff-deflate": ("movie.tiff", "deflate"),
    "tiff-zstd": ("movie.tif", "zstd"),
    "zarr": ("movie.zarr", None),
    "ome-zarr": ("movie.ome.zarr", None),
    "ome-zarr-zstd": ("movie.ome.zarr", "zstd"),
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

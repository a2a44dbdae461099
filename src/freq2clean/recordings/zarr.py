"""Zarr stores, versions 2 and 3: an array, or an array inside a group."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freq2clean.errors import InputError
from freq2clean.recordings.axes import NAMELESS
from freq2clean.recordings.contract import Metadata, Recording, Sink
from freq2clean.recordings.memory import ArrayRecording
from freq2clean.recordings.provenance import metadata_from, metadata_items
from freq2clean.recordings.unbroken import Unbroken

__all__ = ["ZarrSink", "open_zarr"]

_CHUNK_BYTES = 2**23


def open_zarr(
    path: Path, inside: str = "", *, channel: int | None = None, plane: int | None = None
) -> Recording:
    """Recording of a Zarr array."""
    import zarr

    try:
        node = zarr.open(path / inside, mode="r")
    except Exception as error:  # zarr raises its own, OSError, ValueError, KeyError by version
        raise InputError(f"{path / inside} cannot be read as Zarr: {error}") from error
    array = node if isinstance(node, zarr.Array) else _lone(node, str(path / inside))
    name = str(path / inside / array.path)
    axes = "".join(str(axis).upper() for axis in _axis_names(array))
    recording = ArrayRecording(
        array,
        name=name,
        axes=axes if len(axes) == array.ndim and axes.endswith("YX") else None,
        channel=channel,
        plane=plane,
        metadata=metadata_from(dict(array.attrs)),
    )
    recording.paths = (path,)
    return recording


def _axis_names(array: Any) -> list[Any]:
    """Names that Zarr 3 or xarray keep."""
    names = getattr(array.metadata, "dimension_names", None)
    return list(names or array.attrs.get("_ARRAY_DIMENSIONS") or ())


def _lone(group: Any, name: str) -> Any:
    import zarr

    arrays = [one for _, one in group.members(max_depth=None) if isinstance(one, zarr.Array)]
    movies = [one for one in arrays if one.ndim == 3] or [
        one for one in arrays if one.ndim in NAMELESS
    ]
    if len(movies) == 1:
        return movies[0]
    listed = ", ".join(f"{one.path} {one.shape} {one.dtype}" for one in (movies or arrays)[:12])
    if not movies:
        raise InputError(
            f"{name} holds no array of three axes (T, Y, X); it has {listed or 'none'}"
        )
    raise InputError(
        f"{name} holds several arrays, {listed}: say which, as in {name}/{movies[0].path}"
    )


class ZarrSink(Sink):
    """Writes a Zarr 3 array in chunks of whole frames."""

    def __init__(
        self,
        path: Path,
        inside: str,
        shape: tuple[int, int, int],
        dtype: np.dtype[Any],
        metadata: Metadata,
        compression: str | None,
    ) -> None:
        import zarr
        import zarr.codecs

        codecs = {"deflate": zarr.codecs.GzipCodec, "zstd": zarr.codecs.ZstdCodec}
        frame_bytes = shape[1] * shape[2] * dtype.itemsize
        self._chunk_frames = min(shape[0], max(1, _CHUNK_BYTES // frame_bytes))
        self._call = Unbroken()
        self._array = self._call(
            zarr.create_array,
            path,
            shape=shape,
            chunks=(self._chunk_frames, *shape[1:]),
            dtype=dtype,
            compressors=codecs[compression]() if compression else None,
            attributes=metadata_items(metadata),
            dimension_names=("t", "y", "x"),
            zarr_format=3,
            config={"write_empty_chunks": True},
        )
        self._buffer = np.empty((self._chunk_frames, *shape[1:]), dtype)
        self._held = 0
        self._next = 0

    def append(self, block: NDArray[Any]) -> None:
        """Write whole chunks, and hold what begins the next."""
        while len(block):
            taken = min(len(block), self._chunk_frames - self._held)
            if taken == self._chunk_frames:
                self._write(block[:taken])
            else:
                self._buffer[self._held : self._held + taken] = block[:taken]
                self._held += taken
                if self._held == self._chunk_frames:
                    self._flush()
            block = block[taken:]

    def close(self) -> None:
        try:
            self._flush()
        finally:
            self._call.end()

    def _flush(self) -> None:
        self._write(self._buffer[: self._held])
        self._held = 0

    def _write(self, frames: NDArray[Any]) -> None:
        if len(frames):
            place = slice(self._next, self._next + len(frames))
            self._call(self._array.__setitem__, place, frames)
            self._next += len(frames)

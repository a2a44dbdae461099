"""Zarr stores, versions 2 and 3: an array, or an array inside a group."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freq2clean.errors import InputError
from freq2clean.recordings.contract import Layout, Metadata, Sink
from freq2clean.recordings.provenance import metadata_from, metadata_items
from freq2clean.recordings.stored import StoredArray, lone_movie, opener
from freq2clean.recordings.unbroken import Unbroken
from freq2clean.recordings.zarr_chunks import PlainChunks, has_plain_chunks

__all__ = [
    "WholeChunks",
    "ZarrSink",
    "decoding_at_most",
    "movie_in",
    "new_array",
    "open_zarr",
    "opened_array",
    "to_write",
]

_CHUNK_BYTES = 2**23

_WRITING: Any = {"write_empty_chunks": True}
"""A chunk of zeros is a chunk too."""


@opener
def open_zarr(path: Path, inside: str) -> StoredArray:
    """The array that a Zarr store is, or the one that it holds."""
    import zarr

    try:
        node = zarr.open(path / inside, mode="r")
    except Exception as error:  # zarr raises its own, OSError, ValueError, KeyError by version
        raise InputError(f"{path / inside} cannot be read as Zarr: {error}") from error
    return movie_in(node, name=lambda array: str(path / inside / array.path))


def movie_in(node: Any, *, name: Callable[[Any], str]) -> StoredArray:
    """The array that a Zarr node is, or the one that it holds; ``name`` says what to call it."""
    import zarr

    array = node
    if isinstance(node, zarr.Group):
        members = [one for _, one in node.members(max_depth=None) if isinstance(one, zarr.Array)]
        array = lone_movie(members, kind="array", name=name(node), separator="")
    axes = "".join(str(axis).upper() for axis in _axis_names(array))
    return StoredArray(
        opened_array(array),
        name=name(array),
        metadata=metadata_from(dict(array.attrs)),
        axes=axes if len(axes) == array.ndim and axes.endswith("YX") else None,
    )


@contextmanager
def decoding_at_most(n_chunks: int) -> Iterator[None]:
    """Bound how many chunks zarr decodes at a time."""
    import zarr

    with zarr.config.set({"async.concurrency": n_chunks}):
        yield


def opened_array(array: Any) -> Any:
    """An array to read from, without zarr where its chunks lie on the disk as they are."""
    return PlainChunks(array) if has_plain_chunks(array) else array


def _axis_names(array: Any) -> list[Any]:
    """Names that Zarr 3 or xarray keep."""
    names = getattr(array.metadata, "dimension_names", None)
    return list(names or array.attrs.get("_ARRAY_DIMENSIONS") or ())


def new_array(
    store: Any,
    shape: tuple[int, int, int],
    dtype: np.dtype[Any],
    metadata: Metadata,
    compression: str | None,
) -> Any:
    """A Zarr 3 array in chunks of whole frames."""
    import zarr
    import zarr.codecs

    codecs = {"deflate": zarr.codecs.GzipCodec, "zstd": zarr.codecs.ZstdCodec}
    frame_bytes = shape[1] * shape[2] * dtype.itemsize
    return zarr.create_array(
        store,
        shape=shape,
        chunks=(min(shape[0], max(1, _CHUNK_BYTES // frame_bytes)), *shape[1:]),
        dtype=dtype,
        compressors=codecs[compression]() if compression else None,
        attributes=metadata_items(metadata),
        dimension_names=("t", "y", "x"),
        zarr_format=3,
        config=_WRITING,
    )


def to_write(metadata: Any, place: Any) -> Any:
    """The array that ``metadata`` tells of at a place in a store, written as by `new_array`."""
    import zarr
    from zarr.core.array import AsyncArray

    return zarr.Array(AsyncArray(metadata, place, _WRITING))


class WholeChunks:
    """Takes the frames of an array in order, from the first of a chunk on, and writes whole chunks.

    Parameters
    ----------
    array : zarr.Array
    start : int
        The first frame.
    call : callable
        What makes the calls that write.
    """

    def __init__(
        self, array: Any, start: int = 0, *, call: Callable[..., Any] = lambda f, *args: f(*args)
    ) -> None:
        self._array = array
        self._call = call
        self._chunk_frames = array.chunks[0]
        self._buffer = np.empty(array.chunks, array.dtype)
        self._held = 0
        self._next = start

    def append(self, block: NDArray[Any]) -> list[str]:
        """Write whole chunks, and hold what begins the next; which chunks were written."""
        written = []
        while len(block):
            taken = min(len(block), self._chunk_frames - self._held)
            if taken == self._chunk_frames:
                written += self._write(block[:taken])
            else:
                self._buffer[self._held : self._held + taken] = block[:taken]
                self._held += taken
                if self._held == self._chunk_frames:
                    written += self.flush()
            block = block[taken:]
        return written

    def flush(self) -> list[str]:
        """Write what is held."""
        held, self._held = self._held, 0
        return self._write(self._buffer[:held])

    def _write(self, frames: NDArray[Any]) -> list[str]:
        if not len(frames):
            return []
        place = slice(self._next, self._next + len(frames))
        self._call(self._array.__setitem__, place, frames)
        key = self._array.metadata.encode_chunk_key((self._next // self._chunk_frames, 0, 0))
        self._next += len(frames)
        return [key]


class ZarrSink(Sink):
    """Writes a Zarr 3 array in chunks of whole frames."""

    def __init__(self, path: Path, layout: Layout) -> None:
        self._call = Unbroken()
        array = self._call(
            new_array, path, layout.shape, layout.dtype, layout.metadata, layout.compression
        )
        self._chunks = WholeChunks(array, call=self._call)
        self._path = path
        self._finished: list[Path] = []

    def append(self, block: NDArray[Any]) -> None:
        for key in self._chunks.append(block):
            chunk = self._path / key
            self._finished += [chunk, *chunk.parents[:2]]  # its folders c/0 and c/0/0 hold no other

    def close(self) -> None:
        try:
            self._chunks.flush()
        finally:
            self._call.end()

    def finished_files(self) -> list[Path]:
        finished, self._finished = self._finished, []
        return finished

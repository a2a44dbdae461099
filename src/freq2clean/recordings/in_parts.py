"""A Zarr recording that many processes write at once, each some whole chunks: all of it or nothing.

On a disk it grows under a hidden name and is renamed at the end. An object store knows no renaming:
chunks are put where they belong, and what makes an array of them, ``zarr.json``, is put there last.
"""

from __future__ import annotations

import json
import os
import shutil
import uuid
import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from freq2clean.errors import OutputError
from freq2clean.recordings.casting import cast
from freq2clean.recordings.contract import Metadata, Writer
from freq2clean.recordings.flushing import flush
from freq2clean.recordings.swap import put_in_place
from freq2clean.recordings.urls import file_system, is_url, store_at
from freq2clean.recordings.zarr import WholeChunks, new_array, to_write

__all__ = ["PartWritten", "ZarrParts", "create_at_url", "in_parts"]

_DESCRIPTION = "zarr.json"


class PartWritten(NamedTuple):
    """The account of a part: its frames, checksums of its first and last one, values clipped."""

    start: int
    stop: int
    checksums: tuple[int, int]
    n_clipped: int


@dataclass(frozen=True)
class ZarrParts:
    """Where the parts go; can be sent to who writes them.

    Parameters
    ----------
    place : str
        Path or URL of the store.
    description : str
        What zarr is to know of the array, as JSON.
    """

    place: str
    description: str

    @cached_property
    def array(self) -> Any:
        """The array, also where its description is not in the store yet."""
        from zarr.core.metadata import ArrayV3Metadata
        from zarr.storage import LocalStore, StorePath

        is_remote = is_url(self.place)
        store = store_at(self.place, read_only=False) if is_remote else LocalStore(self.place)
        metadata = ArrayV3Metadata.from_dict(json.loads(self.description))
        return to_write(metadata, StorePath(store))

    def __reduce__(self) -> tuple[type[ZarrParts], tuple[str, str]]:
        """What is sent: who writes opens the store anew."""
        return ZarrParts, (self.place, self.description)

    @property
    def chunk_frames(self) -> int:
        """Parts begin at multiples of it."""
        return int(self.array.chunks[0])

    def write(self, start: int, blocks: Iterable[NDArray[Any]]) -> PartWritten:
        """Write a part: frames ``start`` onward, in blocks (n, Y, X), cast to the array's dtype.

        Writing a part again, after having been stopped in the middle, does no harm.
        """
        chunks = WholeChunks(self.array, start, call=self._if_wanted)
        stop, n_clipped, first, last = start, 0, None, None
        for block in blocks:
            values, clipped = cast(block, self.array.dtype)
            self._flush(chunks.append(values))
            first = _checksum(values[0]) if first is None else first
            last = _checksum(values[-1])
            stop, n_clipped = stop + len(values), n_clipped + clipped
        self._flush(chunks.flush())
        return PartWritten(start, stop, (first or 0, last or 0), n_clipped)

    def _if_wanted(self, write: Callable[..., Any], *args: Any) -> None:
        """Write nothing into a store that was given up: that would bring it back."""
        if not is_url(self.place) and not Path(self.place).is_dir():
            raise OutputError(f"{self.place} was removed: the job was stopped")
        write(*args)

    def _flush(self, keys: list[str]) -> None:
        """Have chunks on the disk."""
        if not is_url(self.place):
            for key in keys:
                flush(Path(self.place, key))

    def check(self, parts: Iterable[PartWritten]) -> None:
        """Refuse what is not whole."""
        in_order = sorted(parts)
        edges = [0, *(part.stop for part in in_order)]
        if [part.start for part in in_order] != edges[:-1] or edges[-1] != self.array.shape[0]:
            raise OutputError(f"not all of the {self.array.shape[0]} frames were written")
        n_chunks = self.array.nchunks_initialized
        if n_chunks != self.array.nchunks:
            raise OutputError(f"{n_chunks} of {self.array.nchunks} chunks are there")
        for frame, expected in ((0, in_order[0].checksums[0]), (-1, in_order[-1].checksums[1])):
            if _checksum(self.array[frame]) != expected:
                raise OutputError("what was written differs from what was appended")


class _Place(ABC):
    """Where a store grows, and how it comes to be what others see."""

    name: str

    @abstractmethod
    def finish(self, description: str) -> None:
        """All parts are there."""

    @abstractmethod
    def remove(self) -> None:
        """Remove what is not finished."""


class _Hidden(_Place):
    """A folder beside the target."""

    def __init__(self, path: str | Path) -> None:
        self._target = Path(os.path.realpath(path))
        self._path = self._target.with_name(f".{self._target.name}.{uuid.uuid4().hex[:12]}.partial")
        self.name = str(self._path)
        self._path.mkdir()

    def finish(self, description: str) -> None:
        for stray in self._path.rglob("*.partial"):  # of writers that were killed
            stray.unlink()
        (self._path / _DESCRIPTION).write_text(description, encoding="utf-8")
        for file in self._path.rglob("*"):
            if file.is_dir() or file.name == _DESCRIPTION:
                flush(file)
        put_in_place(self._path, self._target)

    def remove(self) -> None:
        shutil.rmtree(self._path, ignore_errors=True)


class _AtUrl(_Place):
    """An object store, or whatever fsspec knows."""

    def __init__(self, url: str) -> None:
        self.name = url.rstrip("/")
        self._finished = False

    def finish(self, description: str) -> None:
        fs, path = file_system(self.name)
        fs.pipe_file(f"{path}/{_DESCRIPTION}", description.encode())
        self._finished = True

    def remove(self) -> None:
        if not self._finished:
            fs, path = file_system(self.name)
            with suppress(FileNotFoundError):
                fs.rm(path, recursive=True)


@contextmanager
def in_parts(
    path: str | Path,
    shape: tuple[int, int, int],
    dtype: np.dtype[Any],
    *,
    metadata: Metadata,
    compression: str | None = None,
) -> Iterator[tuple[ZarrParts, list[PartWritten]]]:
    """Where to write parts, and the list that is to hold the accounts of all of them at the end.

    On leaving the ``with`` block the parts are checked, and take the target's place; on any
    exception they are removed. `check_target` comes before.

    Raises
    ------
    OutputError
        Where frames are missing, or differ from what was written.
    """
    from zarr.storage import MemoryStore

    store = MemoryStore()
    new_array(store, shape, dtype, metadata, compression)
    description = store._store_dict[_DESCRIPTION].to_bytes().decode()
    place = _AtUrl(str(path)) if is_url(path) else _Hidden(path)
    written: list[PartWritten] = []
    try:
        target = ZarrParts(place.name, description)
        yield target, written
        try:
            target.check(written)
            place.finish(description)
        except OutputError as error:
            raise OutputError(f"{path} could not be written: {error}") from error
    finally:
        place.remove()


@contextmanager
def create_at_url(
    url: str,
    shape: tuple[int, int, int],
    dtype: np.dtype[Any],
    *,
    metadata: Metadata,
    compression: str | None,
) -> Iterator[Writer]:
    """The same, written in order; see `freq2clean.recordings.create`."""
    with in_parts(url, shape, dtype, metadata=metadata, compression=compression) as (parts, done):
        writer = _InOrder(parts, url)
        yield writer
        done.append(writer.finish())


class _InOrder(Writer):
    def __init__(self, parts: ZarrParts, name: str) -> None:
        self._chunks = WholeChunks(parts.array)
        self._array = parts.array
        self._name = name
        self._n_frames = 0
        self._checksums: list[int] = []

    def append(self, block: NDArray[Any]) -> None:
        if block.shape[1:] != self._array.shape[1:] or block.dtype != self._array.dtype:
            raise OutputError(
                f"{self._name}: a block of shape {block.shape} {block.dtype} was appended; it "
                f"takes (n, {self._array.shape[1]}, {self._array.shape[2]}) {self._array.dtype}"
            )
        if self._n_frames + len(block) > self._array.shape[0]:
            raise OutputError(f"{self._name}: it has room for {self._array.shape[0]} frames")
        self._chunks.append(block)
        self._n_frames += len(block)
        self._checksums += [_checksum(block[i]) for i in (0, -1)]

    def finish(self) -> PartWritten:
        """The account of all that was appended."""
        self._chunks.flush()
        return PartWritten(0, self._n_frames, (self._checksums[0], self._checksums[-1]), 0)


def _checksum(frame: NDArray[Any]) -> int:
    return zlib.crc32(np.ascontiguousarray(frame).data)

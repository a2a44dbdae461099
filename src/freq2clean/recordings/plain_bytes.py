"""Bytes of files, read at their places: a file that is cut short meanwhile is an error in words.

Nothing stays open between reads.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freq2clean.errors import InputError, reason_of

__all__ = ["read_into", "read_pieces", "read_segments"]


def read_into(path: Path, offset: int, out: NDArray[Any]) -> None:
    """Fill a contiguous array with the bytes of a file from a place on.

    Raises
    ------
    InputError
        Where the file has gone, or has fewer.
    """
    read_pieces(path, [offset], out[None])


def read_pieces(path: Path, offsets: Sequence[int] | NDArray[Any], out: NDArray[Any]) -> None:
    """The same for each item of a contiguous array: those that lie together are read at once."""
    starts = np.asarray(offsets, np.int64)
    piece_bytes = out.nbytes // len(out)
    edges = np.flatnonzero(np.diff(starts) != piece_bytes) + 1
    flat = out.reshape(-1).view(np.uint8)
    with _opened(path) as file:
        for run in np.split(np.arange(len(starts)), edges):
            place = int(run[0]) * piece_bytes
            _fill(file, int(starts[run[0]]), flat[place : place + len(run) * piece_bytes])


def read_segments(path: Path, offsets: Sequence[int], counts: Sequence[int]) -> list[bytes]:
    """Pieces of a file of any length, each as bytes."""
    segments = []
    with _opened(path) as file:
        for offset, count in zip(offsets, counts, strict=True):
            file.seek(offset)
            segments.append(file.read(count))
            _check_whole(count - len(segments[-1]))
    return segments


def _fill(file: FileIO, offset: int, out: NDArray[np.uint8]) -> None:
    file.seek(offset)
    rest = out.data
    while rest:
        n_bytes = file.readinto(rest)
        _check_whole(0 if n_bytes else len(rest))
        rest = rest[n_bytes:]


def _check_whole(n_missing: int) -> None:
    if n_missing:
        raise EOFError(f"it ends {n_missing} bytes before its pixels do")


@contextmanager
def _opened(path: Path) -> Iterator[FileIO]:
    """A file to read from, and errors that say what happened to it."""
    try:
        with path.open("rb", buffering=0) as file:
            yield file
    except FileNotFoundError:
        raise InputError(f"{path} has gone since it was opened") from None
    except (OSError, ValueError, OverflowError, EOFError) as error:
        raise InputError(
            f"{path} cannot be read ({reason_of(error)}); was it changed meanwhile?"
        ) from error

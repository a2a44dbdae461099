"""Recordings over an array that a file holds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, NamedTuple

from numpy.typing import NDArray

from freq2clean.errors import Freq2CleanError, InputError
from freq2clean.recordings.axes import NAMELESS
from freq2clean.recordings.contract import Metadata, Recording
from freq2clean.recordings.memory import ArrayRecording

__all__ = ["StoredArray", "listed", "lone_movie", "opener"]


class StoredArray(NamedTuple):
    """An array in a file: see `ArrayRecording`; ``close`` releases the file, ``notes`` are the
    recording's."""

    array: Any
    name: str
    metadata: Metadata
    axes: str | None = None
    close: Callable[[], None] = lambda: None
    notes: tuple[str, ...] = ()


def opener(find: Callable[[Path, str], StoredArray]) -> Callable[..., Recording]:
    """What opens recordings of a format, from what finds the array ``inside`` one of its files."""

    @wraps(find)
    def open_stored(
        path: Path, inside: str = "", *, channel: int | None = None, plane: int | None = None
    ) -> Recording:
        return _StoredRecording(path, find(path, inside), channel=channel, plane=plane)

    return open_stored


class _StoredRecording(ArrayRecording):
    """Keeps the file of its array open until it is closed."""

    def __init__(self, path: Path, stored: StoredArray, **choice: int | None) -> None:
        array, name, metadata, axes, self._close, self.notes = stored
        try:
            super().__init__(array, name=name, axes=axes, metadata=metadata, **choice)
        except BaseException:
            self._close()
            raise
        self.paths = (path,)

    def _read(self, start: int, stop: int) -> NDArray[Any]:
        try:
            return super()._read(start, stop)
        except (Freq2CleanError, MemoryError):
            raise
        except Exception as error:  # a damaged file may break a library anywhere
            raise InputError(
                f"{self.name}: frames {start}:{stop} cannot be read "
                f"({type(error).__name__}: {error}): the file is damaged"
            ) from error

    def close(self) -> None:
        super().close()
        self._close()
        self._array = None  # and the memory that it keeps


def lone_movie(arrays: Sequence[Any], *, kind: str, name: str, separator: str) -> Any:
    """The one array, of all in a file, that can be a recording.

    Raises
    ------
    InputError
        Where there is none, or several: lists them, and says how to name one.
    """
    movies = [one for one in arrays if one.ndim == 3] or [
        one for one in arrays if one.ndim in NAMELESS
    ]
    if len(movies) == 1:
        return movies[0]
    if not movies:
        raise InputError(f"{name} holds no {kind} of three axes (T, Y, X); it has {listed(arrays)}")
    raise InputError(
        f"{name} holds several {kind}s, {listed(movies)}: say which, as in "
        f"{name}{separator}{movies[0].name}"
    )


def listed(arrays: Sequence[Any]) -> str:
    """The first dozen arrays in words."""
    return ", ".join(f"{one.name} {one.shape} {one.dtype}" for one in arrays[:12]) or "none"

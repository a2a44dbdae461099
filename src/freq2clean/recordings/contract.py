"""What every recording and every writer promises, whatever its format."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from freq2clean.errors import InputError

__all__ = ["Layout", "Metadata", "Recording", "Sink", "Writer"]


@dataclass(frozen=True)
class Metadata:
    """What is known of a recording besides its pixels.

    Parameters
    ----------
    frame_rate_hz : float or None
        Frames per second.
    pixel_size_um : (float, float) or None
        Height and width of a pixel, in micrometres.
    provenance : mapping
        How the recording was made (method, parameters, versions, inputs), JSON-serialisable.
    origin : str or None
        Where a file says more of it than this, which a result of the same format carries over:
        ``file.nwb::/acquisition/Name``.
    """

    frame_rate_hz: float | None = None
    pixel_size_um: tuple[float, float] | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)
    origin: str | None = None


class Recording(ABC):
    """A (T, Y, X) recording, read lazily in ranges of frames.

    Attributes
    ----------
    name : str
        What messages call it, usually its path.
    shape : (int, int, int)
        Frames, rows, columns.
    dtype : numpy.dtype
        In native byte order, also where the file is not.
    metadata : Metadata
    chunk_frames : int
        Frames stored together: reading multiples of it, from multiples of it, is cheapest.
    paths : tuple of Path
        The files and folders it reads, which no target may replace.
    notes : sequence of str
        What a user should know of how it is read, in plain words.
    opened_as : mapping or None
        What its files were when it was opened; see `freq2clean.recordings.changes`.
    """

    name: str
    shape: tuple[int, int, int]
    dtype: np.dtype[Any]
    metadata: Metadata
    chunk_frames: int = 1
    paths: tuple[Path, ...] = ()
    notes: Sequence[str] = ()
    opened_as: Mapping[Path, tuple[int, int, int]] | None = None
    closed: bool = False

    @abstractmethod
    def _read(self, start: int, stop: int) -> NDArray[Any]:
        """Frames ``start`` to ``stop``, a valid and non-empty range."""

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Frames ``start`` to ``stop`` as an array (stop - start, Y, X) of ``dtype``.

        The array may be a read-only view of the file. Thread-safe.
        """
        if self.closed:
            raise InputError(f"{self.name} is closed: open it again to read from it")
        if not 0 <= start <= stop <= self.shape[0]:
            raise InputError(
                f"{self.name}: frames {start}:{stop} asked for; it has frames 0:{self.shape[0]}"
            )
        if start == stop:
            return np.empty((0, *self.shape[1:]), self.dtype)
        return self._read(start, stop)

    @property
    def ndim(self) -> int:
        return 3

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: int | slice) -> NDArray[Any]:
        """Frames by index or slice, as an array would give them."""
        if isinstance(key, slice):
            start, stop, step = key.indices(self.shape[0])
            if step == 1:
                return self.read(start, max(start, stop))
            frames = range(start, stop, step)
            out = np.empty((len(frames), *self.shape[1:]), self.dtype)
            for i, frame in enumerate(frames):
                out[i] = self.read(frame, frame + 1)[0]
            return out
        frame = range(self.shape[0])[key]
        pixels: NDArray[Any] = self.read(frame, frame + 1)[0]
        return pixels

    def close(self) -> None:
        """Release the file. Reading afterwards is an error."""
        self.closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class Writer(ABC):
    """Takes the frames of one recording in order; see `freq2clean.recordings.create`."""

    @abstractmethod
    def append(self, block: NDArray[Any]) -> None:
        """Write the next frames: an array (n, Y, X) of the recording's dtype."""


@dataclass(frozen=True)
class Layout:
    """What a sink is to write.

    Parameters
    ----------
    shape : (int, int, int)
        Frames, rows, columns.
    dtype : numpy.dtype
    metadata : Metadata
    compression : str or None
        One of those of the format.
    inside : str
        Where in the file, for formats that hold several recordings; empty for the usual place.
    """

    shape: tuple[int, int, int]
    dtype: np.dtype[Any]
    metadata: Metadata
    compression: str | None
    inside: str


class Sink(Writer):
    """Where a format's frames go before they are verified: no checks, no atomicity.

    Attributes
    ----------
    inside : str or None
        Where in the file a reader finds the recording, if not where it was asked for.
    """

    inside: str | None = None

    def stored(self, frames: NDArray[Any]) -> NDArray[Any]:
        """What a reader will get of frames: the same, unless the format keeps less."""
        return frames

    @abstractmethod
    def close(self) -> None:
        """Write what is left and release the file."""

    def finished_files(self) -> list[Path]:
        """Of a format with many files, those that were finished since this was last called."""
        return []

"""A Zarr recording that goes on where it was stopped, by whatever: chunks, and a journal of them.

Beside the target stands a hidden folder: the store, and a journal that says what job writes it and
which chunks are on the disk. The journal is replaced in one step, after the chunks that it names
are on the disk. At the end it goes first; a store without a journal is begun anew.
"""

from __future__ import annotations

import json
import os
import shutil
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from freq2clean.errors import InputError, OutputError
from freq2clean.recordings.casting import cast
from freq2clean.recordings.contract import Metadata
from freq2clean.recordings.flushing import flush
from freq2clean.recordings.formats import locate, suffix_of
from freq2clean.recordings.provenance import to_json
from freq2clean.recordings.swap import put_in_place
from freq2clean.recordings.unbroken import Unbroken
from freq2clean.recordings.urls import is_url
from freq2clean.recordings.zarr import WholeChunks, new_array, to_write

__all__ = ["ResumedWriter", "check_resumable", "resumable"]

_STEP_SECONDS = 0.5
_MOST_CHANGES = 8


def check_resumable(path: str | Path | None) -> None:
    """Refuse a target whose frames cannot be told whole after a stop.

    Raises
    ------
    InputError
        Where it is no Zarr array on a disk.
    """
    if path is None or is_url(path) or suffix_of(locate(path)[0]) != ".zarr":
        what = "an array is returned" if path is None else f"{path} is none"
        raise InputError(
            f"only a Zarr target on a disk can be resumed, chunk by chunk, and {what}: "
            "give one, as in fused.zarr, or leave resume away"
        )


@dataclass
class _Journal:
    """What job writes the store, and of each chunk on the disk a checksum and values clipped."""

    job: Mapping[str, Any]
    checksums: list[int] = field(default_factory=list)
    clipped: list[int] = field(default_factory=list)

    @classmethod
    def read(cls, path: Path) -> _Journal | None:
        """The journal that stands there, if one does."""
        try:
            return cls(**json.loads(path.read_text(encoding="utf-8")))
        except (FileNotFoundError, ValueError, TypeError):
            return None

    def write(self, path: Path) -> None:
        """Replace what stands there in one step."""
        new = path.with_suffix(".new")
        new.write_text(json.dumps(asdict(self)), encoding="utf-8")
        flush(new)
        new.replace(path)
        flush(path.parent)

    def cut(self, n_chunks: int) -> None:
        """Forget the chunks from one on."""
        del self.checksums[n_chunks:], self.clipped[n_chunks:]


class _Written(NamedTuple):
    """A chunk whose file was written, which may not be on the disk yet."""

    key: str
    checksum: int
    n_clipped: int


class ResumedWriter:
    """Takes blocks that follow each other, from some frame on, and writes those not yet written.

    Attributes
    ----------
    n_committed : int
        Frames that were on the disk when this writer was made.
    """

    def __init__(self, folder: Path, array: Any, journal: _Journal) -> None:
        self._folder = folder
        self._array = array
        self._journal = journal
        self._chunk_frames = array.chunks[0]
        self._journal.cut(self._n_whole())
        begun = len(journal.checksums) * self._chunk_frames
        self.n_committed = min(begun, array.shape[0])
        self._chunks = WholeChunks(array, begun)
        self._next = self.n_committed
        self._waiting: list[_Written] = []
        self._checksum = self._clipped = 0
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="committer")
        self._committing: Future[None] | None = None
        self._last: NDArray[Any] | None = None
        self._committed_at = time.monotonic()

    @property
    def n_clipped(self) -> int:
        """Values clipped in all frames, once they are finished."""
        return sum(self._journal.clipped)

    def append(self, start: int, block: NDArray[Any]) -> None:
        """Take frames ``start`` onward (n, Y, X): casts them, and writes whole chunks."""
        last_written = self.n_committed - 1
        if start <= last_written < start + len(block):
            self._compare(last_written, block[last_written - start])
        block = block[max(0, self._next - start) :]
        while len(block):
            part = block[: self._chunk_frames - self._next % self._chunk_frames]
            self._append(part)
            block = block[len(part) :]
        if self._committing and self._committing.done():
            self._wait()
        if not self._committing and time.monotonic() - self._committed_at > _STEP_SECONDS:
            waiting, self._waiting = self._waiting, []
            self._committing = self._thread.submit(self.commit, waiting)

    def _append(self, frames: NDArray[Any]) -> None:
        """Frames that lie in one chunk."""
        values, n_clipped = cast(frames, self._array.dtype)
        self._clipped += n_clipped
        self._checksum = zlib.crc32(np.ascontiguousarray(values).data, self._checksum)
        self._next += len(values)
        self._last = values[-1].copy()
        written = self._chunks.append(values)
        if self._next == self._array.shape[0]:
            written += self._chunks.flush()
        for key in written:
            self._waiting.append(_Written(key, self._checksum, self._clipped))
            self._checksum = self._clipped = 0

    def _compare(self, number: int, frame: NDArray[Any]) -> None:
        """That a frame comes out as it did before: if it does not, neither would the others."""
        values, _ = cast(frame[None], self._array.dtype)
        if self._array[number].tobytes() != values[0].tobytes():
            raise OutputError(
                f"frame {number} comes out differently than before the stop, on another kind of "
                f"machine perhaps: remove {self._folder} to begin anew"
            )

    def commit(self, written: Sequence[_Written]) -> None:
        """Have chunks on the disk, then say so in the journal."""
        for chunk in written:
            flush(self._folder / _STORE / chunk.key)
        if written:
            self._journal.checksums += [chunk.checksum for chunk in written]
            self._journal.clipped += [chunk.n_clipped for chunk in written]
            self._journal.write(self._folder / _JOURNAL)
        self._committed_at = time.monotonic()

    def _wait(self) -> None:
        """For what is being committed; raises what went wrong."""
        committing, self._committing = self._committing, None
        if committing:
            committing.result()

    def end(self) -> None:
        """Commit what was written and is not yet committed."""
        try:
            self._wait()
            self.commit(self._waiting)
            self._waiting = []
        finally:
            self._thread.shutdown()

    def finish(self) -> None:
        """Commit the last chunks, and see that all are there."""
        self.end()
        if len(self._journal.checksums) != self._array.nchunks:
            raise OutputError(f"{self._next} of {self._array.shape[0]} frames were written")
        if self._last is not None and self._array[-1].tobytes() != self._last.tobytes():
            raise OutputError("what was written differs from what was appended")
        for file in (self._folder / _STORE).rglob("*"):
            if file.is_dir() or file.name == "zarr.json":
                flush(file)

    @property
    def has_begun(self) -> bool:
        """Whether there is anything to go on from."""
        return bool(self._journal.checksums)

    def _n_whole(self) -> int:
        """The chunks from the first on that hold what the journal says."""
        for number, checksum in enumerate(self._journal.checksums):
            first = number * self._chunk_frames
            try:
                frames = self._array[first : first + self._chunk_frames]
            except Exception:  # of whatever decodes it
                return number
            if zlib.crc32(frames.data) != checksum:
                return number
        return len(self._journal.checksums)


_STORE, _JOURNAL = "store", "journal.json"


@contextmanager
def resumable(
    path: str | Path,
    shape: tuple[int, int, int],
    dtype: np.dtype[Any],
    *,
    metadata: Metadata,
    compression: str | None = None,
    job: Mapping[str, Any],
) -> Iterator[ResumedWriter]:
    """Write a Zarr recording, or go on with one that the same job has begun.

    Where the job is stopped, by an exception or by the system, whole chunks stay in a hidden folder
    beside the target, and the same job goes on from there. `check_target` comes before.

    Parameters
    ----------
    path, shape, dtype, metadata, compression
        As in `freq2clean.recordings.create`.
    job : mapping
        All that the pixels follow from, JSON-serialisable.

    Yields
    ------
    ResumedWriter

    Raises
    ------
    InputError
        Where what stands there was begun by another job: says what differs.
    OutputError
        Where frames are missing, come out differently than before, or cannot be written.
    """
    target = Path(os.path.realpath(locate(path)[0]))
    folder = target.with_name(f".{target.name}.resume")
    job = json.loads(to_json({**job, "output": _described(shape, dtype, compression)}))
    folder.mkdir(exist_ok=True)
    with _alone(folder):
        journal = _Journal.read(folder / _JOURNAL)
        if journal:
            _check_same(journal.job, job, path, folder)
            for stray in (folder / _STORE).rglob("*.partial"):  # of zarr, which was killed
                stray.unlink()
        else:
            journal = _begin(folder, shape, dtype, metadata, compression, job)
        writer = ResumedWriter(folder, _opened(folder / _STORE), journal)
        try:
            yield writer
            writer.finish()
        except BaseException as error:
            with suppress(Exception):
                writer.end()
            if writer.has_begun:
                error.add_note(f"what is done is kept in {folder}: the same with resume goes on")
            else:
                shutil.rmtree(folder, ignore_errors=True)
            raise
        (folder / _JOURNAL).unlink()
        put_in_place(folder / _STORE, target)
        shutil.rmtree(folder, ignore_errors=True)


def _described(
    shape: tuple[int, int, int], dtype: np.dtype[Any], compression: str | None
) -> dict[str, Any]:
    return {"shape": shape, "dtype": dtype.name, "compression": compression}


def _begin(
    folder: Path,
    shape: tuple[int, int, int],
    dtype: np.dtype[Any],
    metadata: Metadata,
    compression: str | None,
    job: Mapping[str, Any],
) -> _Journal:
    store = folder / _STORE
    if store.exists():
        shutil.rmtree(store)
    call = Unbroken()
    try:
        call(new_array, store, shape, dtype, metadata, compression)
    finally:
        call.end()
    journal = _Journal(job)
    journal.write(folder / _JOURNAL)
    return journal


def _opened(store: Path) -> Any:
    import zarr

    try:
        array = zarr.open_array(store, mode="r+")
    except Exception as error:  # zarr raises its own, OSError, ValueError, KeyError by version
        raise OutputError(
            f"{store} cannot be read ({error}): remove {store.parent} to begin anew"
        ) from error
    return to_write(array.metadata, array.store_path)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let no other process work on it; the system forgets a process that was killed."""
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise OutputError(f"{folder} is being written by another process: wait") from error
        yield
    finally:
        os.close(descriptor)


def _check_same(
    before: Mapping[str, Any], now: Mapping[str, Any], path: str | Path, folder: Path
) -> None:
    changes = list(_changes(before, now))
    if changes:
        more = len(changes) - _MOST_CHANGES
        listed = "; ".join(changes[:_MOST_CHANGES]) + (f"; and {more} more" if more > 0 else "")
        raise InputError(
            f"{path} cannot be resumed, for it was begun otherwise: {listed}. Give what it was "
            f"begun with, or remove {folder} to begin anew"
        )


def _changes(before: Any, now: Any, name: str = "") -> Iterator[str]:
    """What differs, in words, value by value."""
    if isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        before, now = (dict(enumerate(values, start=1)) for values in (before, now))
    if isinstance(before, dict) and isinstance(now, dict):
        for key in dict.fromkeys([*before, *now]):
            inside = f"{name} {key}".strip()
            yield from _changes(before.get(key), now.get(key), inside)
    elif before != now:
        yield f"{name} was {before} and is {now}"

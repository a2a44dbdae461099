"""Bring what is written to the disk while more is being written, so that little is left to do."""

from __future__ import annotations

import os
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

__all__ = ["Flusher", "flush"]

_STEP_BYTES = 2**24
_N_THREADS = 2


class Flusher:
    """Flushes a file, or the files of a folder, from threads of its own.

    Parameters
    ----------
    path : Path
        Of the file or folder that is being written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._waiting: list[Path] = []
        self._waiting_bytes = 0
        self._flushed: set[Path] = set()
        self._under_way: list[Future[None]] = []
        self._threads = ThreadPoolExecutor(_N_THREADS, thread_name_prefix="flusher")

    def wrote(self, n_bytes: int, whole_files: Iterable[Path]) -> None:
        """Note what was written; of a folder, which files nobody will write to again.

        Raises what went wrong with what was written before.
        """
        self._waiting_bytes += n_bytes
        self._waiting += whole_files
        done = [job for job in self._under_way if job.done()]
        self._raise_failure(done)
        self._under_way = [job for job in self._under_way if job not in done]
        if self._waiting_bytes >= _STEP_BYTES and len(self._under_way) < _N_THREADS:
            files = self._waiting or [self._path]
            self._under_way.append(self._threads.submit(self._flush_all, files))
            self._waiting, self._waiting_bytes = [], 0

    def finish(self) -> None:
        """Flush what is left, when all is written."""
        self._raise_failure(self._under_way)
        if self._path.is_dir():
            self._flush_all(file for file in self._path.rglob("*") if file not in self._flushed)
        flush(self._path)

    def end(self) -> None:
        """Wait for what is under way, and flush no more."""
        self._threads.shutdown(cancel_futures=True)

    @staticmethod
    def _raise_failure(jobs: Iterable[Future[None]]) -> None:
        for job in jobs:
            job.result()

    def _flush_all(self, files: Iterable[Path]) -> None:
        for file in files:
            flush(file)
            self._flushed.add(file)


def flush(path: Path) -> None:
    """Have a file, or the names in a folder, on the disk before going on."""
    if path.is_dir() and os.name == "nt":
        return
    descriptor = os.open(path, os.O_RDONLY if os.name != "nt" else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

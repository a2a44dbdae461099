"""Whether files are still what they were: no result is made of two states of its inputs."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path

from freq2clean.errors import InputError
from freq2clean.recordings.contract import Recording

__all__ = ["State", "check_unchanged", "state_of"]

State = Mapping[Path, tuple[int, int, int]]
"""Of each file: which one it is, its size, and when it was written."""

_MOST_FILES = 1024
"""Of a folder, so many are looked at: there are file systems that take a millisecond for each."""


def state_of(paths: Iterable[Path]) -> State:
    """The state of files, and of those in folders; to be noted when a recording is opened.

    For what was read then, such as where pixels lie, holds of this state only.
    """
    state = {}
    for path in paths:
        for file in islice(_files(path), _MOST_FILES):
            if file.is_file():
                found = file.stat()
                state[file] = (found.st_ino, found.st_size, found.st_mtime_ns)
    return state


def _files(path: Path) -> Iterator[Path]:
    yield path
    for folder, _, names in os.walk(path):
        yield from (Path(folder, name) for name in names)


def check_unchanged(recording: Recording, state: State) -> None:
    """Refuse to go on where the files of a recording are not what they were.

    Raises
    ------
    InputError
        Names the first file that was written to, replaced or removed.
    """
    now = state_of(recording.paths)
    for file in sorted({*state, *now}):
        if state.get(file) != now.get(file):
            raise InputError(
                f"{file} was changed while it was read, and nothing was written: wait until it is "
                "complete, and start again"
            )

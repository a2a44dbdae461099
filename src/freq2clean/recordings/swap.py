"""Rename over a target in one step, files and directories alike."""

from __future__ import annotations

import ctypes
import os
import shutil
import sys
from contextlib import suppress
from pathlib import Path

from freq2clean.recordings.flushing import flush

__all__ = ["put_in_place", "release_memory"]

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


def put_in_place(temporary: Path, target: Path) -> None:
    """Give a finished file or directory the target's name, and remove what had it."""
    old = None
    if not (temporary.is_dir() and target.exists()):
        temporary.replace(target)
    elif _exchange(temporary, target):
        old = temporary
    else:
        old = _swap_in_two_steps(temporary, target)
    with suppress(OSError):
        flush(target.parent)
    if old:
        shutil.rmtree(old)


def release_memory(path: Path) -> None:
    """Have the system drop what it caches of a file or folder that is about to be replaced.

    The new pages then take that memory, which may be much faster than memory never used.
    """
    if not hasattr(os, "posix_fadvise"):
        return
    for file in filter(Path.is_file, [path, *path.rglob("*")]):
        with suppress(OSError), file.open("rb") as opened:
            os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _exchange(one: Path, other: Path) -> bool:
    """Swap two names in one step where the system can (Linux)."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        rename = ctypes.CDLL(None).renameat2
    except (AttributeError, OSError):
        return False
    names = os.fsencode(one), os.fsencode(other)
    return bool(rename(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE) == 0)


def _swap_in_two_steps(temporary: Path, target: Path) -> Path:
    """Where the old store is now. For a moment none has the target's name; never a partial one."""
    old = temporary.with_suffix(".replaced")
    target.rename(old)
    try:
        temporary.rename(target)
    except BaseException:
        old.rename(target)
        raise
    return old

"""Whole files and folders or none; arrays, and what is to be known of them, in one file."""

from __future__ import annotations

import json
import shutil
import tempfile
import uuid
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freq2clean.errors import InputError, OutputError
from freq2clean.recordings.provenance import to_json

__all__ = ["check_free", "check_parent", "load_npz", "save_npz", "whole_file", "whole_folder"]


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A name to write a small file under, which then replaces ``path``: all of it or nothing."""
    temporary = path.with_name(f".{path.stem}.{uuid.uuid4().hex[:12]}.partial{path.suffix}")
    try:
        yield temporary
        temporary.replace(path)
    except OSError as error:
        raise OutputError(f"{path} could not be written: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)


def check_parent(path: Path, *, name: str | Path | None = None) -> None:
    """Refuse a target whose folder is missing or cannot be written to, before any work is done.

    Parameters
    ----------
    path : Path
    name : str or Path, optional
        What the message calls the target, if not by its path.

    Raises
    ------
    OutputError
    """
    name = name or path
    if not path.parent.is_dir():
        raise OutputError(f"{name}: there is no folder {path.parent}; make it first")
    try:
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise OutputError(f"{name}: cannot write into its folder: {error.strerror}") from error


def check_free(path: Path) -> None:
    """Refuse a folder that cannot be made or has something in it, before any work is done.

    Raises
    ------
    OutputError
    """
    if path.exists() and not path.is_dir():
        raise OutputError(f"{path} is no folder: give the name of a folder")
    if path.exists() and any(path.iterdir()):
        raise OutputError(f"{path} is not empty: choose another folder, or empty it")
    check_parent(path)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """A folder to fill, which then becomes ``path``: all of it or nothing."""
    check_free(path)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}.partial")
    try:
        temporary.mkdir()
        yield temporary
        if path.exists():
            path.rmdir()
        temporary.rename(path)
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(f"{path} could not be written: {error.strerror or error}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def save_npz(
    path: str | Path,
    about: Mapping[str, Any],
    arrays: Mapping[str, NDArray[Any]],
    *,
    compress: bool = False,
) -> None:
    """Write arrays, and what JSON can hold, to an .npz file."""
    save = np.savez_compressed if compress else np.savez
    with whole_file(Path(path)) as file, file.open("wb") as opened:
        save(opened, allow_pickle=False, about=np.array(to_json(about)), **arrays)


def load_npz(path: str | Path, *, what: str) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """What `save_npz` was given.

    Raises
    ------
    InputError
        If the file is none of these: "(path) holds no (what)".
    """
    try:
        with Path(path).open("rb") as opened, np.load(opened, allow_pickle=False) as held:
            arrays = {name: held[name] for name in held.files}
        about = json.loads(str(arrays.pop("about")))
    except (ValueError, KeyError, EOFError, AttributeError, TypeError, zipfile.BadZipFile) as error:
        raise InputError(f"{path} holds no {what}; give one that was saved") from error
    if not isinstance(about, dict):
        raise InputError(f"{path} holds no {what}; give one that was saved")
    return about, arrays

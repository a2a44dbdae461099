"""Replace a small file at once; arrays, and what is to be known of them, in one. No pickles."""

from __future__ import annotations

import json
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

__all__ = ["load_npz", "save_npz", "whole_file"]


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

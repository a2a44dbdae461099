"""Fitted models as .npz files: arrays, and the options as JSON. No pickles."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freq2clean.errors import InputError
from freq2clean.recordings.small_files import whole_file

__all__ = ["load_arrays", "save_arrays"]

_FORMAT = "freq2clean model 1"


def save_arrays(
    path: str | Path, kind: str, about: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]
) -> None:
    """Write arrays, and what JSON can hold, as a model of this kind of denoiser."""
    head = json.dumps({"format": _FORMAT, "denoiser": kind, **about})
    with whole_file(Path(path)) as file, file.open("wb") as opened:
        np.savez(opened, allow_pickle=False, about=np.array(head), **arrays)


def load_arrays(path: Path, kind: str) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """What `save_arrays` was given for a model of this kind.

    Raises
    ------
    InputError
        If the file holds no such model.
    """
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as held:
            arrays = {name: held[name] for name in held.files}
        about = json.loads(str(arrays.pop("about")))
        found = about.pop("format"), about.pop("denoiser")
    except (ValueError, KeyError, EOFError, AttributeError, TypeError, zipfile.BadZipFile) as error:
        raise InputError(f"{path} holds no model of freq2clean; give one that was saved") from error
    if found != (_FORMAT, kind):
        raise InputError(f"{path} holds a model of {found[1]}, and {kind} is asked for; name that")
    return about, arrays

"""Fitted models as .npz files: arrays, and the options as JSON. No pickles."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from freq2clean.errors import InputError
from freq2clean.recordings.small_files import load_npz, save_npz

__all__ = ["load_arrays", "save_arrays"]

_FORMAT = "freq2clean model 1"


def save_arrays(
    path: str | Path, kind: str, about: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]
) -> None:
    """Write arrays, and what JSON can hold, as a model of this kind of denoiser."""
    save_npz(path, {"format": _FORMAT, "denoiser": kind, **about}, arrays)


def load_arrays(path: Path, kind: str) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """What `save_arrays` was given for a model of this kind.

    Raises
    ------
    InputError
        If the file holds no such model.
    """
    about, arrays = load_npz(path, what="model of freq2clean")
    found = about.pop("format", None), about.pop("denoiser", None)
    if found[0] != _FORMAT:
        raise InputError(f"{path} holds no model of freq2clean; give one that was saved")
    if found[1] != kind:
        raise InputError(f"{path} holds a model of {found[1]}, and {kind} is asked for; name that")
    return about, arrays

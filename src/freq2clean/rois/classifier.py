"""Suite2p's classifiers: .npy files that hold a pickle, of which only plain arrays are taken."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np

from freq2clean.errors import InputError

__all__ = ["KEYS", "load_classifier"]

KEYS = ("skew", "npix_norm", "compact")
"""The statistics of an ROI that Suite2p classifies by."""

_ALLOWED = {
    (module, name)
    for package in ("numpy.core", "numpy._core")
    for module, name in (
        (f"{package}.multiarray", "_reconstruct"),
        (f"{package}.multiarray", "scalar"),
        (f"{package}.numeric", "_frombuffer"),
    )
} | {("numpy", "ndarray"), ("numpy", "dtype")}


class _ArraysOnly(pickle.Unpickler):
    """Makes arrays of NumPy, lists and dictionaries, and refuses to call anything else."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("_codecs", "encode"):
            return _latin1
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"it wants to run {module}.{name}")
        return super().find_class(module, name)


def _latin1(text: str, encoding: str) -> bytes:
    """Bytes, as pickles of old hold them."""
    return text.encode("latin1")


def load_classifier(path: str | Path) -> dict[str, Any]:
    """What Suite2p saved as a classifier: "stats" (n, keys), "iscell" (n,), and "keys".

    Raises
    ------
    InputError
        If the file is none, or holds anything that is no plain array.
    """
    if not Path(path).is_file():
        raise InputError(f"{path}: there is no such file; give a classifier that Suite2p saved")
    try:
        with Path(path).open("rb") as file:
            found = _read(file)
        stats = np.asarray(found["stats"], np.float64)
        keys = [str(key) for key in np.ravel(found["keys"])]
        is_cell = np.asarray(found["iscell"]).astype(bool).reshape(-1)
    except (
        AttributeError, EOFError, ImportError, IndexError, KeyError, TypeError, ValueError,
        pickle.UnpicklingError,
    ) as error:  # fmt: skip
        raise InputError(f"{path} is no classifier of Suite2p ({error}); give another") from error
    if stats.shape != (len(is_cell), len(keys)) or not set(KEYS) <= set(keys):
        raise InputError(
            f"{path} has statistics {', '.join(keys)} of shape {stats.shape} for {len(is_cell)} "
            f"ROIs; a classifier of Suite2p needs {', '.join(KEYS)}, one column each"
        )
    if len(set(is_cell.tolist())) < 2:
        raise InputError(f"{path} knows only one kind of ROI; give one with cells and others")
    return {"stats": stats, "iscell": is_cell, "keys": keys}


def _read(file: Any) -> Any:
    """The one object of an .npy file."""
    version = np.lib.format.read_magic(file)
    read_header = (
        np.lib.format.read_array_header_1_0
        if version == (1, 0)
        else np.lib.format.read_array_header_2_0
    )
    shape, _, dtype = read_header(file)
    if shape != () or not dtype.hasobject:
        raise ValueError("it holds an array of numbers")
    return _ArraysOnly(file).load().item()

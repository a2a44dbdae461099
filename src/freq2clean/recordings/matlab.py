"""MATLAB files of version 7.3, which are HDF5. MATLAB's first axis is the last that they store."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from freq2clean.errors import InputError
from freq2clean.recordings.contract import Metadata
from freq2clean.recordings.hdf5 import dataset_of, hdf5_file
from freq2clean.recordings.reordered import Reordered
from freq2clean.recordings.stored import StoredArray, opener

__all__ = ["open_matlab"]

_OLD = b"MATLAB 5.0 MAT-file"
_ORDERS = {3: ("TYX", (0, 2, 1)), 4: ("TQYX", (0, 1, 3, 2))}


@opener
def open_matlab(path: Path, inside: str) -> StoredArray:
    """A variable of a file, in MATLAB's sense: rows, columns, frames."""
    with path.open("rb") as opened:
        if opened.read(len(_OLD)) == _OLD:
            raise InputError(
                f"{path} is a MATLAB file of version 7 or older, of which no part can be read by "
                f"itself: save it in MATLAB as save('{path.name}', '-v7.3')"
            )
    with ExitStack() as stack:
        file = stack.enter_context(hdf5_file(path, kind="MATLAB 7.3"))
        dataset = dataset_of(file, str(path), inside)
        axes, order = _ORDERS.get(dataset.ndim, (None, ()))
        return StoredArray(
            Reordered(dataset, order) if axes else dataset,
            name=f"{path}::{dataset.name}",
            metadata=Metadata(),
            axes=axes,
            close=stack.pop_all().close,
        )

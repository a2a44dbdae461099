"""HDF5 files: ``file.h5::/path``, or the one recording that the file holds."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from freq2clean.errors import InputError
from freq2clean.recordings.contract import Layout, Sink
from freq2clean.recordings.provenance import metadata_from, metadata_items, to_json
from freq2clean.recordings.stored import StoredArray, listed, lone_movie, opener
from freq2clean.recordings.unbroken import Unbroken

__all__ = ["Disk", "Hdf5Sink", "dataset_of", "hdf5_file", "open_hdf5"]

DEFAULT_DATASET = "/recording"


@opener
def open_hdf5(path: Path, inside: str) -> StoredArray:
    """A dataset of an HDF5 file, which stays open until the recording is closed."""
    with ExitStack() as stack:
        file = stack.enter_context(hdf5_file(path))
        dataset = dataset_of(file, str(path), inside)
        return StoredArray(
            dataset,
            name=f"{path}::{dataset.name}",
            metadata=metadata_from({**file.attrs, **dataset.attrs}),
            close=stack.pop_all().close,
        )


def hdf5_file(path: Path, *, kind: str = "HDF5") -> Any:
    """The file, open to be read."""
    import h5py

    try:
        return h5py.File(path, "r")
    except OSError as error:
        raise InputError(f"{path} cannot be read as {kind}: {error}") from None


def dataset_of(file: Any, name: str, inside: str) -> Any:
    """The dataset ``inside`` an open file, or the one that can be a recording."""
    import h5py

    if inside:
        if isinstance(file.get(inside), h5py.Dataset):
            return file[inside]
        raise InputError(f"{name} has no dataset {inside}; it has {listed(_datasets(file))}")
    return lone_movie(_datasets(file), kind="dataset", name=name, separator="::")


def _datasets(file: Any) -> list[Any]:
    import h5py

    found: list[Any] = []
    file.visititems(lambda _, item: found.append(item) if isinstance(item, h5py.Dataset) else None)
    return [one for one in found if one.dtype.kind in "iufcb"]


class Hdf5Sink(Sink):
    """Writes an HDF5 file with one dataset."""

    def __init__(self, path: Path, layout: Layout) -> None:
        self._disk = Disk(path, "w+")
        self._next = 0
        self._call = Unbroken()
        self._call(self._begin, layout)

    def append(self, block: NDArray[Any]) -> None:
        place = slice(self._next, self._next + len(block))
        self._call(self._dataset.__setitem__, place, block)
        self._next += len(block)
        self._disk.raise_failure()

    def close(self) -> None:
        try:
            self._call(self._file.close)
        finally:
            self._call.end()
            self._disk.close()
        self._disk.raise_failure()

    def _begin(self, layout: Layout) -> None:
        import h5py

        # The file format of HDF5 1.8 lifts the limit of 64 kB on an attribute.
        self._file = h5py.File(self._disk, "w", libver=("v108", "latest"))
        name, shape = layout.inside or DEFAULT_DATASET, layout.shape
        chunks = {"chunks": (1, *shape[1:]), "compression": "gzip"} if layout.compression else {}
        self._dataset = self._file.create_dataset(name, shape, layout.dtype, **chunks)
        for key, value in metadata_items(layout.metadata).items():
            self._dataset.attrs[key] = to_json(value) if key == "provenance" else value


class Disk(io.FileIO):
    """A file that keeps its first failure to itself until asked.

    The HDF5 library cannot close a file that it could not write, and crashes at exit.
    """

    failure: OSError | None = None

    def write(self, data: Any) -> int:
        left = memoryview(data).cast("B")
        size = len(left)
        with self._keep_failure():
            while left and self.failure is None:
                left = left[super().write(left) :]
        return size

    def truncate(self, size: int | None = None) -> int:
        with self._keep_failure():
            super().truncate(size)
        return size or 0

    def raise_failure(self) -> None:
        if self.failure is not None:
            raise self.failure

    @contextmanager
    def _keep_failure(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.failure = self.failure or error

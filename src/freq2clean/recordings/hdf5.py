"""HDF5 files: ``file.h5::/path``, or the one recording that the file holds."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freq2clean.errors import InputError
from freq2clean.recordings.axes import NAMELESS
from freq2clean.recordings.contract import Metadata, Recording, Sink
from freq2clean.recordings.memory import ArrayRecording
from freq2clean.recordings.provenance import metadata_from, metadata_items, to_json
from freq2clean.recordings.unbroken import Unbroken

__all__ = ["Hdf5Recording", "Hdf5Sink", "open_hdf5"]

DEFAULT_DATASET = "/recording"


def open_hdf5(
    path: Path, inside: str = "", *, channel: int | None = None, plane: int | None = None
) -> Recording:
    """Recording of an HDF5 dataset."""
    return Hdf5Recording(path, inside, channel=channel, plane=plane)


class Hdf5Recording(ArrayRecording):
    """A recording in an HDF5 dataset, which stays open until it is closed."""

    def __init__(
        self, path: Path, inside: str, *, channel: int | None = None, plane: int | None = None
    ) -> None:
        import h5py

        try:
            self._file = h5py.File(path, "r")
        except OSError as error:
            raise InputError(f"{path} cannot be read as HDF5: {error}") from None
        try:
            dataset = _dataset(self._file, str(path), inside)
            super().__init__(
                dataset,
                name=f"{path}::{dataset.name}",
                channel=channel,
                plane=plane,
                metadata=metadata_from({**self._file.attrs, **dataset.attrs}),
            )
        except BaseException:
            self._file.close()
            raise
        self.paths = (path,)

    def close(self) -> None:
        super().close()
        self._file.close()


def _dataset(file: Any, name: str, inside: str) -> Any:
    import h5py

    if inside:
        if isinstance(file.get(inside), h5py.Dataset):
            return file[inside]
        raise InputError(f"{name} has no dataset {inside}; it has {_listed(_datasets(file))}")
    datasets = _datasets(file)
    movies = [one for one in datasets if one.ndim == 3] or [
        one for one in datasets if one.ndim in NAMELESS
    ]
    if len(movies) == 1:
        return movies[0]
    if not movies:
        raise InputError(
            f"{name} holds no dataset of three axes (T, Y, X); it has {_listed(datasets)}"
        )
    raise InputError(
        f"{name} holds several datasets, {_listed(movies)}: say which, as in "
        f"{name}::{movies[0].name}"
    )


def _datasets(file: Any) -> list[Any]:
    import h5py

    found: list[Any] = []
    file.visititems(lambda _, item: found.append(item) if isinstance(item, h5py.Dataset) else None)
    return [one for one in found if one.dtype.kind in "iufcb"]


def _listed(datasets: list[Any]) -> str:
    return ", ".join(f"{one.name} {one.shape} {one.dtype}" for one in datasets[:12]) or "none"


class Hdf5Sink(Sink):
    """Writes an HDF5 file with one dataset."""

    def __init__(
        self,
        path: Path,
        inside: str,
        shape: tuple[int, int, int],
        dtype: np.dtype[Any],
        metadata: Metadata,
        compression: str | None,
    ) -> None:
        self._disk = _Disk(path, "w+")
        self._next = 0
        self._call = Unbroken()
        self._call(self._begin, inside or DEFAULT_DATASET, shape, dtype, metadata, compression)

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

    def _begin(
        self,
        name: str,
        shape: tuple[int, int, int],
        dtype: np.dtype[Any],
        metadata: Metadata,
        compression: str | None,
    ) -> None:
        import h5py

        # The file format of HDF5 1.8 lifts the limit of 64 kB on an attribute.
        self._file = h5py.File(self._disk, "w", libver=("v108", "latest"))
        layout = {"chunks": (1, *shape[1:]), "compression": "gzip"} if compression else {}
        self._dataset = self._file.create_dataset(name, shape, dtype, **layout)
        for key, value in metadata_items(metadata).items():
            self._dataset.attrs[key] = to_json(value) if key == "provenance" else value


class _Disk(io.FileIO):
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

"""Write a recording beside its target, verify it, then put it in the target's place."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freq2clean.errors import InputError, OutputError, reason_of
from freq2clean.recordings.casting import target_dtype
from freq2clean.recordings.changes import State, check_unchanged, state_of
from freq2clean.recordings.contract import Layout, Metadata, Recording, Sink, Writer
from freq2clean.recordings.flushing import Flusher
from freq2clean.recordings.formats import (
    HDF5,
    NWB,
    OME_ZARR,
    WRITABLE,
    ZARR,
    Format,
    locate,
    suffix_of,
)
from freq2clean.recordings.in_parts import create_at_url
from freq2clean.recordings.nwb_writing import check_nwb_target, is_processed_copy
from freq2clean.recordings.ome_zarr import is_lone_image
from freq2clean.recordings.pixels import pixel_dtype
from freq2clean.recordings.small_files import check_parent
from freq2clean.recordings.swap import put_in_place, release_memory
from freq2clean.recordings.urls import check_url_target, is_url

__all__ = ["check_target", "create", "dtype_to_write", "note_on"]


def check_target(
    path: str | Path, *, inputs: Iterable[Any] = (), compression: str | None = None
) -> None:
    """Refuse a target that cannot or must not be written, before any work is done.

    Parameters
    ----------
    path : str or Path
        Ends in .tif, .tiff, .zarr, .ome.zarr, .h5, .hdf5, .npy, .nwb, .bin or .avi;
        ``file.h5::/path`` names the dataset; a URL ends in .zarr.
    inputs : iterable of str, Path, Recording or array
        What the target must not replace.
    compression : {None, "deflate", "zstd"}
        What it is to be compressed with.

    Raises
    ------
    OutputError
        Where the format is unknown, the folder is missing or not writable, or the target is an
        input, a folder or a file with other contents.
    """
    if is_url(path):
        check_url_target(str(path), compression=compression)
        return
    found = _format_to_write(path, compression)
    target, inside = _target(path)
    for source in inputs:
        for taken in _paths_of(source):
            if _replaces(target, taken):
                raise OutputError(f"{path} is one of the inputs ({taken}): choose another target")
            if taken.is_dir() and taken.resolve() in target.parents:
                raise OutputError(f"{path} lies inside the input {taken}: choose another folder")
    if found is NWB and (recordings := [one for one in inputs if isinstance(one, Recording)]):
        check_nwb_target(str(path), recordings[0].metadata.origin, inside)
    if target.exists():
        _check_replaceable(target, inside, found)
    check_parent(target, name=path)


def dtype_to_write(path: str | Path, name: str, raw_dtype: Any) -> np.dtype[Any]:
    """The dtype that an option names; in a format without real numbers, one of its integers.

    Examples
    --------
    >>> dtype_to_write("fused.tif", "float32", "uint16"), dtype_to_write("a.bin", "float32", "f4")
    (dtype('float32'), dtype('int16'))
    """
    dtype, raw_dtype = target_dtype(name, raw_dtype), np.dtype(raw_dtype)
    held = _format_to_write(path, None).dtypes
    if not held or dtype.kind != "f" or dtype.name in held:
        return dtype
    return raw_dtype if raw_dtype.name in held else np.dtype(held[0])


def note_on(path: str | Path) -> str:
    """What a user should know of the format of a target, in plain words; mostly nothing."""
    return _format_to_write(path, None).note


@contextmanager
def create(
    path: str | Path,
    shape: tuple[int, int, int],
    dtype: Any,
    *,
    metadata: Metadata | None = None,
    compression: str | None = None,
    inputs: Iterable[Any] = (),
) -> Iterator[Writer]:
    """Write a recording atomically, block of frames by block of frames.

    Frames go to a hidden temporary file beside the target. On leaving the ``with`` block it is
    closed, opened again, compared with what was appended, and only then renamed. On any exception
    it is removed, and what stood under the target's name is untouched.

    Parameters
    ----------
    path : str or Path
        Format by suffix: .tif and .tiff (ImageJ-readable where ImageJ knows the dtype and the file
        fits into 4 GB, else BigTIFF where needed), .zarr (version 3), .h5 and .hdf5
        (``file.h5::/path`` names the dataset), .npy; or the URL of a Zarr array to be, as in
        ``s3://bucket/fused.zarr``.
    shape : (int, int, int)
        Frames, rows, columns.
    dtype : dtype-like
    metadata : Metadata, optional
        Kept with the file.
    compression : {None, "deflate", "zstd"}
        TIFF and Zarr know both, HDF5 deflate, .npy none.
    inputs : iterable of str, Path, Recording or array
        What the target must not replace. Files of a Recording must not change meanwhile, either.

    Yields
    ------
    Writer

    Raises
    ------
    OutputError
        Where the target cannot be written, the disk is full, or frames are missing at the end.
    InputError
        Where a file of an input was changed since it was opened.

    Examples
    --------
    >>> import numpy as np, tempfile
    >>> from freq2clean.recordings import create, open_recording
    >>> folder = tempfile.mkdtemp()
    >>> with create(f"{folder}/a.tif", (3, 4, 5), "uint16") as writer:
    ...     writer.append(np.ones((2, 4, 5), "uint16"))
    ...     writer.append(np.ones((1, 4, 5), "uint16"))
    >>> open_recording(f"{folder}/a.tif").shape
    (3, 4, 5)
    """
    check_target(path, inputs=inputs, compression=compression)
    read_from = [(one, _state(one)) for one in inputs if isinstance(one, Recording)]
    frames, height, width = (int(size) for size in shape)
    if min(frames, height, width) < 1:
        raise OutputError(f"{path}: a recording of shape {shape} has no pixels")
    dtype = pixel_dtype(dtype, name=str(path))
    if is_url(path):
        kept = metadata or Metadata()
        with create_at_url(
            str(path), (frames, height, width), dtype, metadata=kept, compression=compression
        ) as at_url:
            yield at_url
            _check_inputs(read_from)
        return
    found = _format_to_write(path, compression)
    if found.dtypes and dtype.name not in found.dtypes:
        raise OutputError(f"{path}: {found.name} holds {', '.join(found.dtypes)}, and no {dtype}")
    target, inside = _target(path)
    if compression is None:
        _check_space(target, frames * height * width * dtype.itemsize)
    layout = Layout((frames, height, width), dtype, metadata or Metadata(), compression, inside)
    temporary = target.with_name(f".{target.name}.{uuid.uuid4().hex[:12]}.partial")
    flusher = Flusher(temporary)
    release_memory(target)
    try:
        with _output_errors(path):
            sink = found.sink(temporary, layout)
        writer = _CheckedWriter(sink, flusher, str(path), layout.shape, dtype)
        try:
            yield writer
        except BaseException:
            with suppress(Exception):
                sink.close()
            raise
        with _output_errors(path):
            sink.close()
        writer.check_complete()
        _check_inputs(read_from)
        with _output_errors(path):
            _verify(found, temporary, inside, writer, sink)
            flusher.finish()
            put_in_place(temporary, target)
    finally:
        flusher.end()
        _remove(temporary)


def _state(source: Recording) -> State:
    return state_of(source.paths) if source.opened_as is None else source.opened_as


def _check_inputs(read_from: Iterable[tuple[Recording, State]]) -> None:
    for source, state in read_from:
        check_unchanged(source, state)


class _CheckedWriter(Writer):
    """Lets only the frames through that were announced, and keeps the first and the last."""

    def __init__(
        self,
        sink: Sink,
        flusher: Flusher,
        name: str,
        shape: tuple[int, int, int],
        dtype: np.dtype[Any],
    ) -> None:
        self.shape = shape
        self.dtype = dtype
        self.first: NDArray[Any] | None = None
        self.last: NDArray[Any] | None = None
        self._sink = sink
        self._flusher = flusher
        self._name = name
        self._written = 0

    def append(self, block: NDArray[Any]) -> None:
        if block.ndim != 3 or block.shape[1:] != self.shape[1:] or block.dtype != self.dtype:
            raise InputError(
                f"{self._name}: a block of shape {block.shape} {block.dtype} was appended; it "
                f"takes (n, {self.shape[1]}, {self.shape[2]}) {self.dtype}"
            )
        if self._written + len(block) > self.shape[0]:
            raise OutputError(
                f"{self._name}: {self._written + len(block)} frames were appended; it has room "
                f"for {self.shape[0]}"
            )
        if not len(block):
            return
        with _output_errors(self._name):
            self._sink.append(block)
            self._flusher.wrote(block.nbytes, self._sink.finished_files())
        if self.first is None:
            self.first = block[0].copy()
        self.last = block[-1].copy()
        self._written += len(block)

    def check_complete(self) -> None:
        if self._written != self.shape[0]:
            raise OutputError(
                f"{self._name}: {self._written} of {self.shape[0]} frames were written; "
                "nothing was kept"
            )


def _verify(found: Format, file: Path, inside: str, writer: _CheckedWriter, sink: Sink) -> None:
    with found.open(file, inside if sink.inside is None else sink.inside) as written:
        same = written.shape == writer.shape
        for index, frame in ((0, writer.first), (-1, writer.last)):
            same = same and frame is not None and _equal(written[index], sink.stored(frame))
    if not same:
        raise OutputError("what was written differs from what was appended: the disk is at fault")


def _equal(frame: NDArray[Any], expected: NDArray[Any]) -> bool:
    return frame.dtype == expected.dtype and frame.tobytes() == expected.tobytes()


def _format_to_write(path: str | Path, compression: str | None) -> Format:
    file, inside = locate(path)
    found = WRITABLE.get(suffix_of(file))
    if found is None:
        raise OutputError(
            f"{path}: unknown format {suffix_of(file)!r}; known are {', '.join(WRITABLE)}"
        )
    if inside and (not found.inside or found in (ZARR, OME_ZARR)):
        raise OutputError(f"{path}: {found.name} targets have no path inside; drop {inside!r}")
    if compression is not None and compression not in found.compressions:
        known = " or ".join(found.compressions) or "no compression"
        raise OutputError(f"{path}: compression {compression!r}; {file.suffix} knows {known}")
    return found


def _target(path: str | Path) -> tuple[Path, str]:
    """The file itself, beyond symbolic links, so that a rename replaces it and not a link."""
    file, inside = locate(path)
    return Path(os.path.realpath(file)), inside


def _paths_of(source: Any) -> tuple[Path, ...]:
    if isinstance(source, Recording):
        return source.paths
    if isinstance(source, str | Path):
        file, _ = locate(source)
        return (file, *(Path(match) for match in _matches(file)))
    filename = getattr(source, "filename", None)  # a numpy.memmap
    return (Path(filename),) if isinstance(filename, str | Path) else ()


def _matches(file: Path) -> Iterable[Path]:
    """The files of a folder or a glob."""
    if file.is_dir():
        return file.iterdir()
    try:
        return [] if file.exists() else file.parent.glob(file.name)
    except (NotImplementedError, ValueError):
        return []


def _replaces(target: Path, taken: Path) -> bool:
    """Whether a rename over the target would take an input away."""
    if not (target.exists() and taken.exists()):
        return False
    return target.samefile(taken) or target in taken.resolve().parents


def _check_replaceable(target: Path, inside: str, found: Format) -> None:
    if found in (ZARR, OME_ZARR):
        is_lone = _is_zarr_array if found is ZARR else is_lone_image
        if not target.is_dir() or not is_lone(target):
            kind = "Zarr array" if found is ZARR else "OME-Zarr image"
            raise OutputError(
                f"{target} stands there and is no single {kind}: choose another target"
            )
        return
    if target.is_dir():
        raise OutputError(f"{target} is a folder: give the name of a file")
    if not target.is_file():
        raise OutputError(f"{target} is no ordinary file: choose another target")
    if not os.access(target, os.W_OK):
        raise OutputError(f"{target} is write-protected: choose another target or unprotect it")
    if found is NWB and not is_processed_copy(target):
        raise OutputError(f"{target} stands there, and freq2clean did not write it: choose another")
    if found is HDF5 and (others := _other_datasets(target, inside)):
        raise OutputError(
            f"{target} also holds {', '.join(others[:8])}, and files are replaced as a whole: "
            "choose another file"
        )


def _is_zarr_array(store: Path) -> bool:
    import zarr

    try:
        return isinstance(zarr.open(store, mode="r"), zarr.Array)
    except Exception:  # damaged in whatever way: not ours to replace
        return False


def _other_datasets(file: Path, inside: str) -> list[str]:
    import h5py

    from freq2clean.recordings.hdf5 import DEFAULT_DATASET

    names: list[str] = []
    with suppress(OSError), h5py.File(file, "r") as held:
        held.visititems(
            lambda _, item: names.append(item.name) if isinstance(item, h5py.Dataset) else None
        )
    own = "/" + (inside or DEFAULT_DATASET).strip("/")
    return [name for name in names if name != own]


def _check_space(target: Path, needed: int) -> None:
    free = shutil.disk_usage(target.parent).free
    if needed > free:
        raise OutputError(
            f"{target}: it needs {needed / 1e9:.2f} GB, and {target.parent} has "
            f"{free / 1e9:.2f} GB free: make room or choose another disk"
        )


@contextmanager
def _output_errors(path: str | Path) -> Iterator[None]:
    """An error of the disk, however a library wraps it, as one of the target."""
    try:
        yield
    except OutputError:
        raise
    except (OSError, RuntimeError, InputError) as error:
        reason = getattr(error, "strerror", None) or reason_of(error)
        raise OutputError(f"{path} could not be written: {reason}") from error


def _remove(temporary: Path) -> None:
    if temporary.is_dir():
        shutil.rmtree(temporary, ignore_errors=True)
    else:
        with suppress(OSError):
            temporary.unlink()

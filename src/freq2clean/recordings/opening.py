"""One way in for every recording."""

from __future__ import annotations

import glob
from pathlib import Path
from typing import Any

from freq2clean.errors import Freq2CleanError, InputError, reason_of
from freq2clean.recordings.changes import state_of
from freq2clean.recordings.contract import Recording
from freq2clean.recordings.folder import FolderRecording, is_part, open_folder
from freq2clean.recordings.formats import (
    FORMATS,
    READABLE,
    SUITE2P,
    format_of,
    is_store,
    locate,
    suffix_of,
)
from freq2clean.recordings.memory import ArrayRecording
from freq2clean.recordings.urls import is_url, open_url
from freq2clean.recordings.vendors import VENDORS, open_vendor, vendor_of

__all__ = ["open_recording"]


def open_recording(
    source: Any,
    *,
    channel: int | None = None,
    plane: int | None = None,
    shape: tuple[int, int] | None = None,
) -> Recording:
    """Open a recording to read ranges of its frames.

    Parameters
    ----------
    source : str, Path, array-like or Recording
        A file, its format told by its suffix (docs/formats.md has them all); ``file.h5::/path``
        or ``store.zarr/path`` for an array inside; the URL of a Zarr array (``s3://``, ``gs://``,
        ``https://``); ``scanimage:file.tif`` and the like of makers of microscopes; a folder or
        glob of numbered TIFF files or videos; an array (T, Y, X) with ``shape``,
        ``dtype`` and slicing (NumPy, Zarr, h5py, Dask). A Recording is returned as it is.
    channel, plane : int, optional
        Which channel and plane of a recording of more than three axes.
    shape : (int, int), optional
        Rows and columns of a frame, of a Suite2p binary; ``data.bin::512,796`` says the same.

    Returns
    -------
    Recording
        (T, Y, X), lazily read, in native byte order.

    Raises
    ------
    InputError
        Where there is no such file, it is damaged, or holds no recording.

    Examples
    --------
    >>> import numpy as np
    >>> recording = open_recording(np.arange(24, dtype=np.uint16).reshape(2, 3, 4))
    >>> recording.shape, recording.read(1, 2)[0, 0].tolist()
    ((2, 3, 4), [12, 13, 14, 15])
    """
    if isinstance(source, Recording):
        return source
    choice: dict[str, Any] = {"channel": channel, "plane": plane}
    if not isinstance(source, str | Path):
        if hasattr(source, "shape") and hasattr(source, "dtype"):
            return ArrayRecording(source, **choice)
        raise InputError(
            f"a {type(source).__name__} is no recording: give a path or an array (T, Y, X)"
        )
    if is_url(source):
        return open_url(str(source), **choice)
    recording = _opened(source, shape, choice)
    recording.opened_as = state_of(recording.paths)
    return recording


def _opened(source: str | Path, shape: tuple[int, int] | None, choice: dict[str, Any]) -> Recording:
    """The recording at a path."""
    maker, path = vendor_of(str(source))
    if maker:
        return open_vendor(maker, Path(path), **choice)
    file, inside = locate(source)
    if shape is not None:
        inside = _frame_shape(file, shape)
    if not file.exists():
        return _open_missing(str(source), file, choice)
    found = format_of(file, inside)
    if file.is_dir() and not is_store(file):
        return open_folder(file, **choice)
    if found is None:
        raise InputError(f"{file}: unknown format {suffix_of(file)!r}; known are {_known()}")
    if inside and not found.inside:
        kinds = ", ".join(one.name for one in FORMATS if one.inside)
        raise InputError(f"{source}: only {kinds} files have a path inside; drop {inside!r}")
    if file.is_file() and not file.stat().st_size:
        raise InputError(f"{file} is empty (0 bytes)")
    try:
        return found.open(file, inside, **choice)
    except (Freq2CleanError, MemoryError):
        raise
    except OSError as error:
        raise InputError(f"{file} cannot be opened: {error.strerror or error}") from error
    except Exception as error:  # a damaged file may break a library anywhere
        raise InputError(f"{file} cannot be read as {found.name}: {reason_of(error)}") from error


def _open_missing(source: str, file: Path, choice: dict[str, Any]) -> Recording:
    if not glob.has_magic(source):
        raise InputError(f"{file} does not exist")
    files = [Path(match) for match in glob.glob(source)]
    strange = [match for match in files if not is_part(match)]
    if not files or strange:
        found = f"matches {strange[0]}, which is none" if strange else "matches no file"
        raise InputError(f"{source} {found}: a glob names numbered TIFF files or videos")
    return FolderRecording(files, name=source, **choice)


def _frame_shape(file: Path, shape: tuple[int, int]) -> str:
    if READABLE.get(suffix_of(file)) is not SUITE2P:
        raise InputError(f"{file} says its shape itself: leave shape = {shape} out")
    return ",".join(str(size) for size in shape)


def _known() -> str:
    by_suffix = sorted({*READABLE, *(one.suffix for one in VENDORS.values() if one.suffix)})
    return ", ".join(by_suffix) + " and folders of TIFF files or videos"

"""Recordings in object stores and on web servers: Zarr arrays by their URL, through fsspec."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from freq2clean.errors import Freq2CleanError, InputError, MissingExtraError, OutputError, reason_of
from freq2clean.recordings.contract import Recording
from freq2clean.recordings.formats import suffix_of
from freq2clean.recordings.memory import ArrayRecording
from freq2clean.recordings.zarr import movie_in

__all__ = ["check_url_target", "file_system", "is_url", "open_url", "store_at"]

_URL = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)
_SUFFIX = ".zarr"
_OPTIONS = {"use_listings_cache": False}  # what others write must be seen
_WAITS_S = (0.0, 0.1, 0.5, 2.0, 5.0)
"""Before each attempt to read frames."""
_FINAL = (Freq2CleanError, MemoryError)
"""What another attempt would not mend."""
_COMPRESSIONS = (None, "deflate", "zstd")


def is_url(source: Any) -> bool:
    """Whether a recording is named by a URL rather than a path.

    Examples
    --------
    >>> is_url("s3://bucket/raw.zarr"), is_url("raw.zarr")
    (True, False)
    """
    return isinstance(source, str) and bool(_URL.match(source))


def open_url(url: str, *, channel: int | None = None, plane: int | None = None) -> Recording:
    """The recording that a Zarr array at a URL is, or the one in a group there.

    Credentials and endpoints are those that fsspec finds: in the environment, or in its own files.

    Raises
    ------
    InputError
        Where nothing is there that can be read as Zarr.
    MissingExtraError
        Where the library for this kind of URL is not installed.
    """
    import zarr

    with _library_for(url):
        store = store_at(url, read_only=True)
    try:
        found = movie_in(zarr.open(store, mode="r"), name=lambda array: _joined(url, array.path))
    except InputError:
        raise
    except Exception as error:  # each library and server fails in a way of its own
        raise InputError(
            f"{url} cannot be read as Zarr: {reason_of(error)}. URLs name Zarr arrays; are address "
            "and credentials right?"
        ) from error
    return _RemoteRecording(
        found.array,
        name=found.name,
        axes=found.axes,
        metadata=found.metadata,
        channel=channel,
        plane=plane,
    )


class _RemoteRecording(ArrayRecording):
    """Asks again for what a server did not give."""

    def _read(self, start: int, stop: int) -> NDArray[Any]:
        failure = Exception()
        for wait_s in _WAITS_S:
            time.sleep(wait_s)
            try:
                return self._taken(start, stop)
            except _FINAL:
                raise
            except Exception as error:  # each library and server fails in a way of its own
                failure = error
        raise InputError(
            f"{self.name}: frames {start}:{stop} cannot be read, asked for {len(_WAITS_S)} times: "
            f"{reason_of(failure)}"
        ) from failure


def check_url_target(url: str, *, compression: str | None) -> None:
    """Refuse a URL that cannot be written to, before any work is done.

    Raises
    ------
    OutputError
        Where it does not end in .zarr, something stands there, or nothing can be put there.
    """
    if suffix_of(Path(url.rstrip("/"))) != _SUFFIX:
        raise OutputError(f"{url}: what is written to a URL is Zarr: end it in {_SUFFIX}")
    if url.lower().startswith("http"):
        raise OutputError(f"{url}: a web server takes no files: give an s3:// or gs:// URL")
    if compression not in _COMPRESSIONS:
        raise OutputError(f"{url}: compression {compression!r}; Zarr knows deflate or zstd")
    fs, path = file_system(url)
    try:
        taken = fs.exists(path) or bool(fs.find(path))
    except Exception as error:  # each library fails in a way of its own
        raise OutputError(f"{url} cannot be reached: {reason_of(error)}") from error
    if taken:
        raise OutputError(
            f"{url} stands there already, and an object store replaces nothing in one step: remove "
            "it first, or choose another target"
        )


def file_system(url: str) -> tuple[Any, str]:
    """The file system of a URL, and the path on it."""
    with _library_for(url):
        import fsspec

        fs, path = fsspec.core.url_to_fs(url, **_OPTIONS)
    return fs, path


def store_at(url: str, *, read_only: bool) -> Any:
    """The Zarr store at a URL."""
    from zarr.storage import FsspecStore

    return FsspecStore.from_url(url.rstrip("/"), storage_options=_OPTIONS, read_only=read_only)


@contextmanager
def _library_for(url: str) -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise MissingExtraError(
            f"{url} needs a library that is not installed ({error}): pip install "
            '"freq2clean[cloud]" brings s3:// and https://; gs:// needs gcsfs, az:// adlfs'
        ) from error
    except ValueError as error:
        raise InputError(f"{url}: {error}") from error


def _joined(url: str, inside: str) -> str:
    return "/".join(part for part in (url.rstrip("/"), inside) if part)

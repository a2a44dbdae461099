"""What an archive says of a record: files, sizes, checksums, licence. Nothing in it is trusted."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import urlopen

from freq2clean.errors import InputError

__all__ = ["MANIFEST", "ZENODO", "Record", "RemoteFile", "read_record"]

ZENODO = "https://zenodo.org"
_TIMEOUT_S = 30
_MOST_BYTES = 1 << 22
_MOST_LETTERS = 150
MANIFEST = "files.json"
_CHECKSUM = re.compile(r"md5:[0-9a-f]{32}|sha256:[0-9a-f]{64}")
_HOSTILE = re.compile(r'[/\\:*?"<>|\x00-\x1f\x7f]|^[. -]|[. ]$|^$')


@dataclass(frozen=True)
class RemoteFile:
    """A file of a record.

    Parameters
    ----------
    name : str
        A plain file name.
    n_bytes : int
    checksum : str
        "md5:..." or "sha256:...".
    url : str
    """

    name: str
    n_bytes: int
    checksum: str
    url: str


@dataclass(frozen=True)
class Record:
    """A record of an archive.

    Parameters
    ----------
    files : tuple of RemoteFile
    licence : str or None
        As the archive calls it; None where it says none.
    """

    files: tuple[RemoteFile, ...]
    licence: str | None

    @property
    def n_bytes(self) -> int:
        """Of all files."""
        return sum(file.n_bytes for file in self.files)


def read_record(number: int, *, archive: str | None = None) -> Record:
    """Ask the archive about a record.

    Parameters
    ----------
    number : int
    archive : str, optional
        Address of another archive than Zenodo, with the same REST interface.

    Raises
    ------
    InputError
        Where it cannot be reached, or what it says is not as it should be.
    """
    archive = archive or ZENODO
    url = f"{archive}/api/records/{number}"
    try:
        with urlopen(url, timeout=_TIMEOUT_S) as answer:
            text = answer.read(_MOST_BYTES + 1)
    except HTTPError as error:
        raise InputError(f"{url}: the archive answers {error.code} {error.reason}") from error
    except (OSError, HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise InputError(f"{url} cannot be reached ({reason}); is there a connection?") from error
    try:
        if len(text) > _MOST_BYTES:
            raise ValueError("it is too long")
        return _record(json.loads(text), archive)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(
            f"{url}: what the archive says of this record cannot be used "
            f"({type(error).__name__}: {error})"
        ) from error


def _is_plain(name: str) -> bool:
    """Whether it names a file in whatever folder it is put, and none of ours."""
    return not _HOSTILE.search(name) and len(name) <= _MOST_LETTERS and name != MANIFEST


def _record(said: Any, archive: str) -> Record:
    files = tuple(_file(entry, archive) for entry in said["files"])
    if len({file.name.casefold() for file in files}) < len(files):
        raise ValueError("two files have one name")
    licence = (said.get("metadata") or {}).get("license") or {}
    name = licence.get("id")
    return Record(files, name if isinstance(name, str) else None)


def _file(entry: Any, archive: str) -> RemoteFile:
    name, n_bytes, checksum, url = (
        entry["key"], entry["size"], entry["checksum"], entry["links"]["self"],
    )  # fmt: skip
    if not isinstance(name, str) or not _is_plain(name):
        raise ValueError(f"{name!r} is no plain file name")
    if type(n_bytes) is not int or n_bytes < 0:
        raise ValueError(f"{name} has a size of {n_bytes!r}")
    if not isinstance(checksum, str) or not _CHECKSUM.fullmatch(checksum):
        raise ValueError(f"{name} has a checksum of {checksum!r}")
    if urlsplit(url)[:2] != urlsplit(archive)[:2]:
        raise ValueError(f"{name} is at {url!r}, which is not in this archive")
    return RemoteFile(name, n_bytes, checksum, url)

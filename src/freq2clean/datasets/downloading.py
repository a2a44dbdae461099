"""One file over HTTP: what was cut is gone on with, by this run or the next."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from freq2clean.datasets.archive import RemoteFile
from freq2clean.errors import InputError, OutputError

__all__ = ["Resumed", "download", "part_of"]

_CHUNK_BYTES = 1 << 16
_TIMEOUT_S = (15, 60)
_ATTEMPTS = 4
_WAIT_S = 1.0


def part_of(file: RemoteFile, folder: Path) -> Path:
    """Where the part of a file is that has come by now; its name says of which version."""
    return folder / f".{file.name}.{file.checksum[-12:]}.part"


def download(file: RemoteFile, folder: Path, *, report: Callable[[int], None]) -> Path:
    """Get a file, whole and with the right checksum, or not at all.

    Parameters
    ----------
    file : RemoteFile
    folder : Path
    report : callable
        Called with the bytes that are there.

    Raises
    ------
    InputError
        Where the archive does not give it, or gives something else.
    OutputError
        Where it cannot be written.
    """
    import pooch

    logger = pooch.get_logger()
    level = logger.level
    logger.setLevel("WARNING")
    try:
        path = pooch.retrieve(
            file.url,
            known_hash=file.checksum,
            fname=file.name,
            path=folder,
            downloader=Resumed(file, part_of(file, folder), report),
        )
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"{file.name} came with another checksum than the archive says ({file.checksum}); it "
            "is removed: try once more, and tell the archive if that happens again"
        ) from error
    except OSError as error:
        if isinstance(error, OutputError):
            raise
        raise OutputError(f"{folder / file.name} cannot be written: {error.strerror}") from error
    finally:
        logger.setLevel(level)
    return Path(path)


class Resumed:
    """A downloader for pooch that keeps what has come in a file of its own."""

    def __init__(self, file: RemoteFile, part: Path, report: Callable[[int], None]) -> None:
        self._file, self._part, self._report = file, part, report

    def __call__(self, url: str, output_file: str | Path, _: Any, check_only: bool = False) -> None:
        """Fill the part, then hand it over."""
        from requests import HTTPError, RequestException

        self._part.touch()
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                self._go_on(url)
            except RequestException as error:
                if attempt == _ATTEMPTS:
                    why = str(error) if isinstance(error, HTTPError) else "the connection broke"
                    raise InputError(self._failed(why)) from error
            if self._n_bytes == self._file.n_bytes:
                self._part.replace(output_file)
                return
            time.sleep(_WAIT_S * attempt)
        raise InputError(self._failed("the connection ended too soon"))

    @property
    def _n_bytes(self) -> int:
        return self._part.stat().st_size

    def _go_on(self, url: str) -> None:
        """Ask for what is missing; begin anew where the server only gives the whole."""
        import requests

        had = self._n_bytes
        if had == self._file.n_bytes:
            return
        headers = {"Accept-Encoding": "identity", "Range": f"bytes={had}-"}
        with requests.get(url, headers=headers, stream=True, timeout=_TIMEOUT_S) as answer:
            if 400 <= answer.status_code < 500:
                raise InputError(self._failed(f"{answer.status_code} {answer.reason}"))
            answer.raise_for_status()
            begins = answer.headers.get("Content-Range", "").startswith(f"bytes {had}-")
            if answer.status_code != 206 or not begins:
                had = 0
            self._write(answer, had)

    def _write(self, answer: Any, had: int) -> None:
        with self._part.open("r+b") as file:
            file.truncate(had)
            file.seek(had)
            for chunk in answer.iter_content(_CHUNK_BYTES):
                had += len(chunk)
                if had > self._file.n_bytes:
                    file.truncate(0)
                    raise InputError(
                        self._failed(f"more came than the {self._file.n_bytes} bytes that it has")
                    )
                file.write(chunk)
                self._report(had)

    def _failed(self, why: str) -> str:
        return (
            f"{self._file.name} could not be downloaded ({why}); {self._n_bytes / 1e6:.1f} of "
            f"{self._file.n_bytes / 1e6:.1f} MB are there: the same command goes on from there"
        )

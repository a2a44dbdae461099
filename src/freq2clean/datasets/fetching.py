"""Where recordings lie on this machine, and how they get there."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from freq2clean.datasets.archive import MANIFEST, Record, RemoteFile, read_record
from freq2clean.datasets.downloading import download, part_of
from freq2clean.datasets.registry import Dataset
from freq2clean.errors import InputError, MissingExtraError, OutputError
from freq2clean.recordings.small_files import whole_file

__all__ = ["fetch", "found_files", "home_of"]

Progress = Callable[[int, int], None]

_ROOM_TO_SPARE = 1 << 26


def home_of(dataset: Dataset, folder: str | Path | None = None) -> Path:
    """The folder of a recording: in ``folder``, or in the cache of this machine's user."""
    if folder is None:
        try:
            import pooch
        except ImportError as error:
            raise MissingExtraError(
                'datasets need pooch: pip install "freq2clean[datasets]"'
            ) from error
        folder = pooch.os_cache("freq2clean")
    return Path(folder) / dataset.name


def found_files(dataset: Dataset, home: Path) -> dict[str, Path] | None:
    """The files of a recording by name, if all are there; None otherwise.

    Those of a public one were checked when they came, and have the same size still.
    """
    if dataset.record is None:
        files = {name: home / name for name in dataset.wanted}
        return files if all(path.exists() for path in files.values()) else None
    try:
        sizes = json.loads((home / MANIFEST).read_text(encoding="utf-8"))
        files = {name: home / name for name in sizes}
        whole = all(path.stat().st_size == sizes[name] for name, path in files.items())
    except (OSError, ValueError, TypeError, AttributeError):
        return None
    return files if whole and files else None


def fetch(
    dataset: Dataset,
    *,
    folder: str | Path | None = None,
    archive: str | None = None,
    progress: Progress | None = None,
) -> dict[str, Path]:
    """The files of a recording, downloaded if they are not there yet.

    Parameters
    ----------
    dataset : Dataset
    folder : path, optional
        Where, instead of the cache of this machine's user; in a folder by the recording's name.
    archive : str, optional
        As in `read_record`.
    progress : callable, optional
        Called with bytes done and bytes in all.

    Returns
    -------
    dict
        Paths by name of file.

    Raises
    ------
    InputError
        Where the archive cannot be reached or used, a checksum is wrong, or the recording has no
        public address and was not put where it is looked for.
    OutputError
        Where there is no room, or the folder cannot be written to.
    MissingExtraError
        Without pooch.
    """
    home = home_of(dataset, folder)
    if files := found_files(dataset, home):
        return files
    if dataset.record is None:
        raise InputError(
            f"{dataset.name} has no public address: ask its authors for it, and put it at "
            f"{' and '.join(str(home / name) for name in dataset.wanted)}, a (T, Y, X) TIFF"
        )
    try:
        import pooch  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(
            'downloads need pooch: pip install "freq2clean[datasets]"'
        ) from error
    wanted = _wanted(dataset, read_record(dataset.record, archive=archive))
    _make(home)
    _check_room(wanted, home)
    total = sum(file.n_bytes for file in wanted)
    before = 0
    files = {}
    for file in wanted:

        def report(done: int, before: int = before) -> None:
            if progress:
                progress(before + done, total)

        files[file.name] = download(file, home, report=report)
        before += file.n_bytes
        report(0, before)
    sizes = {file.name: file.n_bytes for file in wanted}
    with whole_file(home / MANIFEST) as path:
        path.write_text(json.dumps(sizes, indent=2) + "\n", encoding="utf-8")
    return files


def _wanted(dataset: Dataset, record: Record) -> list[RemoteFile]:
    """The files that are needed, in order; all of the record, where that is not known."""
    by_name = {file.name: file for file in record.files}
    names = dataset.wanted or list(by_name)
    missing = [name for name in names if name not in by_name]
    if missing or not names:
        raise InputError(
            f"record {dataset.record} of the archive has no file {', '.join(missing)}; it has "
            f"{', '.join(by_name) or 'none'}"
        )
    return [by_name[name] for name in names]


def _make(home: Path) -> None:
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"{home} cannot be made ({error.strerror}); give another folder with --dir"
        ) from error
    if not os.access(home, os.W_OK):
        raise OutputError(f"{home} cannot be written to; give another folder with --dir")


def _check_room(wanted: list[RemoteFile], home: Path) -> None:
    """Refuse to begin what cannot be finished; what has come before counts as there."""
    needed = 0
    for file in wanted:
        if not (home / file.name).exists():
            part = part_of(file, home)
            needed += max(0, file.n_bytes - (part.stat().st_size if part.exists() else 0))
    free = shutil.disk_usage(home).free
    if needed and free < needed + _ROOM_TO_SPARE:
        raise OutputError(
            f"{home}: {needed / 1e6:.1f} MB are needed and {free / 1e6:.1f} MB are free; make "
            "room, or give another folder with --dir"
        )

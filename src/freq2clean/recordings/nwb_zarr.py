"""NWB in Zarr as hdmf-zarr writes it, with the face of an h5py group.

It holds arrays of strings that no other version of zarr opens, so nothing is opened before it is
asked for, and the folders of the store tell what is in it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath
from typing import Any

from freq2clean.errors import InputError

__all__ = ["ZarrGroup"]


class ZarrGroup:
    """A group in a local store."""

    def __init__(self, store: Path, path: str = "") -> None:
        self._store = store
        self._path = PurePosixPath(path.strip("/"))
        self._folder = store / self._path
        self.attrs = _attributes(self._folder)
        links = self.attrs.get("zarr_link", ())
        self._links = {str(one["name"]): str(one["path"]) for one in links}

    def keys(self) -> Iterable[str]:
        held = [one.name for one in self._folder.iterdir() if _is_node(one)]
        return sorted({*held, *self._links})

    def __contains__(self, name: str) -> bool:
        return self._find(name) is not None

    def __getitem__(self, name: str) -> Any:
        path = self._find(name)
        if path is None:
            raise KeyError(name)
        if _is_group(self._store / path):
            return ZarrGroup(self._store, path)
        import zarr

        try:
            return zarr.open_array(self._store / path, mode="r")
        except Exception as error:  # zarr raises its own, OSError, ValueError, TypeError by version
            raise InputError(f"{self._store}: /{path} cannot be read as Zarr: {error}") from error

    def get(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            return None

    def visititems(self, visit: Callable[[str, Any], None]) -> None:
        """Call a function with the name and the group of all groups below; links are not gone."""
        for name in self.keys():
            path = str(self._path / name)
            if name not in self._links and _is_group(self._store / path):
                group = ZarrGroup(self._store, path)
                visit(path, group)
                group.visititems(visit)

    def _find(self, name: str) -> str | None:
        """The path of a member, gone after where it is a link."""
        path = self._links.get(name, str(self._path / name.strip("/"))).strip("/")
        return path if _is_node(self._store / path) else None


def _is_group(folder: Path) -> bool:
    if (folder / "zarr.json").is_file():
        return bool(_json(folder / "zarr.json").get("node_type") == "group")
    return (folder / ".zgroup").is_file()


def _is_node(folder: Path) -> bool:
    return any((folder / mark).is_file() for mark in (".zgroup", ".zarray", "zarr.json"))


def _attributes(folder: Path) -> dict[str, Any]:
    if (folder / "zarr.json").is_file():
        return dict(_json(folder / "zarr.json").get("attributes", {}))
    return _json(folder / ".zattrs") if (folder / ".zattrs").is_file() else {}


def _json(file: Path) -> dict[str, Any]:
    try:
        held = json.loads(file.read_bytes())
    except (OSError, ValueError) as error:
        raise InputError(f"{file} is damaged: {error}") from error
    return held if isinstance(held, dict) else {}

"""Neurodata Without Borders: series of frames in HDF5 or Zarr, and what is known of their optics.

``file.nwb::/acquisition/Name`` is a series, whose axes are those of the standard: frame, x, y.
``file.nwb::/acquisition/Name/data`` is the same array as it is stored: frame, row, column, for
files whose writers did not keep to that.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from freq2clean.errors import InputError
from freq2clean.recordings.contract import Metadata
from freq2clean.recordings.hdf5 import hdf5_file
from freq2clean.recordings.nwb_zarr import ZarrGroup
from freq2clean.recordings.provenance import metadata_from, positive
from freq2clean.recordings.reordered import Reordered
from freq2clean.recordings.stored import StoredArray, opener
from freq2clean.recordings.units import MICROMETRES

__all__ = ["PROVENANCE", "open_nwb", "provenance_of"]

_BY_STANDARD = {3: ("TYX", (0, 2, 1)), 4: ("TZYX", (0, 3, 2, 1))}
_AS_STORED = {3: ("TYX", (0, 1, 2)), 4: ("TZYX", (0, 3, 1, 2))}
_TIMESTAMPS = 1001

PROVENANCE = "Provenance"
"""How the names of notes end that say how freq2clean made a series."""


@opener
def open_nwb(path: Path, inside: str) -> StoredArray:
    """A one- or two-photon series of an NWB file, which stays open until it is closed."""
    with ExitStack() as stack:
        root = _opened(path, stack)
        name, as_stored = _chosen(root, path, inside)
        series = root[name]
        if "external_file" in series:
            raise InputError(_elsewhere(series, f"{path}::/{name}"))
        data = series["data"]
        axes, order = (_AS_STORED if as_stored else _BY_STANDARD).get(data.ndim, (None, ()))
        array = Reordered(data, order) if axes else data
        origin = f"{path}::/{name}" + ("/data" if as_stored else "")
        return StoredArray(
            array,
            name=origin,
            metadata=_metadata(root, name, array.shape[-2:], origin),
            axes=axes,
            close=stack.pop_all().close,
        )


def provenance_of(series: str) -> str:
    """Where in a file it says how a series was made, of those that freq2clean wrote."""
    return f"scratch/{PurePosixPath(series).name}{PROVENANCE}"


def _opened(path: Path, stack: ExitStack) -> Any:
    """The root of the file: a group of h5py, or one with its face."""
    if path.is_dir():
        return ZarrGroup(path)
    return stack.enter_context(hdf5_file(path, kind="NWB"))


def _chosen(root: Any, path: Path, inside: str) -> tuple[str, bool]:
    """The name of a series, and whether its array is wanted as it is stored."""
    names = sorted(_series_names(root))
    listed = ", ".join(f"/{name}" for name in names) or "none"
    wanted = inside.strip("/")
    if not wanted and len(names) == 1:
        return names[0], False
    if not names:
        raise InputError(f"{path} holds no OnePhotonSeries or TwoPhotonSeries")
    if not wanted:
        raise InputError(
            f"{path} holds several series, {listed}: say which, as in {path}::/{names[0]}"
        )
    if wanted in names:
        return wanted, False
    if wanted.removesuffix("/data") in names:
        return wanted.removesuffix("/data"), True
    raise InputError(f"{path} has no series /{wanted}; it has {listed}")


def _series_names(root: Any) -> Iterator[str]:
    """Groups with frames of an imaging plane, also those of extensions."""
    groups: list[tuple[str, Any]] = []
    root.visititems(lambda name, one: groups.append((name, one)) if hasattr(one, "keys") else None)
    for name, group in groups:
        if "imaging_plane" in group and ("data" in group or "external_file" in group):
            yield name


def _elsewhere(series: Any, name: str) -> str:
    """What to say of a series whose frames are in other files."""
    held = np.ravel(series["external_file"][()])
    files = [one.decode() if isinstance(one, bytes) else str(one) for one in held]
    return f"{name} has its frames in other files: open {', '.join(files[:8])} instead"


def _metadata(root: Any, name: str, frame: tuple[int, ...], origin: str) -> Metadata:
    series, made = root[name], root.get(provenance_of(name))
    known = metadata_from(
        {
            "frame_rate_hz": _frame_rate_hz(series),
            "pixel_size_um": _pixel_size_um(series, frame),
            "provenance": None if made is None else made[()],
        }
    )
    return replace(known, origin=origin)


def _frame_rate_hz(series: Any) -> float | None:
    if "starting_time" in series:
        return positive(series["starting_time"].attrs.get("rate"))
    if "timestamps" not in series or series["timestamps"].shape[0] < 2:
        return None
    interval = positive(np.median(np.diff(series["timestamps"][:_TIMESTAMPS])))
    return 1 / interval if interval else None


def _pixel_size_um(series: Any, frame: tuple[int, ...]) -> tuple[float, float] | None:
    """From the grid of the imaging plane, or else from the field of view; both are x, y."""
    plane = series["imaging_plane"]
    if "grid_spacing" in plane:
        unit = MICROMETRES.get(_text(plane["grid_spacing"].attrs.get("unit", "meters")).lower())
        sizes = [positive(size) for size in np.ravel(plane["grid_spacing"][()])[:2]]
    elif "field_of_view" in series:
        unit = MICROMETRES["meters"]
        extent = np.ravel(series["field_of_view"][()])[:2]
        sizes = [positive(size / n) for size, n in zip(extent, reversed(frame), strict=False)]
    else:
        return None
    if unit is None or len(sizes) != 2 or sizes[0] is None or sizes[1] is None:
        return None
    return unit * sizes[1], unit * sizes[0]


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)

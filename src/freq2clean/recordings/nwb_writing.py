"""A copy of an NWB file with a processed series more."""

from __future__ import annotations

import shutil
import warnings
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freq2clean.errors import MissingExtraError, OutputError
from freq2clean.recordings.contract import Layout, Metadata, Sink
from freq2clean.recordings.hdf5 import Disk
from freq2clean.recordings.nwb import PROVENANCE, provenance_of
from freq2clean.recordings.provenance import metadata_items, to_json
from freq2clean.recordings.unbroken import Unbroken

__all__ = ["NwbSink", "check_nwb_target", "is_processed_copy"]

_MODULE = "processing/ophys"
_CARRIED = (
    "unit", "conversion", "offset", "resolution", "field_of_view", "pmt_gain", "scan_line_rate",
    "exposure_time", "binning", "power", "intensity", "device",
)  # fmt: skip
"""What a series says of its pixels that holds for the processed one too."""
_DESCRIPTION = "Frames of {}, processed by freq2clean; /{} says how."
_CHUNK_BYTES = 2**20


def check_nwb_target(name: str, origin: str | None, inside: str) -> None:
    """Refuse an NWB target that nothing can be a copy of, or without the library for it.

    Raises
    ------
    OutputError, MissingExtraError
    """
    if origin is None or not Path(origin.partition("::")[0]).is_file():
        raise OutputError(
            f"{name}: an NWB file is a copy of the raw recording's, which has to be NWB in HDF5; "
            "write another format, such as .h5 or .tif"
        )
    if inside and PurePosixPath("/" + inside.strip("/")).parent != PurePosixPath("/" + _MODULE):
        raise OutputError(f"{name}: processed series are kept in /{_MODULE}; leave {inside} out")
    try:
        import pynwb  # noqa: F401
    except ImportError:
        raise MissingExtraError(
            f'{name}: writing NWB needs pynwb; install it with pip install "freq2clean[nwb]"'
        ) from None


class NwbSink(Sink):
    """Copies the file of the raw recording and adds a series with the same plane and times.

    Its axes are in the order in which those of the raw series were read.
    """

    def __init__(self, path: Path, layout: Layout) -> None:
        inside, origin = layout.inside, layout.metadata.origin
        check_nwb_target(str(path), origin, inside)
        source, _, series = str(origin).partition("::")
        self._rows_first = series.endswith("/data")
        raw = series.strip("/").removesuffix("/data")
        name = PurePosixPath(inside or f"Processed{PurePosixPath(raw).name}").name
        self.inside = f"{_MODULE}/{name}" + ("/data" if self._rows_first else "")
        shutil.copyfile(source, path)
        self._disk = Disk(path, "r+")
        self._next = 0
        self._call = Unbroken()
        self._file: Any = None
        try:
            self._call(self._begin, raw, name, layout)
        except BaseException:
            with suppress(Exception):
                self.close()
            raise

    def append(self, block: NDArray[Any]) -> None:
        place = slice(self._next, self._next + len(block))
        pixels = block if self._rows_first else block.swapaxes(1, 2)
        self._call(self._dataset.__setitem__, place, np.ascontiguousarray(pixels))
        self._next += len(block)
        self._disk.raise_failure()

    def close(self) -> None:
        try:
            if self._file:
                self._call(self._file.close)
        finally:
            self._call.end()
            self._disk.close()
        self._disk.raise_failure()

    def _begin(self, raw: str, name: str, layout: Layout) -> None:
        import h5py
        from pynwb import NWBHDF5IO, H5DataIO

        n_frames, height, width = layout.shape
        stored = (height, width) if self._rows_first else (width, height)
        held = max(1, min(n_frames, _CHUNK_BYTES // (height * width * layout.dtype.itemsize)))
        data = H5DataIO(
            shape=(n_frames, *stored),
            dtype=layout.dtype,
            chunks=(held, *stored),
            compression="gzip" if layout.compression else None,
        )
        self._file = h5py.File(self._disk, "r+")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a file that was valid enough for its user
            io = NWBHDF5IO(file=self._file, mode="a")
            nwb = io.read()
            self._add(nwb, _by_path(nwb, raw), name, data, n_frames, layout.metadata)
            io.write(nwb)
        self._dataset = self._file[f"{_MODULE}/{name}/data"]

    def _add(
        self, nwb: Any, raw: Any, name: str, data: Any, n_frames: int, metadata: Metadata
    ) -> None:
        """Put the series, still without frames, and how it was made into a file."""
        from pynwb.ophys import OnePhotonSeries, TwoPhotonSeries

        if raw.data.shape[0] != n_frames:
            raise OutputError(
                f"{n_frames} frames have no times of their own in a file where the raw series has "
                f"{raw.data.shape[0]}: write another format, such as .h5 or .tif"
            )
        module = nwb.processing.get("ophys") or nwb.create_processing_module(
            name="ophys", description="processed imaging data"
        )
        if name in module.data_interfaces:
            raise OutputError(
                f"the file holds a series {name} already: name another, as in "
                f"out.nwb::/{_MODULE}/{name}2"
            )
        kind = OnePhotonSeries if isinstance(raw, OnePhotonSeries) else TwoPhotonSeries
        carried = {one: getattr(raw, one, None) for one in _CARRIED}
        made = provenance_of(name)
        module.add(
            kind(
                name=name,
                data=data,
                imaging_plane=raw.imaging_plane,
                description=_DESCRIPTION.format(raw.name, made),
                **{one: value for one, value in carried.items() if value is not None},
                **_times(raw),
            )
        )
        nwb.add_scratch(
            to_json(metadata_items(metadata).get("provenance", {})),
            name=PurePosixPath(made).name,
            description=f"how freq2clean made /{_MODULE}/{name}, as JSON",
        )


def is_processed_copy(file: Path) -> bool:
    """Whether freq2clean wrote an NWB file, which may then be written anew."""
    import h5py

    try:
        with h5py.File(file, "r") as held:
            return any(name.endswith(PROVENANCE) for name in held.get("scratch", ()))
    except OSError:
        return False


def _by_path(nwb: Any, path: str) -> Any:
    """The series at a path of a file."""
    for one in nwb.objects.values():
        data = getattr(one, "data", None)
        if getattr(data, "name", "") == f"/{path}/data":
            return one
    raise OutputError(f"there is no series /{path} that pynwb knows")


def _times(raw: Any) -> dict[str, Any]:
    """When the frames are, told as the raw series tells it; timestamps are shared with it."""
    if raw.rate is not None:
        return {"rate": raw.rate, "starting_time": raw.starting_time}
    return {"timestamps": raw}

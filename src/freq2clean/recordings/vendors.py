"""Files of microscopes through roiextractors: ``scanimage:file.tif``, ``bruker:folder`` ...

roiextractors is the reader that neuroconv has; it knows what each maker writes.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from freq2clean.errors import InputError, MissingExtraError
from freq2clean.recordings.axes import select
from freq2clean.recordings.contract import Metadata, Recording
from freq2clean.recordings.mat5 import check_mat5
from freq2clean.recordings.pixels import native, pixel_dtype
from freq2clean.recordings.provenance import metadata_from

__all__ = ["VENDORS", "Vendor", "VendorRecording", "open_vendor", "vendor_of"]


class Vendor(NamedTuple):
    """What roiextractors has for the files of a maker.

    Parameters
    ----------
    extractor : str
        Its class.
    source : str
        The name of the class's argument for a path.
    channel : str
        The name of its argument for a channel's name; empty if files have one channel.
    channels : callable
        Of the class and the path: names of the channels.
    suffix : str
        By which files are known without the name of the maker.
    check : callable
        Of the path: refuses what the extractor is not safe to read.
    """

    extractor: str
    source: str = "file_path"
    channel: str = ""
    channels: Callable[[Any, Path], list[str]] = lambda kind, path: []
    suffix: str = ""
    check: Callable[[Path], None] = lambda path: None


def _channel_names(kind: Any, path: Path) -> list[str]:
    return list(kind.get_available_channel_names(path))


VENDORS = {
    "scanimage": Vendor("ScanImageImagingExtractor", "file_path", "channel_name", _channel_names),
    "bruker": Vendor(
        "BrukerTiffSinglePlaneImagingExtractor",
        "folder_path",
        "stream_name",
        lambda kind, path: list(kind.get_streams(path)["channel_streams"]),
    ),
    "thor": Vendor("ThorTiffImagingExtractor", "file_path", "channel_name", _channel_names),
    "scanbox": Vendor(
        "SbxImagingExtractor",
        suffix=".sbx",
        check=lambda path: check_mat5(path.with_suffix(".mat")),
    ),
    "femtonics": Vendor(
        "FemtonicsImagingExtractor",
        "file_path",
        "channel_name",
        lambda kind, path: list(kind.get_available_channels(path)),
        ".mesc",
    ),
    "inscopix": Vendor("InscopixImagingExtractor", suffix=".isxd"),
}
"""By the name that stands before the colon of a path."""


def vendor_of(source: str) -> tuple[str, str]:
    """The maker that a source names, and its path; no maker where it names none."""
    name, colon, path = source.partition(":")
    if colon and name.lower() in VENDORS and not path.startswith("//"):
        return name.lower(), path
    suffix = Path(source).suffix.lower()
    made = [name for name, one in VENDORS.items() if one.suffix and one.suffix == suffix]
    return (made[0] if made else ""), source


def open_vendor(
    maker: str, path: Path, *, channel: int | None = None, plane: int | None = None
) -> Recording:
    """Recording of a maker's file or folder.

    Raises
    ------
    InputError
        Where roiextractors cannot read it, or a channel or plane has to be chosen.
    MissingExtraError
        Where roiextractors is not installed, or lacks a library of the maker's.
    """
    if not path.exists():
        raise InputError(f"{path} does not exist")
    vendor = VENDORS[maker]
    try:
        from roiextractors import extractorlist
    except ImportError:
        raise MissingExtraError(
            f"{path}: files of {maker} need roiextractors; install it with "
            'pip install "freq2clean[vendors]"'
        ) from None
    vendor.check(path)
    kind = getattr(extractorlist, vendor.extractor)
    given: dict[str, Any] = {vendor.source: path}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what it says of its own future
            names = vendor.channels(kind, path)
            if names and (chosen := _chosen(names, channel, path)):
                given[vendor.channel] = chosen
            extractor = kind(**given)
    except ImportError as error:
        raise MissingExtraError(f"{path}: roiextractors lacks a library for it: {error}") from error
    except (InputError, MemoryError):
        raise
    except Exception as error:  # each extractor has its own
        raise InputError(f"{path} cannot be read as a recording of {maker}: {error}") from error
    return VendorRecording(extractor, path, plane=plane, channel=None if names else channel)


class VendorRecording(Recording):
    """A recording that one of roiextractors' imaging extractors reads.

    Parameters
    ----------
    extractor : roiextractors.ImagingExtractor
    path : Path
    channel, plane : int, optional
        Of a volume, the plane.
    """

    def __init__(
        self,
        extractor: Any,
        path: Path,
        *,
        channel: int | None = None,
        plane: int | None = None,
    ) -> None:
        self.name = str(path)
        self.paths = (path,)
        n_frames, frame = int(extractor.get_num_samples()), extractor.get_sample_shape()
        axes, shape = ("TZYX", (n_frames, frame[2], *frame[:2])) if len(frame) == 3 else (
            "TYX", (n_frames, *frame)
        )  # fmt: skip
        index = select(axes, shape, channel=channel, plane=plane, name=self.name)
        self._plane = int(index[1]) if len(frame) == 3 else None  # type: ignore[arg-type]
        self.shape = (n_frames, int(frame[0]), int(frame[1]))
        self.dtype = pixel_dtype(extractor.get_dtype(), name=self.name)
        self.metadata: Metadata = metadata_from(
            {"frame_rate_hz": extractor.get_sampling_frequency()}
        )
        self._extractor = extractor
        self._lock = threading.Lock()

    def _read(self, start: int, stop: int) -> NDArray[Any]:
        with self._lock:
            try:
                frames = np.asarray(self._extractor.get_series(start, stop))
                if self._plane is not None:
                    frames = frames[..., self._plane]
                frames = np.ascontiguousarray(frames, self.dtype)
                frames = frames.reshape(stop - start, *self.shape[1:])
            except Exception as error:  # each extractor has its own
                raise InputError(
                    f"{self.name}: frames {start}:{stop} cannot be read ({error})"
                ) from error
        return native(frames)


def _chosen(names: list[str], channel: int | None, path: Path) -> str:
    if channel is None and len(names) == 1:
        return names[0]
    if channel is None or not 0 <= channel < len(names):
        listed = ", ".join(f"{i} ({name})" for i, name in enumerate(names))
        raise InputError(f"{path} has channels {listed}: choose one with --channel")
    return names[channel]

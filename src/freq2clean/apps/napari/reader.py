"""Recordings for napari: every format that freq2clean reads, frame by frame on demand."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any

from freq2clean.errors import InputError

__all__ = ["get_reader", "layer_of", "read"]

LayerData = tuple[Any, dict[str, Any], str]


def get_reader(path: str | Sequence[str]) -> Callable[[str], list[LayerData]] | None:
    """A function that opens a path, or None where this is not the plugin to open it with.

    Nothing is opened to tell: a file by its suffix, a folder by its being a Zarr store or holding
    TIFF files or videos. Other readers stand beside this one, and napari asks which is to be taken.
    """
    if not isinstance(path, str):
        if len(path) != 1:
            return None
        path = path[0]
    return read if _is_known(path) else None


def read(path: str | Sequence[str]) -> list[LayerData]:
    """A layer for the recording, or one for each of its channels.

    Raises
    ------
    InputError
        Where the file is damaged, or holds no recording.
    """
    path = path if isinstance(path, str) else path[0]
    return [layer_of(source) for source in _sources(path)]


def layer_of(source: dict[str, Any], *, name: str | None = None) -> LayerData:
    """Lazy data, and how to show them: ``source`` is what `open_recording` takes, as a dict."""
    from freq2clean.apps.napari.lazy import LazyFrames
    from freq2clean.recordings import open_recording
    from freq2clean.report.contrast import limits_of

    options = {**source}
    path = options.pop("path")
    recording = open_recording(path, **options)
    frames = LazyFrames(recording, source)
    metadata = recording.metadata
    low, high = limits_of(frames[i] for i in {0, len(frames) // 2, len(frames) - 1})
    shown: dict[str, Any] = {
        "name": name or _title(path, options),
        "contrast_limits": (low, high if high > low else low + 1),
        "metadata": {"frame_rate_hz": metadata.frame_rate_hz, "path": str(path)},
    }
    if metadata.pixel_size_um:
        shown["scale"] = (1, *metadata.pixel_size_um)
        shown["units"] = ("pixel", "um", "um")
    return frames, shown, "image"


def _is_known(path: str) -> bool:
    from freq2clean.recordings.folder import is_part
    from freq2clean.recordings.formats import format_of, locate

    file, _ = locate(path)
    if format_of(file):
        return file.exists()
    return file.is_dir() and any(is_part(inside) for inside in file.iterdir())


def _sources(path: str) -> Iterator[dict[str, Any]]:
    """The recording of a file, or those of its channels where there are several."""
    from freq2clean.recordings import open_recording

    try:
        open_recording(path).close()
    except InputError as error:
        yield from _channels(path, error)
    else:
        yield {"path": path}


def _channels(path: str, error: InputError) -> Iterator[dict[str, Any]]:
    from freq2clean.recordings import open_recording

    for channel in count():
        try:
            open_recording(path, channel=channel).close()
        except InputError:
            if not channel:
                raise error from None
            return
        yield {"path": path, "channel": channel}


def _title(path: str, options: dict[str, Any]) -> str:
    from freq2clean.recordings.formats import suffix_of

    file = Path(path)
    stem = file.name[: len(file.name) - len(suffix_of(file))]
    return ", ".join([stem, *(f"{name} {value}" for name, value in options.items())])

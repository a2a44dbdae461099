"""Recordings that are shown together: what part of them, and how."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freq2clean.errors import InputError
from freq2clean.pipeline.opening import open_one
from freq2clean.recordings import Recording
from freq2clean.report.contrast import PERCENTILES, Limits, check_percentiles, in_words, limits_of
from freq2clean.report.views import Difference, Zoomed
from freq2clean.streaming import blocks, read_ahead

__all__ = ["Scene", "View", "open_scene"]

_SAMPLED_FRAMES = 60
_BLOCK_BYTES = 8 * 2**20
_LARGEST_BLOCK_BYTES = 256 * 2**20
Box = tuple[tuple[int, int], tuple[int, int]]


@dataclass(frozen=True)
class View:
    """What is shown of recordings, and how.

    Parameters
    ----------
    zoom : ((int, int), (int, int)), optional
        First and last row (the last one not included), then columns.
    contrast : "shared", "own", or (float, float)
        Limits from the last recording for all, from each its own, or these, in its units.
    percentiles : (float, float)
        Of the pixels, where limits are taken from them.
    gamma : float
        Exponent of the shades; 1 is none.
    colour_map : str
        Of `freq2clean.report.palette.COLOUR_MAPS`.
    difference : bool
        Show each recording minus the last one, around 0 in the colour map `DIVERGING`.
    magnify : int, optional
        Screen pixels per pixel.
    columns : int, optional
        Panels in a row.
    frame_rate_hz, pixel_size_um : float, optional
        Where the files do not say.
    channel, plane : int, optional
        Of recordings with more than three axes.
    """

    zoom: Box | None = None
    contrast: str | Limits = "shared"
    percentiles: tuple[float, float] = PERCENTILES
    gamma: float = 1.0
    colour_map: str = "grey"
    difference: bool = False
    magnify: int | None = None
    columns: int | None = None
    frame_rate_hz: float | None = None
    pixel_size_um: float | None = None
    channel: int | None = None
    plane: int | None = None

    def __post_init__(self) -> None:
        check_percentiles(self.percentiles)
        for name in ("gamma", "magnify", "columns", "frame_rate_hz", "pixel_size_um"):
            value = getattr(self, name)
            if value is not None and not 0 < value < np.inf:
                raise InputError(f"{name} = {value}; give a number above 0")
        if isinstance(self.contrast, str):
            if self.contrast not in ("shared", "own"):
                raise InputError(
                    f"contrast = {self.contrast!r}; give shared, own, or two limits, low:high"
                )
        elif not self.contrast[0] < self.contrast[1]:
            raise InputError(
                "contrast = {:g}:{:g}; give the lower limit first".format(*self.contrast)
            )


class Scene:
    """Recordings of one frame size, cropped, or the differences between them.

    Attributes
    ----------
    recordings : dict of title to Recording
    shape : (int, int)
        Rows and columns of what is shown.
    n_frames : int
        Of the shortest.
    frame_rate_hz : float or None
    pixel_size_um : (float, float) or None
        Height and width of a pixel: of the view, else of the first recording that says.
    """

    def __init__(self, recordings: Mapping[str, Recording], view: View) -> None:
        _check_sizes(recordings)
        self.view = view
        known = [recording.metadata for recording in recordings.values()]
        rates = (metadata.frame_rate_hz for metadata in known)
        sizes = (metadata.pixel_size_um for metadata in known)
        self.frame_rate_hz = view.frame_rate_hz or next(filter(None, rates), None)
        given = view.pixel_size_um and (view.pixel_size_um, view.pixel_size_um)
        self.pixel_size_um = given or next(filter(None, sizes), None)
        if view.zoom:
            recordings = {title: Zoomed(r, *view.zoom) for title, r in recordings.items()}
        if view.difference:
            recordings = _differences(recordings)
        self.recordings = dict(recordings)
        _, *shape = next(iter(recordings.values())).shape
        self.shape = shape[0], shape[1]
        self.n_frames = min(len(recording) for recording in recordings.values())

    def chosen(self, frames: slice | None) -> range:
        """The frames that a slice names, all if None; InputError if one is not there.

        Of recordings that differ in length, ``slice(0, None)`` names the frames of the shortest.
        """
        lengths = {title: len(recording) for title, recording in self.recordings.items()}
        if frames is None:
            if len(set(lengths.values())) > 1:
                said = ", ".join(f"{title} {length}" for title, length in lengths.items())
                raise InputError(
                    f"the recordings differ in their numbers of frames ({said}); say which to "
                    f"show, as in 0:{self.n_frames}"
                )
            return range(self.n_frames)
        start, stop, step = frames.start or 0, frames.stop, frames.step or 1
        stop = self.n_frames if stop is None else stop
        if not 0 <= start < stop <= self.n_frames or step < 1:
            raise InputError(
                f"frames {start}:{stop}:{step} asked for; there are frames 0:{self.n_frames}, and "
                "the step is 1 or more"
            )
        return range(start, stop, step)

    def images(self, frames: range) -> Iterator[tuple[int, list[NDArray[Any]]]]:
        """Each frame's number and its image of each recording, read ahead in bounded memory."""
        recordings = list(self.recordings.values())
        size = _block_frames(recordings)
        step = frames.step
        ranges = (
            [(frame, frame + 1) for frame in frames]
            if step >= size
            else blocks(frames.start, frames[-1] + 1, size // step * step)
        )

        def read(start: int, stop: int) -> list[NDArray[Any]]:
            return [recording.read(start, stop)[::step] for recording in recordings]

        with closing(read_ahead(read, ranges)) as held:
            for (start, _), stacks in held:
                for i, images in enumerate(zip(*stacks, strict=True)):
                    yield start + i * step, list(images)

    def limits(self, frames: range) -> dict[str, Limits]:
        """Of each recording, from a sample of frames spread over the range."""
        sample = frames[:: max(1, len(frames) // _SAMPLED_FRAMES)]
        return self.limits_of(
            {
                title: map(recording.__getitem__, sample)
                for title, recording in self.recordings.items()
            }
        )

    def limits_of(self, images: Mapping[str, Any]) -> dict[str, Limits]:
        """Of the images of each recording, as the view wants them."""
        view = self.view
        if not isinstance(view.contrast, str):
            return dict.fromkeys(images, view.contrast)
        *_, last = images
        own = {
            title: limits_of(images[title], view.percentiles, symmetric=view.difference)
            for title in (images if view.contrast == "own" else [last])
        }
        return {title: own.get(title, own[last]) for title in images}

    def notes(self, limits: Mapping[str, Limits]) -> list[str]:
        """The limits in words for each panel, or for all of them with the first."""
        texts = [in_words(pair) for pair in limits.values()]
        if isinstance(self.view.contrast, str):
            texts[0] += " ({:g}–{:g} %)".format(*self.view.percentiles)
        return texts if self.view.contrast == "own" else [texts[0]] + [""] * (len(texts) - 1)


def open_scene(stack: ExitStack, recordings: Mapping[str, Any], view: View) -> Scene:
    """Open recordings, by title, to be shown together; the stack closes them.

    Raises
    ------
    InputError
        Where their frames differ in size, or hold nothing of what is to be shown.
    """
    if not recordings:
        raise InputError("no recording to show; give one or more")
    opened = {
        title: open_one(stack, source, channel=view.channel, plane=view.plane)
        for title, source in recordings.items()
    }
    return Scene(opened, view)


def _differences(recordings: Mapping[str, Recording]) -> dict[str, Recording]:
    if len(recordings) < 2:
        raise InputError("a difference is between recordings; give two or more")
    *others, last = recordings
    return {
        f"{title} − {last}": Difference(recordings[title], recordings[last]) for title in others
    }


def _check_sizes(recordings: Mapping[str, Recording]) -> None:
    first, *others = recordings.values()
    for other in others:
        if other.shape[1:] != first.shape[1:]:
            raise InputError(
                f"the frames of {first.name} are {first.shape[1]} x {first.shape[2]} pixels and "
                f"those of {other.name} {other.shape[1]} x {other.shape[2]}; they must be equal"
            )


def _block_frames(recordings: list[Recording]) -> int:
    """Frames to read at once: whole stored chunks, unless they are enormous."""
    height, width = recordings[0].shape[1:]
    frame_bytes = 4 * height * width * len(recordings)
    chunk = max(recording.chunk_frames for recording in recordings)
    chunk = max(1, min(chunk, _LARGEST_BLOCK_BYTES // frame_bytes))
    return max(1, _BLOCK_BYTES // frame_bytes // chunk) * chunk

"""A short movie of a part of the field, small enough to stand in the page."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freq2clean.errors import MissingExtraError, OutputError
from freq2clean.fusion.scale import Scale
from freq2clean.recordings import Metadata, Recording
from freq2clean.report.contrast import PERCENTILES
from freq2clean.report.encoders import movie_format
from freq2clean.report.html.contents import Movie
from freq2clean.report.html.images import GAMMA
from freq2clean.report.movie import movie
from freq2clean.report.scene import Box, View
from freq2clean.report.views import Zoomed

__all__ = ["Scaled", "frames_around", "short_movie", "window_around"]

MOST_BYTES = 3_500_000
_SIDE_PX = {".mp4": 256, ".gif": 160}
_FRAMES = {".mp4": 180, ".gif": 60}
_KINDS = {".mp4": "video/mp4", ".gif": "image/gif"}
_PANEL_PX = 256
_USUAL_FPS = 15.0
_MOST_FPS = 30.0


class Scaled(Recording):
    """A recording on another scale, float32.

    Examples
    --------
    >>> from freq2clean.recordings import open_recording
    >>> Scaled(open_recording(np.ones((2, 1, 2))), Scale(3.0, 1.0))[0].tolist()
    [[4.0, 4.0]]
    """

    def __init__(self, source: Recording, scale: Scale) -> None:
        self.name, self.shape = source.name, source.shape
        self.dtype = np.dtype(np.float32)
        self.metadata = Metadata()
        self.chunk_frames, self.paths = source.chunk_frames, source.paths
        self._source, self._scale = source, scale

    def _read(self, start: int, stop: int) -> NDArray[Any]:
        frames: NDArray[Any] = self._scale.apply(self._source.read(start, stop))
        return frames


def short_movie(
    recordings: Mapping[str, Recording], *, frame: int, place: tuple[int, int]
) -> Movie:
    """All recordings side by side, around a frame and a place: MP4 where PyAV is there, else GIF.

    Parameters
    ----------
    recordings : mapping of title to Recording
        On one scale; the last but the truth sets the shades of all.
    frame : int
    place : (int, int)
        Row and column.
    """
    suffix = _suffix()
    first = next(iter(recordings.values()))
    rows, columns = window_around(place, first.shape[1:], _SIDE_PX[suffix])
    shown = {title: Zoomed(recording, rows, columns) for title, recording in recordings.items()}
    n_frames = min(len(first), _FRAMES[suffix])
    rate = first.metadata.frame_rate_hz
    fps = min(rate or _USUAL_FPS, _MOST_FPS)
    longest = max(end - start for start, end in (rows, columns))
    view = View(gamma=GAMMA, frame_rate_hz=rate, magnify=max(1, _PANEL_PX // longest))
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"movie{suffix}"
        while True:
            frames = frames_around(frame, len(first), n_frames)
            movie(shown, path, view, frames=frames, fps=fps)
            if path.stat().st_size <= MOST_BYTES or n_frames <= 2:
                break
            n_frames //= 2
        content = path.read_bytes()
    caption = (
        f"Movie: {', '.join(recordings)}, frames {frames.start} to {frames.stop - 1}, rows "
        f"{rows[0]} to {rows[1] - 1}, columns {columns[0]} to {columns[1] - 1}. One grey scale for "
        f"all ({PERCENTILES[0]:g} to {PERCENTILES[1]:g} % of the last), gamma {GAMMA:g}"
    )
    speed = f", {fps / rate:.2g} times as fast as it was recorded" if rate and fps != rate else ""
    return Movie(_KINDS[suffix], content, f"{caption}{speed}.")


def window_around(place: tuple[int, int], shape: tuple[int, ...], side: int) -> Box:
    """Rows and columns, each (first, end), of a square around a place, within the field.

    Examples
    --------
    >>> window_around((2, 50), (40, 60), 20)
    ((0, 20), (40, 60))
    """
    firsts = [
        min(max(at - side // 2, 0), max(size - side, 0))
        for at, size in zip(place, shape, strict=True)
    ]
    rows, columns = ((f, min(f + side, size)) for f, size in zip(firsts, shape, strict=True))
    return rows, columns


def frames_around(frame: int, of: int, n_frames: int) -> slice:
    """So many frames of a recording, around one of them.

    Examples
    --------
    >>> frames_around(8, 10, 4)
    slice(6, 10, None)
    """
    first = min(max(frame - n_frames // 2, 0), of - n_frames)
    return slice(first, first + n_frames)


def _suffix() -> str:
    """Of what can be written here."""
    try:
        movie_format(Path("movie.mp4"))
    except (MissingExtraError, OutputError):
        return ".gif"
    return ".mp4"

"""Recordings side by side, or in turn, as a movie: streamed, whatever their length."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, closing
from itertools import chain, islice, repeat
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from freq2clean.errors import InputError
from freq2clean.recordings.small_files import whole_file
from freq2clean.report.contrast import Limits, shades
from freq2clean.report.drawn import Drawn, check_place, drawn
from freq2clean.report.encoders import movie_format
from freq2clean.report.palette import DIVERGING, Palette
from freq2clean.report.panels import Panel, Sheet, in_rows
from freq2clean.report.scene import Scene, View, open_scene

__all__ = ["movie", "pace"]

_DEFAULT = View()
_USUAL_FPS = 15.0
_SMOOTH_FPS = 30.0


def movie(
    recordings: Mapping[str, Any],
    path: str | Path,
    view: View = _DEFAULT,
    *,
    frames: slice | None = None,
    fps: float | None = None,
    speed: float | None = None,
    alternate: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Drawn:
    """Write a movie of one recording, or of several, titled, with a scale bar and a clock.

    Parameters
    ----------
    recordings : mapping of title to path, array-like or Recording
        All of one frame size. Unless the view says otherwise, the last one sets the limits of
        all, so give the reference, such as the truth, last.
    path : str or Path
        Ends in .gif, .mp4 or .webm; what stands there is replaced when the new file is complete.
    view : View
    frames : slice, optional
        All if left out.
    fps : float, optional
        Frames of the movie in a second; as many as were recorded if left out, else 15.
    speed : float, optional
        Seconds of the recording in one of the movie. Frames are left out where a player could not
        keep up. Not together with fps.
    alternate : bool
        One panel that shows the recordings in turn, a second each, from the start again where
        there are fewer frames than that takes.
    progress : callable, optional
        Called with frames done and frames to do.

    Raises
    ------
    InputError, OutputError, MissingExtraError
        Where recordings do not fit together; if the file cannot be written; without PyAV, which
        .mp4 and .webm need.

    Examples
    --------
    >>> import numpy as np
    >>> from tempfile import TemporaryDirectory
    >>> noise = np.random.default_rng(0).random((9, 32, 32))
    >>> with TemporaryDirectory() as folder:
    ...     made = movie({"noise": noise}, f"{folder}/noise.gif", fps=5)
    >>> made.format, made.n_frames, made.fps
    ('gif', 9, 5)
    """
    path = check_place(path)
    kind = movie_format(path)
    name = DIVERGING if view.difference else view.colour_map
    palette = Palette(name, n_shades=kind.n_shades) if kind.n_shades else Palette(name)
    with ExitStack() as stack:
        scene = open_scene(stack, recordings, view)
        chosen, fps = pace(
            scene.chosen(frames), scene.frame_rate_hz, fps=fps, speed=speed, most=kind.most_fps
        )
        limits = scene.limits(chosen)
        sheets = _sheets(scene, limits, alternate=alternate)
        n_frames = max(len(chosen), math.ceil(fps * len(sheets))) if alternate else len(chosen)
        with (
            whole_file(path) as file,
            kind.writing(file, sheets[0].size, fps, palette) as add,
            closing(_repeated(scene, chosen, n_frames)) as shown,
        ):
            for done, (frame, images) in enumerate(shown):
                turn = int(done / fps) % len(sheets)
                indices = [
                    palette.indices(shades(image, pair, gamma=view.gamma))
                    for image, pair in zip(images, limits.values(), strict=True)
                ]
                panels = [indices[turn]] if alternate else indices
                add(sheets[turn].draw(panels, clock=_clock(frame, scene.frame_rate_hz)))
                if progress:
                    progress(done + 1, n_frames)
    return drawn(path, scene, sheets[0], palette, frames=chosen, limits=limits, fps=fps)


def pace(
    frames: range,
    frame_rate_hz: float | None,
    *,
    fps: float | None = None,
    speed: float | None = None,
    most: float,
) -> tuple[range, float]:
    """The frames to show, and how many of them in a second.

    Examples
    --------
    >>> pace(range(900), 30.0, most=60)
    (range(0, 900), 30.0)
    >>> pace(range(900), 30.0, speed=4, most=60)
    (range(0, 900, 4), 30.0)
    >>> pace(range(900), None, most=60)
    (range(0, 900), 15.0)
    """
    if fps is not None and speed is not None:
        raise InputError(f"fps = {fps:g} and speed = {speed:g} are both given; leave one away")
    for name, value in (("fps", fps), ("speed", speed)):
        if value is not None and not 0 < value < math.inf:
            raise InputError(f"{name} = {value:g}; give a number above 0")
    if fps is not None:
        if fps > most:
            raise InputError(
                f"fps = {fps:g}; players keep up with {most:g} at most: give speed, or a step of "
                "frames, to show fewer of them"
            )
        return frames, fps
    if frame_rate_hz is None:
        if speed is not None:
            raise InputError(
                f"speed = {speed:g}, but no recording says its frame rate; give frame_rate_hz "
                "(--frame-rate-hz), or fps instead"
            )
        return frames, _USUAL_FPS
    natural = frame_rate_hz * (speed or 1.0) / frames.step
    every = 1 if natural <= most else math.ceil(natural / _SMOOTH_FPS)
    return frames[::every], natural / every


def _sheets(scene: Scene, limits: Mapping[str, Limits], *, alternate: bool) -> list[Sheet]:
    """One with all recordings, or one of each."""
    notes = scene.notes(limits)
    if alternate:
        if len(limits) < 2:
            raise InputError("one recording cannot alternate; give two or more")
        rows = [
            [[Panel(title, note or notes[0])]] for title, note in zip(limits, notes, strict=True)
        ]
    else:
        panels = [Panel(title, note) for title, note in zip(limits, notes, strict=True)]
        rows = [in_rows(panels, scene.view.columns)]
    return [
        Sheet(
            grid,
            scene.shape,
            magnify=scene.view.magnify,
            pixel_size_um=scene.pixel_size_um,
            clock=True,
        )
        for grid in rows
    ]


def _repeated(
    scene: Scene, frames: range, n_frames: int
) -> Generator[tuple[int, list[NDArray[Any]]]]:
    """So many frames, from the start again after the last."""
    again = chain.from_iterable(scene.images(frames) for _ in repeat(None))
    yield from islice(again, n_frames)


def _clock(frame: int, frame_rate_hz: float | None) -> str:
    if frame_rate_hz is None:
        return f"frame {frame}"
    decimals = 2 if frame_rate_hz >= 10 else 1
    return f"{frame / frame_rate_hz:.{decimals}f} s"

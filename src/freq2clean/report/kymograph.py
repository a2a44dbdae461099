"""Kymographs: what lies along a line, over time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freq2clean.errors import InputError
from freq2clean.report.contrast import Limits
from freq2clean.report.drawn import check_place
from freq2clean.report.figures import new_figure, save_figure, styled
from freq2clean.report.palette import DIVERGING, Palette
from freq2clean.report.scene import Scene, View, open_scene

__all__ = ["Kymograph", "Line", "kymograph"]

_DEFAULT = View()
_MOST_COLUMNS = 1000
Point = tuple[int, int]
Line = tuple[Point, Point] | tuple[int, None] | tuple[None, int]
"""Two pixels (row, column); or a whole row (row, None), or column (None, column)."""


@dataclass(frozen=True)
class Kymograph:
    """What was written.

    Attributes
    ----------
    path : str
    line : ((int, int), (int, int))
        First and last pixel, rows and columns.
    frames : (int, int, int)
        First, end and step.
    n_frames, frames_per_column : int
        How many frames were read, and of how many each column is the mean.
    limits : dict
        Of each recording: the values drawn darkest and brightest.
    """

    path: str
    line: tuple[Point, Point]
    frames: tuple[int, int, int]
    n_frames: int
    frames_per_column: int
    limits: dict[str, Limits]

    def as_dict(self) -> dict[str, Any]:
        """The same, JSON-serialisable."""
        return asdict(self)


@styled
def kymograph(
    recordings: Mapping[str, Any],
    path: str | Path,
    line: Line,
    view: View = _DEFAULT,
    *,
    frames: slice | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Kymograph:
    """Draw the pixels along a line over time, one recording above the other.

    Parameters
    ----------
    recordings : mapping of title to path, array-like or Recording
    path : str or Path
        The PNG to write, 1200 pixels wide.
    line : ((int, int), (int, int)), (int, None) or (None, int)
        From one pixel (row, column) to another, of which the nearest pixels are taken; or a whole
        row, or column.
    view : View
        Its `contrast` as in a movie; there is no zoom.
    frames : slice, optional
        All if left out. Where there are more than 1000, each column is the mean of several.
    progress : callable, optional
        Called with frames read and frames to read.

    Raises
    ------
    InputError, OutputError, MissingExtraError
        Where the line leaves the frame; if the file cannot be written; without matplotlib.
    """
    path = check_place(path)
    palette = Palette(DIVERGING if view.difference else view.colour_map)
    with ExitStack() as stack:
        scene = open_scene(stack, recordings, view)
        chosen = scene.chosen(frames)
        ends = _ends(line, scene.shape)
        rows, columns = _pixels(*ends)
        per_column = -(-len(chosen) // _MOST_COLUMNS)
        lines = np.full((len(scene.recordings), len(rows), len(chosen)), np.nan, np.float32)
        for done, (_, images) in enumerate(scene.images(chosen)):
            for held, image in zip(lines, images, strict=True):
                held[:, done] = image[rows, columns]
            if progress:
                progress(done + 1, len(chosen))
    pictures = dict(zip(scene.recordings, _binned(lines, per_column), strict=True))
    limits = scene.limits_of({title: [picture] for title, picture in pictures.items()})
    _draw(path, scene, pictures, limits, palette, chosen, ends)
    return Kymograph(
        path=str(path),
        line=ends,
        frames=(chosen.start, chosen.stop, chosen.step),
        n_frames=len(chosen),
        frames_per_column=per_column,
        limits=limits,
    )


def _ends(line: Line, shape: tuple[int, int]) -> tuple[Point, Point]:
    first, last = line
    height, width = shape
    if isinstance(first, tuple) and isinstance(last, tuple):
        ends = first, last
    elif isinstance(first, int) and last is None:
        ends = (first, 0), (first, width - 1)
    elif isinstance(last, int) and first is None:
        ends = (0, last), (height - 1, last)
    else:
        raise InputError(f"line = {line!r}; give two pixels, (row, None) or (None, column)")
    for y, x in ends:
        if not (0 <= y < height and 0 <= x < width):
            raise InputError(
                f"a line through pixel {y},{x} asked for; the frames have rows 0:{height} and "
                f"columns 0:{width}"
            )
    return ends


def _pixels(first: Point, last: Point) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows and columns of the pixels nearest to a line, one for each step of its longer side."""
    n = max(abs(last[0] - first[0]), abs(last[1] - first[1])) + 1
    y, x = (np.rint(np.linspace(first[i], last[i], n)).astype(np.intp) for i in range(2))
    return y, x


def _binned(lines: NDArray[np.float32], n: int) -> NDArray[np.float32]:
    """Means of n neighbours on the last axis, fewer at the end, NaN left out."""
    if n == 1:
        return lines
    starts = np.arange(0, lines.shape[-1], n)
    known = np.isfinite(lines)
    totals = np.add.reduceat(np.where(known, lines, 0), starts, axis=-1, dtype=np.float64)
    counts = np.add.reduceat(known, starts, axis=-1, dtype=np.int64)
    with np.errstate(invalid="ignore"):
        means: NDArray[np.float32] = (totals / counts).astype(np.float32)
    return means


def _draw(
    path: Path,
    scene: Scene,
    pictures: Mapping[str, NDArray[np.float32]],
    limits: Mapping[str, Limits],
    palette: Palette,
    frames: range,
    ends: tuple[Point, Point],
) -> None:
    from matplotlib.colors import ListedColormap, Normalize, PowerNorm

    shades = ListedColormap(palette.colours[: palette.n_shades] / 255)
    colours = shades.with_extremes(bad=tuple(palette.missing_colour / 255))
    gamma = scene.view.gamma
    per_second = scene.frame_rate_hz or 1.0
    length, unit = _length(ends, scene.pixel_size_um)
    extent = (frames.start / per_second, frames.stop / per_second, length, 0.0)

    figure = new_figure(12, 1 + 2.2 * len(pictures))
    stacked = figure.subplots(len(pictures), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (title, picture) in zip(stacked, pictures.items(), strict=True):
        low, high = limits[title]
        norm = Normalize(low, high) if gamma == 1 else PowerNorm(gamma, low, high, clip=True)
        image = axes.imshow(
            picture, cmap=colours, norm=norm, extent=extent, aspect="auto", interpolation="none",
        )  # fmt: skip
        axes.set(title=title, ylabel=f"along the line, {unit}")
        if scene.view.contrast == "own":
            figure.colorbar(image, ax=axes)
    if scene.view.contrast != "own":
        figure.colorbar(image, ax=list(stacked), extend="both")
    stacked[-1].set_xlabel("time, s" if scene.frame_rate_hz else "frame")
    save_figure(figure, path)


def _length(
    ends: tuple[Point, Point], pixel_size_um: tuple[float, float] | None
) -> tuple[float, str]:
    """Of the line with both end pixels, and its unit."""
    steps = np.abs(np.subtract(*ends))
    n = int(steps.max()) + 1
    height, width = pixel_size_um or (1.0, 1.0)
    per_step = np.hypot(steps[0] * height, steps[1] * width) / max(n - 1, 1)
    return float(n * per_step) or height, "µm" if pixel_size_um else "pixels"

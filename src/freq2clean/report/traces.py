"""Traces of chosen places: pixels, discs around them, or ROIs of a label image."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from freq2clean.errors import InputError
from freq2clean.report.drawn import check_place
from freq2clean.report.figures import COLOURS, new_figure, save_figure, styled
from freq2clean.report.scene import Scene, View, open_scene

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Traces", "traces"]

_DEFAULT = View()
_MARGIN = 0.35
Point = tuple[int, int]


@dataclass(frozen=True)
class Traces:
    """What was written.

    Attributes
    ----------
    path : str
    places : tuple of (int, int)
        Rows and columns.
    n_pixels : tuple of int
        Of which each trace is the mean.
    frames : (int, int, int)
        First, end and step.
    n_frames : int
    """

    path: str
    places: tuple[Point, ...]
    n_pixels: tuple[int, ...]
    frames: tuple[int, int, int]
    n_frames: int

    def as_dict(self) -> dict[str, Any]:
        """The same, JSON-serialisable."""
        return asdict(self)


@styled
def traces(
    recordings: Mapping[str, Any],
    path: str | Path,
    places: Sequence[Point],
    view: View = _DEFAULT,
    *,
    radius_px: float = 0.0,
    labels: NDArray[np.integer[Any]] | None = None,
    frames: slice | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Traces:
    """Draw the traces of chosen places, of all recordings in one row for each place.

    Parameters
    ----------
    recordings : mapping of title to path, array-like or Recording
    path : str or Path
        The PNG to write, 1200 pixels wide.
    places : sequence of (int, int)
        Rows and columns.
    view : View
        Unless its contrast is "own", the range of the axes is that of the last recording with
        some room, which may cut the noise of others; there is no zoom.
    radius_px : float
        Mean of the pixels that are no farther away; 0 is the pixel alone.
    labels : ndarray (Y, X) of int, optional
        ROIs: mean of the one that a place lies in, instead of a disc.
    frames : slice, optional
        All if left out.
    progress : callable, optional
        Called with frames read and frames to read.

    Raises
    ------
    InputError, OutputError, MissingExtraError
        Where a place is not in the frame, or in no ROI; if the file cannot be written; without
        matplotlib.
    """
    path = check_place(path)
    with ExitStack() as stack:
        scene = open_scene(stack, recordings, view)
        chosen = scene.chosen(frames)
        masks = [_mask(place, scene.shape, radius_px, labels) for place in places]
        values = np.empty((len(scene.recordings), len(masks), len(chosen)))
        for done, (_, images) in enumerate(scene.images(chosen)):
            for held, image in zip(values, images, strict=True):
                held[:, done] = [_mean(image[mask]) for mask in masks]
            if progress:
                progress(done + 1, len(chosen))
    names = [
        f"{'pixel' if labels is None else 'ROI at'} {y},{x}"
        + (f", mean of {len(rows)} pixels" if len(rows) > 1 else "")
        for (y, x), (rows, _) in zip(places, masks, strict=True)
    ]
    _draw(path, scene, dict(zip(names, values.swapaxes(0, 1), strict=True)), chosen)
    return Traces(
        path=str(path),
        places=tuple(places),
        n_pixels=tuple(len(rows) for rows, _ in masks),
        frames=(chosen.start, chosen.stop, chosen.step),
        n_frames=len(chosen),
    )


def _mask(
    place: Point,
    shape: tuple[int, int],
    radius_px: float,
    labels: NDArray[np.integer[Any]] | None,
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows and columns of the pixels of a place."""
    y, x = place
    height, width = shape
    if not (0 <= y < height and 0 <= x < width):
        raise InputError(
            f"a trace of pixel {y},{x} asked for; the frames have rows 0:{height} and columns "
            f"0:{width}"
        )
    if labels is None:
        rows, columns = np.ogrid[:height, :width]
        chosen = np.hypot(rows - y, columns - x) <= radius_px
    elif labels.shape != shape:
        raise InputError(
            f"the label image has {labels.shape} pixels and the frames {shape}; they must be equal"
        )
    elif labels[y, x] == 0:
        raise InputError(f"pixel {y},{x} lies in no ROI of the label image; give one that does")
    else:
        chosen = labels == labels[y, x]
    mask_rows, mask_columns = np.nonzero(chosen)
    return mask_rows, mask_columns


def _mean(pixels: NDArray[Any]) -> float:
    """NaN left out, and NaN where there is nothing else."""
    known = pixels[np.isfinite(pixels)]
    return float(known.mean(dtype=np.float64)) if known.size else np.nan


def _draw(
    path: Path, scene: Scene, values: Mapping[str, NDArray[np.float64]], frames: range
) -> None:
    times = np.array(frames) / (scene.frame_rate_hz or 1.0)
    figure = new_figure(12, 1.2 + 2.2 * len(values))
    stacked = figure.subplots(len(values), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (name, rows) in zip(stacked, values.items(), strict=True):
        for order, (title, trace) in enumerate(zip(scene.recordings, rows, strict=True)):
            axes.plot(
                times, trace, label=title, color=COLOURS.get(title), zorder=2 + order,
                linewidth=1.5 if order else 1.0,
            )  # fmt: skip
        axes.set(title=name, ylabel="value")
        axes.margins(x=0)
        if scene.view.contrast != "own":
            _show_all_of(axes, rows[-1])
    stacked[-1].set_xlabel("time, s" if scene.frame_rate_hz else "frame")
    figure.legend(
        *stacked[0].get_legend_handles_labels(),
        loc="outside upper right",
        ncols=len(scene.recordings),
    )
    save_figure(figure, path)


def _show_all_of(axes: Axes, trace: NDArray[np.float64]) -> None:
    known = trace[np.isfinite(trace)]
    if known.size and np.ptp(known) > 0:
        room = _MARGIN * np.ptp(known)
        axes.set_ylim(known.min() - room, known.max() + room)

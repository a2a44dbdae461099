"""Where a trace is taken, and the trace."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freq2clean.recordings import Recording
from freq2clean.rois import Rois
from freq2clean.rois.reading import Progress
from freq2clean.rois.traces import extract_traces

__all__ = ["Region", "disc", "label_at", "trace_of"]


@dataclass(frozen=True, eq=False)
class Region:
    """Pixels of one frame, and what to call them.

    Attributes
    ----------
    name : str
    mask : (Y, X) bool
    """

    name: str
    mask: NDArray[np.bool_]

    @property
    def centre(self) -> tuple[float, float]:
        """Mean row and column."""
        rows, columns = np.nonzero(self.mask)
        return float(rows.mean()), float(columns.mean())

    @property
    def diameter_px(self) -> float:
        """Of a disc of the same area."""
        return float(2 * np.sqrt(self.mask.sum() / np.pi))


def disc(shape: tuple[int, int], place: tuple[int, int], radius_px: float) -> Region:
    """The pixels no farther than the radius from one of them.

    Examples
    --------
    >>> disc((5, 5), (2, 2), 1).mask.sum(), disc((5, 5), (2, 2), 1).name
    (np.int64(5), 'pixel 2,2, mean of 5 pixels')
    """
    y, x = place
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    mask = np.hypot(rows - y, columns - x) <= radius_px
    n_pixels = int(mask.sum())
    return Region(f"pixel {y},{x}" + f", mean of {n_pixels} pixels" * (n_pixels > 1), mask)


def label_at(labels: NDArray[Any], place: tuple[int, int], *, name: str) -> Region | None:
    """The ROI of a label image (Y, X) that a place lies in."""
    label = int(labels[place])
    if not label:
        return None
    mask = labels == label
    return Region(f"{name} {label}, mean of {int(mask.sum())} pixels", mask)


def trace_of(
    region: Region, recording: Recording, *, progress: Progress | None = None
) -> NDArray[np.float32]:
    """Mean of the pixels in every frame, (T,)."""
    rows, columns = (np.flatnonzero(region.mask.any(axis=axis)) for axis in (1, 0))
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    rois = Rois.from_label_image(region.mask[box].astype(np.uint8))
    trace: NDArray[np.float32] = extract_traces(rois, _Box(recording, box), progress=progress)[0]
    return trace


class _Box(Recording):
    """Some rows and columns of a recording."""

    def __init__(self, source: Recording, box: tuple[slice, slice]) -> None:
        self.name = source.name
        self.dtype = source.dtype
        self.metadata = source.metadata
        self.shape = (len(source), *(part.stop - part.start for part in box))
        self._source = source
        self._box = box

    def _read(self, start: int, stop: int) -> NDArray[Any]:
        frames: NDArray[Any] = self._source.read(start, stop)[:, *self._box]
        return frames

"""Regions whose traces are shown: given, or picked where the denoised recording is active."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_fill_holes, gaussian_filter, label, maximum_filter

from freq2clean.fusion.survey import spread_runs
from freq2clean.pipeline.labels import read_labels
from freq2clean.pipeline.memory import block_frames
from freq2clean.recordings import Recording
from freq2clean.rois import Rois
from freq2clean.streaming import blocks

__all__ = ["Region", "activity_image", "pick_regions", "read_rois", "regions_of_rois"]

_RUNS, _RUN_FRAMES = 8, 48
_SMOOTHING_PX = 1.5
_CELL_PX = 3.0
_REACH_PX = 9
_LEAST_PIXELS = 4


@dataclass(frozen=True, eq=False)
class Region:
    """Pixels of a frame that belong together.

    Attributes
    ----------
    mask : ndarray (Y, X), bool
    name : str
        What captions call it.
    """

    mask: NDArray[np.bool_]
    name: str

    @property
    def pixels(self) -> NDArray[np.intp]:
        """Indices into a frame that is flattened."""
        return np.flatnonzero(self.mask)


def activity_image(denoised: Recording, *, memory_bytes: int) -> NDArray[np.float64]:
    """How much each place (Y, X) varies within about 48 frames, spread over the recording.

    Slow changes such as bleaching hardly count, nor does noise of single pixels.
    """
    size = block_frames(denoised, memory_bytes=memory_bytes)
    variance = np.zeros(denoised.shape[1:])
    for run in spread_runs(len(denoised), n_runs=_RUNS, length=_RUN_FRAMES):
        total, squares = np.zeros_like(variance), np.zeros_like(variance)
        level: NDArray[np.float32] | None = None
        for start, stop in blocks(*run, size):
            for frame in denoised.read(start, stop):
                smooth = gaussian_filter(_finite(frame), _SMOOTHING_PX, truncate=2.0)
                level = smooth if level is None else level
                smooth = smooth - level
                total += smooth
                squares += np.square(smooth)
        n_frames = run[1] - run[0]
        variance += squares / n_frames - np.square(total / n_frames)
    activity: NDArray[np.float64] = np.sqrt(np.maximum(variance, 0))
    return activity


def pick_regions(activity: NDArray[np.float64], *, n_regions: int = 6) -> list[Region]:
    """The places that vary most, at most ``n_regions``, most active first.

    Parameters
    ----------
    activity : ndarray (Y, X)
        Of `activity_image`.

    Examples
    --------
    >>> activity = np.zeros((40, 60)); activity[10:14, 10:14] = 5; activity[30, 40:44] = 3
    >>> [int(region.mask.sum()) for region in pick_regions(activity)]
    [16, 4]
    """
    reach = max(1, min(_REACH_PX, min(activity.shape) // 4))
    bodies = gaussian_filter(activity, _CELL_PX)  # a ring around a dark nucleus is one place
    background = float(np.median(activity))
    is_peak = (bodies == maximum_filter(bodies, 4 * reach + 1)) & (bodies > np.median(bodies))
    peaks = np.argwhere(is_peak)[np.argsort(-bodies[is_peak], kind="stable")]
    found: list[Region] = []
    taken = np.zeros(activity.shape, np.bool_)
    for y, x in peaks:
        mask = _around(activity, int(y), int(x), reach, background)
        if len(found) < n_regions and mask.sum() >= _LEAST_PIXELS and not (mask & taken).any():
            taken |= mask
            found.append(Region(mask, str(len(found) + 1)))
    return found


def read_rois(path: str | Path) -> Rois:
    """ROIs from a file of freq2clean (.npz), or a label image or masks (.tif, .npy).

    Of the former those that the tool takes for cells.

    Raises
    ------
    InputError
        If the file cannot be read.
    """
    if Path(path).suffix.lower() == ".npz":
        return Rois.load(path).cells()
    labels = read_labels(path)
    read = Rois.from_label_image if labels.ndim == 2 else Rois.from_masks
    return read(labels, tool=Path(path).name)


def regions_of_rois(
    rois: Rois, activity: NDArray[np.float64], *, n_regions: int = 6
) -> list[Region]:
    """Of the ROIs those where most happens, that first; they keep their numbers, from 1."""
    weights = np.maximum(np.asarray(rois.footprints.sum(axis=1)).reshape(-1), 1e-30)
    level = (rois.footprints @ activity.reshape(-1)) / weights
    chosen = np.argsort(-level, kind="stable")[:n_regions]
    return [
        Region((rois.footprints[[index]].toarray() > 0).reshape(rois.shape), str(index + 1))
        for index in chosen
    ]


def _around(
    activity: NDArray[np.float64], y: int, x: int, reach: int, background: float
) -> NDArray[np.bool_]:
    """The largest patch within reach of a place, above half of its greatest activity."""
    rows, columns = np.ogrid[: activity.shape[0], : activity.shape[1]]
    near = np.square(rows - y) + np.square(columns - x) <= reach**2
    labels, n_patches = label(near & (activity > (activity[near].max() + background) / 2))
    if n_patches == 0:
        return np.zeros(activity.shape, np.bool_)
    sizes = np.bincount(labels.reshape(-1))[1:]
    mask: NDArray[np.bool_] = binary_fill_holes(labels == sizes.argmax() + 1)
    return mask


def _finite(frame: NDArray[Any]) -> NDArray[np.float32]:
    return np.nan_to_num(frame.astype(np.float32), posinf=0, neginf=0)

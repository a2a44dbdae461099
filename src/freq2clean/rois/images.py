"""What is segmented: frames spread over a recording, its mean image, its maximum projection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freq2clean.recordings.contract import Recording
from freq2clean.rois.reading import Progress, frames_of
from freq2clean.streaming.mean_image import MeanImage

__all__ = ["Images", "spread_frames", "summarised"]


@dataclass(frozen=True)
class Images:
    """Images of one recording, finite everywhere.

    Parameters
    ----------
    indices : (k,) int64
        Of the frames that were taken.
    frames : (k, Y, X) float32
    mean, maximum : (Y, X) float32
        Over all frames.
    """

    indices: NDArray[np.int64]
    frames: NDArray[np.float32]
    mean: NDArray[np.float32]
    maximum: NDArray[np.float32]


def spread_frames(n_frames: int, wanted: int) -> NDArray[np.int64]:
    """Indices of frames from the middles of stretches of the same length.

    Examples
    --------
    >>> spread_frames(100, 4).tolist(), spread_frames(3, 50).tolist()
    ([12, 37, 62, 87], [0, 1, 2])
    """
    n = min(wanted, n_frames)
    return ((2 * np.arange(n) + 1) * n_frames) // (2 * max(n, 1))


def summarised(recording: Recording, n_frames: int, *, progress: Progress | None = None) -> Images:
    """The images of a recording in one pass; where nothing was measured, the mean is."""
    shape = recording.shape[1:]
    indices = spread_frames(len(recording), n_frames)
    taken = np.empty((len(indices), *shape), np.float32)
    average = MeanImage(shape)
    maximum = np.full(shape, -np.inf, np.float32)
    for start, block in frames_of(recording, progress=progress):
        values = block.astype(np.float32)
        measured = np.isfinite(values)
        average.add(values)
        np.maximum(maximum, np.where(measured, values, -np.inf).max(axis=0), out=maximum)
        here = np.flatnonzero((indices >= start) & (indices < start + len(block)))
        taken[here] = values[indices[here] - start]
    mean = np.nan_to_num(average.image()).astype(np.float32)
    return Images(
        indices, _filled(taken, mean), mean, np.where(np.isfinite(maximum), maximum, mean)
    )


def _filled(frames: NDArray[Any], mean: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.where(np.isfinite(frames), frames, mean)

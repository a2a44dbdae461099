"""From a recording's values to the numbers that a network sees, and back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from freq2clean.denoisers.contract import (
    Frames,
    blocks_of,
    bridge,
    check_numbers,
    valid_frames,
)

__all__ = ["Units", "filled", "level_and_noise", "measure"]


@dataclass(frozen=True)
class Units:
    """Values less ``mean``, over ``size``.

    Parameters
    ----------
    mean : float
        Of the whole recording.
    size : float
        What counts as one.
    """

    mean: float
    size: float

    def of(self, frames: NDArray[np.float32]) -> NDArray[np.float32]:
        """Frames in these units, in place."""
        frames -= np.float32(self.mean)
        frames /= np.float32(self.size)
        return frames


def measure(recording: Frames) -> Units:
    """The recording's mean, and the standard deviation of its noise, if it has any, as one unit.

    Raises
    ------
    InputError
        As `level_and_noise`.
    """
    mean, noise_sd = level_and_noise(recording)
    return Units(mean, noise_sd or 1.0)


def level_and_noise(recording: Frames) -> tuple[float, float]:
    """The recording's mean, and the standard deviation of its noise.

    The noise is what changes from frame to frame. Dropped lines and NaN do not count.

    Raises
    ------
    InputError
        If not a single value is a number.
    """
    check_numbers(recording)
    total = squares = 0.0
    n_values = n_changes = 0
    before: NDArray[np.float32] | None = None
    for start, stop in blocks_of(0, recording.shape[0]):
        frames = valid_frames(np.asarray(recording[start:stop]))
        total += np.nansum(frames, dtype=np.float64)
        n_values += int(np.count_nonzero(~np.isnan(frames)))
        if before is not None:
            frames = np.concatenate([before, frames])
        changes = np.diff(frames, axis=0)
        squares += np.nansum(np.square(changes, out=changes), dtype=np.float64)
        n_changes += int(np.count_nonzero(~np.isnan(changes)))
        before = frames[-1:]
    return total / max(1, n_values), float(np.sqrt(squares / (2 * max(1, n_changes))))


def filled(frames: NDArray[np.float32]) -> NDArray[np.float32]:
    """Frames in units, with what their neighbours in time say instead of NaN, in place.

    Where both neighbours are missing too, it is the pixel's mean, and 0 if all of it is.
    """
    missing = np.isnan(frames)
    if missing.any():
        frames[missing] = 0
        n_seen = np.maximum(1, len(frames) - missing.sum(axis=0))
        level = (frames.sum(axis=0, dtype=np.float64) / n_seen).astype(np.float32)
        frames -= level
        frames[missing] = 0
        bridge(frames, missing)
        frames += level
    return frames

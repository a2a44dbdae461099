"""A recording as Suite2p's own binary: int16 frames without a header, whatever its dtype was."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freq2clean.errors import OutputError
from freq2clean.recordings.contract import Recording
from freq2clean.recordings.suite2p import int16_frames
from freq2clean.rois.reading import Progress, frames_of

__all__ = ["Scale", "scale_of", "write_binary"]

_AS_THEY_ARE = ("uint8", "int8", "int16")
_LARGEST = 32766
"""Of the values that Suite2p itself writes."""


@dataclass(frozen=True)
class Scale:
    """How values are stored: ``(value - offset) * factor``.

    Parameters
    ----------
    factor, offset : float
    fill : (Y, X) float32, optional
        What stands where nothing was measured: the mean of each pixel.
    """

    factor: float = 1.0
    offset: float = 0.0
    fill: NDArray[np.float32] | None = None

    def stored(self, frames: NDArray[Any]) -> NDArray[np.int16]:
        """Frames (n, Y, X) as they are stored."""
        if self.fill is None:
            return int16_frames(frames)
        values = frames.astype(np.float64)
        values = np.where(np.isfinite(values), values, self.fill)
        return np.rint((values - self.offset) * self.factor).astype(np.int16)

    def of_recording(self, traces: NDArray[Any]) -> NDArray[np.float32]:
        """Stored values in units of the recording."""
        return (traces / self.factor + self.offset).astype(np.float32)


def scale_of(recording: Recording, *, progress: Progress | None = None) -> Scale:
    """How Suite2p stores a recording: as its own readers do, and other numbers so that they fit.

    int16 and bytes stay, uint16 are halved. Of all other dtypes the least value becomes 0 and the
    greatest 32766, in one more pass: nothing wraps.
    """
    if recording.dtype == np.uint16:
        return Scale(factor=0.5)
    if recording.dtype.name in _AS_THEY_ARE:
        return Scale()
    low, high = np.inf, -np.inf
    total = np.zeros(recording.shape[1:])
    count = np.zeros(recording.shape[1:], np.int64)
    for _, frames in frames_of(recording, progress=progress):
        values = frames.astype(np.float64)
        measured = np.isfinite(values)
        low = min(low, float(values.min(where=measured, initial=np.inf)))
        high = max(high, float(values.max(where=measured, initial=-np.inf)))
        total += np.where(measured, values, 0).sum(axis=0)
        count += measured.sum(axis=0)
    if low > high:
        low = high = 0.0
    mean = np.where(count > 0, total / np.maximum(count, 1), low)
    factor = _LARGEST / (high - low) if high > low else 1.0
    return Scale(factor, low, np.clip(mean, low, high).astype(np.float32))


def write_binary(
    recording: Recording, path: Path, scale: Scale, *, progress: Progress | None = None
) -> NDArray[np.float32]:
    """Write all frames, block by block, and give their mean image (Y, X) as stored.

    Raises
    ------
    OutputError
        If there is no room for it.
    """
    total = np.zeros(recording.shape[1:])
    try:
        with path.open("wb") as file:
            for _, frames in frames_of(recording, progress=progress):
                stored = scale.stored(frames)
                file.write(np.ascontiguousarray(stored).data)
                total += stored.sum(axis=0, dtype=np.int64)
    except OSError as error:
        raise OutputError(f"{path} could not be written: {error.strerror or error}") from error
    return (total / len(recording)).astype(np.float32)

"""Sums of squares by pixel and by frame: what PSNR and SNR are made of."""

from __future__ import annotations

import numpy as np

from freq2clean.metrics.pairs import Accumulator, FramePair

__all__ = ["SquaredSums"]


class SquaredSums(Accumulator):
    """Squares of the truth and of the error, added up in float64.

    Missing pixels add nothing and are counted.

    Parameters
    ----------
    frame_shape : (int, int)
        Rows and columns.

    Attributes
    ----------
    signal, error : ndarray (Y, X), float64
        Sums over frames of truth**2 and of (recording - truth)**2.
    compared : ndarray (Y, X), int64
        Frames in which the pixel is not missing.
    signal_by_frame, error_by_frame : list of float
        The same sums over the pixels of each frame.
    frames : int
        Frames seen.
    """

    def __init__(self, frame_shape: tuple[int, int]) -> None:
        self.signal = np.zeros(frame_shape)
        self.error = np.zeros(frame_shape)
        self.compared = np.zeros(frame_shape, np.int64)
        self.signal_by_frame: list[float] = []
        self.error_by_frame: list[float] = []
        self.frames = 0
        self._scratch = np.empty((2, *frame_shape))

    @property
    def missing(self) -> int:
        """How many pixels of all frames could not be compared."""
        return int(self.frames * self.compared.size - self.compared.sum())

    def add_pair(self, pair: FramePair, /) -> None:
        signal, error = self._scratch
        np.square(pair.truth, out=signal)
        np.subtract(pair.recording, pair.truth, out=error)
        np.square(error, out=error)
        self.signal += signal
        self.error += error
        self.compared += 1 if pair.ok is None else pair.ok
        self.signal_by_frame.append(float(signal.sum()))
        self.error_by_frame.append(float(error.sum()))
        self.frames += 1

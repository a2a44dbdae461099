"""Sums of frames that fade: of those just pushed, and of all that came before."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["AllSums", "RoundSums"]

_STENCIL = np.array([1, -4, 6, -4, 1], np.float32) / np.sqrt(np.float32(70))


class RoundSums:
    """Sums over the frames of a round, and a fourth difference of five of them.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns.
    keep : float
        What a frame counts for when the next one comes; 1 to forget nothing.

    Attributes
    ----------
    sums : ndarray, (2, Y, X), float32
        Of the raw and of the denoised frames, where both were measured.
    lost : ndarray, (Y, X), float32
        Sum of the weights of values that were not.
    n_frames : int
    weight, squares : float
        Sums of the weights of the frames, and of their squares.
    difference : ndarray, (Y, X), float32
        Of raw frames that follow each other: noise, of the power that it has in one frame.
    unmeasured : ndarray, (Y, X), bool
        Where any of these was not.
    """

    def __init__(self, shape: tuple[int, int], keep: float) -> None:
        self._keep = keep
        self.sums = np.zeros((2, *shape), np.float32)
        self.lost = np.zeros(shape, np.float32)
        self.difference = np.zeros(shape, np.float32)
        self.unmeasured = np.zeros(shape, np.bool_)
        self.reset()

    def reset(self) -> None:
        """Begin a round, after all rows were cleared."""
        self.n_frames = self._n_followed = 0
        self.weight = self.squares = 0.0
        self.has_lost = False

    def clear(self, rows: slice) -> None:
        """Set some rows to 0."""
        self.sums[:, rows] = 0
        if self.has_lost:
            self.lost[rows] = 0

    def interrupt(self) -> None:
        """The next frame does not follow the last one."""
        if not self.has_difference:
            self._n_followed = 0

    @property
    def has_difference(self) -> bool:
        return self._n_followed == len(_STENCIL)

    def add(
        self, raw: NDArray[Any], denoised: NDArray[Any], holes: NDArray[np.bool_] | None
    ) -> None:
        """A pair of frames (Y, X), 0 in the holes."""
        if self._keep < 1:
            self.sums *= np.float32(self._keep)
            if self.has_lost:
                self.lost *= np.float32(self._keep)
        self.sums[0] += raw
        self.sums[1] += denoised
        if holes is not None:
            self.lost += holes
            self.has_lost = True
        self.weight = self._keep * self.weight + 1
        self.squares = self._keep**2 * self.squares + 1
        self.n_frames += 1
        if not self.has_difference:
            self._follow(raw, holes)

    def _follow(self, raw: NDArray[Any], holes: NDArray[np.bool_] | None) -> None:
        share = _STENCIL[self._n_followed]
        if self._n_followed == 0:
            np.multiply(raw, share, out=self.difference, dtype=np.float32)
            self.unmeasured[...] = False
        else:
            self.difference += np.multiply(raw, share, dtype=np.float32)
        if holes is not None:
            self.unmeasured |= holes
        self._n_followed += 1


class AllSums:
    """Sums over all frames before the round: float64, as they may be millions."""

    def __init__(self, shape: tuple[int, int], keep: float) -> None:
        self._keep = keep
        self.sums = np.zeros((2, *shape))
        self.lost = np.zeros(shape)
        self.weight = self.squares = 0.0

    def fold(self, batch: RoundSums, rows: slice) -> None:
        """Add some rows of a round that is over."""
        fade = self._keep**batch.n_frames
        for total, new in (
            (self.sums[:, rows], batch.sums[:, rows]),
            (self.lost[rows], batch.lost[rows]),
        ):
            if fade < 1:
                total *= fade
            total += new

    def count(self, batch: RoundSums) -> None:
        """Add its frames, once all rows are folded."""
        fade = self._keep**batch.n_frames
        self.weight = fade * self.weight + batch.weight
        self.squares = fade**2 * self.squares + batch.squares

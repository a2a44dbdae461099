"""A truth and a recording, frame by frame: what every metric takes in."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from freq2clean.errors import InputError

__all__ = [
    "Accumulator",
    "FramePair",
    "FrameStack",
    "blocks_of",
    "checked_shape",
    "frame_pairs",
    "real_block",
]

_PIXELS_PER_BLOCK = 4 * 2**20


class FrameStack(Protocol):
    """A (T, Y, X) array, or anything lazy that gives its frames by slicing."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def __getitem__(self, key: slice, /) -> Any: ...


@dataclass(frozen=True)
class FramePair:
    """One frame of the truth and of the recording, float64.

    Attributes
    ----------
    truth, recording : ndarray (Y, X), float64
        Missing pixels are 0 in both.
    ok : ndarray (Y, X) of bool, or None
        Where both are finite; None if they are finite everywhere.
    """

    truth: NDArray[np.float64]
    recording: NDArray[np.float64]
    ok: NDArray[np.bool_] | None


class Accumulator(ABC):
    """A metric that takes frames in order, in blocks of any length."""

    def add(self, truth: NDArray[Any], recording: NDArray[Any], /) -> None:
        """Take the next frames of both, two arrays (n, Y, X)."""
        for pair in frame_pairs(truth, recording):
            self.add_pair(pair)

    @abstractmethod
    def add_pair(self, pair: FramePair, /) -> None:
        """Take the next frame of both."""


def checked_shape(truth: FrameStack, recording: FrameStack) -> tuple[int, int, int]:
    """The common (T, Y, X) of two recordings, or an InputError."""
    if len(truth.shape) != 3 or 0 in truth.shape:
        raise InputError(
            f"the truth has shape {tuple(truth.shape)}; a recording is (frames, rows, columns), "
            "none of them 0"
        )
    if tuple(truth.shape) != tuple(recording.shape):
        raise InputError(
            f"the truth has shape {tuple(truth.shape)}, the recording {tuple(recording.shape)}; "
            "give two of the same shape"
        )
    frames, rows, columns = truth.shape
    return frames, rows, columns


def real_block(block: Any) -> NDArray[Any]:
    """The block as an array of integers or floats, or an InputError."""
    array = np.asarray(block)
    if array.dtype.kind not in "biuf":
        raise InputError(f"pixels of type {array.dtype}; integers or real floats are needed")
    return array.view(np.uint8) if array.dtype.kind == "b" else array


def blocks_of(
    truth: FrameStack, recording: FrameStack
) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
    """Both recordings in blocks of frames, as arrays."""
    frames, rows, columns = checked_shape(truth, recording)
    step = max(1, _PIXELS_PER_BLOCK // (rows * columns))
    for start in range(0, frames, step):
        block = slice(start, start + step)
        yield real_block(truth[block]), real_block(recording[block])


def frame_pairs(truth: NDArray[Any], recording: NDArray[Any]) -> Iterator[FramePair]:
    """The frames of two blocks (n, Y, X)."""
    for true_frame, frame in zip(real_block(truth), real_block(recording), strict=True):
        yield _pair(true_frame, frame)


def _pair(truth: NDArray[Any], recording: NDArray[Any]) -> FramePair:
    true_frame, frame = truth.astype(np.float64), recording.astype(np.float64)
    if truth.dtype.kind != "f" and recording.dtype.kind != "f":
        return FramePair(true_frame, frame, None)
    ok = np.isfinite(true_frame)
    ok &= np.isfinite(frame)
    if ok.all():
        return FramePair(true_frame, frame, None)
    true_frame[~ok] = 0
    frame[~ok] = 0
    return FramePair(true_frame, frame, ok)

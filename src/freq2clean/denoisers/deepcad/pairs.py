"""Training pairs: what goes into a network and what is to come out, from stretches of frames."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from freq2clean.denoisers.contract import Frames, blocks_of, valid_frames
from freq2clean.denoisers.deepcad.network import LEAST_SIDE
from freq2clean.denoisers.deepcad.units import Units, filled

__all__ = ["MakePair", "Pair", "Patches", "continued", "pair_of", "turned"]

Pair = tuple[NDArray[np.float32], NDArray[np.float32]]
MakePair = Callable[[NDArray[np.float32], np.random.Generator], Pair]
"""Gives input and target, made of a stretch of frames that is NaN where nothing was measured."""

_CHAPTER_BYTES = 2**30


def pair_of(stretch: NDArray[np.float32], rng: np.random.Generator) -> Pair:
    """The odd and the even frames of a stretch: two noisy views of one scene.

    They change roles half the time, and both are turned alike. In the input, NaN is filled; in the
    target it stays.
    """
    first = int(rng.integers(2))
    frames = turned(stretch, rng)
    return continued(filled(frames[first::2].copy()), frames[1 - first :: 2], least=LEAST_SIDE)


def turned(frames: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Frames turned in one of the eight ways of a square, four of a rectangle."""
    out = frames[:, :, ::-1] if rng.integers(2) else frames
    is_square = frames.shape[1] == frames.shape[2]
    quarters = int(rng.integers(4)) if is_square else 2 * int(rng.integers(2))
    return np.rot90(out, quarters, axes=(1, 2))


def continued(
    source: NDArray[np.float32],
    target: NDArray[np.float32],
    *,
    least: int = 1,
    multiple: int = 1,
) -> Pair:
    """A pair whose sides suit a network: the input continued by reflection, the target by NaN."""
    beyond = [(0, max(least, -(-side // multiple) * multiple) - side) for side in source.shape]
    return (
        np.pad(source, beyond, mode="symmetric"),
        np.pad(target, beyond, constant_values=np.nan),
    )


@dataclass(frozen=True)
class _Patch:
    recording: int
    frame: int
    row: int
    column: int


class Patches:
    """Places of 3-D patches in recordings, and the pairs that they give.

    Parameters
    ----------
    recordings : sequence of arrays or recordings (T, Y, X)
    units : sequence of Units
    shape : (int, int, int)
        Of a patch: the frames of one view, rows, columns.
    make_pair : callable
        Makes input and target of a stretch of ``n_views * shape[0]`` frames.
    n_views : int
    step : int
        Stretches begin at multiples of it, from the first frame on.
    overlap : float
        Share of a patch that the next one in a row or column covers.
    n_patches : int
        How many are wanted, over all recordings.
    frames : sequence of (int, int)
        The frames of each recording to take them from.
    """

    def __init__(
        self,
        recordings: Sequence[Frames],
        units: Sequence[Units],
        *,
        shape: tuple[int, int, int],
        make_pair: MakePair = pair_of,
        n_views: int = 2,
        step: int = 1,
        overlap: float,
        n_patches: int,
        frames: Sequence[tuple[int, int]],
    ) -> None:
        self._recordings, self._units, self._shape = recordings, units, shape
        self._make_pair = make_pair
        self._stretch = n_views * shape[0]
        self.n_patches = n_patches
        self._places: list[_Patch] = []
        self._kept: tuple[tuple[int, int, int], NDArray[np.float32]] | None = None
        sides = shape[1:]
        for i, (recording, (first, last)) in enumerate(zip(recordings, frames, strict=True)):
            rows, columns = (
                _evenly(n - side, int(side * (1 - overlap)))
                for n, side in zip(recording.shape[1:], sides, strict=True)
            )
            each = -(-n_patches // (len(recordings) * len(rows) * len(columns)))
            room = (last - first - self._stretch) // step
            starts = np.unique(np.linspace(0, room, min(each, room + 1)).round().astype(int))
            self._places += [
                _Patch(i, first + step * int(start), row, column)
                for start in starts
                for row in rows
                for column in columns
            ]

    def pairs(self, rng: np.random.Generator) -> Iterator[Pair]:
        """As many as are wanted, in random order, each made at random.

        Where the recordings do not fit into memory, a chapter of them is read at a time.
        """
        n_places = len(self._places)
        repeats = -(-self.n_patches // n_places)
        drawn = np.concatenate([rng.permutation(n_places) for _ in range(repeats)])
        chapters: dict[tuple[int, int, int], list[_Patch]] = {}
        for index in drawn[: self.n_patches]:
            patch = self._places[index]
            chapters.setdefault(self._chapter_of(patch), []).append(patch)
        for key in rng.permutation(sorted(chapters)).tolist():
            chapter = tuple(key)
            frames = self._read(chapter)
            for patch in chapters[chapter]:
                yield self._make_pair(self._crop(frames, patch, chapter[1]), rng)

    def _chapter_of(self, patch: _Patch) -> tuple[int, int, int]:
        """The recording and the frames that are in memory together with this patch."""
        n_frames, *sides = self._recordings[patch.recording].shape
        step = max(1, _CHAPTER_BYTES // (4 * int(np.prod(sides))) - self._stretch)
        start = patch.frame // step * step
        return patch.recording, start, min(n_frames, start + step + self._stretch)

    def _read(self, chapter: tuple[int, int, int]) -> NDArray[np.float32]:
        if self._kept is None or self._kept[0] != chapter:
            self._kept = None
            i, start, stop = chapter
            recording = self._recordings[i]
            frames = np.empty((stop - start, *recording.shape[1:]), np.float32)
            for low, high in blocks_of(start, stop):
                block = valid_frames(np.asarray(recording[low:high]))
                frames[low - start : high - start] = self._units[i].of(block)
            self._kept = chapter, frames
        return self._kept[1]

    def _crop(self, frames: NDArray[np.float32], patch: _Patch, first: int) -> NDArray[np.float32]:
        _, height, width = self._shape
        start = patch.frame - first
        return frames[
            start : start + self._stretch,
            patch.row : patch.row + height,
            patch.column : patch.column + width,
        ]


def _evenly(room: int, step: int) -> list[int]:
    """Places from 0 to ``room``, both included, ``step`` apart at most."""
    n_steps = -(-room // max(1, step))
    return [room * i // n_steps for i in range(n_steps + 1)] if n_steps else [0]

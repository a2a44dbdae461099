"""Overlapping square patches of an image, and what a block of frames looks like in them.

Patches are seen twice: in full, where detail is fitted and added, and in cells of 2 x 2 pixels (4 x
4 of a large image), which is where a denoised recording has its strength and all that its courses
are read from.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freq2clean.fusion.spaces import space_of

__all__ = ["Box", "Group", "PatchGrid"]

_SIZE = 16
_TOGETHER = 16
_LARGE_IMAGE_PIXELS = 1 << 20


@dataclass(frozen=True, eq=False)
class PatchGrid:
    """Where the patches lie: half overlapping, the last ones at the edge of the image.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns of the image; patches lie in it padded to whole cells.
    """

    shape: tuple[int, int]

    @property
    def cell(self) -> int:
        """Rows and columns of a cell."""
        return 2 if self.shape[0] * self.shape[1] <= _LARGE_IMAGE_PIXELS else 4

    @property
    def padded(self) -> tuple[int, int]:
        """Rows and columns, rounded up to whole cells."""
        rows, columns = (self.cell * -(-n // self.cell) for n in self.shape)
        return rows, columns

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns of a patch."""
        rows, columns = (min(_SIZE, n) for n in self.padded)
        return rows, columns

    @cached_property
    def starts(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """First rows and first columns of the patches, where cells begin."""
        rows, columns = (
            np.unique([*range(0, n - size, _SIZE // 2), n - size])
            for n, size in zip(self.padded, self.size, strict=True)
        )
        return rows, columns

    @property
    def n_cells(self) -> int:
        """Cells per patch."""
        return self.size[0] * self.size[1] // self.cell**2

    def tapers(self) -> NDArray[np.float32]:
        """What each patch gives of its pixels, (rows, columns, *size); they add up to 1."""
        bumps = [np.sin(np.pi * (np.arange(n) + 0.5) / n) ** 2 for n in self.size]
        shares = [
            _shares(starts, bump, n)
            for starts, bump, n in zip(self.starts, bumps, self.padded, strict=True)
        ]
        tapers: NDArray[np.float32] = np.einsum("ia,jb->ijab", *shares).astype(np.float32)
        return tapers

    def pad(self, frames: Any) -> Any:
        """Frames (n, Y, X) with the last rows and columns repeated to whole cells."""
        if self.padded == self.shape:
            return frames
        padded = space_of(frames).empty((frames.shape[0], *self.padded))
        self.fill(padded, frames)
        return padded

    def fill(self, padded: Any, frames: Any) -> None:
        """The same into frames that have the room."""
        rows, columns = self.shape
        padded[:, :rows, :columns] = frames
        padded[:, rows:, :columns] = frames[:, -1:, :]
        padded[:, :, columns:] = padded[:, :, columns - 1 : columns]

    def deviations(self, frames: Any, reference: Any) -> Any:
        """Frames (n, Y, X) less a padded reference, in cells (n, rows, columns).

        A cell is the sum of its pixels over their root. What is not finite counts as the reference.
        """
        space, n_frames = space_of(frames, reference), frames.shape[0]
        xp = space.xp
        cells = space.empty((n_frames, *(n // self.cell for n in self.padded)))
        base = self.binned(reference[None, ...])

        def fill(some: slice) -> None:
            padded = self.pad(frames[some, ...])
            with np.errstate(invalid="ignore"):
                binned = self.binned(padded)
            if not space.holds(xp.isfinite(xp.sum(binned))):
                binned = self.binned(xp.where(xp.isfinite(padded), padded, reference))
            binned -= base
            cells[some, ...] = binned

        space.over_frames(fill, n_frames, math.prod(self.padded))
        return cells

    def binned(self, frames: Any) -> Any:
        """Padded frames, or whole patches, in cells."""
        bands = _sum_of([frames[:, y :: self.cell, :] for y in range(self.cell)])
        cells = _sum_of([bands[:, :, x :: self.cell] for x in range(self.cell)])
        cells *= 1 / self.cell
        return cells

    def groups(self, columns: Sequence[NDArray[np.intp]]) -> list[Group]:
        """Chosen patches of each row, in groups of neighbours."""
        every = range(0, len(self.starts[1]), _TOGETHER)
        return [
            Group(row, together, self._box(row, together, 1), self._box(row, together, self.cell))
            for row, chosen in enumerate(columns)
            for first in every
            if (together := chosen[(chosen >= first) & (chosen < first + _TOGETHER)]).size
        ]

    def _box(self, row: int, columns: NDArray[np.intp], unit: int) -> Box:
        starts = self.starts[1][columns] // unit
        height, width = (n // unit for n in self.size)
        return Box(
            int(self.starts[0][row]) // unit,
            int(starts[0]),
            starts - starts[0],
            (height, width),
        )


@dataclass(frozen=True, eq=False)
class Box:
    """The part of an image that some patches of one row cover.

    Parameters
    ----------
    top, left : int
        First row and column.
    offsets : ndarray, int
        First column of each patch, from ``left``.
    patch : (int, int)
        Rows and columns of a patch.
    """

    top: int
    left: int
    offsets: NDArray[np.intp]
    patch: tuple[int, int]

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.patch[0], int(self.offsets[-1]) + self.patch[1]

    @cached_property
    def slices(self) -> tuple[slice, slice, slice]:
        """Where it lies in frames."""
        height, width = self.size
        return (
            slice(None),
            slice(self.top, self.top + height),
            slice(self.left, self.left + width),
        )

    def cut(self, frames: NDArray[np.float32]) -> NDArray[np.float32]:
        """What is in it of frames (n, Y, X): (n, its pixels)."""
        return frames[self.slices].reshape(len(frames), -1)

    def patches(self, frames: NDArray[np.float32]) -> NDArray[np.float32]:
        """What is in its patches of frames (n, Y, X): (patches, n, pixels of a patch)."""
        values = self.cut(frames)
        return self.gather(np.broadcast_to(values, (len(self.offsets), *values.shape)))

    def gather(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """For each patch its part of its own values (patches, K, pixels of the box)."""
        height, width = self.patch
        n_patches, n_values, _ = values.shape
        boxes = values.reshape(n_patches, n_values, *self.size)
        gathered = np.empty((n_patches, n_values, height, width), values.dtype)
        for patch, box, offset in zip(gathered, boxes, self.offsets, strict=True):
            patch[...] = box[:, :, offset : offset + width]
        return gathered.reshape(n_patches, n_values, -1)

    def spread(self, images: NDArray[Any]) -> NDArray[np.float32]:
        """Images (patches, K, pixels of a patch) at their places: (patches * K, its pixels)."""
        height, width = self.patch
        n_patches, n_images, _ = images.shape
        spread = np.zeros((n_patches, n_images, *self.size), np.float32)
        patches = images.reshape(n_patches, n_images, height, width)
        for box, patch, offset in zip(spread, patches, self.offsets, strict=True):
            box[:, :, offset : offset + width] = patch
        return spread.reshape(n_patches * n_images, -1)


@dataclass(frozen=True, eq=False)
class Group:
    """Neighbouring patches of one row, worked on together.

    One product with a matrix that holds zeros where patches do not reach takes less time than one
    for each patch.

    Parameters
    ----------
    row : int
    columns : ndarray, int
        Which patches of the row.
    pixels, cells : Box
        Where they lie.
    """

    row: int
    columns: NDArray[np.intp]
    pixels: Box
    cells: Box

    @property
    def where(self) -> tuple[int, NDArray[np.intp]]:
        """Its patches in arrays over the grid."""
        return self.row, self.columns

    @property
    def neighbourhoods(self) -> list[slice]:
        """Which of its patches are neighbours: all of them."""
        return [slice(None)]


def _sum_of(parts: list[Any]) -> Any:
    total = parts[0] + parts[1]
    for part in parts[2:]:
        total += part
    return total


def _shares(starts: NDArray[np.intp], bump: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    """Along one axis: what the patch at each start gives, so that all add up to 1."""
    total = np.zeros(n)
    for start in starts:
        total[start : start + len(bump)] += bump
    return np.stack([bump / total[start : start + len(bump)] for start in starts])

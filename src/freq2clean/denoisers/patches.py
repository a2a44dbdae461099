"""Square patches that overlap by half, made of 2 x 2 square cells."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

__all__ = ["PatchGrid", "PatchMoments"]

Scalar = TypeVar("Scalar", bound=np.generic)

_NEIGHBOURS = (0, 0), (0, 1), (1, 0), (1, 1), (1, -1)


@dataclass(frozen=True)
class PatchGrid:
    """Where the patches of a frame lie; beyond its last row and column there are zeros.

    Parameters
    ----------
    frame_shape : (int, int)
        Rows and columns.
    patch_pixels : int
        Side of a patch, even.
    """

    frame_shape: tuple[int, int]
    patch_pixels: int

    @property
    def side(self) -> int:
        """Side of a cell."""
        return self.patch_pixels // 2

    @property
    def n_cells(self) -> tuple[int, int]:
        """Rows and columns of cells, at least two of each."""
        rows, columns = (max(2, -(-n // self.side)) for n in self.frame_shape)
        return rows, columns

    @property
    def n_patches(self) -> tuple[int, int]:
        return self.n_cells[0] - 1, self.n_cells[1] - 1

    def strips(self, most_bytes: int) -> list[tuple[int, PatchGrid]]:
        """Grids of some rows of patches each, and the row of cells at which they begin.

        The moments of each take no more than ``most_bytes``, or it is a single row of patches.
        """
        n_rows, n_columns = self.n_cells
        bytes_per_row = n_columns * len(_NEIGHBOURS) * self.side**4 * 4
        step = max(1, most_bytes // bytes_per_row - 1)
        grids = []
        for first in range(0, n_rows - 1, step):
            last = min(first + step + 1, n_rows)
            rows = min(last * self.side, self.frame_shape[0]) - first * self.side
            grids.append((first, PatchGrid((rows, self.frame_shape[1]), self.patch_pixels)))
        return grids

    def patch_sums(self, image: NDArray[Any]) -> NDArray[np.float32]:
        """Sum of an image (Y, X) over each patch."""
        sums = self.cells(np.asarray(image, np.float32)[None]).sum(axis=(2, 3))
        return np.asarray(sums[:-1, :-1] + sums[:-1, 1:] + sums[1:, :-1] + sums[1:, 1:])

    def cells(self, frames: NDArray[Scalar]) -> NDArray[Scalar]:
        """Frames (n, Y, X) as cells (rows, columns, pixels of a cell, n)."""
        (rows, columns), side = self.n_cells, self.side
        n, n_rows, n_columns = frames.shape
        beyond = (0, rows * side - n_rows), (0, columns * side - n_columns)
        padded = np.pad(frames, ((0, 0), *beyond)) if np.any(beyond) else frames
        split = padded.reshape(n, rows, side, columns, side).transpose(1, 3, 2, 4, 0)
        return split.reshape(rows, columns, side * side, n)

    def frames(self, cells: NDArray[Scalar]) -> NDArray[Scalar]:
        """Cells (rows, columns, pixels of a cell, n) as frames (n, Y, X)."""
        (rows, columns), side, n = self.n_cells, self.side, cells.shape[-1]
        joined = cells.reshape(rows, columns, side, side, n).swapaxes(1, 2)
        joined = joined.reshape(rows * side, columns * side, n)
        inside = joined[: self.frame_shape[0], : self.frame_shape[1]]
        return inside.transpose(2, 0, 1).copy()

    def pixel_places(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Row and column in a patch of its pixels, in the order in which cells hold them."""
        cell = np.indices((2, 2, self.side, self.side)).reshape(4, -1)
        return cell[0] * self.side + cell[2], cell[1] * self.side + cell[3]

    def windows(self) -> NDArray[np.float32]:
        """How much each patch counts at each of its pixels, (rows, columns, pixels) of patches.

        Falls off linearly from the middle of a patch; at every pixel of a frame the sum is 1.
        """
        over_y, over_x = (self._windows_1d(n) for n in self.n_patches)
        weight = over_y[:, None, :, None, :, None] * over_x[None, :, None, :, None, :]
        return np.asarray(weight).reshape(*self.n_patches, -1)

    def _windows_1d(self, n_patches: int) -> NDArray[np.float32]:
        rising = ((np.arange(self.side) + 0.5) / self.side).astype(np.float32)
        windows = np.tile(np.stack([rising, rising[::-1]]), (n_patches, 1, 1))
        windows[0, 0] = 1
        windows[-1, 1] = 1
        return windows


class PatchMoments:
    """Sums of products of all pixels that share a patch, over frames.

    Patches share cells, so the products of neighbouring cells are added up instead: a third of
    the memory and work.
    """

    def __init__(self, grid: PatchGrid) -> None:
        self._grid = grid
        n_pixels = grid.side**2
        rows, columns = grid.n_cells
        self._n_frames = 0
        self._sums = np.zeros((rows, columns, n_pixels))
        self._products = {
            (down, right): np.zeros(
                (rows - down, columns - abs(right), n_pixels, n_pixels), np.float32
            )
            for down, right in _NEIGHBOURS
        }

    def add(self, frames: NDArray[np.float32]) -> None:
        """Add frames (n, Y, X)."""
        cells = self._grid.cells(frames)
        rows, columns = self._grid.n_cells
        self._n_frames += len(frames)
        self._sums += cells.sum(axis=-1, dtype=np.float64)
        turned = cells.swapaxes(-1, -2)
        for (down, right), products in self._products.items():
            here = cells[: rows - down, max(0, -right) : columns - max(0, right)]
            there = turned[down:, max(0, right) : columns - max(0, -right)]
            for product, one, other in zip(products, here, there, strict=True):
                product += one @ other

    def sums(self) -> NDArray[np.float64]:
        """Sum over frames, (Y, X)."""
        total: NDArray[np.float64] = self._grid.frames(self._sums[..., None])[0]
        return total

    def covariances(self) -> Iterator[tuple[tuple[int, int], NDArray[np.float32]]]:
        """For each patch its place and the products of its pixels less those of their means."""
        for place in np.ndindex(*self._grid.n_patches):
            yield place, self._covariance(*place)

    def _covariance(self, row: int, column: int) -> NDArray[np.float32]:
        n = self._grid.side**2
        places = [(row + i, column + j) for i in (0, 1) for j in (0, 1)]
        gram = np.empty((4 * n, 4 * n), np.float32)
        for i, one in enumerate(places):
            for j, other in enumerate(places[i:], i):
                down, right = other[0] - one[0], other[1] - one[1]
                product = self._products[down, right][one[0], one[1] - max(0, -right)]
                gram[i * n : (i + 1) * n, j * n : (j + 1) * n] = product
                gram[j * n : (j + 1) * n, i * n : (i + 1) * n] = product.T
        means = self._sums[row : row + 2, column : column + 2].ravel() / max(1, self._n_frames)
        return gram - (self._n_frames * np.outer(means, means)).astype(np.float32)

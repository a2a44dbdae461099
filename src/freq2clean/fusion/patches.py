"""Overlapping square patches of an image, and what a block of frames looks like in them.

Patches are seen twice: in full, where detail is fitted and added, and in cells of 2 x 2 pixels (4 x
4 of a large image), which is where a denoised recording has its strength and all that its courses
are read from.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from freq2clean.fusion.parallel import over_items

__all__ = ["PatchGrid"]

_SIZE = 16
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

    @property
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

    def pad(self, frames: NDArray[np.float32]) -> NDArray[np.float32]:
        """Frames (n, Y, X) with the last rows and columns repeated to whole cells."""
        rows, columns = (p - n for p, n in zip(self.padded, self.shape, strict=True))
        if rows or columns:
            return np.pad(frames, ((0, 0), (0, rows), (0, columns)), mode="edge")
        return frames

    def strip(
        self, frames: NDArray[np.float32], row: int, columns: NDArray[np.intp]
    ) -> NDArray[np.float32]:
        """One row of patches of padded frames: (patches, n, pixels of a patch)."""
        height, width = self.size
        first = self.starts[0][row]
        views = np.lib.stride_tricks.sliding_window_view(
            frames[:, first : first + height], width, axis=2
        )[:, :, self.starts[1][columns]]
        return np.ascontiguousarray(views.transpose(2, 0, 1, 3)).reshape(
            len(columns), len(frames), height * width
        )

    def cells(
        self, frames: NDArray[np.float32], row: int, columns: NDArray[np.intp]
    ) -> NDArray[np.float32]:
        """The same in cells, each the sum of its pixels over their root: (patches, n, cells)."""
        cell = self.cell
        height, width = (n // cell for n in self.size)
        first = self.starts[0][row]
        band = frames[:, first : first + cell * height]
        parts = [band[:, y::cell, x::cell] for y in range(cell) for x in range(cell)]
        binned = parts[0] + parts[1]
        for part in parts[2:]:
            binned += part
        binned *= np.float32(1 / cell)
        views = np.lib.stride_tricks.sliding_window_view(binned, width, axis=2)
        chosen = views[:, :, self.starts[1][columns] // cell]
        return np.ascontiguousarray(chosen.transpose(2, 0, 1, 3)).reshape(
            len(columns), len(frames), self.n_cells
        )

    def each_row(self, function: Callable[[int], None]) -> None:
        """Call ``function`` for every row of patches, on a few threads."""
        over_items(function, range(len(self.starts[0])))


def _shares(starts: NDArray[np.intp], bump: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    """Along one axis: what the patch at each start gives, so that all add up to 1."""
    total = np.zeros(n)
    for start in starts:
        total[start : start + len(bump)] += bump
    return np.stack([bump / total[start : start + len(bump)] for start in starts])

"""Patches on a device: gathered from an image by their pixels' numbers, any number at once.

A device wants few large operations. So groups of neighbours that have equally many components are
worked on as one, by products for all their patches at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freq2clean.fusion.patches import Group, PatchGrid
from freq2clean.fusion.spaces import Space

__all__ = ["GatheredGroup", "Places", "gathered", "overlap_add"]


@dataclass(frozen=True, eq=False)
class Places:
    """Where patches lie in frames: the number of each of their pixels, (patches, pixels)."""

    space: Space
    numbers: NDArray[np.intp]

    def patches(self, frames: Any) -> Any:
        """What is in them of frames (n, Y, X): (patches, n, pixels of a patch)."""
        xp, n_frames = self.space.xp, frames.shape[0]
        values = xp.take(xp.reshape(frames, (n_frames, -1)), self._flat, axis=1)
        return xp.permute_dims(xp.reshape(values, (n_frames, *self.numbers.shape)), (1, 0, 2))

    @cached_property
    def _flat(self) -> Any:
        return self.space.array(self.numbers.ravel())


@dataclass(frozen=True, eq=False)
class GatheredGroup:
    """Groups of neighbouring patches, as one.

    Parameters
    ----------
    where : (ndarray, ndarray)
        Row and column of each patch in the grid.
    neighbourhoods : list of slice
        Which of the patches are neighbours.
    pixels, cells : Places
        Where they lie.
    """

    where: tuple[NDArray[np.intp], NDArray[np.intp]]
    neighbourhoods: list[slice]
    pixels: Places
    cells: Places


def gathered(space: Space, grid: PatchGrid, groups: Sequence[Group]) -> GatheredGroup:
    """Groups of neighbours as one group, in a space."""
    sizes = [len(group.columns) for group in groups]
    rows = np.repeat([group.row for group in groups], sizes)
    columns = np.concatenate([group.columns for group in groups])
    first = grid.starts[0][rows], grid.starts[1][columns]
    return GatheredGroup(
        (rows, columns),
        [slice(low, high) for low, high in pairwise(np.cumsum([0, *sizes]).tolist())],
        *(Places(space, _numbers(grid, first, unit)) for unit in (1, grid.cell)),
    )


def _numbers(
    grid: PatchGrid, first: tuple[NDArray[np.intp], NDArray[np.intp]], unit: int
) -> NDArray[np.intp]:
    """Numbers of the pixels, or cells of so many pixels a side, of patches."""
    (height, width), n_columns = (n // unit for n in grid.size), grid.padded[1] // unit
    top, left = (x[:, None, None] // unit for x in first)
    numbers = (top + np.arange(height)[:, None]) * n_columns + left + np.arange(width)
    return numbers.reshape(len(numbers), -1)


def overlap_add(
    space: Space, grid: PatchGrid, groups: Sequence[GatheredGroup]
) -> Callable[[list[Any], Any], None]:
    """What adds patches of all groups, each (patches, n, pixels), to frames ``out`` (n, Y, X).

    Each pixel fetches what the patches that cover it hold for it: no two write to one place.
    """
    numbers = np.concatenate([group.pixels.numbers.ravel() for group in groups])
    covers = [space.array(cover) for cover in _covers(grid, numbers)]

    def add(patches: list[Any], out: Any) -> None:
        xp, (_, n_frames, n_pixels) = space.xp, patches[0].shape
        nothing = space.zeros((1, n_frames, n_pixels), xp.float32)
        every = xp.permute_dims(xp.concat([*patches, nothing]), (1, 0, 2))
        flat = xp.reshape(every, (n_frames, -1))
        for cover in covers:
            out += xp.reshape(xp.take(flat, cover, axis=1), out.shape)

    return add


def _covers(grid: PatchGrid, numbers: NDArray[np.intp]) -> list[NDArray[np.intp]]:
    """For each pixel of an image, where it is found among ``numbers``: once, twice, and so on.

    Where it is found less often, one past their end.
    """
    order = np.argsort(numbers, kind="stable")
    pixels = numbers[order]
    times = np.arange(pixels.size) - np.searchsorted(pixels, pixels)
    covers = np.full((times.max() + 1, *grid.padded), numbers.size)
    covers.reshape(len(covers), -1)[times, pixels] = order
    rows, columns = grid.shape
    return [cover[:rows, :columns].ravel() for cover in covers]

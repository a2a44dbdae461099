"""The power limit on a device: many tiles at once, transformed by products with matrices."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise, product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freq2clean.fusion.limit import Limit, Tiling, shares_of_excess
from freq2clean.fusion.spaces import Space

__all__ = ["StackedTiling"]

Tiles = Sequence[tuple[int, int]]


@dataclass(frozen=True, eq=False)
class StackedTiling(Tiling):
    """The same tiles, stacked as (tiles, frames, rows, columns).

    Parameters
    ----------
    space : Space
        Where frames are.
    """

    space: Space

    def powers(self, frames: Any, reference: Any) -> NDArray[np.float64]:
        rows, columns = self.axes
        sums = np.zeros((len(rows), len(columns), *self.number.shape))
        deviations = frames - reference
        deviations *= self.space.array(self.typical_taper)[:, None, None]
        for tiles in self._together(list(self._taper_numbers)):
            spectrum = self.space.dctn(self._stacked(deviations, tiles), axes=(-3, -2, -1))
            sums[_where(tiles)] = self._band_powers(spectrum, len(self.widths))
        return sums

    def take_off(
        self, frames: Any, limit: Limit, time_taper: NDArray[np.float32], out: Any
    ) -> None:
        deviations = frames - limit.reference
        has_excess = limit.excess.any(axis=(2, 3))
        for tiles in self._together(np.argwhere(has_excess).tolist()):
            taken = self._excess(self._stacked(deviations, tiles), tiles, limit, time_taper)
            taken *= self._tapers(tiles)
            for i, tile in enumerate(tiles):
                out[self.box(*tile)] -= taken[i, ...]

    def _excess(
        self, values: Any, tiles: Tiles, limit: Limit, time_taper: NDArray[np.float32]
    ) -> Any:
        """What of stacked deviations is excess."""
        space, xp = self.space, self.space.xp
        excess, n_apart = limit.excess[_where(tiles)], limit.n_apart[_where(tiles)]
        n_bands = n_apart.max()
        cosines = space.array(self.cosines[: self.widths[:n_bands].sum()] * time_taper)
        flat = xp.reshape(values, (*values.shape[:2], -1))
        images = xp.reshape(cosines @ flat, (len(tiles), -1, *self.index.shape))
        spectrum = space.dctn(images, axes=(-2, -1))
        powers = self._band_powers(spectrum, n_bands)
        whole = space.host(xp.sum(flat * flat, axis=2)).astype(np.float64) @ np.square(time_taper)
        too_much = self.in_time(time_taper) * self.number * excess
        apart, together = np.zeros(powers.shape, np.float32), np.zeros(len(tiles))
        for i, n in enumerate(n_apart):
            apart[i, :n], together[i] = shares_of_excess(too_much[i], powers[i, :n], whole[i])
        band_of = space.array(np.repeat(np.arange(n_bands), self.widths[:n_bands]))
        each = xp.take(xp.take(space.array(apart), band_of, axis=1), self._ring, axis=2)
        spectrum *= xp.reshape(each, spectrum.shape)
        images = space.idctn(spectrum, axes=(-2, -1))
        taken = xp.matrix_transpose(cosines) @ xp.reshape(images, (*images.shape[:2], -1))
        left = np.multiply.outer(together, np.square(time_taper)).astype(np.float32)
        taken += flat * space.array(left)[:, :, None]
        return xp.reshape(taken, values.shape)

    def _band_powers(self, spectrum: Any, n_bands: int) -> NDArray[np.float64]:
        """Sums of squares, (tiles, bands, rings), of the first bands."""
        space, xp, squares = self.space, self.space.xp, spectrum * spectrum
        edges = np.cumsum([0, *self.widths[:n_bands]]).tolist()
        bands = [xp.sum(squares[:, first:last, ...], axis=1) for first, last in pairwise(edges)]
        return space.ring_sums(xp.stack(bands, axis=1), self.index)

    def _together(self, tiles: list[Any]) -> Iterator[Tiles]:
        """Some tiles at a time, as memory allows."""
        step = max(1, self.space.values_at_once // (self.n_frames * self.index.size))
        for first in range(0, len(tiles), step):
            yield [(row, column) for row, column in tiles[first : first + step]]

    def _stacked(self, deviations: Any, tiles: Tiles) -> Any:
        """What tiles hold, tapered in space."""
        stacked = self.space.xp.stack([deviations[self.box(*tile)] for tile in tiles])
        stacked *= self._tapers(tiles)
        return stacked

    def _tapers(self, tiles: Tiles) -> Any:
        """Spatial tapers, (tiles, 1, rows, columns)."""
        own = [self._taper_numbers[tile] for tile in tiles]
        return self.space.xp.take(self._every_taper, self.space.array(np.array(own)), axis=0)

    @cached_property
    def _every_taper(self) -> Any:
        tapers = [np.outer(*self.spatial_tapers(*tile)) for tile in self._taper_numbers]
        return self.space.array(np.stack(tapers)[:, None])

    @cached_property
    def _taper_numbers(self) -> dict[tuple[int, int], int]:
        rows, columns = self.axes
        every = product(range(len(rows)), range(len(columns)))
        return {tile: number for number, tile in enumerate(every)}

    @cached_property
    def _ring(self) -> Any:
        """The ring of each pixel of a tile's spectrum."""
        return self.space.array(self.index.ravel())


def _where(tiles: Tiles) -> tuple[list[int], list[int]]:
    """Tiles in arrays over the tiling."""
    return [row for row, _ in tiles], [column for _, column in tiles]

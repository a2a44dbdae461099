"""Overlapping tiles, of which the valid parts are put together without seams."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from freq2clean.errors import InputError

__all__ = ["Slabs", "Tile", "Tiler", "in_tiles", "tiles_of"]

_RAN_OUT = "memory ran out"


@dataclass(frozen=True)
class Tile:
    """A range that goes into a network, and the part of it that comes out valid.

    Parameters
    ----------
    start, stop : int
        What goes in. It may end beyond the axis.
    first, last : int
        What is valid.
    """

    start: int
    stop: int
    first: int
    last: int


def tiles_of(n: int, length: int, *, halo: int, multiple: int) -> list[Tile]:
    """Tiles of equal length whose valid parts cover ``range(n)``, none of it twice.

    They start at multiples of ``multiple``, where a network that halves and doubles sides gives
    the same values whatever the tile, but for what lies beyond the halo.

    Parameters
    ----------
    n : int
        Length of the axis.
    length : int
        Of a tile, a multiple; tiles of a short axis are as long as that, rounded up.
    halo : int
        What is not valid at least, on each side that is no end of the axis; a multiple.

    Examples
    --------
    >>> for tile in tiles_of(100, 64, halo=8, multiple=8):
    ...     print(tile)
    Tile(start=0, stop=64, first=0, last=52)
    Tile(start=40, stop=104, first=52, last=100)
    """
    room = max(0, -(-(n - length) // multiple) * multiple)
    n_steps = -(-room // (length - 2 * halo))
    if n_steps == 0:
        return [Tile(0, -(-n // multiple) * multiple, 0, n)]
    starts = [room * i // n_steps // multiple * multiple for i in range(n_steps + 1)]
    cuts = [0, *((one + length + other) // 2 for one, other in pairwise(starts)), n]
    return [
        Tile(start, start + length, first, last)
        for start, (first, last) in zip(starts, pairwise(cuts), strict=True)
    ]


def in_tiles(
    volume: NDArray[np.float32],
    valid: slice,
    forward: Callable[[NDArray[np.float32]], NDArray[np.float32]],
    *,
    side: int,
    halo: int,
    multiple: int,
    per_batch: int = 1,
) -> NDArray[np.float32]:
    """What a network makes of a volume, in tiles of its rows and columns.

    Parameters
    ----------
    volume : ndarray, (..., T, Y, X), float32
        What lies beyond the last row and column is reflected.
    valid : slice
        The frames wanted.
    forward : callable
        From tiles (N, ..., T, y, x) to denoised ones (N, T, y, x).
    side, halo, multiple : int
        As in `tiles_of`.
    per_batch : int
        Most tiles at a time.

    Returns
    -------
    ndarray, (t, Y, X), float32
    """
    n_frames, n_rows, n_columns = volume.shape[-3:]
    over_y, over_x = (tiles_of(n, side, halo=halo, multiple=multiple) for n in (n_rows, n_columns))
    beyond = (0, over_y[-1].stop - n_rows), (0, over_x[-1].stop - n_columns)
    if np.any(beyond):
        volume = np.pad(volume, ((0, 0),) * (volume.ndim - 2) + beyond, mode="symmetric")
    out = np.empty((len(range(n_frames)[valid]), n_rows, n_columns), np.float32)
    places = list(product(over_y, over_x))
    for first in range(0, len(places), per_batch):
        batch = places[first : first + per_batch]
        tiles = np.stack([volume[..., y.start : y.stop, x.start : x.stop] for y, x in batch])
        for (y, x), tile in zip(batch, forward(tiles)[:, valid], strict=True):
            inside = tile[:, y.first - y.start : y.last - y.start]
            inside = inside[:, :, x.first - x.start : x.last - x.start]
            out[:, y.first : y.last, x.first : x.last] = inside
    return out


class Tiler:
    """Runs a network on volumes of any size, in smaller tiles once memory ran out.

    Parameters
    ----------
    forward, side, halo, multiple, per_batch
        As in `in_tiles`, to begin with. ``forward`` raises MemoryError where memory runs out.
    notes : list of str
        What had to be done is added to it.
    """

    def __init__(
        self,
        forward: Callable[[NDArray[np.float32]], NDArray[np.float32]],
        *,
        side: int,
        halo: int,
        multiple: int,
        per_batch: int = 1,
        notes: list[str],
    ) -> None:
        self._forward = forward
        self._side, self._halo, self._multiple = side, halo, multiple
        self._per_batch = per_batch
        self._notes = notes

    def run(self, volume: NDArray[np.float32], valid: slice) -> NDArray[np.float32]:
        """What `in_tiles` gives.

        Raises
        ------
        InputError
            If there is not even memory for the smallest tile.
        """
        while True:
            try:
                return in_tiles(
                    volume,
                    valid,
                    self._forward,
                    side=self._side,
                    halo=self._halo,
                    multiple=self._multiple,
                    per_batch=self._per_batch,
                )
            except MemoryError:
                """What the failure holds is let go of before the next try."""
            self._shrink(max(volume.shape[-2:]))

    def _shrink(self, longest: int) -> None:
        least = 2 * self._halo + self._multiple
        whole = -(-longest // self._multiple) * self._multiple
        self._side = min(self._side, max(least, whole))
        if self._per_batch > 1:
            self._per_batch = 1
        elif self._side > least:
            self._side = max(least, 3 * self._side // 4 // self._multiple * self._multiple)
        else:
            raise InputError(
                f"not enough memory for a tile of {self._side} x {self._side} pixels; "
                "close other programs, or give a smaller tile_t, or another device"
            )
        if self._notes and self._notes[-1].startswith(_RAN_OUT):
            self._notes.pop()
        self._notes.append(
            f"{_RAN_OUT}: went on with tiles of {self._side} x {self._side} pixels, "
            f"{self._per_batch} at a time"
        )


class Slabs:
    """Gives any frames of a recording that is denoised in slabs of frames.

    Slabs lie where they lie whatever is asked for, and the last one is kept: reading frame by
    frame gives the same as reading all at once, and costs the same.

    Parameters
    ----------
    slabs : sequence of Tile
        Of the recording's frames.
    frame_shape : (int, int)
    denoise : callable
        Gives the valid frames of a slab; called by one thread at a time.
    """

    def __init__(
        self,
        slabs: Sequence[Tile],
        frame_shape: tuple[int, ...],
        denoise: Callable[[Tile], NDArray[np.float32]],
    ) -> None:
        self._slabs = slabs
        self._frame_shape = frame_shape
        self._denoise = denoise
        self._kept: tuple[Tile, NDArray[np.float32]] | None = None
        self._lock = Lock()

    def __call__(self, start: int, stop: int) -> NDArray[np.float32]:
        out = np.empty((stop - start, *self._frame_shape), np.float32)
        with self._lock:
            for slab in self._slabs:
                low, high = max(slab.first, start), min(slab.last, stop)
                if low < high:
                    frames = self._denoised(slab)
                    out[low - start : high - start] = frames[low - slab.first : high - slab.first]
        return out

    def _denoised(self, slab: Tile) -> NDArray[np.float32]:
        if self._kept is None or self._kept[0] != slab:
            self._kept = slab, self._denoise(slab)
        return self._kept[1]

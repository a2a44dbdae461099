"""Overlapping tiles of one axis, and which part of each is valid."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

__all__ = ["Tile", "tiles_of"]


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

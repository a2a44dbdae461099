"""Values that were never measured: lines that a detector dropped, and NaN."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freq2clean.fusion.spaces import Space, space_of

__all__ = ["MaskedValues", "missing_rows", "zero_where_unknown"]

_SAMPLES_PER_ROW = 8
_COLUMNS_AT_FIRST = 64
_NEGLIGIBLE_LOG_CHANCE = np.log(1e-9)


def missing_rows(block: Any, /) -> NDArray[np.bool_]:
    """Rows of single frames that hold nothing but zeros though their neighbours hold light.

    A row of zeros counts as missing where it cannot be chance: with the share of zeros in the
    nearest rows of the same frame that are not empty, the darker of the two, a whole row of them
    has a probability below 1e-9. So a dark row of a recording with few photons is signal. Only
    the frame itself is looked at, which makes the answer independent of how frames are blocked;
    an empty frame and a masked border count as missing too.

    Parameters
    ----------
    block : array, (n, Y, X), any real dtype
        Frames, on any device. NaN counts as a value.

    Returns
    -------
    ndarray, (n, Y), bool

    Examples
    --------
    >>> import numpy as np
    >>> block = np.full((20, 4, 32), 7, np.uint16)
    >>> block[3, 2] = 0
    >>> np.argwhere(missing_rows(block)).tolist()
    [[3, 2]]
    """
    space = space_of(block)
    missing = np.zeros(tuple(block.shape[:2]), np.bool_)
    n_columns = int(block.shape[2])
    shares = _shares_of_zeros(block) if space.is_host else _shares_of_zeros_there(space, block)
    for frame, share in shares:
        missing[frame] = _missing_by_share(share, n_columns)
    return missing


def _shares_of_zeros(block: NDArray[Any]) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """Of each frame that has an empty row, the share of zeros in its rows.

    Rows that are lit are known as such by a few values.
    """
    frames, rows = np.nonzero(block[:, :, 0] == 0)
    for column in range(1, block.shape[2], max(1, block.shape[2] // _SAMPLES_PER_ROW)):
        still_zero = block[frames, rows, column] == 0
        frames, rows = frames[still_zero], rows[still_zero]
    empty = [not block[frame, row].any() for frame, row in zip(frames, rows, strict=True)]
    for frame in np.unique(frames[empty]).tolist():
        yield frame, np.mean(block[frame] == 0, axis=1)


def _shares_of_zeros_there(space: Space, block: Any) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """The same for a device, which looks at all rows at once."""
    xp = space.xp
    if space.holds(xp.any(block[:, :, : min(_COLUMNS_AT_FIRST, block.shape[2])] != 0, axis=2)):
        return
    zeros = space.host(xp.sum(xp.astype(block == 0, xp.float32), axis=2)).astype(np.float64)
    for frame in np.flatnonzero((zeros == block.shape[2]).any(axis=1)).tolist():
        yield frame, zeros[frame] / block.shape[2]


def _missing_by_share(share_of_zeros: NDArray[np.float64], n_columns: int) -> NDArray[np.bool_]:
    """Which rows of a frame are missing, by the share of zeros in each."""
    empty: NDArray[np.bool_] = share_of_zeros == 1
    lit = np.flatnonzero(~empty)
    if lit.size == 0:
        return empty
    rows = np.flatnonzero(empty)
    above = lit[np.clip(np.searchsorted(lit, rows) - 1, 0, None)]
    below = lit[np.clip(np.searchsorted(lit, rows), None, lit.size - 1)]
    darker = np.maximum(share_of_zeros[above], share_of_zeros[below])
    with np.errstate(divide="ignore"):
        log_chance = n_columns * np.log(darker)
    missing = np.zeros(len(empty), np.bool_)
    missing[rows[log_chance < _NEGLIGIBLE_LOG_CHANCE]] = True
    return missing


def zero_where_unknown(values: Any) -> Any:
    """The same array with 0 in place of what is not finite."""
    space, xp = space_of(values), space_of(values).xp
    if not space.holds(xp.isfinite(xp.sum(values))):
        values[~xp.isfinite(values)] = 0
    return values


class MaskedValues:
    """Where the raw recording was not a number, kept compressed until the frames are written."""

    def __init__(self) -> None:
        self._blocks: dict[int, tuple[tuple[int, int], bytes]] = {}

    def add(self, start: int, mask: Any) -> None:
        """Remember a mask (n, pixels) for frames ``start`` onward."""
        mask = space_of(mask).host(mask)
        n_frames, n_pixels = mask.shape
        self._blocks[start] = (n_frames, n_pixels), zlib.compress(np.packbits(mask).tobytes(), 1)

    def take(self, other: MaskedValues) -> None:
        """Remember what another one does, too."""
        self._blocks |= other._blocks

    def blank(self, start: int, block: Any) -> None:
        """Write NaN into a block (n, pixels) of frames ``start`` onward, in place."""
        space = space_of(block)
        stop = start + block.shape[0]
        for first, ((n_frames, n_pixels), packed) in self._blocks.items():
            low, high = max(first, start), min(first + n_frames, stop)
            if low < high:
                bits = np.frombuffer(zlib.decompress(packed), np.uint8)
                mask = np.unpackbits(bits, count=n_frames * n_pixels).reshape(n_frames, n_pixels)
                unknown = space.array(mask[low - first : high - first] == 1)
                part = block[low - start : high - start, :]
                part[unknown] = np.nan

    def forget(self, before: int) -> None:
        """Drop what lies before a frame."""
        for first in [f for f, ((n, _), _) in self._blocks.items() if f + n <= before]:
            del self._blocks[first]


def filled(raw: Any, frames: Any) -> Any:
    """The raw frames as float32, with those of another recording where nothing was measured."""
    space, xp = space_of(raw), space_of(raw).xp
    values = space.floats(raw)
    unmeasured = space.array(missing_rows(raw))[:, :, None] | ~xp.isfinite(values)
    return xp.where(unmeasured, frames, values)

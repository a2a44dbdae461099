"""Quantiles of a stream of pixels, in bounded memory and one pass."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from freq2clean.errors import InputError
from freq2clean.metrics.pairs import real_block

__all__ = ["QuantileSketch", "quantile_of_text"]


class QuantileSketch:
    """A histogram fine enough for quantiles, filled block by block.

    Integers of up to 32 bits have one bin per value, so their quantiles are those of
    `numpy.quantile`, unless the values span more than 2**24; bins then hold a power of two of
    neighbouring values. For floats the bins grow with the distance from an origin, the median of
    the first block's first frame: a quantile is off by at most 2**-13 of its distance from there,
    and as a rule far less, since ranks are interpolated within a bin. Memory: 32 MB for floats,
    at most 128 MB for integers. Pixels that are not finite are left out.

    Examples
    --------
    >>> import numpy as np
    >>> sketch = QuantileSketch()
    >>> for block in np.split(np.arange(1000, dtype=np.uint16), 4):
    ...     sketch.add(block)
    >>> sketch.quantiles([0.5, 0.999])
    [499.5, 998.001]
    """

    def __init__(self) -> None:
        self._bins: _Bins | None = None
        self._lowest = np.inf
        self._highest = -np.inf
        self.count = 0

    def add(self, block: Any, /) -> None:
        """Count the pixels of an array of any shape."""
        array = real_block(block)
        values = array.ravel()
        if array.dtype.kind == "f" and not (finite := np.isfinite(values)).all():
            values = values[finite]
        if values.size == 0:
            return
        if self._bins is None:
            self._bins = _bins_for(array, values)
        elif isinstance(self._bins, _IntegerBins) and array.dtype.kind == "f":
            raise InputError(
                f"a block of {array.dtype} after blocks of integers; keep to one type of pixel"
            )
        self._bins.add(values)
        self._lowest = min(self._lowest, float(values.min()))
        self._highest = max(self._highest, float(values.max()))
        self.count += values.size

    def quantiles(self, fractions: Sequence[float], /) -> list[float]:
        """Quantiles, linearly interpolated between ranks as `numpy.quantile` does.

        Parameters
        ----------
        fractions : sequence of float
            Each in [0, 1].

        Raises
        ------
        InputError
            A fraction out of range, or no finite pixel so far.
        """
        for fraction in fractions:
            if not 0 <= fraction <= 1:
                raise InputError(f"quantile {fraction} asked for; it lies between 0 and 1")
        if self._bins is None:
            raise InputError("no finite pixel to take quantiles of; check the recording")
        filled = np.flatnonzero(self._bins.counts)
        counts = self._bins.counts[filled]
        ends = np.cumsum(counts)

        def ranked(rank: int) -> float:
            at = int(np.searchsorted(ends, rank, side="right"))
            low, high = self._bins.edges(int(filled[at]))  # type: ignore[union-attr]
            share = (rank - (ends[at] - counts[at]) + 0.5) / counts[at]
            return float(np.clip(low + share * (high - low), self._lowest, self._highest))

        def interpolated(fraction: float) -> float:
            position = fraction * (self.count - 1)
            below = int(position)
            low = ranked(below)
            return low + (position - below) * (ranked(min(below + 1, self.count - 1)) - low)

        return [interpolated(fraction) for fraction in fractions]


def quantile_of_text(text: str) -> float:
    """The fraction that a text such as ``"q99.9"`` names.

    Examples
    --------
    >>> quantile_of_text("q75")
    0.75
    """
    try:
        percent = float(text.removeprefix("q"))
    except ValueError:
        percent = np.nan
    if not text.startswith("q") or not 0 < percent <= 100:
        raise InputError(
            f"data_range={text!r}; give a number, or a percentile of the truth such as 'q99.9'"
        )
    return percent / 100


class _Bins(Protocol):
    counts: NDArray[np.int64]

    def add(self, values: NDArray[Any], /) -> None: ...

    def edges(self, index: int, /) -> tuple[float, float]: ...


def _bins_for(array: NDArray[Any], values: NDArray[Any]) -> _Bins:
    if array.dtype.kind in "iu" and array.dtype.itemsize <= 4:
        return _IntegerBins()
    first_frame = array[0] if array.ndim == 3 else array
    finite = first_frame[np.isfinite(first_frame)]
    return _FloatBins(float(np.median(finite if finite.size else values)))


class _IntegerBins:
    """One bin per value while they span no more than 2**24, then one per 2, 4, 8... values."""

    _limit = 2**24

    def __init__(self) -> None:
        self.counts = np.zeros(0, np.int64)
        self._first = 0
        self._shift = 0

    def add(self, values: NDArray[Any], /) -> None:
        self._cover(int(values.min()), int(values.max()))
        index = (values.astype(np.int64) >> self._shift) - self._first
        self.counts += np.bincount(index, minlength=self.counts.size)

    def edges(self, index: int, /) -> tuple[float, float]:
        low = (self._first + index) << self._shift
        return float(low), float(low + (1 << self._shift) - 1)

    def _cover(self, low: int, high: int) -> None:
        if self.counts.size:
            low = min(low, self._first << self._shift)
            high = max(high, (self._first + self.counts.size - 1) << self._shift)
        shift = self._shift
        while (high >> shift) - (low >> shift) >= self._limit:
            shift += 1
        first, size = low >> shift, (high >> shift) - (low >> shift) + 1
        if (first, size, shift) == (self._first, self.counts.size, self._shift):
            return
        counts = np.zeros(size, np.int64)
        old = (self._first + np.arange(self.counts.size)) >> (shift - self._shift)
        np.add.at(counts, old - first, self.counts)
        self.counts, self._first, self._shift = counts, first, shift


class _FloatBins:
    """Bins by the leading bits of the float32 distance from an origin: sign, exponent, 13 bits."""

    _dropped_bits = 10
    _half = 2**21

    def __init__(self, origin: float) -> None:
        self.counts = np.zeros(2 * self._half, np.int64)
        self._origin = origin

    def add(self, values: NDArray[Any], /) -> None:
        with np.errstate(over="ignore"):
            distance = values.astype(np.result_type(values, np.float32))
            distance -= self._origin
            bits = distance.astype(np.float32, copy=False).view(np.int32)
        index = bits & np.int32(0x7FFFFFFF)
        index >>= self._dropped_bits
        index ^= bits >> 31  # ones' complement below the origin
        index += self._half
        np.add.at(self.counts, index, 1)

    def edges(self, index: int, /) -> tuple[float, float]:
        step = index - self._half
        if step >= 0:
            return self._value(step), self._value(step + 1)
        return self._origin * 2 - self._value(~step + 1), self._origin * 2 - self._value(~step)

    def _value(self, magnitude: int) -> float:
        bits = np.array([magnitude << self._dropped_bits], np.int32)
        distance = float(bits.view(np.float32)[0])
        return self._origin + (distance if np.isfinite(distance) else float(np.finfo("f4").max))

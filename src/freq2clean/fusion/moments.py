"""Step 1, accumulate: coefficient images of the residual and of the denoised recording.

Blocks of frames come in any size, and what is added up is linear in them: any blocking gives the
same sums.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from freq2clean.fusion.missing import MaskedValues, missing_rows
from freq2clean.fusion.parallel import over_pixels, scratch
from freq2clean.fusion.rows import RUN_FRAMES, Rows
from freq2clean.fusion.scale import Scale

__all__ = ["Projection", "accumulate", "total"]

_FEW_ROWS = 8


@dataclass(eq=False)
class Projection:
    """Sums over frames of temporal weights times a recording: K coefficient images.

    Parameters
    ----------
    source : "raw", "denoised" or "residual"
        What is summed; the residual is the raw recording minus the denoised one.
    start : int
        First frame that counts.
    weights : ndarray, (K, n)
        For frames ``start`` to ``start + n``.
    """

    source: Literal["raw", "denoised", "residual"]
    start: int
    weights: NDArray[np.float64]
    _sums: NDArray[Any] | None = field(default=None, repr=False)
    _n_missing: NDArray[np.int32] = field(default_factory=lambda: np.zeros(1, np.int32), repr=False)

    @property
    def stop(self) -> int:
        """The frame after the last that counts."""
        return self.start + int(self.weights.shape[1])

    @property
    def _dtype(self) -> type[np.float32 | np.float64]:
        return np.float64 if len(self.weights) <= _FEW_ROWS else np.float32

    def part(self, start: int, stop: int) -> Projection:
        """The same over some of its frames only, with none added."""
        return Projection(
            self.source, start, self.weights[:, start - self.start : stop - self.start]
        )

    @classmethod
    def merged(cls, parts: Sequence[Projection]) -> Projection:
        """Over the frames of all parts, which follow each other."""
        first = parts[0]
        weights = np.concatenate([part.weights for part in parts], axis=1)
        sums, missing = (total([getattr(x, n) for x in parts]) for n in ("_sums", "_n_missing"))
        return cls(first.source, first.start, weights, sums, missing)

    def images(self, shape: tuple[int, int]) -> NDArray[Any]:
        """The coefficient images (K, Y, X), as if missing values were like the others.

        A pixel without any value has coefficients 0. They are float64 where K is small, so that
        means of integers are exact, else float32.
        """
        assert self._sums is not None, "no frame was added"
        sums = self._sums
        if self._n_missing.any():
            sums = sums * self._stretch
        return sums.astype(self._dtype, copy=False).reshape(-1, *shape)

    def seen(self, shape: tuple[int, int]) -> NDArray[np.bool_]:
        """Pixels (Y, X) with any value that counts."""
        seen: NDArray[np.bool_] = self._n_missing < self.weights.shape[1]
        return seen.reshape(shape)

    @property
    def noise_factor(self) -> float:
        """Noise power of the images over that of a recording without missing values."""
        return float(self._stretch.mean())

    @property
    def _stretch(self) -> NDArray[np.float64]:
        """What makes up for missing values, per pixel; 0 where there is none to go by."""
        n_frames = self.weights.shape[1]
        n_valid = n_frames - self._n_missing
        return np.where(n_valid > 0, n_frames / np.maximum(n_valid, 1), 0.0)

    def _part_of(self, start: int, stop: int) -> tuple[slice, Rows] | None:
        """Which of the frames ``start`` to ``stop`` count, and their weights; None if none do."""
        first, last = max(start, self.start), min(stop, self.stop)
        if first >= last:
            return None
        weights = self.weights[:, first - self.start : last - self.start]
        return slice(first - start, last - start), Rows.of(weights)

    def _allocate(self, n_pixels: int) -> NDArray[Any]:
        if self._sums is None:
            self._sums = np.zeros((len(self.weights), n_pixels), self._dtype)
            self._n_missing = np.zeros(n_pixels, np.int32)
        return self._sums


def total(arrays: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """The sum of some arrays, a new one."""
    summed = arrays[0].copy()
    for array in arrays[1:]:
        summed += array
    return summed


def accumulate(
    start: int,
    raw: NDArray[Any],
    denoised: NDArray[Any],
    projections: Sequence[Projection],
    *,
    scale: Scale,
    masked: MaskedValues,
) -> None:
    """Add frames ``start`` onward, two blocks (n, Y, X), to the projections that hold them.

    Values that are missing from the raw recording (dropped lines, NaN) do not count; where it is
    not a number is noted in ``masked``.
    """
    for first in range(0, len(raw), RUN_FRAMES):
        run = slice(first, first + RUN_FRAMES)
        _accumulate_run(start + first, raw[run], denoised[run], projections, scale, masked)


def _accumulate_run(
    start: int,
    raw: NDArray[Any],
    denoised: NDArray[Any],
    projections: Sequence[Projection],
    scale: Scale,
    masked: MaskedValues,
) -> None:
    n_frames = len(raw)
    x, y = raw.reshape(n_frames, -1), denoised.reshape(n_frames, -1)
    n_pixels = x.shape[1]
    active = [
        (projection, projection._allocate(n_pixels), *part)
        for projection in projections
        if (part := projection._part_of(start, start + n_frames)) is not None
    ]
    dropped = missing_rows(raw)
    row_of_pixel = np.arange(n_pixels) // raw.shape[2] if dropped.any() else None
    not_a_number: list[tuple[slice, NDArray[np.bool_]]] = []

    def add_pixels(pixels: slice) -> None:
        hole = None if row_of_pixel is None else dropped[:, row_of_pixel[pixels]]
        tile = _Tile(x[:, pixels], y[:, pixels], scale, hole)
        for projection, sums, frames, rows in active:
            sums[:, pixels] += tile.total(projection.source, frames, rows)
            if (holes := tile.holes(projection.source)) is not None:
                projection._n_missing[pixels] += holes[frames].sum(axis=0)
        if tile.is_patched:
            not_a_number.append((pixels, ~np.isfinite(x[:, pixels])))

    over_pixels(add_pixels, n_pixels, one_sweep=all(rows.is_plain for *_, rows in active))
    if any(bad.any() for _, bad in not_a_number):
        mask = np.zeros(x.shape, np.bool_)
        for pixels, bad in not_a_number:
            mask[:, pixels] = bad
        masked.add(start, mask)


class _Tile:
    """A run of frames of some pixels: each source is made when it is first summed."""

    def __init__(
        self,
        raw: NDArray[Any],
        denoised: NDArray[Any],
        scale: Scale,
        dropped: NDArray[np.bool_] | None,
    ) -> None:
        self._raw = raw
        self._level = scale.apply(denoised, out=scratch("level", raw.shape))
        self._dropped = dropped if dropped is not None and dropped.any() else None
        self._made: dict[str, tuple[NDArray[Any], NDArray[np.bool_] | None]] = {}
        self.is_patched = False

    def total(self, source: str, frames: slice, rows: Rows) -> NDArray[Any]:
        """The weighted sums (K, pixels); from the first that are not finite on, without holes.

        One row tells, as what is not finite makes every row so.
        """
        with np.errstate(invalid="ignore"):
            total = self._total(source, frames, rows)
            if not self.is_patched and not np.isfinite(total[0]).all():
                self.is_patched = True
                self._made.clear()
                total = self._total(source, frames, rows)
        return total

    def holes(self, source: str) -> NDArray[np.bool_] | None:
        """Where values (n, pixels) were found not to count."""
        return self._made[source][1] if source in self._made else None

    def _total(self, source: str, frames: slice, rows: Rows) -> NDArray[Any]:
        if not rows.is_plain:
            return rows.project(self._values(source)[frames])
        if source == "residual" and self._dropped is None and not self.is_patched:
            total = _sum(self._raw[frames]) - _sum(self._level[frames])
        else:
            total = _sum(self._values(source)[frames])
        total *= rows.few[0, 0]
        return total

    def _values(self, source: str) -> NDArray[Any]:
        """What is summed, with 0 in the holes."""
        if source not in self._made:
            values = self._source(source)
            holes = None if source == "denoised" else self._dropped
            if self.is_patched:
                bad = ~np.isfinite(values)
                holes = bad if holes is None else holes | bad
            if holes is not None:
                values = np.where(holes, np.float32(0), values)
            self._made[source] = values, holes
        return self._made[source][0]

    def _source(self, source: str) -> NDArray[Any]:
        if source == "residual":
            residual = scratch("residual", self._raw.shape)
            np.subtract(self._raw, self._level, out=residual, dtype=np.float32)
            return residual
        return self._raw if source == "raw" else self._level


def _sum(values: NDArray[Any]) -> NDArray[np.float32]:
    """Sum of a run of frames (1, pixels); the run is so short that 16-bit integers add exactly."""
    total: NDArray[np.float32]
    if values.dtype == np.float32:
        total = np.matmul(np.ones((1, len(values)), np.float32), values)
    else:
        total = np.add.reduce(values, axis=0, dtype=np.float32, keepdims=True)
    return total

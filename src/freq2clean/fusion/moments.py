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
from freq2clean.fusion.rows import RUN_FRAMES, Rows
from freq2clean.fusion.scale import Scale
from freq2clean.fusion.spaces import HOST, Space, space_of

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
    _space: Space = field(default=HOST, repr=False)
    _sums: Any = field(default=None, repr=False)
    _n_missing: Any = field(default=None, repr=False)
    _has_holes: bool = False

    @property
    def stop(self) -> int:
        """The frame after the last that counts."""
        return self.start + int(self.weights.shape[1])

    @property
    def _dtype(self) -> Any:
        return self._space.real if len(self.weights) <= _FEW_ROWS else self._space.xp.float32

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
        has_holes = any(part._has_holes for part in parts)
        return cls(first.source, first.start, weights, first._space, sums, missing, has_holes)

    def images(self, shape: tuple[int, int]) -> Any:
        """The coefficient images (K, Y, X), as if missing values were like the others.

        A pixel without any value has coefficients 0. They are float64 where K is small, so that
        means of integers are exact, else float32.
        """
        assert self._sums is not None, "no frame was added"
        sums, xp = self._sums, self._space.xp
        if self._has_holes:
            sums = xp.astype(sums * self._stretch, self._dtype, copy=False)
        return xp.reshape(sums, (len(self.weights), *shape))

    def seen(self, shape: tuple[int, int]) -> Any:
        """Pixels (Y, X) with any value that counts."""
        xp = self._space.xp
        if not self._has_holes:
            return xp.ones(shape, dtype=xp.bool, device=self._space.device)
        return xp.reshape(self._n_missing < self.weights.shape[1], shape)

    @property
    def noise_factor(self) -> float:
        """Noise power of the images over that of a recording without missing values."""
        return 1.0 if not self._has_holes else float(self._space.xp.mean(self._stretch))

    @property
    def _stretch(self) -> Any:
        """What makes up for missing values, per pixel; 0 where there is none to go by."""
        xp, n_frames = self._space.xp, self.weights.shape[1]
        n_valid = xp.astype(n_frames - self._n_missing, self._space.real)
        return xp.where(n_valid > 0, n_frames / xp.maximum(n_valid, xp.ones_like(n_valid)), 0.0)

    def _part_of(self, start: int, stop: int) -> tuple[slice, Rows] | None:
        """Which of the frames ``start`` to ``stop`` count, and their weights; None if none do."""
        first, last = max(start, self.start), min(stop, self.stop)
        if first >= last:
            return None
        weights = self.weights[:, first - self.start : last - self.start]
        return slice(first - start, last - start), Rows.of(weights, self._space)

    def _allocate(self, space: Space, n_pixels: int) -> None:
        if self._sums is None:
            self._space = space
            self._sums = space.zeros((len(self.weights), n_pixels), self._dtype)
            self._n_missing = space.zeros((n_pixels,), space.xp.int32)

    def _count(self, pixels: slice, holes: Any) -> None:
        """Count values (n, pixels) that are missing."""
        xp, self._has_holes = self._space.xp, True
        counts = xp.astype(holes, xp.int32)
        self._n_missing[pixels] += xp.sum(counts, axis=0, dtype=xp.int32)


def total(arrays: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """The sum of some arrays, a new one."""
    summed = arrays[0].copy()
    for array in arrays[1:]:
        summed += array
    return summed


def accumulate(
    start: int,
    raw: Any,
    denoised: Any,
    projections: Sequence[Projection],
    *,
    scale: Scale,
    masked: MaskedValues,
) -> None:
    """Add frames ``start`` onward, two blocks (n, Y, X), to the projections that hold them.

    Values that are missing from the raw recording (dropped lines, NaN) do not count; where it is
    not a number is noted in ``masked``.
    """
    space = space_of(raw, denoised)
    for first in range(0, raw.shape[0], RUN_FRAMES):
        run = slice(first, min(first + RUN_FRAMES, raw.shape[0]))
        _accumulate_run(
            space, start + first, raw[run, ...], denoised[run, ...], projections, scale, masked
        )


def _accumulate_run(
    space: Space,
    start: int,
    raw: Any,
    denoised: Any,
    projections: Sequence[Projection],
    scale: Scale,
    masked: MaskedValues,
) -> None:
    n_frames, n_rows, n_columns = raw.shape
    n_pixels = n_rows * n_columns
    x, y = (space.xp.reshape(block, (n_frames, n_pixels)) for block in (raw, denoised))
    for projection in projections:
        projection._allocate(space, n_pixels)
    active = [
        (projection, *part)
        for projection in projections
        if (part := projection._part_of(start, start + n_frames)) is not None
    ]
    dropped = missing_rows(raw)
    lines, row_of_pixel = None, None
    if dropped.any():
        lines, row_of_pixel = space.array(dropped), np.arange(n_pixels) // n_columns
    not_a_number: list[tuple[slice, Any]] = []

    def add_pixels(pixels: slice) -> None:
        hole = None
        if row_of_pixel is not None:
            hole = space.xp.take(lines, space.array(row_of_pixel[pixels]), axis=1)
        tile = _Tile(space, x[:, pixels], y[:, pixels], scale, hole)
        for projection, frames, rows in active:
            projection._sums[:, pixels] += tile.total(projection.source, frames, rows)
            if (holes := tile.holes(projection.source)) is not None:
                projection._count(pixels, holes[frames, :])
        if tile.is_patched:
            not_a_number.append((pixels, ~space.finite(x[:, pixels])))

    space.over_pixels(add_pixels, n_pixels, one_sweep=all(rows.is_plain for *_, rows in active))
    if any(not space.holds(~bad) for _, bad in not_a_number):
        mask = space.zeros((n_frames, n_pixels), space.xp.bool)
        for pixels, bad in not_a_number:
            mask[:, pixels] = bad
        masked.add(start, mask)


class _Tile:
    """A run of frames of some pixels: each source is made when it is first summed."""

    def __init__(self, space: Space, raw: Any, denoised: Any, scale: Scale, dropped: Any) -> None:
        self._space = space
        self._raw = raw
        self._level = scale.apply(denoised, out=space.scratch("level", raw.shape))
        self._dropped = None if dropped is None or space.holds(~dropped) else dropped
        self._made: dict[str, tuple[Any, Any]] = {}
        self.is_patched = False

    def total(self, source: str, frames: slice, rows: Rows) -> Any:
        """The weighted sums (K, pixels); from the first that are not finite on, without holes.

        One row tells, as what is not finite makes every row so.
        """
        with np.errstate(invalid="ignore"):
            total = self._total(source, frames, rows)
            if not self.is_patched and not self._space.holds(self._space.xp.isfinite(total[0, :])):
                self.is_patched = True
                self._made.clear()
                total = self._total(source, frames, rows)
        return total

    def holes(self, source: str) -> Any:
        """Where values (n, pixels) were found not to count."""
        return self._made[source][1] if source in self._made else None

    def _total(self, source: str, frames: slice, rows: Rows) -> Any:
        if rows.constant is None:
            return rows.project(self._values(source)[frames, :])
        sum_frames = self._space.sum_frames
        if source == "residual" and self._dropped is None and not self.is_patched:
            total = sum_frames(self._raw[frames, :]) - sum_frames(self._level[frames, :])
        else:
            total = sum_frames(self._values(source)[frames, :])
        total *= rows.constant
        return total

    def _values(self, source: str) -> Any:
        """What is summed, with 0 in the holes."""
        if source not in self._made:
            values = self._source(source)
            holes = None if source == "denoised" else self._dropped
            if self.is_patched:
                bad = ~self._space.finite(values)
                holes = bad if holes is None else holes | bad
            if holes is not None:
                values = self._space.xp.where(holes, 0.0, self._space.floats(values))
            self._made[source] = values, holes
        return self._made[source][0]

    def _source(self, source: str) -> Any:
        if source == "residual":
            return self._space.difference(self._raw, self._level)
        return self._raw if source == "raw" else self._level

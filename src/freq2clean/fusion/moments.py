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
from freq2clean.fusion.scale import Scale

__all__ = ["Projection", "accumulate"]

_FEW_ROWS = 8
_RUN_FRAMES = 64


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

    def _part_of(self, start: int, stop: int) -> tuple[slice, NDArray[np.float32]] | None:
        """Which of the frames ``start`` to ``stop`` count, and their weights; None if none do."""
        first, last = max(start, self.start), min(stop, self.stop)
        if first >= last:
            return None
        weights = self.weights[:, first - self.start : last - self.start]
        return slice(first - start, last - start), np.ascontiguousarray(weights, np.float32)

    def _allocate(self, n_pixels: int) -> NDArray[Any]:
        if self._sums is None:
            self._sums = np.zeros((len(self.weights), n_pixels), self._dtype)
            self._n_missing = np.zeros(n_pixels, np.int32)
        return self._sums


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
    n_frames = len(raw)
    active = [
        (projection, *part)
        for projection in projections
        if (part := projection._part_of(start, start + n_frames)) is not None
    ]
    x, y = raw.reshape(n_frames, -1), denoised.reshape(n_frames, -1)
    n_pixels = x.shape[1]
    for projection, _, _ in active:
        projection._allocate(n_pixels)
    dropped = missing_rows(raw)
    row_of_pixel = np.arange(n_pixels) // raw.shape[2] if dropped.any() else None
    needed: set[str] = {projection.source for projection, _, _ in active}
    not_a_number: list[tuple[slice, NDArray[np.bool_]]] = []

    def add_pixels(pixels: slice) -> None:
        sources = _sources(x[:, pixels], y[:, pixels], needed, scale)
        holes: dict[str, NDArray[np.bool_]] = {}
        if row_of_pixel is not None and (hole := dropped[:, row_of_pixel[pixels]]).any():
            for name in needed - {"denoised"}:
                holes[name] = hole
                sources[name] = np.where(hole, np.float32(0), sources[name])
        for projection, frames, weights in active:
            sum_ = _weighted_sum(weights, sources[projection.source][frames])
            if not np.isfinite(sum_).all():
                not_a_number.append((pixels, ~np.isfinite(x[:, pixels])))
                _set_aside(sources, holes)
                sum_ = _weighted_sum(weights, sources[projection.source][frames])
            projection._allocate(n_pixels)[:, pixels] += sum_
            if projection.source in holes:
                projection._n_missing[pixels] += holes[projection.source][frames].sum(axis=0)

    over_pixels(add_pixels, n_pixels, one_sweep=all(_is_plain(w) for _, _, w in active))
    if any(bad.any() for _, bad in not_a_number):
        mask = np.zeros(x.shape, np.bool_)
        for pixels, bad in not_a_number:
            mask[:, pixels] = bad
        masked.add(start, mask)


def _weighted_sum(weights: NDArray[np.float32], values: NDArray[Any]) -> NDArray[Any]:
    """``weights @ values``; plain sums in runs so short that those of 16-bit integers are exact."""
    if _is_plain(weights):
        with np.errstate(invalid="ignore"):
            runs: list[NDArray[Any]] = [
                np.add.reduce(values[first : first + _RUN_FRAMES], axis=0, dtype=np.float32)
                for first in range(0, len(values), _RUN_FRAMES)
            ]
        total = runs[0] if len(runs) == 1 else np.asarray(np.sum(runs, axis=0, dtype=np.float64))
        total *= weights[0, 0]
        return total[None]
    with np.errstate(invalid="ignore"):
        return np.matmul(weights, values, out=scratch("sum", (len(weights), values.shape[1])))


def _is_plain(weights: NDArray[np.float32]) -> bool:
    return len(weights) == 1 and bool(np.ptp(weights) == 0)


def _sources(
    raw: NDArray[Any], denoised: NDArray[Any], needed: set[str], scale: Scale
) -> dict[str, NDArray[Any]]:
    """What is summed, in this thread's scratch where it is not there already."""
    as_it_is = scale.is_identity and denoised.dtype == np.float32
    level = denoised if as_it_is else scale.apply(denoised, out=scratch("level", raw.shape))
    sources: dict[str, NDArray[Any]] = {"denoised": level}
    if "raw" in needed:
        sources["raw"] = raw
    if "residual" in needed:
        with np.errstate(invalid="ignore"):
            sources["residual"] = np.subtract(
                raw, level, out=scratch("residual", raw.shape), dtype=np.float32
            )
    return sources


def _set_aside(sources: dict[str, NDArray[Any]], holes: dict[str, NDArray[np.bool_]]) -> None:
    """Replace what is not finite by 0 and add it to the holes."""
    for name, values in sources.items():
        bad = ~np.isfinite(values)
        holes[name] = holes[name] | bad if name in holes else bad
        sources[name] = np.where(bad, np.float32(0), values)

"""A look at a few runs of frames before the first pass."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from freq2clean.fusion.missing import MaskedValues, missing_rows
from freq2clean.fusion.moments import Projection, accumulate
from freq2clean.fusion.scale import Scale, is_other_scale, match_scale
from freq2clean.fusion.spaces import space_of

__all__ = ["Survey", "measured", "spread_runs"]


def spread_runs(n_frames: int, *, n_runs: int, length: int) -> list[tuple[int, int]]:
    """Up to ``n_runs`` runs of ``length`` frames, spread evenly and apart from each other."""
    length = min(length, n_frames)
    n_runs = max(1, min(n_runs, n_frames // length))
    starts = np.linspace(0, n_frames - length, n_runs).round().astype(int)
    return [(int(start), int(start) + length) for start in starts]


_FRAMES_PER_RUN = 32


def measured(raw: Any) -> Any:
    """Frames as float32, with NaN for what was not measured: dropped lines and infinities."""
    space = space_of(raw)
    xp = space.xp
    frames = xp.astype(raw, xp.float32)
    dropped = missing_rows(raw)
    if dropped.any():
        frames = xp.where(space.array(dropped)[:, :, None], math.nan, frames)
    if xp.isdtype(raw.dtype, "real floating"):
        frames[xp.isinf(frames)] = math.nan
    return frames


class Survey:
    """Finds whether the denoised recording is on another scale than the raw one.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns.
    runs : sequence of (int, int)
        Ranges of frames to `add`.
    find_scale : bool
        False to take the denoised recording's scale as it is.
    """

    def __init__(
        self,
        shape: tuple[int, int],
        runs: Sequence[tuple[int, int]],
        *,
        find_scale: bool = True,
    ) -> None:
        self.runs = runs
        self._shape = shape
        self._find_scale = find_scale
        ones = np.ones((1, sum(len(range(*run, _step(run[1] - run[0]))) for run in runs)))
        self._raw, self._denoised = Projection("raw", 0, ones), Projection("denoised", 0, ones)
        self._n_seen = 0
        self._scale: Scale | None = None

    def add(self, raw: Any, denoised: Any) -> None:
        """Add a run of consecutive frames: two blocks (n, Y, X). Some of them are looked at."""
        frames = slice(None, None, _step(raw.shape[0])), ...
        accumulate(
            self._n_seen,
            raw[frames],
            denoised[frames],
            [self._raw, self._denoised],
            scale=Scale(),
            masked=MaskedValues(),
        )
        self._n_seen += raw[frames].shape[0]
        self._scale = None

    def scale(self) -> Scale:
        """The scale of the denoised recording; the identity unless it is clearly another."""
        if self._scale is None:
            self._scale = self._find()
        return self._scale

    def _find(self) -> Scale:
        if not self._find_scale or not self._n_seen:
            return Scale()
        raw_mean, denoised_mean = (self._mean_of(p) for p in (self._raw, self._denoised))
        scale, correlation = match_scale(raw_mean, denoised_mean)
        other = is_other_scale(scale, correlation, raw_mean, denoised_mean)
        return scale if other else Scale()

    def _mean_of(self, sums: Projection) -> Any:
        """The mean image, NaN where there is none."""
        images, seen = sums.images(self._shape), sums.seen(self._shape)
        return space_of(images).xp.where(seen, images[0, ...] / self._n_seen, math.nan)


def _step(n_frames: int) -> int:
    """Of the frames of a run, every so many are looked at."""
    return max(1, n_frames // _FRAMES_PER_RUN)

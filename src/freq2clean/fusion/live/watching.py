"""A glance at every frame: on which scale the two recordings are, and whether one has changed."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from freq2clean.fusion.scale import Scale, is_other_scale, match_scale

__all__ = ["Watch"]

_SAMPLES_PER_SIDE = 32
_SURE_FRAMES = 5
_QUANTILES = np.array([0.01, 0.25, 0.5, 0.75, 0.99])
_TINY = float(np.finfo(np.float32).tiny)


class Watch:
    """Looks at some thousand pixels of each frame.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns.
    keep : float
        What a frame counts for when the next one comes.
    find_scale : bool
        False to take the denoised recording's scale as it is.
    """

    def __init__(self, shape: tuple[int, int], keep: float, *, find_scale: bool) -> None:
        self._pixels = tuple(slice(None, None, max(1, n // _SAMPLES_PER_SIDE)) for n in shape)
        self._keep = keep
        self._find_scale = find_scale
        self._strange = 0
        self._earlier: NDArray[np.float64] | float = 0.0
        self._recent: NDArray[np.float64] | float = 0.0
        self.n_frames = 0

    def add(
        self, raw: NDArray[Any], denoised: NDArray[Any], hole: NDArray[np.bool_] | None
    ) -> None:
        """A pair of frames (Y, X), 0 in the holes."""
        x, y = raw[self._pixels], denoised[self._pixels]
        seen = np.ones(x.shape) if hole is None else ~hole[self._pixels]
        self._earlier = self._keep * self._earlier
        self._recent = self._keep * self._recent + np.stack([x, y, seen])
        self.n_frames += 1

    def is_strange(self, denoised: NDArray[Any]) -> bool:
        """Whether a denoised frame is clearly on another scale than those before it."""
        frame = denoised[self._pixels].astype(np.float64)
        frame[np.isinf(frame)] = np.nan
        strange = self.n_frames > 0 and _is_other(frame, _mean(self._earlier + self._recent, 1))
        self._strange = self._strange + 1 if strange else 0
        return strange

    @property
    def is_sure(self) -> bool:
        """Whether the last frames were strange one and all: no flash, but another scale."""
        return self._strange >= _SURE_FRAMES

    def has_changed(self) -> bool:
        """Whether the raw frames since this was last asked are on another scale than before."""
        earlier, recent = self._earlier, self._recent
        self._earlier, self._recent = earlier + recent, 0.0
        if not np.ndim(earlier) or not np.ndim(recent):
            return False
        return _is_other(_mean(recent, 0), _mean(earlier, 0))

    def scale(self) -> Scale:
        """Of the denoised recording; the identity unless it is clearly another."""
        if not self._find_scale or not self.n_frames:
            return Scale()
        raw, denoised = (_mean(self._earlier + self._recent, row) for row in (0, 1))
        scale, correlation = match_scale(raw, denoised)
        return scale if is_other_scale(scale, correlation, raw, denoised) else Scale()


def _mean(sums: Any, row: int) -> NDArray[np.float64]:
    """NaN where nothing was measured."""
    weight = np.where(sums[2] > 0, sums[2], np.nan)
    mean: NDArray[np.float64] = sums[row] / weight
    return mean


def _is_other(image: NDArray[np.float64], usual: NDArray[np.float64]) -> bool:
    """Whether an image of a scene is on another scale; not where some of it is only more active.

    What is active changes the brightest pixels alone, another scale the middle ones as well.
    """
    _, low, middle, high, _ = _quantiles(image)
    darkest, usual_low, usual_middle, usual_high, brightest = _quantiles(usual)
    gain = (high - low) / max(usual_high - usual_low, _TINY)
    if 0.5 <= gain <= 2 and abs(middle - usual_middle) <= brightest - darkest:
        return False
    return is_other_scale(*match_scale(image, usual), image, usual)


def _quantiles(image: NDArray[np.float64]) -> NDArray[np.float64]:
    """1, 25, 50, 75 and 99 % of what is finite; all 0 where nothing is."""
    values = np.sort(image[np.isfinite(image)])
    if not values.size:
        return np.zeros(5)
    quantiles: NDArray[np.float64] = values[(_QUANTILES * (values.size - 1)).astype(int)]
    return quantiles

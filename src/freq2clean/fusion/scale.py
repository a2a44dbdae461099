"""The denoised recording on the raw one's scale: found on mean images, and said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Scale", "is_other_scale", "is_same_scene", "match_scale"]

_LEAST_CORRELATION = 0.5


@dataclass(frozen=True)
class Scale:
    """``raw`` is about ``gain * denoised + offset``."""

    gain: float = 1.0
    offset: float = 0.0

    @property
    def is_identity(self) -> bool:
        return self.gain == 1.0 and self.offset == 0.0

    def apply(
        self, denoised: NDArray[Any], *, out: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """The values as float32 on the raw recording's scale.

        Themselves where they are so already, else in ``out`` or a new array.
        """
        if self.is_identity and denoised.dtype == np.float32:
            return denoised
        if out is None:
            out = np.empty(denoised.shape, np.float32)
        np.copyto(out, denoised, casting="same_kind")
        if not self.is_identity:
            out *= np.float32(self.gain)
            out += np.float32(self.offset)
        return out


def match_scale(raw_mean: NDArray[Any], denoised_mean: NDArray[Any]) -> tuple[Scale, float]:
    """Least squares of the raw mean image on the denoised one, over finite pixels.

    The noise of the raw mean is in the dependent variable, so it does not bias the gain, and
    fine detail that the denoised image lacks is not regressed away.

    Returns
    -------
    scale : Scale
        The identity where the denoised image is constant.
    correlation : float
        Of the two images; how far the scale can be trusted.
    """
    valid = np.isfinite(raw_mean) & np.isfinite(denoised_mean)
    x = raw_mean[valid].astype(np.float64)
    y = denoised_mean[valid].astype(np.float64)
    if x.size < 2 or np.ptp(y) <= 1e-6 * np.abs(y).max() or np.ptp(x) == 0:
        return Scale(), 0.0
    dx, dy = x - x.mean(), y - y.mean()
    gain = float(dx @ dy / (dy @ dy))
    correlation = float(dx @ dy / np.sqrt((dx @ dx) * (dy @ dy)))
    return Scale(gain, float(x.mean() - gain * y.mean())), correlation


def is_same_scene(correlation: float, *, n_pixels: int) -> bool:
    """Whether two images are alike: correlation of 0.5 or more, and not by chance.

    Chance is ruled out at four standard errors of Fisher's z, doi:10.2307/2331838.
    """
    if correlation < _LEAST_CORRELATION or n_pixels <= 3:
        return False
    z = np.arctanh(min(correlation, 1 - 1e-12))
    return bool(z > 4 / np.sqrt(n_pixels - 3))


def is_other_scale(
    scale: Scale,
    correlation: float,
    raw_mean: NDArray[Any],
    denoised_mean: NDArray[Any],
) -> bool:
    """Whether the denoised recording is normalised or shifted rather than merely biased.

    A gain beyond a factor 2, or levels that differ by more than the raw mean image's own range
    (its 1 to 99 % quantiles), where the two images clearly show the same scene.
    """
    if not is_same_scene(correlation, n_pixels=int(np.isfinite(raw_mean).sum())):
        return False
    low, high = np.nanquantile(raw_mean, (0.01, 0.99))
    shift = abs(float(np.nanmean(raw_mean)) - float(np.nanmean(denoised_mean)))
    return not 0.5 <= scale.gain <= 2.0 or shift > high - low

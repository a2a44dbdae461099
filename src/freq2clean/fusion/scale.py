"""The denoised recording on the raw one's scale: found on mean images, and said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from freq2clean.fusion.spaces import space_of, to_host

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

    def apply(self, denoised: Any, *, out: Any = None) -> Any:
        """The values as float32 on the raw recording's scale.

        Themselves where they are so already, else in ``out`` or a new array.
        """
        space = space_of(denoised)
        if self.is_identity and denoised.dtype == space.xp.float32:
            return denoised
        if out is None:
            out = space.xp.astype(denoised, space.xp.float32)
        else:
            space.copy(denoised, out=out)
        if not self.is_identity:
            out *= float(np.float32(self.gain))
            out += float(np.float32(self.offset))
        return out


def match_scale(raw_mean: Any, denoised_mean: Any) -> tuple[Scale, float]:
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
    space = space_of(raw_mean, denoised_mean)
    xp = space.xp
    valid = xp.isfinite(raw_mean) & xp.isfinite(denoised_mean)
    number = xp.sum(xp.astype(valid, space.real))
    divisor = xp.maximum(number, xp.ones_like(number))
    x, y = (xp.where(valid, xp.astype(v, space.real), 0.0) for v in (raw_mean, denoised_mean))
    means = [xp.sum(v) / divisor for v in (x, y)]
    dx, dy = (xp.where(valid, v - mean, 0.0) for v, mean in zip((x, y), means, strict=True))
    products = [xp.sum(p) for p in (dx * dx, dx * dy, dy * dy)]
    ranges = [xp.max(v) - xp.min(v) for v in (dx, dy)]
    n, mx, my, xx, xy, yy, range_x, range_y, top = space.numbers(
        number, *means, *products, *ranges, xp.max(xp.abs(y))
    )
    if n < 2 or range_y <= 1e-6 * top or range_x == 0:
        return Scale(), 0.0
    gain = xy / yy
    return Scale(gain, mx - gain * my), xy / float(np.sqrt(xx * yy))


def is_same_scene(correlation: float, *, n_pixels: int) -> bool:
    """Whether two images are alike: correlation of 0.5 or more, and not by chance.

    Chance is ruled out at four standard errors of Fisher's z, doi:10.2307/2331838.
    """
    if correlation < _LEAST_CORRELATION or n_pixels <= 3:
        return False
    z = np.arctanh(min(correlation, 1 - 1e-12))
    return bool(z > 4 / np.sqrt(n_pixels - 3))


def is_other_scale(scale: Scale, correlation: float, raw_mean: Any, denoised_mean: Any) -> bool:
    """Whether the denoised recording is normalised or shifted rather than merely biased.

    A gain beyond a factor 2, or levels that differ by more than the raw mean image's own range
    (its 1 to 99 % quantiles), where the two images clearly show the same scene.
    """
    raw_mean, denoised_mean = to_host(raw_mean), to_host(denoised_mean)
    if not is_same_scene(correlation, n_pixels=int(np.isfinite(raw_mean).sum())):
        return False
    low, high = np.nanquantile(raw_mean, (0.01, 0.99))
    shift = abs(float(np.nanmean(raw_mean)) - float(np.nanmean(denoised_mean)))
    return not 0.5 <= scale.gain <= 2.0 or shift > high - low

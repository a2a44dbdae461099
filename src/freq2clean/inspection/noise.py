"""How noisy a recording is: photon transfer, noise level and SNR, without any ground truth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from freq2clean.inspection.survey import Survey

__all__ = ["Noise", "measure_noise"]

FEWEST_FRAMES = 16
MOST_BINS = 40
FEWEST_TILES = 1500
WIDEST_TILE = 4
SIGNIFICANT = 5.0
DARK_QUANTILE = 0.002
OFFSET_PRECISION = 0.1

OffsetSource = Literal["skewness", "variance", "darkest pixels"]


@dataclass(frozen=True)
class Noise:
    """Noise of a recording, in its own units (counts).

    Attributes
    ----------
    sd : float
        Standard deviation of the noise of one value, root mean square over the field.
    gain : float or None
        Counts per photon, the slope of the noise variance against the mean; None where the
        variance does not grow measurably with the mean.
    gain_error : float or None
        Standard error of the gain.
    offset : float
        The level without light, see ``offset_source``.
    offset_error : float or None
        Standard error of the offset; None where it is only a bound.
    offset_source : str
        "skewness": where the skewness of the noise falls to zero, which read noise does not move.
        "variance": where the variance falls to zero, which read noise lowers.
        "darkest pixels": neither is measurable; the darkest pixels of the mean image bound the
        offset from above, so the SNR from below.
    read_noise_sd : float or None
        Standard deviation of the noise without light; None where the gain is not known.
    snr_db : float or None
        ``10 log10(sum s^2 / sum n^2)``, s the signal above the offset; None without signal.
    photons_per_pixel : float or None
        Mean number of photons per pixel and frame; None where the gain is not known.
    mean_signal : float
        Mean of the recording above the offset.
    frames : int
        Frames that the noise was measured on.
    """

    sd: float
    gain: float | None
    gain_error: float | None
    offset: float
    offset_error: float | None
    offset_source: OffsetSource
    read_noise_sd: float | None
    snr_db: float | None
    photons_per_pixel: float | None
    mean_signal: float
    frames: int


@dataclass(frozen=True)
class _Line:
    """``y = slope * (x - root)``, with standard errors."""

    slope: float
    slope_error: float
    root: float
    root_error: float

    @property
    def is_clear(self) -> bool:
        return self.slope > SIGNIFICANT * self.slope_error


def measure_noise(survey: Survey) -> Noise | None:
    """Photon transfer: variance = gain * (mean - offset) + read noise.

    The variance of each pixel comes from second differences in time, in which signals slower
    than a few frames vanish, and so does the third cumulant. Both grow linearly with the mean,
    and only the variance holds the (symmetric) read noise: the zero of the third cumulant is
    the offset. Small tiles of pixels are averaged, grouped by their mean, and a line is fitted
    through the medians of the groups, so that active cells weigh little.

    Returns
    -------
    Noise or None
        None where there are fewer than 16 frames or nothing varies.

    References
    ----------
    J. R. Janesick, Photon Transfer, SPIE, 2007. https://doi.org/10.1117/3.725073
    """
    mean, (variance, skewness) = survey.mean, survey.noise_moments
    usable = ~survey.unusable & (variance > 0) & np.isfinite(mean)
    if survey.noise_frames < FEWEST_FRAMES or not usable.any():
        return None
    noise_variance = float(variance[usable].mean())
    level = float(mean[usable].mean())
    tiles = _tiles(np.stack([mean, variance, skewness]), usable)
    by_variance, by_skewness = _line(tiles[0], tiles[1]), _line(tiles[0], tiles[2])
    gain = by_variance if by_variance is not None and by_variance.is_clear else None
    offset, offset_error, source = _choose_offset(gain, by_skewness, tiles[0], level)
    above = survey.pedestal - offset
    square = survey.mean_square + 2 * above * (mean - survey.pedestal) + above**2
    signal = float(square[usable].mean()) - noise_variance
    dark_variance = noise_variance - gain.slope * (level - offset) if gain else None
    return Noise(
        sd=float(np.sqrt(noise_variance)),
        gain=gain.slope if gain else None,
        gain_error=gain.slope_error if gain else None,
        offset=offset,
        offset_error=offset_error,
        offset_source=source,
        read_noise_sd=None if dark_variance is None else float(np.sqrt(max(0.0, dark_variance))),
        snr_db=10 * float(np.log10(signal / noise_variance)) if signal > 0 else None,
        photons_per_pixel=(level - offset) / gain.slope if gain else None,
        mean_signal=level - offset,
        frames=survey.noise_frames,
    )


def _tiles(images: NDArray[np.float64], usable: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Means (3, n) over small tiles of usable pixels; the lines hold for them as for pixels."""
    width = int(np.clip(np.sqrt(usable.sum() / FEWEST_TILES), 1, WIDEST_TILE))
    rows, columns = (size // width * width for size in usable.shape)
    weights = _tile_sums(usable[:rows, :columns].astype(float), width)
    sums = [_tile_sums(np.where(usable, i, 0)[:rows, :columns], width) for i in images]
    full = weights > width**2 / 2
    tiles: NDArray[np.float64] = np.stack(sums)[:, full] / weights[full]
    return tiles


def _tile_sums(image: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    rows, columns = (size // width for size in image.shape)
    sums: NDArray[np.float64] = image.reshape(rows, width, columns, width).sum(axis=(1, 3))
    return sums


def _line(x: NDArray[np.float64], y: NDArray[np.float64]) -> _Line | None:
    """A line through the medians of groups of equal size; far groups weigh less (Huber)."""
    bins = min(MOST_BINS, x.size // 20)
    if bins < 4 or np.ptp(x) == 0:
        return None
    groups = np.array_split(np.argsort(x, kind="stable"), bins)
    centres = np.array([np.median(x[g]) for g in groups])
    medians = np.array([np.median(y[g]) for g in groups])
    spreads = np.array(
        [1.4826 * np.median(np.abs(y[g] - m)) for g, m in zip(groups, medians, strict=True)]
    )
    errors = 1.25 * spreads / np.sqrt([g.size for g in groups])
    if not (errors > 0).all() or np.ptp(centres) == 0:
        return None
    weights = 1 / errors**2
    for _ in range(20):
        slope, middle, height, slope_error, height_error = _weighted_line(centres, medians, weights)
        misfit = np.abs(medians - height - slope * (centres - middle)) / errors
        weights = np.minimum(1, 2 / np.maximum(misfit, 1e-9)) / errors**2
    if slope == 0:
        return None
    root = middle - height / slope
    root_error = np.hypot(height_error, (middle - root) * slope_error) / abs(slope)
    return _Line(float(slope), slope_error, float(root), float(root_error))


def _weighted_line(
    x: NDArray[np.float64], y: NDArray[np.float64], weights: NDArray[np.float64]
) -> tuple[float, float, float, float, float]:
    """Slope, weighted mean of x, height there, and the errors of slope and height.

    The errors are widened where the points scatter more about the line than their weights say.
    """
    total = weights.sum()
    middle, height = weights @ x / total, weights @ y / total
    spread = weights @ (x - middle) ** 2
    slope = weights @ ((x - middle) * (y - height)) / spread
    residual = y - height - slope * (x - middle)
    excess = max(1.0, weights @ residual**2 / (len(x) - 2))
    return slope, middle, height, float(np.sqrt(excess / spread)), float(np.sqrt(excess / total))


def _choose_offset(
    gain: _Line | None, skewness: _Line | None, means: NDArray[np.float64], level: float
) -> tuple[float, float | None, OffsetSource]:
    """The offset that read noise does not move where it is precise; else the next best."""
    darkest = float(np.quantile(means, DARK_QUANTILE))
    if gain is None:
        return darkest, None, "darkest pixels"
    if skewness is not None and skewness.is_clear:
        precise = skewness.root_error < OFFSET_PRECISION * (level - skewness.root)
        allowance = 3 * float(np.hypot(skewness.root_error, gain.root_error))
        if precise and gain.root - allowance < skewness.root < darkest + allowance:
            return skewness.root, skewness.root_error, "skewness"
    return gain.root, gain.root_error, "variance"

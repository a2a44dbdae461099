"""What the raw recording says of the course of each component, band by band of frequency.

Seen through a component, which weighs a hundred pixels, a frame of the raw recording is far less
noisy than in any of them. Where the raw course differs from the fused one by more than its noise,
the difference is added, weighted as `Wiener` weighs; where the fused course has more power than
the raw one less its noise supports, it is scaled down. The mean is left alone.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dct, idct
from scipy.special import chdtri

from freq2clean.fusion.bases import temporal_bands

__all__ = ["LEAST_FRAMES", "course_changes", "has_excess"]

LEAST_FRAMES = 32
_CHANCE = 1e-3
_SURE = 4.0
_NOISE_MARGIN = 1.1
_TINY = 1e-30


def course_changes(
    fused: NDArray[np.float32],
    residual: NDArray[np.float32],
    most_noise: NDArray[np.float64],
) -> tuple[NDArray[np.float32], NDArray[np.float64], NDArray[np.float64]]:
    """What to add to the fused courses, of components that share a patch.

    Parameters
    ----------
    fused : ndarray, (patches, T, K)
        Courses of the fused recording.
    residual : ndarray, (patches, T, K)
        Those of the raw recording minus the fused one.
    most_noise : ndarray, (patches, K, K)
        Covariance of a raw course's noise by the photon transfer. Motion, which shows at high
        frequencies too, is not taken for noise beyond it.

    Returns
    -------
    changes : ndarray, (patches, T, K), float32
    before, after : ndarray, (patches,)
        Sums of squared errors that are expected of the courses.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> truth = np.sin(np.arange(600) / 20)[None, :, None]
    >>> raw = truth + rng.normal(0, 0.5, truth.shape)
    >>> fused = 0.5 * truth
    >>> changes, _, _ = course_changes(fused, raw - fused, np.full((1, 1, 1), 0.25))
    >>> bool(np.square(fused + changes - truth).mean() < 0.1 * np.square(fused - truth).mean())
    True
    """
    n_frames = fused.shape[1]
    if n_frames < LEAST_FRAMES:
        none = np.zeros(len(fused))
        return np.zeros_like(fused), none, none
    before, missing = (dct(x, axis=1, norm="ortho") for x in (fused, residual))
    before[:, 0] = missing[:, 0] = 0
    raw = before + missing
    bands = _Bands(n_frames)
    turned, turn = _independent(missing)
    weights, gained = _weights(bands, turned)
    added = bands.scaled(turned, weights) @ turn.transpose(0, 2, 1)
    turned, turn = _independent(before + added)
    raw_turned = raw @ turn
    noise = np.einsum("pki,pkl,pli->pi", turn, most_noise, turn)[:, None]
    gains, removed = _gains(bands, turned, raw_turned, noise)
    changes = bands.scaled(turned, gains) @ turn.transpose(0, 2, 1) - before
    return (
        idct(changes, axis=1, norm="ortho").astype(np.float32, copy=False),
        gained[0] + removed[0],
        gained[1] + removed[1],
    )


class _Bands:
    """Groups of DCT bins, of which the upper half shows the noise."""

    def __init__(self, n_frames: int) -> None:
        self._starts = temporal_bands(n_frames)
        self._n_frames = n_frames
        self.number = np.diff([*self._starts, n_frames]).astype(np.float64)[:, None]

    def power(self, spectrum: NDArray[np.floating]) -> NDArray[np.float64]:
        """Mean squares, (patches, bands, K)."""
        sums = np.add.reduceat(np.square(spectrum, dtype=np.float64), self._starts, axis=1)
        power: NDArray[np.float64] = sums / self.number
        return power

    def noise(self, spectrum: NDArray[np.floating]) -> NDArray[np.float64]:
        """Mean squares above a quarter of the frame rate, (patches, 1, K)."""
        high = spectrum[:, self._n_frames // 2 :]
        noise: NDArray[np.float64] = np.square(high, dtype=np.float64).mean(axis=1, keepdims=True)
        return noise

    def scaled(
        self, spectrum: NDArray[np.floating], gains: NDArray[np.float64]
    ) -> NDArray[np.floating]:
        """Each band times its gain."""
        width = self.number[:, 0].astype(int)
        scaled: NDArray[np.floating] = spectrum * np.repeat(gains, width, axis=1)
        return scaled


def _independent(
    spectrum: NDArray[np.floating],
) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Combinations of courses that do not go together, and the rotation that makes them."""
    _, turn = np.linalg.eigh(spectrum.transpose(0, 2, 1) @ spectrum)
    return spectrum @ turn, turn


def _weights(
    bands: _Bands, residual: NDArray[np.floating]
) -> tuple[NDArray[np.float64], tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Shares of the residual that are signal, (patches, bands, K), and errors before and after."""
    power, noise = bands.power(residual), bands.noise(residual)
    significant = power > noise * chdtri(bands.number, _CHANCE) / bands.number
    weights = np.where(significant, 1 - noise / np.maximum(power, _TINY), 0.0)
    before = bands.number * weights * power
    return weights, (before.sum(axis=(1, 2)), (before * (1 - weights)).sum(axis=(1, 2)))


def _gains(
    bands: _Bands,
    fused: NDArray[np.floating],
    raw: NDArray[np.floating],
    most_noise: NDArray[np.float64],
) -> tuple[NDArray[np.float64], tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Shares of the fused power that the raw supports, and errors before and after."""
    power, seen = bands.power(fused), bands.power(raw)
    noise = np.minimum(bands.noise(raw), _NOISE_MARGIN * most_noise)
    supported = np.maximum(seen - noise, 0)
    sure = has_excess(power, seen - noise, noise, bands.number)
    gains = np.where(sure, np.minimum(supported / np.maximum(power, _TINY), 1), 1)
    before = bands.number * (1 - gains) * power
    return gains, (before.sum(axis=(1, 2)), (before * gains).sum(axis=(1, 2)))


def has_excess(
    power: NDArray[np.float64],
    supported: NDArray[np.float64],
    noise: NDArray[np.float64],
    number: NDArray[np.float64],
) -> NDArray[np.bool_]:
    """Whether the bands, (..., bands, parts), show more power than is supported.

    Within a band, each part counts by its power over the variance of what is supported: where there
    is an excess, it is a share of the power. One band's lack is not set against another's excess:
    the squares of what is beyond, in standard errors, are added up, and must be more than chance
    gives by four standard errors.
    """
    variance = 2 * noise**2 + 4 * noise * np.clip(supported, 0, power) + _TINY
    weight = number * power / variance
    beyond = np.sum(weight * (power - supported), axis=-1, keepdims=True)
    error = np.sqrt(np.sum(weight * power, axis=-1, keepdims=True))
    score = np.square(np.maximum(beyond, 0) / np.maximum(error, _TINY)).sum(axis=-2, keepdims=True)
    n_bands = power.shape[-2]
    sure: NDArray[np.bool_] = score > n_bands / 2 + _SURE * np.sqrt(1.25 * n_bands)
    return sure

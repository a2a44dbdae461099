"""What the raw recording says of the course of each component, band by band of frequency.

Seen through a component, which weighs a hundred pixels, a frame of the raw recording is far less
noisy than in any of them. Where the raw course differs from the fused one by more than its noise,
the difference is added, weighted as `Wiener` weighs; where the fused course has more power than
the raw one less its noise supports, it is scaled down. The mean is left alone.

A small lack, or a small excess, shows in no single course. Many together show what a denoiser takes
of the signal in a band, and leaves of the noise; then each is mended by what it shows itself, drawn
toward what all show: an empirical Bayes estimate, as in Efron and Morris (1973),
doi:10.2307/2284155.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtri

from freq2clean.fusion.bases import temporal_bands
from freq2clean.fusion.spaces import space_of

__all__ = [
    "LEAST_FRAMES",
    "CommonSupport",
    "Courses",
    "common_support",
    "has_excess",
    "mend",
    "variance_of_supported",
]

LEAST_FRAMES = 32
_CHANCE = 1e-3
_SURE = 4.0
_SPREAD = 0.05
_NOISE_MARGIN = 1.1
_NEXT_TO_NOTHING = 1e-9
_TINY = 1e-30


@dataclass(frozen=True, eq=False)
class CommonSupport:
    """What the courses of all components show together, band by band.

    Parameters
    ----------
    sure : ndarray of bool, (bands,)
        Whether they have more power than the raw recording supports, beyond chance.
    share : ndarray, (bands,)
        The share of their power that it supports, 0 to 1.
    """

    sure: NDArray[np.bool_]
    share: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Courses:
    """Courses of components that share a patch, mended but for the limit on their power.

    Parameters
    ----------
    fused : array, (patches, T, K)
        Courses of the fused recording.
    spectrum : array, (patches, T, K)
        DCT of the mended ones, in combinations that do not go together; no mean.
    turn : ndarray, (patches, K, K)
        What makes these combinations.
    powers : _Powers
        Of the combinations.
    errors : ndarray, (2, patches)
        Sums of squared errors that mending is expected to leave of, before and after.
    """

    fused: Any
    spectrum: Any
    turn: NDArray[np.floating]
    powers: _Powers
    errors: NDArray[np.float64]

    def changes(
        self, common: CommonSupport
    ) -> tuple[Any, NDArray[np.float64], NDArray[np.float64]]:
        """What to add to the fused courses, limited to the power that the raw ones support.

        Returns
        -------
        changes : array, (patches, T, K), float32
        before, after : ndarray, (patches,)
            Sums of squared errors that are expected of the courses.
        """
        space, xp = space_of(self.fused), space_of(self.fused).xp
        if not self.powers.number.size:
            return xp.zeros_like(self.fused), *self.errors
        gains = self.powers.gains(common)
        turn = xp.matrix_transpose(space.array(self.turn))
        changes = space.idct(_scaled(self.spectrum, gains, self.powers.number) @ turn)
        changes -= self.fused - xp.mean(self.fused, axis=1, keepdims=True)
        removed = self.powers.number * (1 - gains) * self.powers.fused
        before, after = self.errors + np.sum([removed, removed * gains], axis=(2, 3))
        return space.floats(changes), before, after


def mend(
    fused: Any,
    residual: Any,
    most_noise: NDArray[np.float64],
    *,
    neighbourhoods: Sequence[slice] = (slice(None),),
) -> Courses:
    """Add to fused courses what the raw ones show beyond their noise.

    Parameters
    ----------
    fused : array, (patches, T, K)
        Courses of the fused recording.
    residual : array, (patches, T, K)
        Those of the raw recording minus the fused one.
    most_noise : ndarray, (patches, K, K)
        Covariance of a raw course's noise by the photon transfer. Motion, which shows at high
        frequencies too, is not taken for noise beyond it.
    neighbourhoods : sequence of slice
        Which of the patches, in their order, show together what is missing; by default all.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> truth = np.sin(np.arange(600) / 20)[None, :, None]
    >>> raw = truth + rng.normal(0, 0.5, truth.shape)
    >>> fused = 0.5 * truth
    >>> courses = mend(fused, raw - fused, np.full((1, 1, 1), 0.25))
    >>> changes, _, _ = courses.changes(common_support([courses]))
    >>> bool(np.square(fused + changes - truth).mean() < 0.1 * np.square(fused - truth).mean())
    True
    """
    space, (n_patches, n_frames, n_courses) = space_of(fused, residual), fused.shape
    if n_frames < LEAST_FRAMES:
        nothing = np.zeros((n_patches, 0, n_courses))
        powers = _Powers(nothing, nothing, nothing, np.zeros((0, 1)))
        return Courses(fused, fused, np.zeros(0), powers, np.zeros((2, n_patches)))
    bands = _Bands(n_frames)
    before, missing = (space.dct(x) for x in (fused, residual))
    before[:, 0, :] = 0
    missing[:, 0, :] = 0
    raw = before + missing
    turned, turn = _independent(missing)
    there = space.array(turn)
    power, noise, shown = bands.power(turned), bands.noise(turned), bands.power(before @ there)
    found = [
        _weights(power[some], noise[some], shown[some], bands.number) for some in neighbourhoods
    ]
    weights, errors = (np.concatenate(x) for x in zip(*found, strict=True))
    before += _scaled(turned, weights, bands.number) @ space.xp.matrix_transpose(there)
    turned, turn = _independent(before)
    seen = raw @ space.array(turn)
    most = np.einsum("pki,pkl,pli->pi", turn, most_noise, turn)[:, None]
    noise = np.minimum(bands.noise(seen), _NOISE_MARGIN * most)
    powers = _Powers(bands.power(turned), bands.power(seen) - noise, noise, bands.number)
    return Courses(fused, space.floats(turned), turn, powers, errors.T)


def common_support(courses: Sequence[Courses]) -> CommonSupport:
    """What all courses of a window show together of the power that the raw recording supports."""
    sums = (x.powers.weighted() for x in courses)
    power, supported = sum(sums, start=np.zeros((2, 1)))
    sure = power - supported > _SURE * np.sqrt(power)
    return CommonSupport(sure, np.clip(supported / np.maximum(power, _TINY), 0, 1))


@dataclass(frozen=True, eq=False)
class _Powers:
    """Mean squares in each band, (patches, bands, K).

    Parameters
    ----------
    fused : ndarray, (patches, bands, K)
        Of fused courses.
    supported : ndarray, (patches, bands, K)
        Of the raw ones, less the power of their noise.
    noise : ndarray, (patches, 1, K)
    number : ndarray, (bands, 1)
        Coefficients per band.
    """

    fused: NDArray[np.float64]
    supported: NDArray[np.float64]
    noise: NDArray[np.float64]
    number: NDArray[np.float64]

    def weighted(self) -> NDArray[np.float64]:
        """Sums over courses, (2, bands), of fused and supported power, each course by its fused
        power over the variance of what is supported; the first is the variance of the second."""
        is_there = self.fused > _NEXT_TO_NOTHING * self.fused.max(initial=0)
        weight = np.where(is_there, self.number * self.fused / self._variance, 0)
        sums = [weight * self.fused, weight * self.supported]
        weighted: NDArray[np.float64] = np.sum(sums, axis=(1, 3))
        return weighted

    def gains(self, common: CommonSupport) -> NDArray[np.float64]:
        """Shares of the fused power that the raw supports, (patches, bands, K)."""
        power = np.maximum(self.fused, _TINY)
        own = self.supported / power
        alone = has_excess(self.fused, self.supported, self.noise, self.number)
        variance = self._variance / self.number / power**2
        shared = common.share[:, None]
        drawn = shared + _SPREAD / (_SPREAD + variance) * (own - shared)
        gains = np.where(common.sure[:, None], drawn, np.where(alone, own, 1))
        return np.clip(gains, 0, 1)

    @property
    def _variance(self) -> NDArray[np.float64]:
        """Of one coefficient's supported power."""
        return variance_of_supported(self.noise, self.supported, self.fused)


class _Bands:
    """Groups of DCT bins, of which the upper half shows the noise."""

    def __init__(self, n_frames: int) -> None:
        self._starts = temporal_bands(n_frames)
        self._n_frames = n_frames
        self.number = np.diff([*self._starts, n_frames]).astype(np.float64)[:, None]

    def power(self, spectrum: Any) -> NDArray[np.float64]:
        """Mean squares, (patches, bands, K)."""
        power: NDArray[np.float64] = (
            space_of(spectrum).band_powers(spectrum, self._starts) / self.number
        )
        return power

    def noise(self, spectrum: Any) -> NDArray[np.float64]:
        """Mean squares above a quarter of the frame rate, (patches, 1, K)."""
        high = spectrum[:, self._n_frames // 2 :, :]
        noise: NDArray[np.float64] = space_of(high).band_powers(high, [0]) / high.shape[1]
        return noise


def _scaled(spectrum: Any, gains: NDArray[np.float64], number: NDArray[np.float64]) -> Any:
    """Each band of so many coefficients times its gain."""
    space, band_of = space_of(spectrum), np.repeat(np.arange(len(number)), number[:, 0].astype(int))
    each = space.array(gains.astype(np.float32))
    return spectrum * space.xp.take(each, space.array(band_of), axis=1)


def _independent(spectrum: Any) -> tuple[Any, NDArray[np.floating]]:
    """Combinations of courses that do not go together, and the rotation that makes them."""
    space = space_of(spectrum)
    products = space.host(space.xp.matrix_transpose(spectrum) @ spectrum)
    _, turn = np.linalg.eigh(products)
    return spectrum @ space.array(turn), turn


def _weights(
    power: NDArray[np.float64],
    noise: NDArray[np.float64],
    shown: NDArray[np.float64],
    number: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Shares of the residual that are signal, (patches, bands, K), and errors (patches, 2).

    Where all courses together show that some is missing, in proportion to their fused power, each
    lacks what it shows itself, drawn toward that; elsewhere what chance alone would not show.
    """
    missing = power - noise
    variance = 2 * noise**2 / number + _TINY
    is_there = shown > _NEXT_TO_NOTHING * shown.max()
    weight = np.where(is_there, shown / variance, 0)
    seen, possible = (np.sum(weight * x, axis=(0, 2)) for x in (missing, shown))
    sure = seen > _SURE * np.sqrt(possible)
    expected = (np.maximum(seen, 0) / np.maximum(possible, _TINY))[:, None] * shown
    variance += 4 * noise * expected / number
    drawn = expected + expected**2 / (expected**2 + variance) * (missing - expected)
    beyond_chance = power > noise * chdtri(number, _CHANCE) / number
    signal = np.where(sure[:, None], drawn, np.where(beyond_chance, missing, 0)).clip(min=0)
    weights = signal / (signal + noise + _TINY)
    before = number * weights * power
    return weights, np.stack([before, before * (1 - weights)], axis=1).sum(axis=(2, 3))


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
    variance = variance_of_supported(noise, supported, power)
    weight = number * power / variance
    beyond = np.sum(weight * (power - supported), axis=-1, keepdims=True)
    error = np.sqrt(np.sum(weight * power, axis=-1, keepdims=True))
    score = np.square(np.maximum(beyond, 0) / np.maximum(error, _TINY)).sum(axis=-2, keepdims=True)
    n_bands = power.shape[-2]
    sure: NDArray[np.bool_] = score > n_bands / 2 + _SURE * np.sqrt(1.25 * n_bands)
    return sure


def variance_of_supported(
    noise: NDArray[np.float64], supported: NDArray[np.float64], power: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Of the square of a raw coefficient, with at most as much signal as there is power."""
    variance: NDArray[np.float64] = 2 * noise**2 + 4 * noise * np.clip(supported, 0, power) + _TINY
    return variance

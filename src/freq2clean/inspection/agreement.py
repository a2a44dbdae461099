"""How a denoised recording differs from its raw one, and what fusion could give back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from freq2clean.fusion.scale import is_other_scale, match_scale
from freq2clean.inspection.rings import RingPower, common_power
from freq2clean.inspection.survey import Survey
from freq2clean.registration.correlation import register, spectra_of

__all__ = ["Agreement", "Loss", "compare"]

SCENE_SIGMA_PX = 2.0
SMALLEST_SIDE = 16
FEWEST_FRAMES = 16
FARTHEST_LAG = 16
SLOW_FRAMES = 31
SIGNIFICANT = 5.0
LEAST_CORRELATION = 0.05
CLEARLY_LESS = 0.85


@dataclass(frozen=True)
class Loss:
    """What the mean image of the denoised recording lacks of the raw one's.

    From the mean images of the even and of the odd frames, whose noise differs: what both halves
    of ``raw - denoised`` share is no noise.

    Attributes
    ----------
    share, share_error : float
        Power of the difference over the power of the raw mean image (its variance over the
        field, noise taken off), and its sampling error.
    fine_share, fine_share_error : float or None
        The same for detail finer than 8 pixels; None where the raw mean image shows none.
    sd : float
        Standard deviation of the difference over the field, noise taken off, in counts.
    noise_sd : float
        Standard deviation of the noise of the difference.
    regained_share : float
        Share of the difference's power that weights of signal over signal plus noise, ring by
        ring, would give back.
    """

    share: float
    share_error: float
    fine_share: float | None
    fine_share_error: float | None
    sd: float
    noise_sd: float
    regained_share: float


@dataclass(frozen=True)
class Agreement:
    """A denoised recording against its raw one.

    Attributes
    ----------
    is_identical : bool
        The two hold the same values.
    frames_lost : int
        Frames of the raw recording minus frames of the denoised one.
    lag : int or None
        Frame t of the denoised recording shows frame ``t + lag`` of the raw one; None where
        the two do not say.
    gain, offset : float
        ``raw`` is about ``gain * denoised + offset``, from the mean images.
    raw_level, denoised_level : float
        Means over the field and over time.
    level_error : float or None
        Standard error of their difference, from its scatter over the frames; None where the two
        have not the same two frames or more.
    is_other_scale : bool
        Normalised or shifted in level, rather than merely biased.
    scene_correlation : float
        Of the two mean images, blurred by 2 pixels.
    activity_correlation : float or None
        Of the brightness of coarse tiles over time, slow changes taken off, at the lag.
    shift_px : (float, float) or None
        How far the denoised mean image lies from the raw one, rows and columns; None where
        the raw mean image is too noisy to tell.
    shift_error_px : float or None
    loss : Loss or None
        None where there are too few frames or the raw mean image shows nothing.
    """

    is_identical: bool
    frames_lost: int
    lag: int | None
    gain: float
    offset: float
    raw_level: float
    denoised_level: float
    level_error: float | None
    is_other_scale: bool
    scene_correlation: float
    activity_correlation: float | None
    shift_px: tuple[float, float] | None
    shift_error_px: float | None
    loss: Loss | None


def compare(raw: Survey, denoised: Survey) -> Agreement:
    """Compare two surveys of recordings with the same rows and columns."""
    usable = ~(raw.unusable | denoised.unusable)
    scenes = [
        ndimage.gaussian_filter(_filled(s.mean, usable), SCENE_SIGMA_PX) for s in (raw, denoised)
    ]
    for scene in scenes:
        scene[~usable] = np.nan
    scale, correlation = match_scale(*scenes)
    other = is_other_scale(scale, correlation, *scenes)
    lag, activity = _lag(raw, denoised)
    shift, shift_error = _shift(raw, denoised, usable)
    factor = scale.gain if other else 1.0
    return Agreement(
        is_identical=_is_identical(raw, denoised),
        frames_lost=raw.shape[0] - denoised.shape[0],
        lag=lag,
        gain=scale.gain,
        offset=scale.offset,
        raw_level=_level(raw, usable),
        denoised_level=_level(denoised, usable),
        level_error=_level_error(raw, denoised),
        is_other_scale=bool(other),
        scene_correlation=correlation,
        activity_correlation=activity,
        shift_px=shift,
        shift_error_px=shift_error,
        loss=_loss(raw, denoised, usable, factor),
    )


def _level(survey: Survey, usable: NDArray[np.bool_]) -> float:
    return float(survey.mean[usable].mean()) if usable.any() else float("nan")


def _level_error(raw: Survey, denoised: Survey) -> float | None:
    n_frames = raw.shape[0]
    if denoised.shape[0] != n_frames or n_frames < 2:
        return None
    apart = raw.frame_means - denoised.frame_means
    return float(np.std(apart, ddof=1) / np.sqrt(n_frames))


def _is_identical(raw: Survey, denoised: Survey) -> bool:
    return raw.shape == denoised.shape and all(
        np.array_equal(getattr(raw, name), getattr(denoised, name), equal_nan=True)
        for name in ("half_means", "frame_means", "mean_square", "kept")
    )


def _filled(image: NDArray[np.float64], usable: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Unusable pixels hold the mean of the others."""
    return np.where(usable, image, image[usable].mean() if usable.any() else 0.0)


def _lag(raw: Survey, denoised: Survey) -> tuple[int | None, float | None]:
    """The lag at which the tiles' brightness agrees best, and how well it agrees there.

    Steps from frame to frame mislead where a denoiser averages a few frames, slower changes where
    its temporal filter leans to one side. So both must agree on a lag; else slower changes have to
    tell it clearly, or to choose between the two ends that a denoiser can have cut off.
    """
    x, y = (s.grid_traces.reshape(s.shape[0], -1).astype(np.float64) for s in (raw, denoised))
    lost = len(x) - len(y)
    if min(len(x), len(y)) < FEWEST_FRAMES:
        return None, None
    reach = min(FARTHEST_LAG, min(len(x), len(y)) // 4)
    lags = list(range(min(lost, 0) - reach, max(lost, 0) + reach + 1))
    changes = _scores(_fast_part(x), _fast_part(y), lags)
    steps = _scores(np.diff(x, axis=0), np.diff(y, axis=0), lags)
    best = int(np.argmax(changes.mean(axis=1)))
    home = lags.index(0)
    agreed = best == int(np.argmax(steps.mean(axis=1)))
    if lost == 0:
        told = agreed and _leads(steps, best, home)
        far = abs(lags[best]) > 1 and changes[home].mean() < CLEARLY_LESS * changes[best].mean()
        chosen = best if told or (far and _leads(changes, best, home)) else home
        return lags[chosen], float(changes[chosen].mean())
    if not agreed:
        ends = {lags.index(lag) for lag in (0, lost // 2, lost)}
        second, best = sorted(ends, key=lambda k: changes[k].mean())[-2:]
        agreed = _leads(changes, best, second)
    correlation = float(changes[best].mean())
    return (lags[best] if agreed and correlation > LEAST_CORRELATION else None), correlation


def _leads(scores: NDArray[np.float64], best: int, rival: int) -> bool:
    """Whether one lag scores better than another over the tiles, beyond chance."""
    lead = scores[best] - scores[rival]
    return bool(lead.mean() > SIGNIFICANT * lead.std() / np.sqrt(lead.size))


def _scores(x: NDArray[np.float64], y: NDArray[np.float64], lags: list[int]) -> NDArray[np.float64]:
    """Correlation of each tile at each lag: (lags, tiles)."""
    return np.stack([_tile_correlations(x, y, lag) for lag in lags])


def _fast_part(traces: NDArray[np.float64]) -> NDArray[np.float64]:
    slow = ndimage.uniform_filter1d(traces, SLOW_FRAMES, axis=0, mode="nearest")
    return np.asarray(traces - slow)


def _tile_correlations(
    x: NDArray[np.float64], y: NDArray[np.float64], lag: int
) -> NDArray[np.float64]:
    start, stop = max(0, -lag), min(len(y), len(x) - lag)
    one, two = x[start + lag : stop + lag], y[start:stop]
    one, two = one - one.mean(axis=0), two - two.mean(axis=0)
    scale = np.sqrt((one**2).sum(axis=0) * (two**2).sum(axis=0))
    out: NDArray[np.float64] = (one * two).sum(axis=0) / np.where(scale > 0, scale, 1)
    return out


def _shift(
    raw: Survey, denoised: Survey, usable: NDArray[np.bool_]
) -> tuple[tuple[float, float] | None, float | None]:
    """Both halves of the raw recording, each against the denoised mean image."""
    if min(raw.shape[1:]) < SMALLEST_SIDE or raw.shape[0] < 2 or denoised.is_constant:
        return None, None
    images = [_filled(i, usable) for i in (*raw.half_means, denoised.mean)]
    spectra = spectra_of(np.stack(images))
    shifts = -register(spectra[:2], spectra[2])
    error = float(np.abs(shifts[0] - shifts[1]).max() / 2)
    if error > 1:
        return None, None
    row, column = shifts.mean(axis=0)
    return (float(row), float(column)), error


def _loss(raw: Survey, denoised: Survey, usable: NDArray[np.bool_], factor: float) -> Loss | None:
    if min(raw.shape[0], denoised.shape[0]) < 2 or min(raw.shape[1:]) < SMALLEST_SIDE:
        return None
    scene = [_spectrum(half, usable) for half in raw.half_means]
    lacks = [
        _spectrum(x - factor * y, usable)
        for x, y in zip(raw.half_means, denoised.half_means, strict=True)
    ]
    shown, lost = common_power(*scene), common_power(*lacks)
    difference = (lacks[0] - lacks[1]) / 2
    noise = common_power(difference, difference).power
    total = float(shown.power.sum())
    if total <= SIGNIFICANT * float(np.hypot.reduce(shown.error)):
        return None
    area = usable.size**2
    clear = np.maximum(lost.power, 0) * (lost.power > 2 * lost.error)
    regained = float(np.sum(clear**2 / np.maximum(clear + noise, 1e-30)))
    fine, fine_error = _share(lost, shown, shown.fine)
    share, share_error = _share(lost, shown, np.ones_like(shown.fine))
    return Loss(
        share=share or 0.0,
        share_error=share_error or 0.0,
        fine_share=fine,
        fine_share_error=fine_error,
        sd=float(np.sqrt(max(0.0, lost.power.sum()) / area)),
        noise_sd=float(np.sqrt(noise.sum() / area)),
        regained_share=regained / max(float(np.maximum(lost.power, 0).sum()), 1e-30),
    )


def _spectrum(image: NDArray[np.float64], usable: NDArray[np.bool_]) -> NDArray[np.complex128]:
    """The Fourier transform of an image without its mean."""
    image = _filled(image, usable)
    spectrum: NDArray[np.complex128] = fft.fft2(image - image.mean())
    return spectrum


def _share(
    lost: RingPower, shown: RingPower, rings: NDArray[np.bool_]
) -> tuple[float | None, float | None]:
    total = float(shown.power[rings].sum())
    if total <= SIGNIFICANT * float(np.hypot.reduce(shown.error[rings])):
        return None, None
    share = float(lost.power[rings].sum()) / total
    return share, float(np.hypot.reduce(lost.error[rings])) / total

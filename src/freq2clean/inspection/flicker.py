"""How much the brightness of whole frames varies from frame to frame, beyond what it must."""

from __future__ import annotations

import numpy as np

from freq2clean.inspection.noise import Noise
from freq2clean.inspection.survey import Survey

__all__ = ["added_flicker", "flicker_of"]

CLEARLY_MORE = 4.0
LEAST_SHARE = 0.02
FEWEST_FRAMES = 16


def flicker_of(raw: Survey, noise: Noise | None) -> float | None:
    """Standard deviation beyond photon noise, as a share of the mean signal; None where unclear."""
    if noise is None:
        return None
    by_photons = noise.sd**2 / np.count_nonzero(~raw.unusable)
    if _variance(raw) < CLEARLY_MORE * by_photons:
        return None
    return _share(_variance(raw) - by_photons, noise)


def added_flicker(
    denoised: Survey, raw: Survey, raw_noise: Noise | None, *, gain: float
) -> float | None:
    """Standard deviation beyond the raw recording's, as a share of the raw mean signal.

    What photon noise and the raw recording's own flicker leave in a denoised frame does not count.
    ``gain`` takes the denoised recording to the scale of the raw one.
    """
    if raw_noise is None:
        return None
    return _share(gain**2 * _variance(denoised) - _variance(raw), raw_noise)


def _variance(survey: Survey) -> float:
    """Of the frames' means, by second differences, so that slow signals do not count."""
    trace = survey.frame_means[~survey.missing.all(axis=1)]
    return float(np.mean(np.diff(trace, 2) ** 2) / 6) if len(trace) >= FEWEST_FRAMES else np.nan


def _share(variance: float, noise: Noise) -> float | None:
    if not variance > (LEAST_SHARE * noise.mean_signal) ** 2 or noise.mean_signal <= 0:
        return None
    return float(np.sqrt(variance)) / noise.mean_signal

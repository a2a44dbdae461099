"""Spatio-temporal signal-to-noise ratio of the AI4Life calcium-imaging denoising challenge."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from freq2clean.errors import InputError
from freq2clean.metrics.pairs import FrameStack, blocks_of, checked_shape
from freq2clean.metrics.sums import SquaredSums

__all__ = ["SNRScore", "stsnr", "stsnr_of_sums"]


@dataclass(frozen=True)
class SNRScore:
    """Signal-to-noise ratios in space, in time and combined, in dB.

    Attributes
    ----------
    stsnr_db, ssnr_db, tsnr_db : float
        inf if all frames (traces) are without error, nan if all are without signal.
    spatial_weight : float
        The share of `ssnr_db` in `stsnr_db`.
    left_out_frames, left_out_traces : int
        Those without signal (a truth of zeros has no SNR), and, unless all are, those without
        error (their SNR is infinite).
    """

    stsnr_db: float
    ssnr_db: float
    tsnr_db: float
    spatial_weight: float
    left_out_frames: int
    left_out_traces: int


def stsnr_of_sums(sums: SquaredSums, *, spatial_weight: float = 0.5) -> SNRScore:
    """The score from the sums of squares."""
    if not 0 <= spatial_weight <= 1:
        raise InputError(f"spatial_weight={spatial_weight}; it lies between 0 and 1")
    spatial, frames = _mean_db(np.array(sums.signal_by_frame), np.array(sums.error_by_frame))
    temporal, traces = _mean_db(sums.signal.ravel(), sums.error.ravel())
    parts = ((spatial_weight, spatial), (1 - spatial_weight, temporal))
    combined = sum(weight * value for weight, value in parts if weight > 0)
    return SNRScore(combined, spatial, temporal, spatial_weight, frames, traces)


def _mean_db(signal: NDArray[np.float64], error: NDArray[np.float64]) -> tuple[float, int]:
    """Mean of 10 log10(signal / error), and how many entries it leaves out."""
    lit = signal > 0
    noisy = lit & (error > 0)
    if not noisy.any():
        return (float("inf") if lit.any() else float("nan")), int(np.count_nonzero(~lit))
    ratios = 10 * (np.log10(signal[noisy]) - np.log10(error[noisy]))
    return float(ratios.mean()), int(np.count_nonzero(~noisy))


def stsnr(truth: FrameStack, recording: FrameStack, /, *, spatial_weight: float = 0.5) -> SNRScore:
    """Spatio-temporal SNR (stSNR) of the AI4Life calcium-imaging denoising challenge 2025 [1]_.

    The SNR in dB, ``10 log10(sum y**2 / sum (y - x)**2)`` of truth y and recording x, is taken of
    each frame and averaged over frames (sSNR), and of each pixel's trace and averaged over pixels
    (tSNR). stSNR is their convex combination.

    Parameters
    ----------
    truth, recording : array (T, Y, X)
        Integers or floats; sliced lazily along T. Pixels that are not finite are left out.
    spatial_weight : float
        The share of sSNR.

    Returns
    -------
    SNRScore

    Raises
    ------
    InputError
        Shapes that differ, or a weight outside [0, 1].

    References
    ----------
    .. [1] https://ai4life-cidc25.grand-challenge.org/cidc25-evaluation-metrics

    Examples
    --------
    >>> import numpy as np
    >>> truth = np.full((3, 4, 4), 10.0)
    >>> stsnr(truth, truth + 1).stsnr_db
    20.0
    """
    sums = SquaredSums(checked_shape(truth, recording)[1:])
    for block in blocks_of(truth, recording):
        sums.add(*block)
    return stsnr_of_sums(sums, spatial_weight=spatial_weight)

"""Spikes from fluorescence traces, by OASIS."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
from numpy.typing import ArrayLike, NDArray

from freq2clean.errors import InputError, MissingExtraError

__all__ = ["SPIKE_SHARE", "check_installed", "infer_spikes", "spike_times"]

SPIKE_SHARE = 0.25
"""Of the trace's largest deconvolved value: what counts as a spike."""


def check_installed() -> None:
    """Raise MissingExtraError unless OASIS is there."""
    if find_spec("oasis") is None:
        raise MissingExtraError(
            'spikes are inferred by OASIS; install with pip install "freq2clean[spikes]"'
        )


def infer_spikes(
    traces: ArrayLike, /, *, frame_rate_hz: float, decay_s: float, rise_s: float
) -> NDArray[np.float32]:
    """Deconvolve traces with the indicator's response.

    Parameters
    ----------
    traces : array (n, T)
        Fluorescence in any unit; the baseline is found.
    frame_rate_hz : float
    decay_s, rise_s : float
        The indicator's response is ``(1 - exp(-t / rise)) exp(-t / decay)``.

    Returns
    -------
    ndarray (n, T), float32
        Activity in each frame, 0 or more; in standard deviations of the trace.

    Raises
    ------
    InputError
        Traces that are not finite or not (n, T), or a time that is not above 0.
    MissingExtraError
        Without OASIS.

    References
    ----------
    Friedrich, Zhou and Paninski, PLOS Computational Biology 2017 (doi:10.1371/journal.pcbi.1005423)

    Examples
    --------
    >>> since = np.maximum(np.arange(300) - 100, 0) / 30
    >>> trace = (1 - np.exp(-since / 0.07)) * np.exp(-since / 0.7)
    >>> spikes = infer_spikes([trace], frame_rate_hz=30, decay_s=0.7, rise_s=0.07)
    >>> int(spikes[0].argmax())
    101
    """
    check_installed()
    from oasis.functions import deconvolve

    raw = np.asarray(traces, np.float64)
    if raw.ndim != 2 or not np.isfinite(raw).all():
        raise InputError(f"traces of shape {raw.shape}; give finite numbers (ROIs, frames)")
    times = {"frame_rate_hz": frame_rate_hz, "decay_s": decay_s, "rise_s": rise_s}
    for name, value in times.items():
        if not value > 0:
            raise InputError(f"{name} = {value}; give a number above 0")
    fast_s = 1 / (1 / decay_s + 1 / rise_s)
    kinetics = {"tau_d": decay_s, "tau_r": fast_s, "framerate": frame_rate_hz}
    spikes = np.zeros(raw.shape, np.float32)
    for trace, out in zip(raw, spikes, strict=True):
        if spread := float(trace.std()):
            scaled = (trace - trace.mean()) / spread
            out[:] = deconvolve(scaled, sn=_noise_sd(scaled), b_nonneg=False, **kinetics).s
    return np.maximum(spikes, 0)


def spike_times(
    spikes: NDArray[np.floating], /, *, frame_rate_hz: float, share: float = SPIKE_SHARE
) -> list[NDArray[np.float64]]:
    """When each trace's deconvolved activity is a spike, in seconds.

    Parameters
    ----------
    spikes : array (n, T)
        As of `infer_spikes`.
    frame_rate_hz : float
    share : float
        Of the largest value of the trace: the least that counts.

    Examples
    --------
    >>> times = spike_times(np.array([[0, 4, 0.5, 2], [0, 0, 0, 0]]), frame_rate_hz=10)
    >>> [seconds.tolist() for seconds in times]
    [[0.1, 0.3], []]
    """
    return [
        np.flatnonzero((row > 0) & (row >= share * row.max(initial=0))) / frame_rate_hz
        for row in spikes
    ]


def _noise_sd(trace: NDArray[np.float64]) -> float:
    """From what is faster than a quarter of the frame rate."""
    power = np.abs(np.fft.rfft(trace)) ** 2 / len(trace)
    return float(np.sqrt(power[len(trace) // 4 :].mean()))

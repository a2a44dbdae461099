"""What the tissue does over time: spikes, the indicator's response, slow neuropil."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

__all__ = ["draw_neuropil_activity", "draw_spikes", "indicator_response"]

BURST_RATE_HZ = 0.1
SPIKES_PER_BURST = 4.0
SPIKE_RATE_IN_BURST_HZ = 15.0


def draw_spikes(
    rng: np.random.Generator, n_cells: int, n_frames: int, *, frame_rate_hz: float
) -> NDArray[np.uint8]:
    """Spikes per frame (n_cells, n_frames): short bursts, at rates that differ widely by cell."""
    duration_s = n_frames / frame_rate_hz
    rates_hz = BURST_RATE_HZ * rng.lognormal(0.0, 0.8, n_cells)
    spikes = np.zeros((n_cells, n_frames), np.uint8)
    for row, n_bursts in zip(spikes, rng.poisson(rates_hz * duration_s), strict=True):
        sizes = rng.geometric(1 / SPIKES_PER_BURST, n_bursts)
        onsets_s = np.repeat(rng.uniform(0, duration_s, n_bursts), sizes)
        within_s = rng.exponential(sizes.repeat(sizes) / SPIKE_RATE_IN_BURST_HZ)
        frames = ((onsets_s + within_s) * frame_rate_hz).astype(np.intp)
        counts = np.bincount(frames[frames < n_frames], minlength=n_frames)
        row[:] = np.minimum(counts, 255)
    return spikes


def indicator_response(
    spikes: NDArray[np.uint8], *, rise_s: float, decay_s: float, frame_rate_hz: float
) -> NDArray[np.float32]:
    """Spikes (n, T) through ``(1 - exp(-t / rise)) exp(-t / decay)``, scaled to a peak of one.

    The kernel is the difference of two exponentials, so two one-pole filters give it exactly.
    """
    fast_s = 1 / (1 / rise_s + 1 / decay_s)
    peak_s = rise_s * np.log1p(decay_s / rise_s)
    peak = (1 - np.exp(-peak_s / rise_s)) * np.exp(-peak_s / decay_s)
    response = np.empty(spikes.shape, np.float32)
    poles = [np.exp(-1 / (tau * frame_rate_hz)) for tau in (decay_s, fast_s)]
    for row, out in zip(spikes, response, strict=True):
        slow, fast = (lfilter([1.0], [1.0, -pole], row) for pole in poles)
        out[:] = (slow - fast) / peak
    return response


def draw_neuropil_activity(
    rng: np.random.Generator,
    grid: tuple[int, int],
    n_frames: int,
    *,
    frame_rate_hz: float,
    tau_s: float = 0.8,
    strength: float = 0.08,
    shared: float = 0.6,
) -> NDArray[np.float32]:
    """Relative fluctuation of the neuropil (grid points, n_frames), slow and partly common.

    ``shared`` is the correlation between distant points; `strength` the standard deviation.
    """
    warm_up = int(np.ceil(6 * tau_s * frame_rate_hz))
    pole = np.exp(-1 / (tau_s * frame_rate_hz))
    drive = rng.standard_normal((1 + grid[0] * grid[1], warm_up + n_frames), np.float32)
    scale = (1 - pole) ** 2 / np.sqrt((1 + pole**2) * (1 - pole) / (1 + pole) ** 3)
    slow = lfilter([scale], np.poly([pole, pole]), drive, axis=1)[:, warm_up:]
    mixed = np.sqrt(shared) * slow[:1] + np.sqrt(1 - shared) * slow[1:]
    return np.asarray(np.maximum(strength * mixed, -0.5), np.float32)

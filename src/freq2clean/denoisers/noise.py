"""The noise of each pixel, from what changes faster than light from an indicator does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freq2clean.denoisers.contract import Frames, valid_frames
from freq2clean.fusion.noise import photon_transfer
from freq2clean.fusion.survey import spread_runs

__all__ = ["Mixing", "Survey", "survey"]

_RUN_FRAMES = 32
_N_RUNS = 16
_N_CHANGES = 32
_SPACING = 3
_REACH = 3
_LEAST_POWER = 0.1
_LEAST_SHARE = 0.01
_SIGNIFICANT = 4


@dataclass(frozen=True, eq=False)
class Mixing:
    """Noise of neighbouring pixels, correlated, as a product of this with independent noise.

    Parameters
    ----------
    root, inverse : ndarray, (pixels, pixels)
        Symmetric.
    """

    root: NDArray[np.float64]
    inverse: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Survey:
    """What runs of frames spread over a recording show of each pixel.

    Attributes
    ----------
    level : ndarray, (Y, X), float32
        Mean; 0 where a pixel has no value.
    noise_sd : ndarray, (Y, X), float32
        Standard deviation of the noise, above 0.
    correlation : ndarray, (4, 7), float64
        Of the noise of a pixel with that of another 0 to 3 rows below and -3 to 3 columns aside;
        0 where it is within four times its sampling error.
    """

    level: NDArray[np.float32]
    noise_sd: NDArray[np.float32]
    correlation: NDArray[np.float64]

    def mixing(self, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> Mixing | None:
        """How the noise of a patch's pixels comes of independent noise; None if it is."""
        if np.count_nonzero(self.correlation) == 1:
            return None
        down, right = rows[:, None] - rows, columns[:, None] - columns
        down, right = np.where(down < 0, -down, down), np.where(down < 0, -right, right)
        near = (down <= _REACH) & (abs(right) <= _REACH)
        lag = np.clip(down, None, _REACH), np.clip(right, -_REACH, _REACH) + _REACH
        powers, axes = np.linalg.eigh(np.where(near, self.correlation[lag], 0))
        root = np.sqrt(np.maximum(powers, _LEAST_POWER))
        return Mixing((axes * root) @ axes.T, (axes / root) @ axes.T)


def survey(recording: Frames) -> Survey:
    """Mean and noise of each pixel.

    The variance of the noise is that of second differences in time (of first ones, if there are
    two frames), to which slow signals add little. A pixel alone gives a poor estimate, so it is
    taken to be a function of the mean: photon noise, ``gain * mean + offset``.
    """
    n_frames, *frame_shape = recording.shape
    sums, counts = np.zeros(frame_shape), np.zeros(frame_shape)
    squares, pairs = np.zeros(frame_shape), np.zeros(frame_shape)
    order = min(2, n_frames - 1)
    gain = {0: 1, 1: 2, 2: 6}[order]
    runs = spread_runs(n_frames, n_runs=_N_RUNS, length=_RUN_FRAMES)
    examples = []
    for start, stop in runs:
        frames = valid_frames(np.asarray(recording[start:stop]))
        valid = np.isfinite(frames)
        sums += np.where(valid, frames, 0).sum(axis=0, dtype=np.float64)
        counts += valid.sum(axis=0)
        if order:
            change = np.diff(frames, order, axis=0) / np.sqrt(np.float32(gain))
            known = np.isfinite(change)
            change[~known] = 0
            squares += np.einsum("tyx,tyx->yx", change, change, dtype=np.float64)
            pairs += known.sum(axis=0)
            examples.append(change[::_SPACING][: _N_CHANGES // len(runs)].copy())
    level = sums / np.maximum(counts, 1)
    noise_sd = np.sqrt(_photon_noise(level, squares / np.maximum(pairs, 1), pairs > 0))
    noise_sd = noise_sd.astype(np.float32)
    noise = np.concatenate(examples) if examples else np.zeros((1, *frame_shape), np.float32)
    noise /= noise_sd
    return Survey(level.astype(np.float32), noise_sd, _correlation(noise))


def _correlation(noise: NDArray[Any]) -> NDArray[np.float64]:
    """Means of products at each lag, of noise of variance 1, over that at lag 0."""
    n_rows, n_columns = noise.shape[1:]
    means = np.zeros((_REACH + 1, 2 * _REACH + 1))
    for down, right in np.ndindex(*means.shape):
        left, right = max(0, _REACH - right), max(0, right - _REACH)
        here = noise[:, : max(0, n_rows - down), left : max(0, n_columns - right)]
        there = noise[:, down:, right : max(0, n_columns - left)]
        total = float(np.einsum("tyx,tyx->", here, there, dtype=np.float64))
        if abs(total) > _SIGNIFICANT * np.sqrt(here.size):
            means[down, right - left + _REACH] = total / here.size
    power = means[0, _REACH] or 1.0
    means[0, _REACH] = power
    return np.asarray(means / power)


def _photon_noise(
    level: NDArray[np.float64], variance: NDArray[np.float64], known: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Variance as a function of the level. Without any noise it is 1: nothing is told apart."""
    if not variance[known].any():
        return np.ones_like(level)
    typical = variance[known].mean()
    fit = photon_transfer(level[known], variance[known])
    if fit.gain <= 0:
        return np.full_like(level, typical)
    return np.asarray(np.maximum(fit.gain * level + fit.offset, _LEAST_SHARE * typical))

"""What the network sees: frames, and two images of the whole recording, in units of the noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from freq2clean.denoisers.contract import Frames, Progress, blocks_of, valid_frames
from freq2clean.denoisers.deepcad.units import filled, level_and_noise
from freq2clean.denoisers.noise import survey
from freq2clean.fusion.noise import photon_transfer

__all__ = ["N_CHANNELS", "N_IMAGES", "Views", "as_channels", "look"]

N_IMAGES = 2
N_CHANNELS = 1 + N_IMAGES
_BIN_FRAMES = 8


@dataclass(frozen=True, eq=False)
class Views:
    """A recording's two images, and how to bring frames to the network's scale and back.

    Attributes
    ----------
    mean : ndarray, (Y, X), float32
        Temporal mean of each pixel, in the recording's values.
    activity : ndarray, (Y, X), float32
        How much each pixel's signal varies: a standard deviation in units of the noise, negative
        where the estimated variance is.
    level : float
        Mean of the recording.
    noise_sd : float
        Standard deviation of its noise, which is one unit; 0 if nothing varies.
    """

    mean: NDArray[np.float32]
    activity: NDArray[np.float32]
    level: float
    noise_sd: float

    def inputs(self, frames: NDArray[np.float32], n_frames: int) -> NDArray[np.float32]:
        """Frames in the recording's values as the network's inputs (n_frames + 2, Y, X).

        They are what the frames differ by from the mean image, reflected at the end to make
        ``n_frames``; then the mean image; then the activity. Where a frame has NaN, its neighbours
        in time stand in.
        """
        n_given = len(frames)
        out = np.empty((n_frames + N_IMAGES, *self.mean.shape), np.float32)
        np.subtract(frames, self.mean, out=out[:n_given])
        filled(out[:n_given])
        place = np.arange(n_given, n_frames) % (2 * n_given)
        out[n_given:n_frames] = out[np.minimum(place, 2 * n_given - 1 - place)]
        np.subtract(self.mean, np.float32(self.level), out=out[-2])
        out[:-1] /= np.float32(self.noise_sd)
        out[-1] = self.activity
        return out

    def values(self, outputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """The network's output, in place, in the recording's values: it is added to the mean."""
        outputs *= np.float32(self.noise_sd)
        outputs += self.mean
        return outputs

    def snr_db(self, recording: Frames) -> float | None:
        """``10 log10(sum s^2 / sum n^2)``, s the signal above the level without light.

        That level is where the variance of the noise falls to zero, so read noise makes the signal
        seem larger. None where the variance does not grow with the mean.
        """
        found = survey(recording)
        noise = found.noise_sd.astype(np.float64) ** 2
        transfer = photon_transfer(found.level.astype(np.float64), noise)
        if self.noise_sd == 0 or transfer.gain <= 0:
            return None
        light = np.maximum(self.mean + transfer.offset / transfer.gain, 0)
        varying = np.mean(self.activity * np.abs(self.activity), dtype=np.float64)
        signal = np.mean(light**2, dtype=np.float64) + max(0, varying) * self.noise_sd**2
        return 10 * float(np.log10(signal / noise.mean())) if signal > 0 else None


def as_channels(inputs: NDArray[np.float32]) -> NDArray[np.float32]:
    """Inputs (N, T + 2, Y, X) as volumes (N, 3, T, Y, X): frames, and each image at all times."""
    n, length, *sides = inputs.shape
    out = np.empty((n, N_CHANNELS, length - N_IMAGES, *sides), np.float32)
    out[:, 0] = inputs[:, :-N_IMAGES]
    out[:, 1:] = inputs[:, -N_IMAGES:, None]
    return out


def look(recording: Frames, *, progress: Progress | None = None) -> Views:
    """Measure what `Views` holds, block by block.

    Activity comes from the covariance of means of eight frames with those of the next eight: noise
    of different frames is independent, so on average none of it enters.

    Raises
    ------
    InputError
        If not a single value is a finite number.
    """
    n_frames, *frame_shape = recording.shape
    level, noise_sd = level_and_noise(recording)
    bins = _Bins(tuple(frame_shape), level)
    for start, stop in blocks_of(0, n_frames):
        bins.add(valid_frames(np.asarray(recording[start:stop])))
        if progress is not None:
            progress(stop, n_frames)
    variance = bins.covariance() / (noise_sd**2 or 1.0)
    activity = np.sign(variance) * np.sqrt(np.abs(variance))
    return Views(bins.mean(), activity.astype(np.float32), level, noise_sd)


class _Bins:
    """Adds up frames, and products of the means of successive bins of frames."""

    def __init__(self, frame_shape: tuple[int, ...], level: float) -> None:
        self._level = np.float32(level)
        self._sum, self._n = np.zeros(frame_shape), np.zeros(frame_shape)
        self._before: NDArray[np.float64] | None = None
        self._product, self._pair_sum = np.zeros(frame_shape), np.zeros(frame_shape)
        self._n_pairs = 0

    def add(self, frames: NDArray[np.float32]) -> None:
        """Add frames (n, Y, X) with NaN where nothing was measured."""
        seen = ~np.isnan(frames)
        values = np.where(seen, frames - self._level, np.float32(0))
        self._sum += values.sum(axis=0, dtype=np.float64)
        self._n += seen.sum(axis=0)
        for first in range(0, len(frames) - _BIN_FRAMES + 1, _BIN_FRAMES):
            inside = slice(first, first + _BIN_FRAMES)
            total = values[inside].sum(axis=0, dtype=np.float64)
            here = total / np.maximum(1, seen[inside].sum(axis=0))
            if self._before is not None:
                self._product += here * self._before
                self._pair_sum += here + self._before
                self._n_pairs += 1
            self._before = here

    def mean(self) -> NDArray[np.float32]:
        """Mean of each pixel; that of all where it has no value."""
        return (self._offset() + self._level).astype(np.float32)

    def covariance(self) -> NDArray[np.float64]:
        """Covariance of successive bins; 0 with fewer than three bins."""
        if self._n_pairs < 2:
            return np.zeros_like(self._product)
        offset = self._offset()
        return (self._product - offset * self._pair_sum) / self._n_pairs + offset**2

    def _offset(self) -> NDArray[np.float64]:
        return self._sum / np.maximum(1, self._n)

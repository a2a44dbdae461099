"""Faint noise on the raw recording, which shows how the recording's own noise leaks."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from freq2clean.errors import InputError
from freq2clean.fusion.missing import missing_rows
from freq2clean.fusion.noise import NoiseMoments
from freq2clean.fusion.scale import Scale
from freq2clean.fusion.survey import spread_runs
from freq2clean.inspection import Gain, GainMoments, gain_runs
from freq2clean.recordings import Recording

__all__ = ["LEAST_FRAMES", "Probed", "probed_gain"]

LEAST_FRAMES = 32
_SHARE_OF_NOISE = 0.2
_BLOCK_FRAMES = 16
_LEAST_SHARE_OF_VARIANCE = 0.1


class Probed(Recording):
    """A recording with a fifth of its own noise added once more, float32.

    The noise is white, and stronger where the recording is bright, as the photon transfer says.
    What was not measured stays as it is.

    Parameters
    ----------
    source : Recording
    seed : int
    """

    def __init__(self, source: Recording, *, seed: int = 0) -> None:
        if len(source) < LEAST_FRAMES:
            raise InputError(
                f"{source.name} has {len(source)} frames; a probe needs {LEAST_FRAMES} or more"
            )
        self.name = source.name
        self.shape = source.shape
        self.dtype = np.dtype(np.float32)
        self.metadata = source.metadata
        self.chunk_frames = source.chunk_frames
        self.paths = source.paths
        self._source = source
        self._seed = seed
        self._sd = _SHARE_OF_NOISE * _noise_sd(source)

    def _read(self, start: int, stop: int) -> NDArray[np.float32]:
        raw = self._source.read(start, stop)
        frames = raw.astype(np.float32) + self.probe(start, stop)
        missing = missing_rows(raw)
        frames[missing] = raw[missing]
        return frames

    def probe(self, start: int, stop: int) -> NDArray[np.float32]:
        """What is added to frames ``start`` to ``stop``; the same in blocks of any size."""
        first = start // _BLOCK_FRAMES
        blocks = [self._block(block) for block in range(first, -(-stop // _BLOCK_FRAMES))]
        noise = np.concatenate(blocks)[start - first * _BLOCK_FRAMES :]
        probe: NDArray[np.float32] = noise[: stop - start] * self._sd
        return probe

    def _block(self, block: int) -> NDArray[np.float32]:
        generator = np.random.default_rng([self._seed, block])
        shape = (_BLOCK_FRAMES, *self.shape[1:])
        return generator.standard_normal(shape, dtype=np.float32)


def _noise_sd(recording: Recording) -> NDArray[np.float32]:
    """Standard deviation of each pixel's noise."""
    moments = NoiseMoments(recording.shape[1:])
    levels, n_frames = np.zeros(recording.shape[1:]), 0
    for start, stop in spread_runs(len(recording), n_runs=8, length=40):
        frames = recording.read(start, stop)
        moments.add(frames)
        levels += np.nan_to_num(frames).sum(axis=0, dtype=np.float64)
        n_frames += len(frames)
    transfer = moments.photon_transfer()
    variance = transfer.gain * levels / n_frames + transfer.offset
    least = _LEAST_SHARE_OF_VARIANCE * moments.mean_power()
    return np.sqrt(np.maximum(variance, least)).astype(np.float32)


def probed_gain(
    raw: Recording,
    plain: tuple[Recording, Recording],
    probed: Probed,
    echoes: tuple[Recording, Recording],
    /,
    *,
    scale: Scale,
) -> Gain:
    """What was gained from a denoised recording to a fused one.

    Parameters
    ----------
    raw : Recording
    plain : (Recording, Recording)
        The denoised and the fused recording that were made from it.
    probed : Probed
        The raw recording with a probe.
    echoes : (Recording, Recording)
        Those that were made from that.
    scale : Scale
        Of the denoised recordings.
    """
    moments = GainMoments(raw.shape[1:])
    for start, stop in gain_runs(raw.shape):
        (y, z), (y_echo, z_echo) = (_read(pair, start, stop, scale) for pair in (plain, echoes))
        y_echo -= y
        z_echo -= z
        moments.add(
            raw.read(start, stop), y, z, probe=probed.probe(start, stop), echoes=(y_echo, z_echo)
        )
    return moments.solve()


def _read(
    pair: tuple[Recording, Recording], start: int, stop: int, scale: Scale
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Frames of a denoised recording, on the raw one's scale, and of a fused one, as float32."""
    denoised, fused = (recording.read(start, stop).astype(np.float32) for recording in pair)
    return scale.apply(denoised), fused

"""The pair of recordings that benchmarks run on: simulated, and an imitated denoiser's output."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from freq2clean import simulate
from freq2clean.simulation import imitate_denoiser

SEED = 20_001
_CHUNK = 500


def make_pair(n_frames: int, size: int) -> tuple[NDArray[np.uint16], NDArray[np.float32]]:
    """A raw uint16 recording at -5.5 dB and its float32 denoised version, in memory."""
    simulated = simulate((n_frames, size, size), seed=SEED)
    raw = np.empty((n_frames, size, size), np.uint16)
    denoised = np.empty(raw.shape, np.float32)
    for start in range(0, n_frames, _CHUNK):
        part = slice(start, min(start + _CHUNK, n_frames))
        raw[part] = simulated.raw[part]
        denoised[part] = imitate_denoiser(simulated.truth[part], raw[part])
    return raw, denoised


def write_pair_like(path: Any, n_frames: int, size: int) -> tuple[str, str]:
    """The same as TIFF files of any length in bounded memory: frames repeat, which timing may."""
    import tifffile

    raw, denoised = make_pair(200, size)
    names = str(path / "raw.tif"), str(path / "denoised.tif")
    for name, frames in zip(names, (raw, denoised), strict=True):
        repeated = (frames[i % len(frames)] for i in range(n_frames))
        tifffile.imwrite(
            name, repeated, shape=(n_frames, size, size), dtype=frames.dtype, bigtiff=True
        )
    return names

"""The pair of recordings that benchmarks run on: simulated, and an imitated denoiser's output."""

from __future__ import annotations

from itertools import chain, cycle, islice
from pathlib import Path
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


def write_pair_like(
    path: Path, n_frames: int, size: int, *, suffix: str = "tif"
) -> tuple[str, str]:
    """The same as files of any length in bounded memory: frames repeat, which timing may.

    They go to and fro, so that nothing jumps.
    """
    names = str(path / f"raw.{suffix}"), str(path / f"denoised.{suffix}")
    for name, frames in zip(names, make_pair(200, size), strict=True):
        _WRITERS[suffix](name, frames, n_frames)
    return names


def _write_tiff(name: str, frames: NDArray[Any], n_frames: int) -> None:
    import tifffile

    to_and_fro = cycle(chain(frames, frames[::-1]))
    repeated = islice(to_and_fro, n_frames)
    shape = n_frames, *frames.shape[1:]
    tifffile.imwrite(name, repeated, shape=shape, dtype=frames.dtype, bigtiff=True)


def _write_npy(name: str, frames: NDArray[Any], n_frames: int) -> None:
    shape = n_frames, *frames.shape[1:]
    _repeat(frames, np.lib.format.open_memmap(name, "w+", frames.dtype, shape))


def _write_zarr(name: str, frames: NDArray[Any], n_frames: int) -> None:
    import zarr

    shape = n_frames, *frames.shape[1:]
    chunks = 16, *frames.shape[1:]
    target = zarr.create_array(
        name, shape=shape, chunks=chunks, dtype=frames.dtype, compressors=None
    )
    _repeat(frames, target)


def _repeat(frames: NDArray[Any], target: Any) -> None:
    """Fill an array with the frames, to and fro."""
    for start in range(0, target.shape[0], len(frames)):
        stop = min(start + len(frames), target.shape[0])
        target[start:stop] = frames[: stop - start]
        frames = frames[::-1]


_WRITERS = {"tif": _write_tiff, "npy": _write_npy, "zarr": _write_zarr}

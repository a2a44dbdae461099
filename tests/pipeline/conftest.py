"""A pair of recordings of one scene, and ways to write recordings to files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from freq2clean.recordings import Metadata, create


class Pair(NamedTuple):
    """A raw recording (uint16), its blurred and quiet version (float32), and their truth."""

    raw: np.ndarray
    denoised: np.ndarray
    truth: np.ndarray


@pytest.fixture(scope="session")
def make_pair() -> Callable[..., Pair]:
    def make(shape: tuple[int, int, int] = (70, 26, 30), seed: int = 3) -> Pair:
        rng = np.random.default_rng(seed)
        scene = 200 + 80 * gaussian_filter(rng.standard_normal(shape[1:]), 1.0)
        course = 1 + 0.2 * np.sin(np.linspace(0, 6, shape[0]))[:, None, None]
        truth = scene * course
        raw = rng.poisson(truth).astype(np.uint16)
        denoised = gaussian_filter(truth, (0, 2, 2)) + rng.normal(0, 1, shape)
        return Pair(raw, denoised.astype(np.float32), truth)

    return make


@pytest.fixture(scope="session")
def pair(make_pair) -> Pair:
    made = make_pair()
    for array in made:
        array.flags.writeable = False
    return made


@pytest.fixture(scope="session")
def save() -> Callable[..., Path]:
    """Write an array as a recording with frame rate and pixel size."""

    def save(path: Path, frames: np.ndarray) -> Path:
        metadata = Metadata(frame_rate_hz=12.5, pixel_size_um=(0.5, 0.25))
        with create(path, frames.shape, frames.dtype, metadata=metadata) as writer:
            writer.append(frames)
        return path

    return save


@pytest.fixture(scope="module")
def active(make_pair):
    """A scene in which a cell comes and goes, some of it not measured."""
    raw, denoised, _ = make_pair((400, 40, 44))
    cell = np.zeros((40, 44), np.float32)
    cell[10:18, 12:20] = 120
    on = (np.sin(np.arange(400, dtype=np.float32) / 9) > 0.5)[:, None, None]
    raw = (raw + on * cell).astype(np.float32)
    raw[40, 3:9] = np.nan
    raw[200:203, 12] = 0
    return raw, denoised + on * gaussian_filter(cell, 1)

"""A textured scene seen through a field of view that moves."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from freq2clean.simulation.motion import margin_for, view


@pytest.fixture(scope="session")
def seen() -> Callable[..., np.ndarray]:
    """Frames (T, Y, X) of one scene, displaced by shifts (T, 2), without noise."""

    def make(shifts: np.ndarray, shape: tuple[int, int] = (64, 72), seed: int = 0) -> np.ndarray:
        margin = margin_for(shifts)
        rng = np.random.default_rng(seed)
        scene = gaussian_filter(rng.standard_normal([n + 2 * margin for n in shape]), 1.5)
        scene = (60 + 20 * scene / scene.std()).clip(1).astype(np.float32)
        return np.stack([view(scene, shift, margin) for shift in shifts])

    return make

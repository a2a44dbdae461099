"""Recordings and short forms that the tests of fusion share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from freq2clean.simulation import imitate_denoiser, simulate


@dataclass(frozen=True)
class Pair:
    """A raw recording and its denoised one; the noise-free truth behind both."""

    raw: np.ndarray
    denoised: np.ndarray
    truth: np.ndarray


@pytest.fixture(scope="session")
def fuse():
    """Fit and apply in one call."""

    def fuse(method, raw, denoised, **options):
        return method.fit(raw, denoised, **options).apply(denoised)

    return fuse


@pytest.fixture(scope="session")
def make_pair():
    """A small textured scene that flickers, with noise, in any real dtype; both signs if asked."""

    def make_pair(shape, *, seed=0, dtype=np.float32, level=100.0, noise=20.0):
        rng = np.random.default_rng(seed)
        texture = gaussian_filter(rng.standard_normal(shape[1:]), 0.8, mode="reflect")
        course = 1 + 0.4 * gaussian_filter(rng.standard_normal(shape[0]), 3, mode="reflect")
        truth = level + 60 * course[:, None, None] * texture
        raw = truth + rng.normal(0, noise, shape)
        if np.dtype(dtype).kind in "iu":
            info = np.iinfo(dtype)
            raw = np.clip(np.rint(raw), info.min, info.max)
        denoised = 5 + gaussian_filter(truth, (0, 1.0, 1.0)) + rng.normal(0, 2, shape)
        return Pair(raw.astype(dtype), denoised.astype(np.float32), truth)

    return make_pair


@pytest.fixture(scope="session")
def simulated():
    """400 frames of simulated tissue at -5.5 dB, and an imitated denoiser's output."""
    recording = simulate((400, 96, 96), seed=1000)
    raw, truth = recording.raw[:], recording.truth[:]
    return Pair(raw, imitate_denoiser(truth, raw), truth)


def _strict() -> Callable:
    return pytest.importorskip("array_api_strict").asarray


def _torch(device: str) -> Callable:
    torch = pytest.importorskip("torch")
    backend = getattr(torch, device)
    if device != "cpu" and not backend.is_available():
        pytest.skip(f"PyTorch sees no {device} device")
    return lambda values: torch.from_numpy(np.array(values)).to(device)


def _cupy() -> Callable:
    cupy = pytest.importorskip("cupy")
    if not cupy.cuda.is_available():
        pytest.skip("CuPy sees no device")
    return cupy.asarray


BACKENDS = {
    "strict": _strict,
    "torch": lambda: _torch("cpu"),
    "torch-cuda": lambda: _torch("cuda"),
    "torch-mps": lambda: _torch("mps"),
    "cupy": _cupy,
}


@pytest.fixture(params=BACKENDS, scope="session")
def send(request):
    """Takes a NumPy array to another library or device; skipped where that is not there."""
    return BACKENDS[request.param]()

"""Naive references, each written from its definition, and recordings to try them on."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.ndimage import convolve


def gaussian(dimensions):
    line = np.exp(-((np.arange(11) - 5.0) ** 2) / (2 * 1.5**2))
    window = line
    for _ in range(dimensions - 1):
        window = np.multiply.outer(window, line)
    return window / window.sum()


def ssim_map(x, y):
    window = gaussian(x.ndim)

    def mean(image):
        return convolve(image, window, mode="constant")

    mx, my = mean(x), mean(y)
    vx, vy, covariance = mean(x * x) - mx**2, mean(y * y) - my**2, mean(x * y) - mx * my
    return ((2 * mx * my + 0.01**2) * (2 * covariance + 0.03**2)) / (
        (mx**2 + my**2 + 0.01**2) * (vx + vy + 0.03**2)
    )


def to_percentiles(frames, of, percentiles=(0.25, 99.9)):
    low, high = np.percentile(of, percentiles)
    return (np.clip(frames, low, high) - low) / (high - low)


def ssim3d(truth, recording, *, normalisation="own", data_range=None, stride=4, padding="zero"):
    x, y = truth[::stride].astype(float), recording[::stride].astype(float)
    if normalisation is None:
        x, y = x / data_range, y / data_range
    else:
        y = to_percentiles(y, y if normalisation == "own" else x)
        x = to_percentiles(x, x)
    similarity = ssim_map(x, y)
    return (similarity if padding == "zero" else similarity[5:-5, 5:-5, 5:-5]).mean()


def psnr(truth, recording, data_range):
    error = recording.astype(float) - truth.astype(float)
    return 10 * np.log10(data_range**2 / np.nanmean(error**2))


def stsnr(truth, recording, weight=0.5):
    truth, recording = truth.astype(float), recording.astype(float)
    frames = [
        10 * np.log10(np.sum(y**2) / np.sum((y - x) ** 2))
        for y, x in zip(truth, recording, strict=True)
    ]
    traces = [
        10 * np.log10(np.sum(truth[:, i, j] ** 2) / np.sum((truth - recording)[:, i, j] ** 2))
        for i in range(truth.shape[1])
        for j in range(truth.shape[2])
    ]
    return weight * np.mean(frames) + (1 - weight) * np.mean(traces)


@pytest.fixture(scope="session")
def naive():
    return SimpleNamespace(
        psnr=psnr, ssim_map=ssim_map, ssim3d=ssim3d, stsnr=stsnr, gaussian=gaussian
    )


@pytest.fixture
def movie():
    """Make a truth (blinking spots on a background) and a noisy, blurred recording of it."""

    def make(shape=(30, 20, 23), dtype=np.float32, seed=0, offset=0.0):
        rng = np.random.default_rng(seed)
        spots = convolve(rng.random(shape[1:]) ** 8, gaussian(2), mode="reflect")
        trace = 1 + rng.random((shape[0], 1, 1))
        truth = offset + 200 * spots * trace + 20
        recording = truth + rng.normal(0, 8, shape)
        return truth.astype(dtype), recording.astype(dtype)

    return make

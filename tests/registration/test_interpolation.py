from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import fft, ndimage

from freq2clean.registration.interpolation import KAISER_BETA, REACH, inside, sample


def naive_axis(lines: np.ndarray, start: float, n: int) -> np.ndarray:
    """Point by point: a sum over the pixels around it, the first and the last one going on."""
    out = np.empty((n, lines.shape[1]))
    for i in range(n):
        pixels = round(start) + i + np.arange(-REACH, REACH + 1)
        distance = pixels - (start + i)
        taper = np.i0(KAISER_BETA * np.sqrt(1 - (distance / (REACH + 0.5)) ** 2))
        weights = np.sinc(distance) * taper
        out[i] = weights @ lines[np.clip(pixels, 0, len(lines) - 1)] / weights.sum()
    return out


def naive(frame: np.ndarray, start: tuple[float, float], shape: tuple[int, int]) -> np.ndarray:
    return naive_axis(naive_axis(frame, start[0], shape[0]).T, start[1], shape[1]).T


@pytest.mark.parametrize(
    ("size", "start", "shape"),
    [
        ((20, 23), (0.3, -0.4), (20, 23)),
        ((9, 5), (-2.6, 1.2), (14, 3)),
        ((1, 7), (0.25, -8.5), (1, 30)),
        ((70, 6), (0.49, 2.0), (67, 6)),
        ((150, 4), (-3.2, 0.0), (157, 4)),
    ],
)
def test_sample_is_what_point_by_point_gives(size, start, shape):
    frame = np.random.default_rng(0).normal(100, 10, size).astype(np.float32)
    np.testing.assert_allclose(sample(frame, start, shape), naive(frame, start, shape), atol=2e-3)


@given(st.integers(-30, 30), st.integers(-30, 30), st.integers(1, 40), st.integers(1, 40))
@settings(max_examples=40)
def test_whole_pixels_are_copied(row, column, height, width):
    frame = np.random.default_rng(1).normal(size=(13, 17)).astype(np.float32)
    rows = np.clip(np.arange(height) + row, 0, 12)
    columns = np.clip(np.arange(width) + column, 0, 16)
    np.testing.assert_array_equal(
        sample(frame, (row, column), (height, width)), frame[np.ix_(rows, columns)]
    )


def test_a_level_is_kept():
    level = np.full((30, 40), 7, np.float32)
    np.testing.assert_allclose(sample(level, (0.37, -11.5), (50, 40)), 7, rtol=1e-5)


def test_a_smooth_scene_agrees_with_splines():
    scene = ndimage.gaussian_filter(np.random.default_rng(2).normal(size=(90, 90)), 2)
    expected = ndimage.shift(scene, (-0.4, 1.3), order=5)
    found = sample(scene.astype(np.float32), (0.4, -1.3), scene.shape)
    assert np.abs(found - expected)[20:-20, 20:-20].max() < 0.005 * scene.std()


@pytest.mark.parametrize("fraction", [0.1, 0.25, 0.5])
def test_white_noise_stays_white(fraction):
    noise = np.random.default_rng(3).normal(size=(512, 512)).astype(np.float32)
    moved = sample(noise, (fraction, fraction), noise.shape)
    before, after = (np.abs(fft.rfft(image, axis=1)) ** 2 for image in (noise, moved))
    frequency = fft.rfftfreq(512)
    gain = after.mean(axis=0) / before.mean(axis=0)
    column_loss = 2 * (0.5 - 0.45)
    assert np.all(np.abs(gain[frequency < 0.42] - gain[5:100].mean()) < 0.1)
    assert 1 - column_loss < gain[5:100].mean() < 1.01


def test_there_and_back_again():
    scene = ndimage.gaussian_filter(np.random.default_rng(4).normal(size=(80, 80)), 1)
    scene = scene.astype(np.float32)
    there = sample(scene, (-20.3, -20.4), (120, 120))
    back = sample(there, (20.3, 20.4), (80, 80))
    np.testing.assert_allclose(back[4:-4, 4:-4], scene[4:-4, 4:-4], atol=0.03 * scene.std())


def test_inside():
    assert inside(4, -1.4, 7).tolist() == [False, True, True, True, True, False, False]
    assert inside(4, 10, 2).tolist() == [False, False]

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.fft import dctn

from freq2clean.fusion.lapped import Lapped
from freq2clean.fusion.spaces import HOST

SHAPES = [(1, 1), (1, 9), (5, 3), (16, 24), (31, 18)]


@pytest.fixture
def image(shape):
    return np.random.default_rng(0).random(shape, np.float32)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("size", [4, 8, 16])
@pytest.mark.parametrize("at_once", [1, 1 << 18])
def test_forward_and_back_is_the_same_image(image, size, at_once, monkeypatch):
    monkeypatch.setattr(type(HOST), "values_at_once", at_once)
    same = Lapped(image.shape, size).change(lambda values: values, image)
    np.testing.assert_allclose(same, image, atol=2e-6)


@pytest.mark.parametrize("shape", SHAPES)
def test_coefficients_equal_the_transform_of_each_patch(image):
    seen = []
    Lapped(image.shape, 8).change(lambda values: seen.append(values) or values, image)
    (values,) = seen
    sine = np.sqrt(2) * np.sin(np.pi * (np.arange(8) + 0.5) / 8)
    padded = np.pad(image, [(4, 4 + -n % 4) for n in image.shape], mode="symmetric")
    for row, column in itertools.product(range(values.shape[0]), range(values.shape[2])):
        patch = padded[4 * row : 4 * row + 8, 4 * column : 4 * column + 8]
        expected = dctn(np.outer(sine, sine) * patch, norm="ortho")
        np.testing.assert_allclose(values[row, :, column], expected, atol=5e-6)


def test_white_noise_keeps_its_variance():
    noise = np.random.default_rng(0).normal(0, 3, (256, 256)).astype(np.float32)
    sums = []
    transform = Lapped(noise.shape, 8)
    transform.change(lambda values: sums.append(np.vdot(values, values)) or values, noise)
    assert sum(sums) * transform.share / noise.size == pytest.approx(9, rel=0.03)


def test_each_coefficient_finds_the_value_of_its_ring():
    values = Lapped((64, 64), 8).per_coefficient(np.arange(18.0))
    assert values.shape == (8, 1, 8)
    for i, j in itertools.product(range(8), range(8)):
        ring = 1 + int(np.hypot(i / 16, j / 16) * 24)
        assert values[i, 0, j] == min(ring, 17)

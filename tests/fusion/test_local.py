from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from freq2clean.fusion.local import LocalWeights, NoiseFinder

RINGS = np.ones(18)


@pytest.fixture
def detail():
    """A few sharp cells on an empty image."""
    rng = np.random.default_rng(3)
    points = np.zeros((96, 96))
    points[tuple(rng.integers(8, 60, (2, 12)))] = 60
    return gaussian_filter(points, 1.2).astype(np.float32)


def noisy(image, seed=0):
    return image + np.random.default_rng(seed).standard_normal(image.shape, np.float32)


def test_detail_is_let_in_and_noise_elsewhere_is_not(detail):
    image = noisy(detail)
    weighed, _ = LocalWeights(detail.shape)(image, detail, noise=RINGS, leak=0 * RINGS)
    assert np.mean((weighed - detail) ** 2) < 0.15
    assert weighed[72:, 72:].std() < 1e-3
    np.testing.assert_allclose(weighed[:60].max(), detail.max(), rtol=0.2)


def test_an_image_without_noise_passes(detail):
    passed, errors = LocalWeights(detail.shape)(detail, detail, noise=0 * RINGS, leak=0 * RINGS)
    np.testing.assert_allclose(passed, detail, atol=1e-5)
    assert errors == pytest.approx([np.sum(detail**2), 0], rel=1e-3, abs=1e-2)


def test_no_detail_no_change(detail):
    weighed, errors = LocalWeights(detail.shape)(
        noisy(0 * detail), 0 * detail, noise=RINGS, leak=0 * RINGS
    )
    assert not weighed.any()
    assert errors == pytest.approx([0, 0])


def test_where_noise_leaked_detail_weighs_more(detail):
    leak, noise = 0.5 * RINGS, noisy(0 * detail)
    image, target = detail + noise / 2, detail - noise / 2
    careful, aware = (
        LocalWeights(detail.shape)(image, detail, noise=RINGS, leak=share)[0]
        for share in (0 * RINGS, leak)
    )
    assert np.mean((aware - target) ** 2) < np.mean((careful - target) ** 2)


def test_the_gain_is_foretold(detail):
    image = noisy(detail, seed=1)
    estimate = gaussian_filter(image, 1.2)
    weighed, (before, after) = LocalWeights(detail.shape)(
        image, estimate, noise=RINGS, leak=0 * RINGS
    )
    gained = np.sum(detail**2) - np.sum((weighed - detail) ** 2)
    assert before - after == pytest.approx(gained, rel=0.25)


def test_noise_is_found_and_a_bright_scene_is_not(detail):
    image = noisy(10 * detail)
    found, gained = NoiseFinder(detail.shape)(image, RINGS)
    left = np.sum((image - found - 10 * detail) ** 2)
    assert left < 0.45 * image.size
    assert gained == pytest.approx(image.size - left, rel=0.25)
    assert NoiseFinder(detail.shape)(image, 0 * RINGS)[1] == 0

"""Shifts and the view through them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, shift

from freq2clean.simulation.motion import draw_shifts, margin_for, view


@pytest.fixture
def tissue():
    noise = np.random.default_rng(0).standard_normal((128, 144)).astype(np.float32)
    return 20 + 10 * gaussian_filter(noise, 1.5)


def test_still_tissue_is_copied(tissue):
    np.testing.assert_array_equal(view(tissue, np.zeros(2), 32), tissue[32:-32, 32:-32])


def test_whole_pixels_are_copied(tissue):
    found = view(tissue, np.array([3.0, -5.0]), 32)
    np.testing.assert_array_equal(found, np.roll(tissue, (3, -5), (0, 1))[32:-32, 32:-32])


@pytest.mark.parametrize("displacement", [(0.5, 0.25), (-3.3, 7.8), (0.01, -0.99)])
def test_fractions_agree_with_spline_interpolation(tissue, displacement):
    expected = shift(tissue, displacement, order=5)[32:-32, 32:-32]
    found = view(tissue, np.array(displacement), 32)
    assert np.abs(found - expected).max() < 0.04 * tissue.std()


def test_light_is_never_negative():
    tissue = np.zeros((80, 80), np.float32)
    tissue[40, 40] = 1.0
    assert view(tissue, np.array([0.5, 0.5]), 32).min() == 0


def test_drift_is_steady_and_jitter_has_its_width():
    drift = draw_shifts(np.random.default_rng(1), 500, drift_px=8.0, jitter_px=0.0)
    np.testing.assert_allclose(
        np.diff(drift, axis=0), np.tile(np.diff(drift[:2], axis=0), (499, 1))
    )
    assert np.hypot(*(drift[-1] - drift[0])) == pytest.approx(8.0)
    np.testing.assert_allclose(drift.mean(axis=0), 0, atol=1e-12)
    jitter = draw_shifts(np.random.default_rng(1), 5000, drift_px=0.0, jitter_px=0.4)
    assert jitter.std(axis=0) == pytest.approx([0.4, 0.4], rel=0.05)


def test_the_margin_holds_the_motion():
    assert margin_for(np.zeros((5, 2))) == 32
    assert margin_for(np.array([[4.0, -4.0]])) == 32
    assert margin_for(np.array([[40.0, 0.0]])) == 64

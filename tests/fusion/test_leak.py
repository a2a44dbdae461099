from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.fft import dctn
from scipy.ndimage import gaussian_filter

from freq2clean.fusion.bases import dct_basis, temporal_bands
from freq2clean.fusion.leak import leaked_share
from freq2clean.fusion.rings import ring_index, ring_sizes, ring_sums


@given(st.floats(0, 1), st.floats(0, 10))
def test_the_share_is_never_overstated(share, lost):
    """Lost detail adds to the residual, so the leak looks smaller than it is."""
    power = np.full((3, 2), (1 - share) ** 2 + lost)
    found = leaked_share(power, np.full((3, 2), 1e3), np.ones(2))
    assert (found >= 0).all()
    assert (found <= share + 1e-9).all()
    assert not found[:, 0].any()


@pytest.mark.parametrize("sigma_px", [0.6, 1.5])
def test_the_leak_of_a_blur_is_its_transfer(sigma_px):
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 10, (128, 64, 64))
    residual = noise - gaussian_filter(noise, (4, sigma_px, sigma_px))
    images = np.tensordot(dct_basis(128, 4), residual, 1)
    index, bands = ring_index((64, 64)), temporal_bands(4)
    number = np.outer(np.ones(len(bands)), ring_sizes(index))
    power = ring_sums(dctn(images, axes=(1, 2), norm="ortho") ** 2, index) / number
    found = leaked_share(power, number, np.full(number.shape[1], 100.0))
    middle = (np.arange(1, number.shape[1]) - 0.5) / 24
    transfer = np.exp(-2 * (np.pi * sigma_px * middle) ** 2)
    assert np.all(found[0, 1:] < transfer + 0.1)
    assert np.abs(found[0, 4:] - transfer[3:]).mean() < 0.1


def test_without_noise_nothing_leaks():
    assert not leaked_share(np.ones((2, 3)), np.ones((2, 3)), np.zeros(3)).any()


def test_shaking_is_not_taken_for_a_leak():
    """It adds to the noise that is measured in coarse rings, not to the residual."""
    noise = np.concatenate([np.full(9, 4.0), np.ones(9)])
    number = np.full((2, 18), 1e4)
    assert not leaked_share(np.ones((2, 18)), number, noise).any()

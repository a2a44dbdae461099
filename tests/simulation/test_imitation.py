"""The imitated denoiser."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from freq2clean.errors import InputError
from freq2clean.simulation import imitate_denoiser, simulate


def test_without_blur_and_leak_it_is_the_truth(recording):
    truth, raw = recording.truth[:20], recording.raw[:20]
    found = imitate_denoiser(truth, raw, blur_px=0, blur_frames=0, leak=0)
    np.testing.assert_allclose(found, truth, rtol=1e-6)


def test_without_leak_it_is_the_blurred_truth(recording):
    truth, raw = recording.truth[:20], recording.raw[:20]
    expected = gaussian_filter(truth, (1.0, 1.5, 1.5))
    np.testing.assert_array_equal(imitate_denoiser(truth, raw, leak=0), expected)


def test_what_leaks_is_noise_of_low_frequency_in_proportion(recording):
    truth, raw = recording.truth[:60], recording.raw[:60]
    clean, some, more = (imitate_denoiser(truth, raw, leak=leak) for leak in (0, 0.4, 0.8))
    np.testing.assert_allclose(more - clean, 2 * (some - clean), atol=1e-2)
    leaked, noise = more - clean, raw - truth
    assert 0 < leaked.std() < 0.2 * noise.std()
    assert np.corrcoef(leaked.ravel(), noise.ravel())[0, 1] > 0.05


def test_it_stands_where_a_denoiser_stands():
    simulated = simulate((400, 128, 128), seed=29)
    truth, raw = simulated.truth[:], simulated.raw[:]
    data_range = np.quantile(truth, 0.999)
    error = imitate_denoiser(truth, raw) - truth.astype(np.float64)
    psnr_db = 10 * np.log10(data_range**2 / np.mean(error**2))
    assert 27 < psnr_db < 32


def test_bad_input_is_refused():
    truth = np.ones((4, 8, 8), np.float32)
    with pytest.raises(InputError, match="same shape"):
        imitate_denoiser(truth, truth[:3])
    with pytest.raises(InputError, match="same shape"):
        imitate_denoiser(truth[0], truth[0])
    with pytest.raises(InputError, match="leak=-1: must be zero or more"):
        imitate_denoiser(truth, truth, leak=-1)

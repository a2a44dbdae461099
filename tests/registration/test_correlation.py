from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from freq2clean.registration.correlation import fill_unknown, locate, register, shifted, spectra_of


@pytest.mark.parametrize("shift", [(0.0, 0.0), (3.37, -1.62), (-0.4, 7.25), (-9.0, 0.5)])
def test_register_agrees_with_an_upsampled_search(shift):
    from skimage.registration import phase_cross_correlation

    rng = np.random.default_rng(0)
    scene = ndimage.gaussian_filter(rng.standard_normal((160, 180)), 2)
    moved = ndimage.shift(scene, shift, order=5)
    spectra = spectra_of(np.stack([scene, moved])[:, 16:-16, 16:-16])
    found = register(spectra[1:], spectra[0])[0]
    searched = phase_cross_correlation(
        spectra[1], spectra[0], space="fourier", normalization=None, upsample_factor=100
    )[0]
    np.testing.assert_allclose(found, searched, atol=0.011)
    np.testing.assert_allclose(found, shift, atol=0.05)


def test_shifted_is_undone_by_register():
    rng = np.random.default_rng(1)
    spectra = spectra_of(ndimage.gaussian_filter(rng.standard_normal((1, 64, 64)), (0, 2, 2)))
    moved = shifted(spectra, np.array([[1.3, -2.6]]))
    np.testing.assert_allclose(register(moved, spectra[0]), [[1.3, -2.6]], atol=1e-3)


def test_an_empty_image_is_not_shifted():
    spectra = spectra_of(np.zeros((2, 32, 32)))
    np.testing.assert_array_equal(register(spectra, spectra[0]), np.zeros((2, 2)))


def test_noise_is_not_clear_and_a_scene_is():
    rng = np.random.default_rng(2)
    scene = ndimage.gaussian_filter(rng.standard_normal((64, 64)), 2)
    reference = spectra_of(scene[None])[0]
    noise = rng.standard_normal((50, 64, 64))
    assert locate(spectra_of(noise), reference)[1].max() < 6
    shifts, clarity = locate(spectra_of(scene + scene.std() * noise), reference)
    assert clarity.min() > 6
    assert np.abs(shifts).max() < 1
    assert locate(spectra_of(np.zeros((1, 64, 64))), reference)[1] == 0


def test_parts_of_the_field_add_up_to_the_whole():
    images = np.random.default_rng(3).standard_normal((2, 32, 40))
    part = np.add.outer(np.arange(32) // 8, np.arange(40) // 8) % 2 == 0
    parts = spectra_of(images, part=part) + spectra_of(images, part=~part)
    np.testing.assert_allclose(parts, spectra_of(images), atol=1e-3)


def test_what_is_unknown_gets_the_background_around_it():
    ramp = np.add.outer(np.arange(40.0), 2 * np.arange(50.0)).astype(np.float32)
    holed = ramp.copy()
    holed[20] = np.nan
    holed[5, 7] = np.inf
    filled = fill_unknown(holed)
    known = np.isfinite(holed)
    np.testing.assert_array_equal(filled[known], ramp[known])
    np.testing.assert_allclose(filled[20, 10:-10], ramp[20, 10:-10], atol=2)
    assert fill_unknown(ramp) is ramp
    np.testing.assert_array_equal(fill_unknown(np.full((20, 20), np.nan, np.float32)), 0)

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from freq2clean.inspection.motion import register, shifted, spectra_of


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

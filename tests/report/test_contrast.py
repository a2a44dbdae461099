from __future__ import annotations

import numpy as np
import pytest

from freq2clean.errors import InputError
from freq2clean.report.contrast import limits_of, shades


def test_limits_are_percentiles_of_all_images():
    rng = np.random.default_rng(0)
    images = rng.gamma(2, 50, (7, 40, 50)).astype(np.float32)
    images[3, :5] = np.nan
    found = limits_of(images, (1, 99))
    assert found == pytest.approx(np.nanpercentile(images, (1, 99)), rel=1e-3)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.float64])
def test_limits_of_any_type(dtype):
    image = np.arange(100).reshape(10, 10).astype(dtype)
    assert limits_of([image], (0, 100)) == (0, 99)


def test_limits_of_a_difference_lie_around_nothing():
    assert limits_of([np.linspace(-3, 1, 401)], (0, 100), symmetric=True) == (-3, 3)


def test_nothing_to_see_still_has_limits():
    low, high = limits_of([np.full((3, 3), np.nan)])
    assert low < high


@pytest.mark.parametrize("percentiles", [(-1, 50), (50, 50), (60, 40), (0, 101)])
def test_strange_percentiles_are_refused(percentiles):
    with pytest.raises(InputError, match="percentiles"):
        limits_of([np.eye(3)], percentiles)


def test_shades_are_linear_unless_gamma_says_otherwise():
    image = np.array([[-5, 0, 1, 4], [np.nan, np.inf, -np.inf, 9]])
    np.testing.assert_allclose(
        shades(image, (0, 4)), [[0, 0, 0.25, 1], [np.nan, 1, 0, 1]], rtol=1e-6
    )
    np.testing.assert_allclose(shades(image, (0, 4), gamma=0.5)[0], [0, 0, 0.5, 1], rtol=1e-6)


def test_a_flat_image_has_no_shades_that_are_not_numbers():
    assert np.isfinite(shades(np.full((2, 2), 7.0), (7, 7))).all()


def test_what_is_drawn_is_left_as_it_is():
    image = np.full((2, 2), 7.0, np.float32)
    image.flags.writeable = False
    shades(image, (0, 10), gamma=2)
    assert (image == 7).all()

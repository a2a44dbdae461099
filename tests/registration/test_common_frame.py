from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from freq2clean.registration import CommonFrame


@pytest.fixture
def image():
    noise = np.random.default_rng(0).normal(size=(40, 44))
    return gaussian_filter(noise, 1).astype(np.float32)


@pytest.mark.parametrize("shift", [(0.0, 0.0), (3.0, -2.0), (-4.3, 2.6), (0.5, 0.5)])
def test_what_is_brought_comes_back(image, shift):
    shifts = np.array([(-5, -3), (4, 3), shift])
    common = CommonFrame.around(image.shape, shifts)
    assert common.shape == (49, 50)
    back = common.bring_back(common.bring(image, np.array(shift)), np.array(shift))
    np.testing.assert_allclose(back[4:-4, 4:-4], image[4:-4, 4:-4], atol=0.05 * image.std())


def test_content_has_the_same_place_whatever_the_shift():
    scene = np.random.default_rng(1).normal(size=(60, 60)).astype(np.float32)
    shifts = np.array([(3, -2), (-4, 5), (0, 0)])
    common = CommonFrame.around((40, 40), shifts)
    brought, seen = [], []
    for row, column in shifts:
        field = scene[10 - row : 50 - row, 10 - column : 50 - column]
        brought.append(common.bring(field, np.array([row, column])))
        seen.append(common.sees(np.array([row, column])))
        assert seen[-1].sum() == 40 * 40
    all_see = np.logical_and.reduce(seen)
    for frame in brought[1:]:
        np.testing.assert_array_equal(frame[all_see], brought[0][all_see])


def test_nothing_comes_from_beyond_the_canvas(image):
    common = CommonFrame(image.shape, image.shape, (0, 0))
    back = common.bring_back(np.ones(image.shape, np.float32), np.array([3, -5]))
    expected = np.zeros(image.shape)
    expected[3:, :-5] = 1
    np.testing.assert_array_equal(back, expected)


def test_one_jump_does_not_blow_up_the_canvas():
    shifts = np.zeros((1000, 2))
    shifts[500] = 300
    assert CommonFrame.around((512, 512), shifts).shape == (512, 512)
    assert (
        CommonFrame.around((512, 512), shifts)
        .bring_back(np.ones((512, 512), np.float32), shifts[500])
        .sum()
        == (512 - 300) ** 2
    )

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


def test_what_the_canvas_does_not_reach_is_told(image):
    common = CommonFrame(image.shape, image.shape, (0, 0))
    expected = np.zeros(image.shape, np.bool_)
    expected[3:, :-5] = True
    np.testing.assert_array_equal(common.reaches(np.array([3, -5])), expected)
    assert common.reaches(np.zeros(2)).all()


def test_one_jump_does_not_blow_up_the_canvas():
    shifts = np.zeros((1000, 2))
    shifts[500] = 300
    common = CommonFrame.around((512, 512), shifts)
    assert common.shape == (512, 512)
    assert common.reaches(shifts[500]).sum() == (512 - 300) ** 2

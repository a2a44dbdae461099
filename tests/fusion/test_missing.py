from __future__ import annotations

import numpy as np
import pytest

from freq2clean.fusion.missing import missing_rows


def poisson(seed, photons, shape=(64, 24, 96)):
    return np.random.default_rng(seed).poisson(photons, shape).astype(np.uint16)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.float32, np.float64])
def test_planted_rows_and_only_they_are_found(dtype):
    rng = np.random.default_rng(0)
    block = poisson(0, 3.0).astype(dtype)
    planted = rng.random(block.shape[:2]) < 0.02
    block[planted] = 0
    block.setflags(write=False)
    np.testing.assert_array_equal(missing_rows(block), planted)


def test_a_zero_row_at_a_low_but_sufficient_count_is_found():
    block = poisson(1, 0.6)
    block[7, 3] = 0
    assert np.argwhere(missing_rows(block)).tolist() == [[7, 3]]


@pytest.mark.parametrize("photons", [1e-4, 0.003, 0.01, 0.03, 0.06, 0.1])
@pytest.mark.parametrize("frames", [2, 3, 64, 500])
def test_few_photons_are_not_missing_lines(photons, frames):
    assert not missing_rows(poisson(2, photons, (frames, 40, 96))).any()


def test_a_masked_border_is_not_missing():
    block = poisson(3, 5.0)
    block[:, :4] = 0
    block[:, :, :30] = 0
    assert not missing_rows(block).any()


def test_rows_that_are_mostly_zero_are_not_missing():
    block = poisson(4, 5.0)
    block[:40, 5] = 0
    assert not missing_rows(block).any()


def test_frames_of_zeros_are_missing_whole_masked_border_included():
    block = poisson(5, 0.05)
    block[:, :4] = 0
    block[[9, 30]] = 0
    expected = np.zeros(block.shape[:2], bool)
    expected[[9, 30]] = True
    np.testing.assert_array_equal(missing_rows(block), expected)


def test_nan_is_a_value_and_negative_numbers_too():
    block = np.full((20, 4, 64), -1.5, np.float32)
    block[2, 1] = 0
    block[3, 1] = 0
    block[3, 1, 5] = np.nan
    assert np.argwhere(missing_rows(block)).tolist() == [[2, 1]]


@pytest.mark.parametrize("shape", [(0, 4, 4), (1, 4, 8), (2, 1, 1), (5, 3, 2)])
def test_too_few_samples_to_tell_are_never_missing(shape):
    assert not missing_rows(np.zeros(shape, np.uint16)).any()
    assert missing_rows(np.ones(shape, np.float32)).shape == shape[:2]

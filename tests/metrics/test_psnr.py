import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from freq2clean.errors import InputError
from freq2clean.metrics import psnr
from freq2clean.metrics.psnr import psnr_of_sums
from freq2clean.metrics.sums import SquaredSums


@pytest.mark.parametrize("dtype", ["u1", "u2", "i2", ">u2", "i4", "f2", "f4", "f8"])
def test_equals_the_definition(movie, naive, dtype):
    truth, recording = movie(dtype=dtype)
    assert psnr(truth, recording, data_range=150) == pytest.approx(
        naive.psnr(truth, recording, 150), abs=1e-9
    )


def test_pinned_value():
    truth = np.zeros((2, 2, 2))
    recording = truth.copy()
    recording[0, 0, 0] = 4
    assert psnr(truth, recording, data_range=10) == pytest.approx(16.989700043, abs=1e-8)


def test_unsigned_difference_does_not_wrap():
    assert psnr(np.full((1, 2, 2), 9, "u2"), np.full((1, 2, 2), 8, "u2"), data_range=10) == 20


def test_small_error_on_a_large_offset():
    truth = np.full((3, 4, 4), 2.0**30)
    assert psnr(truth, truth + 0.5, data_range=0.5) == 0


def test_missing_pixels_are_left_out_and_counted(movie, naive):
    truth, recording = movie()
    recording[2, 3, 4] = np.nan
    truth[5, 1, 1] = np.inf
    expected_truth = truth.copy()
    expected_truth[5, 1, 1] = np.nan
    assert psnr(truth, recording, data_range=100) == pytest.approx(
        naive.psnr(expected_truth, recording, 100), abs=1e-9
    )
    sums = SquaredSums(truth.shape[1:])
    sums.add(truth, recording)
    assert sums.missing == 2
    alone = np.zeros(truth.shape[1:], bool)
    alone[7, 7] = True
    assert psnr_of_sums(sums, data_range=100, where=alone) == pytest.approx(
        naive.psnr(truth[:, 7, 7], recording[:, 7, 7], 100)
    )


def test_identical_is_infinite_and_nothing_to_compare_is_nan():
    truth = np.ones((1, 3, 3))
    assert psnr(truth, truth, data_range=1) == math.inf
    assert math.isnan(psnr(truth, truth * np.nan, data_range=1))


def test_data_range_is_required_and_positive(movie):
    with pytest.raises(TypeError, match="data_range"):
        psnr(*movie())
    for wrong in (0, -1, np.nan, np.inf):
        with pytest.raises(InputError, match="positive"):
            psnr(*movie(), data_range=wrong)


@pytest.mark.parametrize("shape", [(3, 4), (3, 4, 5, 6), (0, 4, 4)])
def test_shapes_that_are_no_recording(shape):
    with pytest.raises(InputError, match="frames, rows, columns"):
        psnr(np.ones(shape), np.ones(shape), data_range=1)


def test_shapes_that_differ_and_pixels_that_are_not_real():
    with pytest.raises(InputError, match="same shape"):
        psnr(np.ones((2, 3, 3)), np.ones((2, 3, 4)), data_range=1)
    with pytest.raises(InputError, match="complex"):
        psnr(np.ones((2, 3, 3)), np.ones((2, 3, 3), complex), data_range=1)


@given(st.lists(st.integers(1, 6), min_size=1, max_size=6), st.integers(0, 99))
def test_any_blocks_equal_the_whole(lengths, seed):
    rng = np.random.default_rng(seed)
    truth, recording = rng.random((2, sum(lengths), 3, 5))
    whole, parts = SquaredSums((3, 5)), SquaredSums((3, 5))
    whole.add(truth, recording)
    for block in np.split(np.arange(len(truth)), np.cumsum(lengths)[:-1]):
        parts.add(truth[block], recording[block])
    assert psnr_of_sums(parts, data_range=1) == psnr_of_sums(whole, data_range=1)

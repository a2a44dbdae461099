import math

import numpy as np
import pytest

from freq2clean.errors import InputError
from freq2clean.metrics import stsnr


@pytest.mark.parametrize("weight", [0, 0.3, 0.5, 1])
@pytest.mark.parametrize("dtype", ["u2", "f4"])
def test_equals_the_definition(movie, naive, weight, dtype):
    truth, recording = movie(shape=(9, 5, 6), dtype=dtype)
    score = stsnr(truth, recording, spatial_weight=weight)
    assert score.stsnr_db == pytest.approx(naive.stsnr(truth, recording, weight), abs=1e-9)
    assert score.left_out_frames == score.left_out_traces == 0


def test_pinned_value():
    truth = np.array([[[3.0, 4.0]], [[0.0, 10.0]]])
    recording = np.array([[[3.0, 3.0]], [[1.0, 10.0]]])
    score = stsnr(truth, recording)
    assert score.ssnr_db == pytest.approx((10 * math.log10(25) + 20) / 2)
    assert score.tsnr_db == pytest.approx((10 * math.log10(9) + 10 * math.log10(116)) / 2)


def test_identical_is_infinite():
    truth = np.ones((2, 3, 3))
    score = stsnr(truth, truth)
    assert score.ssnr_db == score.tsnr_db == score.stsnr_db == math.inf
    assert stsnr(truth, truth, spatial_weight=0).stsnr_db == math.inf


def test_frames_without_signal_or_without_error_are_left_out_and_counted():
    truth = np.full((4, 2, 2), 10.0)
    truth[0] = 0
    recording = truth + 1
    recording[1] = truth[1]
    score = stsnr(truth, recording)
    assert score.ssnr_db == pytest.approx(20)
    assert score.left_out_frames == 2
    assert score.left_out_traces == 0


def test_no_signal_at_all_is_nan():
    score = stsnr(np.zeros((2, 3, 3)), np.ones((2, 3, 3)))
    assert math.isnan(score.stsnr_db)
    assert (score.left_out_frames, score.left_out_traces) == (2, 9)


def test_missing_pixels_are_left_out():
    truth, recording = np.full((3, 2, 2), 10.0), np.full((3, 2, 2), 11.0)
    recording[0, 0, 0] = np.nan
    assert stsnr(truth, recording).stsnr_db == pytest.approx(20)


def test_weight_outside_its_range(movie):
    with pytest.raises(InputError, match="between 0 and 1"):
        stsnr(*movie(), spatial_weight=1.5)

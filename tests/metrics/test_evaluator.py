import json
import math

import numpy as np
import pytest

from freq2clean.errors import InputError
from freq2clean.metrics import (
    Evaluator,
    SSIM3DOptions,
    psnr,
    ssim3d,
    ssim_frames,
    stsnr,
    trace_correlation,
)


def evaluate(truth, recording, *, block=30, **options):
    evaluator = Evaluator(truth.shape, **options)
    takers = [evaluator.survey] if evaluator.needs_survey else []
    for take in [*takers, evaluator.add]:
        for start in range(0, len(truth), block):
            take(start, truth[start : start + block], recording[start : start + block])
    return evaluator.result()


@pytest.mark.parametrize("block", [1, 7, 30])
def test_equals_the_single_functions(movie, block):
    truth, recording = movie()
    recording[4, 5, 6] = np.nan
    masks = np.zeros((20, 23), np.uint8)
    masks[3:8, 3:8] = 1
    scores = evaluate(truth, recording, block=block, data_range=120, masks=masks)
    assert scores.psnr_db == psnr(truth, recording, data_range=120)
    assert scores.ssim_frames == ssim_frames(truth, recording, data_range=120)
    assert scores.ssim3d.value == pytest.approx(ssim3d(truth, recording).value, abs=1e-6)
    assert scores.snr == stsnr(truth, recording)
    assert scores.active_correlation == trace_correlation(truth, recording)
    assert scores.roi_correlation == trace_correlation(truth, recording, masks=masks)
    assert scores.missing_pixels == 1
    assert scores.frames == 30


def test_psnr_of_active_pixels(movie, naive):
    truth, recording = movie(dtype=np.float64)
    scores = evaluate(truth, recording, data_range=120, active_fraction=0.1)
    variance = truth.var(axis=0)
    active = variance >= np.sort(variance.ravel())[-46]
    expected = naive.psnr(truth[:, active], recording[:, active], 120)
    assert scores.psnr_active_db == pytest.approx(expected)


def test_data_range_from_the_truth(movie):
    truth, recording = movie(dtype="u2")
    scores = evaluate(truth, recording, block=4, data_range="q99.9")
    assert scores.data_range == pytest.approx(np.quantile(truth, 0.999), rel=1e-12)
    assert scores.psnr_db == psnr(truth, recording, data_range=scores.data_range)


def test_one_pass_is_enough_without_percentiles(movie):
    options = SSIM3DOptions(normalisation=None, data_range=120)
    truth, recording = movie()
    assert not Evaluator(truth.shape, data_range=120, ssim3d=options).needs_survey
    scores = evaluate(truth, recording, data_range=120, ssim3d=options)
    expected = ssim3d(truth, recording, normalisation=None, data_range=120)
    assert scores.ssim3d == expected


def test_scores_go_through_json(movie):
    truth, _ = movie()
    scores = evaluate(truth, truth, data_range=120)
    back = json.loads(json.dumps(scores.as_dict(), allow_nan=False))
    assert back["psnr_db"] == "inf"
    assert float(back["snr"]["stsnr_db"]) == math.inf
    assert back["ssim3d"]["value"] == pytest.approx(1)
    assert back["ssim3d"]["options"]["percentiles"] == [0.25, 99.9]
    assert back["active_correlation"]["traces"] == 23
    assert back["roi_correlation"] is None


def test_read_only_blocks_are_left_alone(movie):
    truth, recording = movie()
    recording[2, 2, 2] = np.nan
    before = recording.copy()
    for array in (truth, recording):
        array.setflags(write=False)
    evaluate(truth, recording, data_range=120)
    np.testing.assert_array_equal(recording, before)


def test_frames_out_of_order_or_missing(movie):
    truth, recording = movie()
    evaluator = Evaluator(truth.shape, data_range=120)
    with pytest.raises(InputError, match="0 of 30 frames surveyed"):
        evaluator.add(0, truth, recording)
    with pytest.raises(InputError, match="the next of 30 frames is 0"):
        evaluator.survey(3, truth[3:], recording[3:])
    evaluator.survey(0, truth, recording)
    with pytest.raises(InputError, match="the next of 30 frames is 30"):
        evaluator.survey(30, truth, recording)
    with pytest.raises(InputError, match="block of shape"):
        evaluator.add(0, truth[:5], recording[:4])
    evaluator.add(0, truth[:5], recording[:5])
    with pytest.raises(InputError, match="5 of 30 frames added"):
        evaluator.result()


def test_options_are_checked_before_any_frame():
    with pytest.raises(TypeError, match="data_range"):
        Evaluator((30, 20, 20))
    with pytest.raises(InputError, match="positive"):
        Evaluator((30, 20, 20), data_range=0)
    with pytest.raises(InputError, match=r"q99\.9"):
        Evaluator((30, 20, 20), data_range="max")
    with pytest.raises(InputError, match="8 columns are fewer"):
        Evaluator((30, 20, 8), data_range=1)
    with pytest.raises(InputError, match="8 frames"):
        Evaluator((30, 20, 20), data_range=1, ssim3d=SSIM3DOptions(padding="valid"))

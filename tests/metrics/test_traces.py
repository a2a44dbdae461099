import math

import numpy as np
import pytest

from freq2clean.errors import InputError
from freq2clean.metrics import trace_correlation
from freq2clean.metrics.moments import PairMoments
from freq2clean.metrics.traces import PixelTraces, ROITraces, active_pixels


@pytest.fixture
def labels():
    image = np.zeros((20, 23), np.int32)
    image[2:6, 3:8] = 4
    image[10:15, 10:12] = 9
    image[16:, 18:] = 7
    return image


def pearson(truth, recording, mask):
    x = np.nanmean(np.where(mask, truth, np.nan), axis=(1, 2))
    y = np.nanmean(np.where(mask, recording, np.nan), axis=(1, 2))
    return np.corrcoef(x, y)[0, 1]


@pytest.mark.parametrize("dtype", ["u2", "f4"])
def test_rois_equal_the_definition(movie, labels, dtype):
    truth, recording = movie(dtype=dtype)
    score = trace_correlation(truth, recording, masks=labels)
    expected = [pearson(truth, recording, labels == label) for label in (4, 7, 9)]
    np.testing.assert_allclose(score.values, expected, atol=1e-12)
    assert score.mean == pytest.approx(np.mean(expected))
    assert score.median == pytest.approx(np.median(expected))
    assert (score.traces, score.undefined) == (3, 0)


def test_overlapping_masks(movie):
    truth, recording = movie()
    masks = np.zeros((2, 20, 23), bool)
    masks[0, 2:9, 2:9] = masks[1, 5:12, 5:12] = True
    score = trace_correlation(truth, recording, masks=masks)
    expected = [pearson(truth, recording, mask) for mask in masks]
    np.testing.assert_allclose(score.values, expected, atol=1e-12)


def test_missing_pixels_are_left_out_of_rois(movie, labels):
    truth, recording = movie(dtype=np.float64)
    recording[3, 2, 3] = truth[7, 4, 4] = np.nan
    recording[12][labels == 9] = np.nan
    both = np.isfinite(truth) & np.isfinite(recording)
    x, y = np.where(both, truth, np.nan), np.where(both, recording, np.nan)
    values = trace_correlation(truth, recording, masks=labels).values
    assert values[0] == pytest.approx(pearson(x, y, labels == 4), abs=1e-12)
    there = np.arange(30) != 12
    assert values[2] == pytest.approx(pearson(x[there], y[there], labels == 9), abs=1e-12)


@pytest.mark.parametrize("fraction", [None, 0.2, 1])
def test_active_pixels_equal_the_definition(movie, fraction):
    truth, recording = movie(dtype=np.float64)
    score = trace_correlation(truth, recording, active_fraction=fraction)
    count = round((fraction or 0.05) * 20 * 23)
    chosen = np.argsort(-truth.var(axis=0).ravel())[:count]
    x, y = truth.reshape(30, -1).T[chosen], recording.reshape(30, -1).T[chosen]
    expected = [np.corrcoef(a, b)[0, 1] for a, b in zip(x, y, strict=True)]
    assert score.traces == count
    np.testing.assert_allclose(np.sort(score.values), np.sort(expected), atol=1e-9)


def test_missing_first_values_and_high_baseline():
    rng = np.random.default_rng(0)
    truth = rng.random((400, 2, 3)) + 1e8
    recording = truth + rng.normal(0, 0.5, truth.shape)
    recording[0] = np.nan
    recording[:5, 1, 1] = np.nan
    values = trace_correlation(truth, recording, active_fraction=1).values
    expected = [
        np.corrcoef(truth[start:, row, column] - 1e8, recording[start:, row, column] - 1e8)[0, 1]
        for row in range(2)
        for column in range(3)
        for start in [5 if (row, column) == (1, 1) else 1]
    ]
    np.testing.assert_allclose(values, expected, atol=1e-9)


def test_traces_that_do_not_vary_are_undefined(movie):
    truth, recording = movie()
    recording[:, :10] = 3
    score = trace_correlation(truth, recording, active_fraction=1)
    assert score.undefined == 10 * 23
    assert np.isfinite(score.mean)
    for frames in (truth[:1], np.full_like(truth, 5)):
        score = trace_correlation(frames, frames)
        assert score.traces == 0
        assert math.isnan(score.mean)
        assert math.isnan(score.median)


def test_any_blocks_equal_the_whole(movie, labels):
    truth, recording = movie()
    recording[3, 4, 5] = np.nan
    pixels, rois = PixelTraces((20, 23)), ROITraces((20, 23), labels)
    for start in range(0, 30, 7):
        for part in (pixels, rois):
            part.add(truth[start : start + 7], recording[start : start + 7])
    whole = trace_correlation(truth, recording, masks=labels)
    np.testing.assert_array_equal(rois.moments.correlation(), whole.values)
    active = active_pixels(pixels)
    np.testing.assert_array_equal(
        pixels.moments.correlation()[active], trace_correlation(truth, recording).values
    )


def test_moments_without_a_time_point():
    moments = PairMoments((2,))
    assert moments.variances().tolist() == [[0, 0], [0, 0]]
    assert np.isnan(moments.correlation()).all()


def test_errors(movie, labels):
    for masks, message in [
        (labels[:-1], "label image"),
        (labels.astype(float), "label image"),
        (labels * 0, "hold no ROI"),
    ]:
        with pytest.raises(InputError, match=message):
            trace_correlation(*movie(), masks=masks)
    with pytest.raises(InputError, match="beside masks"):
        trace_correlation(*movie(), masks=labels, active_fraction=0.1)
    with pytest.raises(InputError, match="fraction"):
        trace_correlation(*movie(), active_fraction=0)

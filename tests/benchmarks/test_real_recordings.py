"""How the benchmark on real recordings measures, on arrays whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.real_recordings import Sample, between, confirmed, fall, split_noise

SHAPE = (400, 16, 16)


@pytest.fixture(scope="module")
def signal():
    course = 50 * np.sin(np.arange(SHAPE[0]) / 9)[:, None, None]
    pattern = np.random.default_rng(0).random(SHAPE[1:])
    return (200 + course * pattern).astype(np.float32)


def noise(seed, sd):
    return np.random.default_rng(seed).normal(0, sd, SHAPE).astype(np.float32)


def test_between_frames_is_their_mean_or_the_one_that_was_measured():
    frames = np.array([[1, np.nan], [3, 5], [np.nan, 7]], np.float32)[:, None]
    np.testing.assert_array_equal(between(frames)[:, 0], [[2, 5], [3, 6]])


def test_the_fall_is_that_of_the_error_whatever_the_noise(signal):
    before, after, unseen = signal + noise(1, 8), signal + noise(2, 3), signal + noise(3, 20)
    value, error = fall(before, after, unseen, np.ones(SHAPE[1:], np.bool_))
    assert error < 3
    assert abs(value - (64 - 9)) < 3 * error


def test_what_is_signal_is_confirmed_and_what_is_noise_is_not(signal):
    lacking, unseen = np.full(SHAPE, 200, np.float32), signal + noise(3, 20)
    np.testing.assert_allclose(confirmed(signal, lacking, unseen), 1, atol=0.1)
    np.testing.assert_allclose(confirmed(signal + noise(4, 5), signal, unseen), 0, atol=0.1)


def test_split_recordings_share_the_signal_but_no_noise(signal):
    raw = np.random.default_rng(5).poisson(signal).astype(np.uint16)
    raw[7, 3] = 0
    seen, unseen = split_noise(Sample("simulated", raw, None, {}), signal)
    assert not seen[7, 3].any()
    assert np.isnan(unseen[7, 3]).all()
    left = [np.delete(part - signal, 7, axis=0).astype(np.float64) for part in (seen, unseen)]
    (one, both), (_, other) = np.cov([part.ravel() for part in left])
    assert one == pytest.approx(200 * 1.25, rel=0.1)
    assert other == pytest.approx(200 * 5, rel=0.1)
    assert abs(both) < 0.05 * np.sqrt(one * other)

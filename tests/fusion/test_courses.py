from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy.fft import dct, idct
from scipy.stats import chi2

from freq2clean.fusion.bases import temporal_bands
from freq2clean.fusion.courses import LEAST_FRAMES, course_changes, has_excess

N_FRAMES = 500


def signal(n_frames=N_FRAMES):
    """Two courses of a patch, with transients."""
    rng = np.random.default_rng(3)
    spikes = rng.random((n_frames, 2)) < 0.02
    decay = np.exp(-np.arange(60) / 12) - np.exp(-np.arange(60) / 3)
    return np.stack([np.convolve(s, decay)[:n_frames] for s in 8 * spikes.T.astype(float)], axis=1)


def noisy(truth, sd=1.0, seed=0):
    return truth + np.random.default_rng(seed).normal(0, sd, truth.shape)


def changed(fused, raw, noise=1.0):
    covariance = noise * np.eye(fused.shape[1])[None]
    changes, before, after = course_changes(
        fused[None].astype(np.float32), (raw - fused)[None].astype(np.float32), covariance
    )
    return fused + changes[0], float(before[0]), float(after[0])


def error(courses, truth):
    """Squared error, the mean left alone."""
    return np.square((courses - truth) - (courses - truth).mean(axis=0)).sum()


def naive(fused, raw, most_noise):
    """The same for one course, bin by bin in double precision."""
    fused_bins, raw_bins = (dct(x - x.mean(), norm="ortho") for x in (fused, raw))
    missing = raw_bins - fused_bins
    n = len(fused)
    edges = [*temporal_bands(n), n]
    noise = np.mean(missing[n // 2 :] ** 2)
    raw_noise = min(np.mean(raw_bins[n // 2 :] ** 2), 1.1 * most_noise)
    added = np.zeros(n)
    for start, stop in pairwise(edges):
        power = np.mean(missing[start:stop] ** 2)
        if power > noise * chi2.isf(1e-3, stop - start) / (stop - start):
            added[start:stop] = (1 - noise / power) * missing[start:stop]
    result, score = fused_bins + added, 0.0
    gains = np.ones(n)
    for start, stop in pairwise(edges):
        power = np.mean(result[start:stop] ** 2)
        supported = np.mean(raw_bins[start:stop] ** 2) - raw_noise
        variance = 2 * raw_noise**2 + 4 * raw_noise * np.clip(supported, 0, power)
        score += max(0, (power - supported) / np.sqrt(variance / (stop - start))) ** 2
        gains[start:stop] = min(1, max(0, supported) / max(power, 1e-30))
    n_bands = len(edges) - 1
    if score > n_bands / 2 + 4 * np.sqrt(1.25 * n_bands):
        result = result * gains
    return idct(result, norm="ortho") + fused.mean()


@pytest.mark.parametrize("n_frames", [LEAST_FRAMES, 75, N_FRAMES])
@pytest.mark.parametrize("blur", [1, 9])
@pytest.mark.parametrize("leak", [0.0, 0.5])
def test_a_course_equals_a_naive_reference(n_frames, blur, leak):
    truth = signal(n_frames)[:, 0]
    raw = noisy(truth)
    fused = np.convolve(truth + leak * (raw - truth), np.full(blur, 1 / blur), mode="same")
    result, *_ = changed(fused[:, None], raw[:, None])
    np.testing.assert_allclose(result[:, 0], naive(fused, raw, 1.0), atol=1e-4)


def test_transients_that_the_denoiser_blurred_come_back_and_the_gain_is_foretold():
    truth = signal()
    blurred = np.apply_along_axis(np.convolve, 0, truth, np.full(25, 1 / 25), mode="same")
    result, before, after = changed(blurred, noisy(truth))
    assert error(result, truth) < 0.4 * error(blurred, truth)
    gained = error(blurred, truth) - error(result, truth)
    assert before - after == pytest.approx(gained, rel=0.3)


def test_leaked_noise_is_taken_off_and_the_gain_is_foretold():
    truth = signal()
    raw = noisy(truth)
    leaky = truth + 0.7 * (raw - truth)
    result, before, after = changed(leaky, raw)
    assert error(result, truth) < 0.6 * error(leaky, truth)
    gained = error(leaky, truth) - error(result, truth)
    assert before - after == pytest.approx(gained, rel=0.3)


def test_what_lacks_nothing_is_left_alone():
    truth = signal()
    results = [changed(truth, noisy(truth, seed=seed))[0] for seed in range(20)]
    lost = [error(result, truth) / np.square(truth).sum() for result in results]
    assert np.mean(lost) < 0.01
    assert np.median(lost) < 1e-6


def test_the_mean_stays():
    truth = signal()
    result, *_ = changed(0.5 * truth, noisy(truth))
    np.testing.assert_allclose(result.mean(axis=0), 0.5 * truth.mean(axis=0), atol=1e-5)


def test_courses_that_are_padded_with_zeros_change_nothing_else():
    truth = signal()
    padded = np.zeros((N_FRAMES, 3))
    padded[:, :2] = 0.5 * truth
    raw = np.zeros((N_FRAMES, 3))
    raw[:, :2] = noisy(truth)
    alone, *_ = changed(padded[:, :2], raw[:, :2])
    result, *_ = changed(padded, raw)
    np.testing.assert_allclose(result[:, :2], alone, atol=1e-4)
    np.testing.assert_allclose(result[:, 2], 0, atol=1e-6)


@pytest.mark.parametrize("n_frames", [1, LEAST_FRAMES - 1])
def test_too_few_frames_say_nothing(n_frames):
    truth = signal(n_frames)
    result, before, after = changed(0.5 * truth, noisy(truth))
    np.testing.assert_array_equal(result, 0.5 * truth)
    assert before == after == 0


def test_motion_at_high_frequencies_is_not_taken_for_noise():
    """A course that jumps from frame to frame: its high band is signal."""
    truth = 6 * np.random.default_rng(8).normal(size=(N_FRAMES, 1))
    result, *_ = changed(truth, noisy(truth))
    assert error(result, truth) < 0.03 * np.square(truth).sum()


def test_excess_by_chance_is_rare():
    rng = np.random.default_rng(1)
    number = np.full((12, 1), 20.0)
    supported = rng.chisquare(20, (2000, 12, 1)) / 20 - 1
    power = np.full((2000, 12, 1), 0.05)
    assert has_excess(power, supported + 0.05, np.ones_like(power), number).mean() < 0.01
    assert has_excess(power + 1, supported, np.ones_like(power), number).mean() > 0.99

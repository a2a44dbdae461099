from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy.fft import dct, idct
from scipy.stats import chi2

from freq2clean.fusion.bases import temporal_bands
from freq2clean.fusion.courses import LEAST_FRAMES, common_support, has_excess, mend

N_FRAMES = 500


def signal(n_frames=N_FRAMES, seed=3):
    """Two courses of a patch, with transients."""
    rng = np.random.default_rng(seed)
    spikes = rng.random((n_frames, 2)) < 0.02
    decay = np.exp(-np.arange(60) / 12) - np.exp(-np.arange(60) / 3)
    return np.stack([np.convolve(s, decay)[:n_frames] for s in 8 * spikes.T.astype(float)], axis=1)


def noisy(truth, sd=1.0, seed=0):
    return truth + np.random.default_rng(seed).normal(0, sd, truth.shape)


def mended(fused, raw, covariance):
    """Courses (patches, T, K), changed, and errors before and after."""
    courses = mend(fused.astype(np.float32), (raw - fused).astype(np.float32), covariance)
    changes, before, after = courses.changes(common_support([courses]))
    return fused + changes, before, after


def changed(fused, raw, noise=1.0):
    covariance = noise * np.eye(fused.shape[1])[None]
    result, before, after = mended(fused[None], raw[None], covariance)
    return result[0], float(before[0]), float(after[0])


def error(courses, truth):
    """Squared error, the mean left alone."""
    return np.square((courses - truth) - (courses - truth).mean(axis=0)).sum()


def naive(fused, raw, most_noise):
    """The same for patches of one course, (patches, T), bin by bin in double precision."""
    n = fused.shape[1]
    fused_bins, raw_bins = (
        dct(x - x.mean(axis=1, keepdims=True), axis=1, norm="ortho") for x in (fused, raw)
    )
    noise = np.mean((raw_bins - fused_bins)[:, n // 2 :] ** 2, axis=1)
    raw_noise = np.minimum(np.mean(raw_bins[:, n // 2 :] ** 2, axis=1), 1.1 * most_noise)
    edges = list(pairwise([*temporal_bands(n), n]))
    result = fused_bins.copy()
    for start, stop in edges:
        result[:, start:stop] += added(fused_bins[:, start:stop], raw_bins[:, start:stop], noise)
    gains = np.ones_like(result)
    score = np.zeros(len(fused))
    for start, stop in edges:
        power, seen = (np.mean(x[:, start:stop] ** 2, axis=1) for x in (result, raw_bins))
        supported = seen - raw_noise
        variance = 2 * raw_noise**2 + 4 * raw_noise * np.clip(supported, 0, power)
        variance /= stop - start
        score += np.maximum(0, (power - supported) / np.sqrt(variance)) ** 2
    for start, stop in edges:
        power, seen = (np.mean(x[:, start:stop] ** 2, axis=1) for x in (result, raw_bins))
        supported = seen - raw_noise
        variance = 2 * raw_noise**2 + 4 * raw_noise * np.clip(supported, 0, power)
        variance /= stop - start
        weight = power / variance
        own = supported / np.maximum(power, 1e-30)
        alone = score > len(edges) / 2 + 4 * np.sqrt(1.25 * len(edges))
        gain = np.where(alone, own, 1)
        if weight @ (power - supported) > 4 * np.sqrt(weight @ power):
            share = np.clip(weight @ supported / (weight @ power), 0, 1)
            trust = 0.05 / (0.05 + variance / np.maximum(power, 1e-30) ** 2)
            gain = share + trust * (own - share)
        gains[:, start:stop] = gain.clip(0, 1)[:, None]
    return idct(result * gains, axis=1, norm="ortho") + fused.mean(axis=1, keepdims=True)


def added(fused, raw, noise):
    """What the raw coefficients of a band, (patches, n), add to the fused ones."""
    n = fused.shape[1]
    power, shown = np.mean((raw - fused) ** 2, axis=1), np.mean(fused**2, axis=1)
    missing = power - noise
    significant = power > noise * chi2.isf(1e-3, n) / n
    signal = np.where(significant, missing, 0)
    variance = 2 * noise**2 / n
    weight = shown / variance
    if weight @ missing > 4 * np.sqrt(weight @ shown):
        expected = weight @ missing / (weight @ shown) * shown
        spread = expected**2
        trust = spread / (spread + variance + 4 * noise * expected / n)
        signal = (expected + trust * (missing - expected)).clip(min=0)
    return (signal / (signal + noise))[:, None] * (raw - fused)


@pytest.mark.parametrize("n_frames", [LEAST_FRAMES, 75, N_FRAMES])
@pytest.mark.parametrize("blur", [1, 9])
@pytest.mark.parametrize("leak", [0.0, 0.5])
@pytest.mark.parametrize("n_patches", [1, 30])
def test_courses_equal_a_naive_reference(n_frames, blur, leak, n_patches):
    truth = np.stack([signal(n_frames, seed)[:, 0] for seed in range(n_patches)])
    raw = noisy(truth)
    fused = truth + leak * (raw - truth)
    fused = np.stack([np.convolve(x, np.full(blur, 1 / blur), mode="same") for x in fused])
    result, *_ = mended(fused[..., None], raw[..., None], np.ones((n_patches, 1, 1)))
    np.testing.assert_allclose(result[..., 0], naive(fused, raw, 1.0), atol=1e-4)


def test_many_courses_show_together_what_none_shows_alone():
    """Noise that leaks a little, and a blur: groups of a patch each, and all at once."""
    n_patches = 60
    truth = np.stack([0.5 * signal(seed=seed) for seed in range(n_patches)])
    raw = noisy(truth)
    fused = 0.9 * truth + 0.25 * (raw - truth)
    covariance = np.broadcast_to(np.eye(2), (n_patches, 2, 2))
    together, before, after = mended(fused, raw, covariance)
    alone = np.stack([changed(x, y)[0] for x, y in zip(fused, raw, strict=True)])
    left = [sum(map(error, courses, truth)) for courses in (together, alone, fused)]
    assert left[0] < 0.8 * left[1]
    gained = before.sum() - after.sum()
    assert gained == pytest.approx(left[2] - left[0], rel=0.4)


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

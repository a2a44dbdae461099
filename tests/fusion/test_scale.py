from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from freq2clean import Dct, Fft, Wiener
from freq2clean.fusion.scale import Scale, match_scale

METHODS = pytest.mark.parametrize("method", [Fft(), Dct(), Wiener()], ids=lambda m: m.name)


@METHODS
@pytest.mark.parametrize(
    ("gain", "offset"), [(1 / 1000, 0.0), (1 / 700, -0.4), (1.0, -30_000.0), (8.0, 500.0)]
)
def test_another_scale_is_found_and_undone(method, gain, offset, simulated):
    fusion = method.fit(simulated.raw, gain * simulated.denoised + np.float32(offset))
    assert not fusion.scale.is_identity
    assert fusion.findings["scale"] == {"gain": fusion.scale.gain, "offset": fusion.scale.offset}
    fused = fusion.apply(gain * simulated.denoised + np.float32(offset))
    same = method.fit(simulated.raw, simulated.denoised).apply(simulated.denoised)
    assert fused.mean() == pytest.approx(simulated.truth.mean(), rel=0.03)
    error = np.mean((fused - simulated.truth) ** 2)
    assert error < np.mean((simulated.denoised - simulated.truth) ** 2)
    assert error < 1.35 * np.mean((same - simulated.truth) ** 2)


@METHODS
def test_a_recording_normalised_to_one_is_found(method, simulated):
    low, high = simulated.denoised.min(), simulated.denoised.max()
    fusion = method.fit(simulated.raw, (simulated.denoised - low) / (high - low))
    assert fusion.scale.gain == pytest.approx(high - low, rel=0.35)


def test_the_same_scale_is_left_alone(simulated):
    fusion = Fft(alpha=0.0).fit(simulated.raw, simulated.denoised)
    assert fusion.scale.is_identity
    np.testing.assert_array_equal(fusion.apply(simulated.denoised), simulated.denoised)


def test_bias_and_blur_are_no_other_scale(simulated):
    """A real network off its domain: mean 481 against 385, contrast compressed."""
    truth = simulated.truth
    truth = truth * (385 / truth.mean())
    raw = simulated.raw * (385 / simulated.truth.mean())
    blurred = gaussian_filter(truth, (1, 1.5, 1.5))
    denoised = 481 + 0.6 * (blurred - blurred.mean())
    assert Wiener().fit(raw, denoised).scale.is_identity


@pytest.mark.parametrize("kind", ["negative", "unrelated", "constant"])
def test_what_shows_another_scene_is_left_alone(kind, simulated):
    rng = np.random.default_rng(0)
    denoised = {
        "negative": -simulated.denoised,
        "unrelated": np.broadcast_to(rng.random((96, 96)), simulated.raw.shape),
        "constant": np.full(simulated.raw.shape, 1e-3),
    }[kind]
    assert Wiener().fit(simulated.raw, denoised.astype(np.float32)).scale.is_identity


def test_a_handful_of_pixels_cannot_tell():
    """Any two noisy images of four pixels may look alike by chance."""
    for seed in range(50):
        rng = np.random.default_rng(seed)
        raw = rng.normal(100, 10, (100, 2, 2))
        denoised = 100 + 1e-3 * rng.standard_normal((1, 2, 2)) * np.ones((100, 1, 1))
        assert Fft().fit(raw, denoised).scale.is_identity


def test_rescaling_can_be_refused(simulated):
    fusion = Fft().fit(simulated.raw, simulated.denoised / 1000, rescale=False)
    assert fusion.scale.is_identity


def test_matched_gain_and_offset_are_those_of_least_squares():
    rng = np.random.default_rng(0)
    denoised = rng.random((20, 30))
    raw = 40 * denoised + 7 + rng.normal(0, 0.5, (20, 30))
    raw[3, 4] = np.nan
    valid = np.isfinite(raw)
    scale, correlation = match_scale(raw, denoised)
    np.testing.assert_allclose(
        (scale.gain, scale.offset), np.polyfit(denoised[valid], raw[valid], 1), rtol=1e-9
    )
    assert correlation == pytest.approx(np.corrcoef(denoised[valid], raw[valid])[0, 1])


def test_the_identity_copies_nothing():
    block = np.ones((2, 3), np.float32)
    assert Scale().apply(block) is block
    assert Scale().apply(block, out=np.zeros_like(block)) is block
    np.testing.assert_array_equal(Scale(2.0, 1.0).apply(block.astype(np.uint8)), 3 * block)


@METHODS
def test_another_scale_is_found_in_much_noise(method, simulated):
    """Ten decibels below the simulation's -5.5: a mean image of few frames would not do."""
    rng = np.random.default_rng(1)
    sd = 3 * np.std(simulated.raw - simulated.truth)
    raw = simulated.raw + rng.normal(0, sd, simulated.raw.shape).astype(np.float32)
    fusion = method.fit(raw, simulated.denoised / 1000)
    assert fusion.scale.gain == pytest.approx(1000, rel=0.5)

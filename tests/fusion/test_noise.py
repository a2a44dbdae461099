from __future__ import annotations

import numpy as np
import pytest
from scipy.fft import dctn

from freq2clean.fusion.noise import NoiseMoments, photon_transfer
from freq2clean.fusion.rings import ring_index, ring_sizes, ring_sums
from freq2clean.simulation.detector import Detector


def measure(raw):
    noise = NoiseMoments(raw.shape[1:])
    for start in range(0, len(raw), 40):
        noise.add(raw[start : start + 40])
    return noise


def expose(photons, n_frames, **options):
    rng = np.random.default_rng(0)
    detector = Detector(**{"gain": 1.0, "offset": 0.0, "read_noise": 0.0, "bleed": 0.0, **options})
    return np.stack([detector.expose(rng, photons) for _ in range(n_frames)])


def ramp(low, high, shape=(64, 64)):
    return np.linspace(low, high, shape[0] * shape[1], dtype=np.float32).reshape(shape)


def test_gain_and_offset_of_a_photon_detector_are_recovered():
    """variance = gain (mean - offset) + read_noise^2; rounding adds 1/12."""
    raw = expose(ramp(5, 60), 400, gain=12.0, offset=90.0, read_noise=30.0)
    found = measure(raw).photon_transfer()
    assert found.gain == pytest.approx(12.0, rel=0.05)
    level = 12 * 30 + 90
    assert found.gain * level + found.offset == pytest.approx(12 * (level - 90) + 900, rel=0.02)
    assert found.offset == pytest.approx(900 - 12 * 90, abs=0.05 * 12 * level)


def test_gain_of_few_photons_is_not_biased_by_grouping():
    found = measure(expose(ramp(0.1, 0.6), 800, gain=100.0, offset=20.0)).photon_transfer()
    assert found.gain == pytest.approx(100.0, rel=0.05)


@pytest.mark.parametrize("bleed", [0.0, 0.5])
def test_power_per_ring_shows_how_noise_is_coloured(bleed):
    photons = np.full((48, 48), 400.0, np.float32)
    raw = expose(photons, 400, offset=100.0, bleed=bleed)
    noise = measure(raw)
    index = ring_index((48, 48))
    truth = raw - 500.0
    power = ring_sums(np.mean(dctn(truth, axes=(1, 2), norm="ortho") ** 2, axis=0), index)
    expected = power / ring_sizes(index)
    error = 5 * np.hypot(noise.relative_error_per_ring(), np.sqrt(2 / (400 * ring_sizes(index))))
    seen = expected > 0
    assert np.all(
        np.abs(noise.power_per_ring() / np.where(seen, expected, 1) - 1)[seen] < error[seen]
    )
    horizontal = dctn(truth, axes=(1, 2), norm="ortho")[:, :4]
    colour = np.mean(horizontal[:, :, 3:10] ** 2) / np.mean(horizontal[:, :, -10:] ** 2)
    assert colour == pytest.approx(1, rel=0.1) if bleed == 0 else colour > 5


def test_slow_signal_is_not_noise():
    """Fourth differences stop a period of 60 frames to about (pi / 30)^8."""
    t = np.arange(400)[:, None, None]
    pattern = np.random.default_rng(1).standard_normal((32, 32))
    noise = np.random.default_rng(2).normal(0, 1.0, (400, 32, 32))
    still = measure(noise).power_per_ring()
    moving = measure(noise + 100 * pattern * np.sin(2 * np.pi * t / 60)).power_per_ring()
    np.testing.assert_allclose(moving, still, rtol=0.03)


@pytest.mark.parametrize("share", [0.3, 0.8])
def test_masked_pixels_do_not_count(share):
    rng = np.random.default_rng(3)
    raw = rng.normal(50, 4.0, (400, 40, 40)).astype(np.float32)
    raw[:, rng.random((40, 40)) < share] = np.nan
    noise = measure(raw)
    power = np.average(noise.power_per_ring(), weights=ring_sizes(ring_index((40, 40))))
    assert power == pytest.approx(16, rel=0.05)
    found = noise.photon_transfer()
    assert found.gain * 50 + found.offset == pytest.approx(16, rel=0.05)


def test_the_stated_error_is_the_scatter():
    scatter = []
    for seed in range(60):
        noise = measure(np.random.default_rng(seed).standard_normal((40, 24, 24)))
        scatter.append(noise.power_per_ring() - 1)
        error = noise.relative_error_per_ring()
    seen = error < 0.5
    np.testing.assert_allclose(np.std(scatter, axis=0)[seen], error[seen], rtol=0.4)


@pytest.mark.parametrize("n_frames", [1, 4])
def test_too_few_frames_measure_nothing(n_frames):
    noise = NoiseMoments((8, 8))
    noise.add(np.random.default_rng(0).standard_normal((n_frames, 8, 8)))
    assert noise.is_empty
    assert not noise.power_per_ring().any()
    assert noise.photon_transfer().gain == 0


@pytest.mark.parametrize("noise", [0.0, 3.0])
def test_a_flat_scene_has_no_gain(noise):
    mean = np.full((16, 16), 7.0)
    found = photon_transfer(mean, np.full((16, 16), noise))
    assert (found.gain, found.offset) == (0.0, noise)

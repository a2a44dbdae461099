"""Photons to counts."""

from __future__ import annotations

import numpy as np
import pytest

from freq2clean.simulation.detector import Detector


def expose_many(detector, photons, n=400):
    rng = np.random.default_rng(0)
    frame = np.full((20, 50), photons, np.float32)
    return np.stack([detector.expose(rng, frame) for _ in range(n)]).astype(np.float64)


@pytest.mark.parametrize(
    ("photons", "gain", "read_noise", "bleed"),
    [
        (0.28, 100.0, 0.0, 0.0),
        (0.28, 100.0, 50.0, 0.0),
        (5.0, 10.0, 4.0, 0.6),
        (0.0, 1.0, 3.0, 0.0),
    ],
)
def test_mean_and_variance(photons, gain, read_noise, bleed):
    detector = Detector(gain, 400.0, read_noise, bleed)
    counts = expose_many(detector, photons)
    variance = gain**2 * photons + read_noise**2
    error = 5 * np.sqrt(variance / counts.size) * (1 + bleed)
    assert counts.mean() == pytest.approx(400 + gain * photons, abs=error)
    assert counts.var() == pytest.approx(variance, rel=0.03, abs=0.1)


def test_counts_stay_within_16_bits():
    assert expose_many(Detector(60_000.0, 0.0, 0.0, 0.0), 3.0, n=5).max() == 65535
    assert expose_many(Detector(1.0, 0.0, 50.0, 0.0), 0.0, n=5).min() == 0


@pytest.mark.parametrize("snr_db", [-12.0, 0.0, 12.0])
def test_brightness_solves_the_definition_of_the_snr(snr_db):
    detector = Detector(40.0, 100.0, 12.0, 0.0)
    light = np.random.default_rng(1).lognormal(0, 1, 10_000)
    scale = detector.brightness_for(
        snr_db, mean=float(light.mean()), mean_square=float(np.mean(light**2))
    )
    signal = scale * light
    noise_power = signal + (12.0**2 + 1 / 12) / 40.0**2
    assert 10 * np.log10(np.sum(signal**2) / np.sum(noise_power)) == pytest.approx(snr_db)

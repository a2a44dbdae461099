"""Spikes, the indicator and the neuropil."""

from __future__ import annotations

import numpy as np
import pytest

from freq2clean.simulation.activity import (
    draw_neuropil_activity,
    draw_spikes,
    indicator_response,
)

RATE_HZ = 30.0


@pytest.mark.parametrize(("rise_s", "decay_s"), [(0.07, 0.7), (0.2, 1.5), (0.5, 0.1)])
def test_indicator_is_the_double_exponential(rise_s, decay_s):
    spikes = np.random.default_rng(0).poisson(0.05, (3, 400)).astype(np.uint8)
    t = np.arange(400) / RATE_HZ
    fine = np.linspace(0, 10, 100_001)
    peak = np.max((1 - np.exp(-fine / rise_s)) * np.exp(-fine / decay_s))
    kernel = (1 - np.exp(-t / rise_s)) * np.exp(-t / decay_s) / peak
    expected = [np.convolve(row, kernel)[:400] for row in spikes]
    found = indicator_response(spikes, rise_s=rise_s, decay_s=decay_s, frame_rate_hz=RATE_HZ)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_spikes_come_in_bursts_and_are_sparse():
    spikes = draw_spikes(np.random.default_rng(1), 300, 3000, frame_rate_hz=RATE_HZ)
    assert spikes.shape == (300, 3000)
    rates_hz = spikes.sum(axis=1) / 100.0
    assert 0.2 < rates_hz.mean() < 1.0
    assert rates_hz.std() > 0.3 * rates_hz.mean()
    assert (spikes > 0).mean() < 0.03
    per_second = spikes.reshape(300, 100, 30).sum(axis=2)
    assert per_second.var() > 2 * per_second.mean()


def test_spike_rate_does_not_hang_on_the_frame_rate():
    totals = [
        draw_spikes(np.random.default_rng(2), 400, int(60 * rate), frame_rate_hz=rate).sum()
        for rate in (10.0, 60.0)
    ]
    assert totals[0] == pytest.approx(totals[1], rel=0.15)


def test_neuropil_is_slow_and_partly_common():
    activity = draw_neuropil_activity(
        np.random.default_rng(3), (4, 5), 30_000, frame_rate_hz=RATE_HZ, strength=0.05
    )
    assert activity.shape == (20, 30_000)
    assert activity.std() == pytest.approx(0.05, rel=0.1)
    correlation = np.corrcoef(activity)[np.triu_indices(20, 1)]
    assert correlation.mean() == pytest.approx(0.6, abs=0.08)
    step = np.diff(activity, axis=1).std() / activity.std()
    assert step < 0.1

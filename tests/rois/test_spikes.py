from __future__ import annotations

import numpy as np
import pytest

from freq2clean import simulate
from freq2clean.errors import InputError, MissingExtraError
from freq2clean.metrics import score_events
from freq2clean.rois import spikes as room
from freq2clean.rois.spikes import infer_spikes, spike_times

GCAMP = {"frame_rate_hz": 30.0, "decay_s": 0.7, "rise_s": 0.07}


@pytest.fixture(scope="module")
def cells():
    pytest.importorskip("oasis", reason="OASIS is not installed")
    return simulate((900, 128, 128), seed=5)


def f1(cells, traces):
    found = spike_times(infer_spikes(traces, **GCAMP), frame_rate_hz=30.0)
    true = spike_times(cells.spikes.astype(float), frame_rate_hz=30.0, share=0)
    return score_events(found, true, tolerance_s=0.1).f1


def test_spikes_of_clean_and_of_noisy_traces(cells):
    rng = np.random.default_rng(0)
    noisy = [cells.traces + sd * rng.standard_normal(cells.traces.shape) for sd in (0.0, 0.3, 1.0)]
    scores = [f1(cells, traces) for traces in noisy]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] > 0.95
    assert scores[1] > 0.7


def test_units_and_baseline_do_not_matter(cells):
    there = infer_spikes(cells.traces, **GCAMP)
    assert (there >= 0).all()
    for traces in (cells.traces * 500 + 120, cells.traces.astype(np.float64) - 3):
        np.testing.assert_allclose(infer_spikes(traces, **GCAMP), there, atol=1e-2)


def test_a_trace_that_does_not_vary_has_none():
    pytest.importorskip("oasis", reason="OASIS is not installed")
    for traces in (np.zeros((2, 40)), np.full((2, 40), 7.0)):
        assert not infer_spikes(traces, **GCAMP).any()
    assert infer_spikes(np.zeros((0, 40)), **GCAMP).shape == (0, 40)


def test_refused(monkeypatch):
    pytest.importorskip("oasis", reason="OASIS is not installed")
    for traces in (np.ones(5), [[1.0, np.nan]]):
        with pytest.raises(InputError, match=r"give finite numbers \(ROIs, frames\)"):
            infer_spikes(traces, **GCAMP)
    for name in GCAMP:
        with pytest.raises(InputError, match=f"{name} = 0"):
            infer_spikes(np.ones((1, 5)), **{**GCAMP, name: 0})
    monkeypatch.setattr(room, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"freq2clean\[spikes\]"):
        infer_spikes(np.ones((1, 5)), **GCAMP)

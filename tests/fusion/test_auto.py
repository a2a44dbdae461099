from __future__ import annotations

import numpy as np
import pytest
from tests.fusion.suite import MethodSuite

from freq2clean import Auto, Subspace
from freq2clean.simulation import imitate_denoiser, simulate


class TestAuto(MethodSuite):
    method = Auto()
    on_its_own = False  # as `Subspace`
    tolerance = 1e-2


def simulated_pair(size, **options):
    recording = simulate((1000, size, size), seed=5, **options)
    raw, truth = recording.raw[:], recording.truth[:]
    return raw, imitate_denoiser(truth, raw), truth


@pytest.fixture(scope="module")
def still():
    return simulated_pair(64)


@pytest.fixture(scope="module")
def drifting():
    return simulated_pair(96, drift_px=20.0)


def chosen(fusion):
    trials = {t["window"]: t["expected_mse_reduction"] for t in fusion.findings["window_trials"]}
    return fusion.findings["windows"][0][1], trials


def test_a_still_recording_keeps_the_long_window(still):
    raw, denoised, _ = still
    window, trials = chosen(Auto().fit(raw, denoised))
    assert window == 1000
    assert list(trials) == [1000, 528]
    assert trials[528] < trials[1000]


def test_a_recording_that_moves_fast_gets_the_window_that_gains_most(drifting):
    raw, denoised, truth = drifting
    fusion = Auto().fit(raw, denoised)
    window, trials = chosen(fusion)
    assert len(trials) > 1
    assert trials[window] == max(trials.values())
    others = [Subspace(window=w).fit(raw, denoised).apply(denoised) for w in trials if w != window]
    least = min(np.square(x - truth).mean() for x in others)
    assert np.square(fusion.apply(denoised) - truth).mean() < 1.03 * least


def test_once_the_window_is_chosen_it_is_subspace(still):
    raw, denoised, _ = still
    auto, subspace = (m.fit(raw, denoised).apply(denoised) for m in (Auto(), Subspace()))
    np.testing.assert_allclose(auto, subspace, atol=1e-2)


@pytest.mark.parametrize("options", [{"window": 300}, {}])
def test_nothing_is_tried_where_there_is_no_choice(options, still):
    raw, denoised, _ = still
    frames = slice(None if options else 400)
    fusion = Auto(**options).fit(raw[frames], denoised[frames])
    assert "window_trials" not in fusion.findings


def test_a_denoised_recording_that_lacks_nothing_is_left_alone(still):
    raw, _, truth = still
    fused = Auto(limit=False).fit(raw, truth).apply(truth)
    assert np.square(fused - truth).mean() < 1e-4 * np.var(raw - truth)

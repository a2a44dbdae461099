from __future__ import annotations

import numpy as np
import pytest

from freq2clean.registration.motion import Motion, is_motion, shrink_course


def test_a_shake_is_kept_and_a_drift_is_smoothed():
    rng = np.random.default_rng(0)
    drift = np.linspace(-5, 5, 1000)[:, None] * [1.0, -0.5]
    shake = rng.normal(0, 1.0, drift.shape)
    error = rng.normal(0, 0.2, drift.shape)
    smooth = shrink_course(drift + error, 0.2, n_errors=500)
    assert np.sqrt(np.mean((smooth - drift) ** 2)) < 0.05
    kept = shrink_course(drift + shake + error, 0.2, n_errors=500)
    assert np.sqrt(np.mean((kept - drift - shake) ** 2)) < 0.21


@pytest.mark.parametrize("n", [2, 3, 10, 300, 3000])
def test_errors_alone_are_no_motion(n):
    for seed in range(30):
        errors = np.random.default_rng(seed).normal(0, 0.2, (n, 2))
        assert not is_motion(shrink_course(errors, 0.2, n_errors=200), 0.2)


def test_a_step_is_motion():
    step = np.repeat([[0.0, 0.0], [0.5, 0.0]], 50, axis=0)
    errors = np.random.default_rng(0).normal(0, 0.2, step.shape)
    assert is_motion(shrink_course(step + errors, 0.2, n_errors=200), 0.2)
    assert not is_motion(shrink_course(step / 10, 0.01, n_errors=200), 0.01)


@pytest.mark.parametrize("n", [1, 2, 7])
def test_short_courses_keep_their_mean(n):
    measured = np.random.default_rng(1).normal(3, 0.1, (n, 2))
    shrunk = shrink_course(measured, 0.5, n_errors=50)
    np.testing.assert_allclose(shrunk.mean(axis=0), measured.mean(axis=0))


def test_the_summary_says_how_far():
    raw = np.array([[3.0, 4.0], [-3.0, -4.0]])
    found = Motion(raw, raw * 0.5, error_px=0.1, group_frames=4).summary()
    assert found == {
        "registered": True,
        "why_not": "",
        "max_shift_px": 5.0,
        "rms_shift_px": 5.0,
        "rms_lag_of_denoised_px": 2.5,
        "error_px": 0.1,
        "frames_per_shift": 4,
    }
    assert Motion.none(3, "there is none").summary()["registered"] is False

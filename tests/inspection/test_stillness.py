from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from freq2clean.inspection.stillness import measure_stillness
from freq2clean.inspection.survey import survey_recording


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(
    "options",
    [{"drift_px": 3.0}, {"drift_px": 8.0}, {"drift_px": 2.0, "snr_db": 6.0, "gain": 30.0}],
)
def test_a_known_drift_is_measured(scene, seed, options):
    one = scene((360, 96, 96), seed, **options)
    found = measure_stillness(one.survey)
    path = one.simulated.shifts_px
    true = np.stack([np.interp(found.frames, np.arange(len(path)), p) for p in path.T], axis=1)
    error = found.shifts_px - (true - true.mean(axis=0))
    assert np.sqrt(np.mean(error**2)) < 0.15
    assert np.sqrt(np.mean(error**2)) < 3 * found.error_px + 0.02
    assert found.range_px == pytest.approx(np.hypot(*(true[-1] - true[0])), abs=0.3)
    speed = 1000 * options["drift_px"] / 359
    assert found.speed_px_per_1000_frames == pytest.approx(speed, rel=0.1)


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("options", [{}, {"snr_db": 6.0, "gain": 30.0}, {"bleed": 0.4}])
def test_a_still_recording_is_still(scene, seed, options):
    found = measure_stillness(scene(seed=seed, **options).survey)
    assert found.range_px < 0.25
    assert not found.jitter_px or found.jitter_px < 0.1
    assert found.kept_detail > 0.98
    assert found.longest_window == 240


@pytest.mark.parametrize(("jitter", "snr_db", "gain"), [(0.5, -5.5, 100.0), (0.3, 6.0, 30.0)])
def test_a_known_jitter_is_measured(scene, jitter, snr_db, gain):
    found = measure_stillness(
        scene((240, 128, 128), 3, jitter_px=jitter, snr_db=snr_db, gain=gain).survey
    )
    assert found.jitter_px == pytest.approx(jitter, rel=0.25)


def test_the_detail_that_a_window_keeps_is_that_of_the_blurred_mean():
    rng = np.random.default_rng(5)
    frames, drift = 96, 4.0
    scene = ndimage.gaussian_filter(rng.standard_normal((140, 140)), 1.2)
    still = 1000 * scene[20:-20, 20:-20]
    path = np.linspace(-drift / 2, drift / 2, frames)
    moving = np.stack([ndimage.shift(scene, (p, 0), order=5)[20:-20, 20:-20] for p in path])
    moving = 1000 * moving + rng.normal(0, 50, moving.shape)
    found = measure_stillness(survey_recording(moving.astype(np.float32)))
    radius = np.hypot(*np.meshgrid(*(2 * [np.fft.fftfreq(100)])))
    fine = (radius >= 0.125) & (radius <= 0.5)
    taper = np.multiply.outer(np.hanning(100), np.hanning(100))
    power = [
        (np.abs(np.fft.fft2(i * taper)) ** 2)[fine].sum() for i in (moving.mean(axis=0), still)
    ]
    assert found.kept_detail == pytest.approx(power[0] / power[1], abs=0.1)


def test_a_shorter_window_keeps_more(scene):
    survey = scene((360, 96, 96), 0, drift_px=8.0).survey
    kept = [measure_stillness(survey, window=w).kept_detail for w in (360, 120, 40)]
    assert kept == sorted(kept)
    longest = measure_stillness(survey).longest_window
    assert measure_stillness(survey, window=longest).kept_detail >= 0.89


@pytest.mark.parametrize("shape", [(1, 64, 64), (8, 64, 64), (60, 8, 64), (60, 1, 1)])
def test_too_short_or_too_small_gives_nothing(shape, rng):
    assert measure_stillness(survey_recording(rng.poisson(5.0, shape).astype(np.uint16))) is None


def test_pure_noise_gives_nothing(rng):
    recording = rng.normal(100, 5, (200, 64, 64)).astype(np.float32)
    assert measure_stillness(survey_recording(recording)) is None

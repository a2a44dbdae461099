from __future__ import annotations

import numpy as np
import pytest

from freq2clean.inspection.noise import measure_noise
from freq2clean.inspection.survey import survey_recording


def true_snr_db(scene):
    signal = scene.truth.astype(np.float64) - scene.options["offset"]
    noise = scene.raw - scene.truth.astype(np.float64)
    return 10 * np.log10((signal**2).sum() / (noise**2).sum())


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"snr_db": -5.5, "read_noise": 40.0, "offset": 200.0},
        {"snr_db": 6.0, "gain": 30.0},
        {"snr_db": 0.0, "gain": 5.0, "offset": 30.0, "read_noise": 7.0},
        {"bleed": 0.4},
    ],
)
def test_gain_offset_and_snr_of_a_known_detector(scene, seed, options):
    one = scene(seed=seed, **options)
    true, noise = one.options, measure_noise(one.survey)
    assert noise.snr_db == pytest.approx(true_snr_db(one), abs=1.0)
    assert noise.gain == pytest.approx(true["gain"], rel=0.1)
    assert noise.offset == pytest.approx(true["offset"], abs=0.1 * noise.mean_signal)
    assert noise.offset_source == "skewness"
    assert noise.photons_per_pixel == pytest.approx(one.simulated.photons_per_pixel, rel=0.15)
    assert noise.read_noise_sd == pytest.approx(true["read_noise"], abs=0.1 * noise.sd)
    assert noise.sd == pytest.approx((one.raw - one.truth).std(), rel=0.05)


def test_float_recordings_on_another_scale_have_the_same_snr(scene):
    one = scene()
    before = measure_noise(one.survey)
    after = measure_noise(survey_recording(one.raw.astype(np.float64) * 1e-3 - 5))
    assert after.snr_db == pytest.approx(before.snr_db, abs=0.02)
    assert after.gain == pytest.approx(before.gain * 1e-3, rel=0.01)


def test_slow_signals_do_not_count_as_noise(rng):
    t = np.arange(400)[:, None, None]
    image = rng.uniform(50, 150, (48, 48))
    recording = image * (1 + 0.5 * np.sin(t / 20)) + rng.normal(0, 3, (400, 48, 48))
    assert measure_noise(survey_recording(recording)).sd == pytest.approx(3, rel=0.03)


def test_noise_that_does_not_grow_with_the_signal_gives_no_gain(rng):
    recording = rng.uniform(50, 150, (48, 48)) + rng.normal(0, 3, (300, 48, 48))
    noise = measure_noise(survey_recording(recording))
    assert noise.gain is None
    assert noise.photons_per_pixel is None
    assert noise.offset_source == "darkest pixels"
    assert noise.offset == pytest.approx(50, abs=3)


def test_dropped_lines_do_not_count_as_noise(scene):
    one = scene(snr_db=6.0, gain=30.0)
    raw = one.raw.copy()
    raw[np.random.default_rng(0).random(raw.shape[:2]) < 0.02] = 0
    with_lines, without = measure_noise(survey_recording(raw)), measure_noise(one.survey)
    assert with_lines.sd == pytest.approx(without.sd, rel=0.01)
    assert with_lines.snr_db == pytest.approx(without.snr_db, abs=0.1)
    assert with_lines.gain == pytest.approx(without.gain, rel=0.03)


@pytest.mark.parametrize("frames", [1, 2, 15])
def test_too_few_frames_give_nothing(scene, frames):
    assert measure_noise(survey_recording(scene().raw[:frames])) is None


def test_a_constant_recording_gives_nothing():
    assert measure_noise(survey_recording(np.full((40, 32, 32), 9, np.uint8))) is None

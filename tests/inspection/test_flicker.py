from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from freq2clean.inspection import inspect_recordings
from freq2clean.inspection.flicker import added_flicker, flicker_of
from freq2clean.inspection.noise import measure_noise
from freq2clean.inspection.survey import survey_recording


@pytest.fixture
def lit(scene):
    """A raw recording without flicker."""
    return scene(snr_db=6.0, gain=30.0)


def flickering(recording, offset, share, seed=2):
    """The recording under a light that varies by a share (SD) from frame to frame."""
    brightness = 1 + np.random.default_rng(seed).normal(0, share, (len(recording), 1, 1))
    return ((recording - offset) * brightness + offset).astype(np.float32)


def test_flicker_of_a_raw_recording_is_measured(lit):
    survey = survey_recording(flickering(lit.raw, lit.options["offset"], 0.08))
    assert flicker_of(survey, measure_noise(survey)) == pytest.approx(0.08, rel=0.25)
    assert flicker_of(lit.survey, measure_noise(lit.survey)) is None


def test_flicker_that_a_denoiser_took_over_is_not_its_own(lit, codes):
    raw = flickering(lit.raw, lit.options["offset"], 0.05)
    signal = raw - lit.options["offset"]
    compressed = 0.6 * signal + signal.mean()
    denoised = ndimage.gaussian_filter(compressed, (0, 1, 1))
    survey = survey_recording(denoised)
    inspection = inspect_recordings(raw, denoised)
    assert flicker_of(survey, measure_noise(survey)) is not None
    assert inspection.denoised.defects.flicker is None
    assert {"raw_flicker"} == {code for code in codes(inspection) if "flicker" in code}


@pytest.mark.parametrize("scale", [1.0, 1e-3])
def test_flicker_that_a_denoiser_added_is_measured(lit, scale):
    denoised = flickering(lit.denoised, lit.options["offset"], 0.06) * scale
    inspection = inspect_recordings(lit.raw, denoised)
    said = {finding.code: finding.sentence for finding in inspection.advice}
    assert inspection.denoised.defects.flicker == pytest.approx(0.06, rel=0.25)
    assert "more than the raw one" in said["denoised_flicker"]


def test_a_constant_denoised_recording_does_not_flicker(lit):
    raw = flickering(lit.raw, lit.options["offset"], 0.08)
    inspection = inspect_recordings(raw, np.zeros_like(raw))
    assert inspection.raw.defects.flicker is not None
    assert inspection.denoised.defects.flicker is None


def test_too_few_frames_give_no_flicker(lit):
    few = survey_recording(lit.raw[:15])
    noise = measure_noise(lit.survey)
    assert flicker_of(few, noise) is None
    assert added_flicker(lit.survey, few, noise, gain=1.0) is None
    assert added_flicker(few, lit.survey, None, gain=1.0) is None

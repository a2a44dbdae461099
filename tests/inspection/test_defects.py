from __future__ import annotations

import numpy as np
import pytest

from freq2clean.inspection.advice import describe_defects
from freq2clean.inspection.defects import find_defects
from freq2clean.inspection.flicker import flicker_of
from freq2clean.inspection.noise import measure_noise
from freq2clean.inspection.survey import survey_recording
from freq2clean.inspection.wrap import count_wrapped


def defects_of(recording):
    return defects_in(survey_recording(recording))


def defects_in(survey):
    return find_defects(survey, flicker=flicker_of(survey, measure_noise(survey)))


def said_of(defects):
    return {finding.code: finding.sentence for finding in describe_defects(defects, "raw")}


def is_clean(defects):
    return (
        not any((defects.dropped_lines, defects.masked_rows, defects.masked_columns))
        and not any((defects.not_finite, defects.wrapped))
        and defects.empty_frames == defects.repeated_frames == ()
        and defects.saturation_level is defects.floor_level is None
        and defects.column_stripes is defects.row_stripes is defects.flicker is None
        and not (defects.is_constant or defects.is_frozen)
    )


@pytest.mark.parametrize(("seed", "width"), [(0, 96), (1, 96), (2, 64), (3, 64)])
@pytest.mark.parametrize(
    "options", [{}, {"snr_db": 6.0, "gain": 30.0}, {"bleed": 0.4}, {"drift_px": 4.0}]
)
def test_no_false_alarm_on_clean_recordings(scene, seed, width, options):
    one = scene((240, 96, width), seed, **options)
    assert is_clean(defects_in(one.survey))
    assert is_clean(defects_of(one.denoised))


@pytest.mark.parametrize("photons", [0.003, 0.05, 0.3, 2.0])
def test_no_false_alarm_on_counted_photons(rng, photons):
    assert is_clean(defects_of(rng.poisson(photons, (200, 48, 48)).astype(np.uint8)))


def test_dropped_lines_are_counted(scene):
    raw = scene(snr_db=6.0, gain=30.0).raw.copy()
    planted = np.random.default_rng(0).random(raw.shape[:2]) < 0.01
    raw[planted] = 0
    defects = defects_of(raw)
    assert defects.dropped_lines == planted.sum()
    assert defects.frames_with_dropped_lines == planted.any(axis=1).sum()
    assert defects.masked_rows == 0


def test_a_masked_border_is_no_dropped_line(scene):
    raw = scene(snr_db=6.0, gain=30.0).raw.copy()
    raw[:, :5] = 0
    defects = defects_of(raw)
    assert defects.masked_rows == 5
    assert defects.dropped_lines == 0


def test_empty_and_repeated_frames_are_listed(scene):
    raw = scene().raw.copy()
    raw[[7, 200]] = 0
    raw[50:53] = raw[49]
    raw[-1] = raw[-2]
    defects = defects_of(raw)
    assert defects.empty_frames == (7, 200)
    assert defects.repeated_frames == (50, 51, 52, 239)
    assert defects.dropped_lines == 0


def test_a_frozen_recording(scene):
    defects = defects_of(np.repeat(scene().raw[:1], 30, axis=0))
    assert defects.is_frozen
    assert not defects.is_constant


@pytest.mark.parametrize("level", [255, 4095])
def test_saturation_is_found_at_its_level(scene, level):
    raw = scene(snr_db=6.0, gain=30.0).raw.astype(float)
    raw = np.minimum(raw * level / np.quantile(raw, 0.995), level).astype(np.uint16)
    defects = defects_of(raw)
    assert defects.saturation_level == level
    assert defects.saturated_share == pytest.approx(np.mean(raw == level), rel=0.05)


def test_noise_that_is_cut_off_from_below_is_found(scene):
    raw = scene(snr_db=6.0, gain=30.0).raw.astype(int)
    floor = int(np.quantile(raw, 0.05))
    defects = defects_of(np.maximum(raw, floor).astype(np.uint16))
    assert defects.floor_level == floor
    assert defects.floored_share == pytest.approx(0.05, abs=0.02)


def test_masked_columns_are_reported_and_are_no_floor(scene, rng):
    raw = scene(snr_db=6.0, gain=30.0).raw.copy()
    raw[:, :, 0] = 0
    raw[:, :, 1] = rng.random(raw.shape[:2]) < 0.2
    raw[[3, 77], 10] = 0
    defects = defects_of(raw)
    assert defects.masked_columns == 2
    assert defects.masked_rows == 0
    assert defects.floor_level is None
    assert "2 columns of zeros in most frames" in said_of(defects)["raw_masked_columns"]


@pytest.mark.parametrize("fill", [0, 17])
def test_a_masked_corner_is_no_floor_and_hides_none(scene, fill):
    raw = scene(snr_db=6.0, gain=30.0).raw.copy()
    corner = np.add.outer(*(np.arange(size) for size in raw.shape[1:])) < 30
    raw[:, corner] = fill
    assert defects_of(raw).floor_level is None
    assert defects_of(raw).masked_columns == 0
    floor = int(np.quantile(raw[:, ~corner], 0.05))
    raw[:, ~corner] = np.maximum(raw[:, ~corner], floor)
    defects = defects_of(raw)
    assert defects.floor_level == floor
    assert defects.floored_share == pytest.approx(0.05, abs=0.02)


@pytest.mark.parametrize("share", [0.005, 0.05])
def test_negative_values_that_wrapped_are_found(scene, share):
    denoised = scene().denoised
    below = denoised - np.quantile(denoised, share)
    wrapped = np.rint(below).astype(np.int64).astype(np.uint16)
    found = defects_of(wrapped).wrapped
    assert 0.3 * (wrapped > 60_000).sum() <= found <= (wrapped > 60_000).sum()


def test_bright_values_are_not_wrapped_ones(rng):
    block = rng.uniform(0, 65535, (20, 32, 32)).astype(np.uint16)
    assert count_wrapped(block) > 0
    assert defects_of(block).wrapped == 0
    assert count_wrapped(block.astype(np.float32)) == 0


@pytest.mark.parametrize("axis", [1, 2])
def test_stripes_are_measured(scene, axis):
    one = scene(snr_db=6.0, gain=30.0)
    pattern = np.random.default_rng(1).normal(0, 15, one.raw.shape[axis])
    pattern = np.expand_dims(pattern, [0, 3 - axis])
    defects = defects_of((one.raw + pattern).astype(np.float32))
    striped, plain = defects.row_stripes, defects.column_stripes
    if axis == 2:
        striped, plain = plain, striped
    assert striped == pytest.approx(15, rel=0.3)
    assert plain is None


def test_nan_is_counted_and_left_out(scene):
    one = scene()
    raw = one.raw.astype(np.float32)
    raw[:, 3, 4] = np.nan
    raw[17, 40, 41] = np.inf
    survey = survey_recording(raw)
    assert find_defects(survey, flicker=None).not_finite == len(raw) + 1
    assert np.argwhere(survey.unusable).tolist() == [[3, 4], [40, 41]]
    before, after = measure_noise(one.survey), measure_noise(survey)
    assert after.sd == pytest.approx(before.sd, rel=0.01)
    assert after.snr_db == pytest.approx(before.snr_db, abs=0.1)


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.float32])
def test_a_constant_recording(dtype):
    assert defects_of(np.full((20, 40, 40), 7, dtype)).is_constant

"""The whole chain on real recordings, which do not come with the code.

There is no ground truth: fused frames are compared with raw frames that the fusion has not seen,
and with the raw recording's own mean image.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from benchmarks.real_recordings import (
    Sample,
    between,
    changes,
    correlation,
    fall,
    load,
    noise_sd,
    ring_correlation,
    rms,
    row_stripes,
    slope,
    trace_of_line,
    traces,
)

from freq2clean import Auto, Wiener, denoise, fuse, inspect
from freq2clean.fusion.missing import missing_rows

DATA = Path(__file__).resolve().parents[2] / "../shared/data"

pytestmark = pytest.mark.skipif(
    not DATA.is_dir(), reason="the real recordings (folder shared/data) are not here"
)


@pytest.fixture(scope="module")
def samples():
    return {sample.name: sample for sample in load(DATA)}


@pytest.fixture(scope="module")
def crop(samples) -> Sample:
    return samples["neurofinder-crop"]


@pytest.fixture(scope="module")
def predicted(crop):
    return crop.upstream["deepcad-rt"]


@pytest.fixture(scope="module")
def fused(crop, predicted):
    return fuse(crop.raw, predicted)


@pytest.fixture(scope="module")
def raw_mean(crop):
    return np.nanmean(crop.measured, axis=0, dtype=np.float64)


@pytest.fixture(scope="module")
def mouse(samples) -> Sample:
    return samples["mouse-s1"]


@pytest.fixture(scope="module")
def mouse_blurred(mouse):
    return denoise(mouse.raw, model="gaussian")


def test_dropped_lines_darken_the_plain_mean_but_not_the_fused_one(crop, fused, raw_mean):
    assert crop.raw.mean() < 386
    assert raw_mean.mean() == pytest.approx(388.8, abs=0.1)
    assert fused.mean(dtype=np.float64) == pytest.approx(raw_mean.mean(), abs=0.5)


def test_fused_mean_image_is_the_raw_one_that_the_network_had_wrong(fused, predicted, raw_mean):
    mended, wrong = fused.mean(axis=0), predicted.mean(axis=0)
    assert rms(wrong - raw_mean) > 100
    assert rms(mended - raw_mean) < 7
    assert correlation(wrong, raw_mean) < 0.95
    assert correlation(mended, raw_mean) > 0.999
    assert mended.std() == pytest.approx(raw_mean.std(), rel=0.02)


def test_fusion_keeps_the_quiet_of_the_prediction(crop, fused, predicted):
    quiet = crop.quiet
    before = noise_sd(predicted, quiet)
    assert noise_sd(crop.measured, quiet) > 40 * before
    assert noise_sd(fused, quiet) < 1.05 * before


def test_no_stripes_in_the_fused_recording(crop, fused, predicted, raw_mean):
    assert not missing_rows(fused).any()
    assert row_stripes(fused.mean(axis=0) - raw_mean) < 1
    left = abs(trace_of_line(fused, crop.missing))
    assert left <= abs(trace_of_line(predicted, crop.missing))
    assert left < 0.05 * abs(trace_of_line(crop.raw.astype(np.float32), crop.missing))


@pytest.mark.parametrize("method", [Auto(), Wiener()])
def test_fused_odd_frames_are_closer_to_even_ones(crop, predicted, method):
    even = crop.measured[::2]
    odd = predicted[1::2]
    even_mean = np.nanmean(even, axis=0, dtype=np.float64)
    odd_mean = np.nanmean(crop.measured[1::2], axis=0, dtype=np.float64)
    fusion = method.fit(crop.raw[1::2], odd)
    result = fusion.apply(odd)

    assert rms(result.mean(axis=0) - even_mean) < rms(odd_mean - even_mean)
    rings = ring_correlation(result.mean(axis=0), even_mean)
    assert np.all(np.subtract(rings, ring_correlation(odd_mean, even_mean)) > -0.002)
    assert rings[-1] > ring_correlation(odd.mean(axis=0), even_mean)[-1] + 0.1
    measured = rms(odd - even) ** 2 - rms(result - even) ** 2
    assert measured == pytest.approx(fusion.findings["expected_mse_reduction"], rel=0.05)


def test_auto_brings_changes_closer_to_unseen_frames_than_wiener_does(crop):
    raw, unseen = crop.raw[1::2], between(crop.measured[::2])
    denoised = denoise(raw, model="gaussian")
    recordings = [m.fit(raw, denoised).apply(denoised)[:-1] for m in (Wiener(), Auto())]
    moving = [changes(recording) for recording in (*recordings, unseen)]
    in_cells, error = fall(*moving, crop.regions > 0)
    assert in_cells > 4 * error
    in_the_quiet, error = fall(*moving, crop.quiet)
    assert in_the_quiet > -2 * error


def test_cells_get_their_level_and_amplitude_back(crop, fused, predicted):
    raw = traces(crop.measured, crop.regions)
    off = [
        np.median(np.abs(np.median(traces(r, crop.regions), axis=1) - np.nanmedian(raw, axis=1)))
        for r in (predicted, fused)
    ]
    assert off[0] > 80
    assert off[1] < 5
    assert slope(raw, traces(predicted, crop.regions)) > 1.5
    assert slope(raw, traces(fused, crop.regions)) < 1.25


def test_inspection_tells_the_defects_of_both(crop, predicted):
    report = inspect(crop.raw, predicted)
    advice = {finding.code: finding.sentence for finding in report.advice}
    n_lines = report.raw.defects.dropped_lines
    assert n_lines == crop.missing.sum() > 500
    assert f"{n_lines} lines of zeros" in advice["raw_dropped_lines"]
    assert "will_help" in advice
    assert "less contrast" in advice["contrast"]
    assert "its mean is 481 counts, that of the raw one 389" in advice["other_level"]
    assert report.agreement.gain == pytest.approx(1.33, abs=0.03)
    level = report.agreement.gain * predicted.mean() + report.agreement.offset
    assert level == pytest.approx(388.8, abs=2)


def test_inspection_finds_little_to_gain_in_a_bright_recording(mouse, mouse_blurred):
    alone = {finding.code: finding.sentence for finding in inspect(mouse.raw).advice}
    assert "little to gain" in alone["snr"]
    assert "still" in alone
    assert "2 columns of zeros" in alone["raw_masked_columns"]
    assert "raw_floored" not in alone
    assert "nothing_to_add" in {f.code for f in inspect(mouse.raw, mouse_blurred).advice}


def test_fusion_changes_little_in_a_bright_recording(mouse, mouse_blurred):
    fused = fuse(mouse.raw, mouse_blurred)
    noise = noise_sd(mouse.measured, mouse.quiet)
    assert rms(fused.mean(axis=0) - mouse_blurred.mean(axis=0)) < 0.01 * noise
    assert rms(fused - mouse_blurred) < 0.25 * noise
    assert noise_sd(fused, mouse.quiet) < 0.03 * noise


def test_paths_and_arrays_give_the_same(tmp_path, mouse, mouse_blurred):
    np.save(tmp_path / "denoised.npy", mouse_blurred)
    result = fuse(DATA / "mouse-s1/raw.tif", tmp_path / "denoised.npy", out=tmp_path / "fused.npy")
    in_memory = fuse(mouse.raw, mouse_blurred)
    np.testing.assert_allclose(np.load(result.path), in_memory, atol=1e-3)

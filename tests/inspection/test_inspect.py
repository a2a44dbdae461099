from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from freq2clean.errors import InputError
from freq2clean.inspection import inspect_recordings

DATA = Path(__file__).resolve().parents[2] / "../shared/data"
MISPLACED = {"shifted_in_time", "shifted_in_space", "lengths_differ", "unrelated", "identical"}


def keep_the_mean(raw, components=3):
    """A projection denoiser: the mean image and a few principal components."""
    flat = raw.reshape(len(raw), -1).astype(np.float64)
    mean = flat.mean(axis=0)
    traces = np.linalg.eigh((flat - mean) @ (flat - mean).T)[1][:, -components:]
    kept = traces @ (traces.T @ (flat - mean))
    return (mean + kept).reshape(raw.shape).astype(np.float32)


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("options", [{}, {"snr_db": 6.0, "gain": 30.0}])
def test_a_blur_leaves_detail_to_give_back(scene, codes, seed, options):
    one = scene(seed=seed, **options)
    inspection = inspect_recordings(one.raw, one.denoised)
    assert "will_help" in codes(inspection)
    assert not MISPLACED & codes(inspection)
    assert not any(finding.severity != "info" for finding in inspection.advice)
    loss = inspection.agreement.loss
    difference = (one.truth - one.denoised).mean(axis=0)
    assert loss.sd == pytest.approx(difference.std(), rel=0.1)
    assert 0.5 < loss.regained_share < 1


def test_a_projection_leaves_nothing_to_add(scene, codes):
    raw = scene().raw
    inspection = inspect_recordings(raw, keep_the_mean(raw))
    said = {finding.code: finding.sentence for finding in inspection.advice}
    assert "fusion of the mean image (`fft`) has nothing to add" in said["nothing_to_add"]
    assert "`auto` and `wiener` look for it" in said["nothing_to_add"]
    assert not {*MISPLACED, "other_level"} & codes(inspection)


def test_the_truth_leaves_nothing_to_add(scene, codes):
    one = scene()
    assert "nothing_to_add" in codes(inspect_recordings(one.raw, one.truth))


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_identical(scene, codes, dtype):
    raw = scene().raw
    assert "identical" in codes(inspect_recordings(raw, raw.astype(dtype)))


def test_almost_identical_is_not_identical(scene, codes):
    raw = scene().raw
    other = raw.copy()
    other[100, 50, 50] += 1
    found = codes(inspect_recordings(raw, other))
    assert "identical" not in found
    assert "hardly_denoised" in found


@pytest.mark.parametrize(("scale", "offset"), [(1 / 3000, 0.0), (1.0, -300.0), (40.0, 7.0)])
def test_another_scale_is_measured(scene, codes, scale, offset):
    one = scene(snr_db=6.0, gain=30.0)
    inspection = inspect_recordings(one.raw, ndimage.gaussian_filter(one.truth, 1) * scale + offset)
    assert "other_scale" in codes(inspection)
    assert inspection.agreement.gain == pytest.approx(1 / scale, rel=0.1)
    assert not MISPLACED & codes(inspection)


@pytest.mark.parametrize("share", [-0.2, 0.08])
def test_another_level_is_said(scene, share):
    one = scene(snr_db=6.0, gain=30.0)
    signal = one.raw.mean() - one.options["offset"]
    inspection = inspect_recordings(one.raw, one.denoised + np.float32(share * signal))
    said = {finding.code: finding for finding in inspection.advice}
    assert said["other_level"].severity == "warning"
    for level in (one.raw.mean(), one.denoised.mean() + share * signal):
        assert f"{level:.0f}" in said["other_level"].sentence
    assert inspection.agreement.denoised_level - inspection.agreement.raw_level == pytest.approx(
        share * signal, rel=0.1
    )


@pytest.mark.parametrize("share", [0.0, 0.02])
def test_a_level_that_is_hardly_off_is_not_said(scene, codes, share):
    one = scene(snr_db=6.0, gain=30.0)
    signal = one.raw.mean() - one.options["offset"]
    near = one.denoised + np.float32(share * signal)
    assert "other_level" not in codes(inspect_recordings(one.raw, near))


def test_a_level_that_is_off_by_chance_is_not_said(rng, codes):
    image = ndimage.gaussian_filter(rng.uniform(0, 400, (32, 32)), 2)
    common = rng.normal(0, 150, (32, 1, 1))
    raw = image + common + rng.normal(0, 5, (32, 32, 32))
    found = inspect_recordings(raw, np.repeat(image[None], 32, axis=0) + 0.2 * common)
    assert abs(found.agreement.raw_level - found.agreement.denoised_level) > 3
    assert "other_level" not in codes(found)


@pytest.mark.parametrize(("first", "last"), [(0, 9), (9, 0), (6, 6)])
def test_frames_that_a_denoiser_dropped_are_located(scene, codes, first, last):
    one = scene(snr_db=6.0, gain=30.0)
    short = one.denoised[first : len(one.denoised) - last]
    inspection = inspect_recordings(one.raw, short)
    assert "lengths_differ" in codes(inspection)
    assert inspection.agreement.frames_lost == first + last
    assert inspection.agreement.lag == first


@pytest.mark.parametrize("lag", [-5, 1, 4])
def test_a_shift_in_time_is_found(scene, codes, lag):
    one = scene(snr_db=6.0, gain=30.0)
    quiet = ndimage.gaussian_filter(one.raw.astype(np.float32), (1, 1.5, 1.5))
    inspection = inspect_recordings(one.raw, np.roll(quiet, -lag, axis=0))
    assert "shifted_in_time" in codes(inspection)
    assert inspection.agreement.lag == lag


@pytest.mark.parametrize("shift", [(2, -3), (0, 1)])
def test_a_shift_in_space_is_found(scene, codes, shift):
    one = scene(snr_db=6.0, gain=30.0)
    moved = np.roll(one.denoised, shift, axis=(1, 2))
    inspection = inspect_recordings(one.raw, moved)
    assert "shifted_in_space" in codes(inspection)
    np.testing.assert_allclose(inspection.agreement.shift_px, shift, atol=0.2)


def test_an_unrelated_recording_is_found(scene, codes):
    assert "unrelated" in codes(inspect_recordings(scene().raw, scene(seed=1).denoised))


def test_a_constant_denoised_recording(scene, codes):
    raw = scene().raw
    inspection = inspect_recordings(raw, np.zeros(raw.shape, np.float32))
    assert inspection.agreement is None
    assert inspection.advice[0].code == "denoised_constant"


def test_a_high_snr_promises_little_and_a_low_one_much(scene):
    bright = inspect_recordings(scene(snr_db=15.0, gain=2.0).raw)
    dark = inspect_recordings(scene().raw)
    assert any("little to gain" in finding.sentence for finding in bright.advice)
    assert any("very noisy" in finding.sentence for finding in dark.advice)


def test_drift_limits_the_window(scene, codes):
    raw = scene((360, 96, 96), 0, drift_px=8.0).raw
    whole = inspect_recordings(raw)
    assert "window_too_long" in codes(whole)
    longest = whole.raw.stillness.longest_window
    assert 10 < longest < 200
    assert "window_too_long" not in codes(inspect_recordings(raw, window=longest))


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 64, 64), (2, 5, 7), (17, 3, 40), (30, 20, 20)])
def test_tiny_recordings_are_answered(rng, shape):
    raw = rng.poisson(5.0, shape).astype(np.uint16)
    inspection = inspect_recordings(raw, ndimage.gaussian_filter(raw.astype(np.float32), 1))
    assert inspection.advice
    json.dumps(inspection.as_dict(), allow_nan=False)


@pytest.mark.parametrize("value", [0.0, 3.0, np.nan])
def test_constant_or_empty_recordings_are_answered(codes, value):
    raw = np.full((20, 32, 32), value, np.float32)
    inspection = inspect_recordings(raw, raw)
    assert "raw_constant" in codes(inspection)
    json.dumps(inspection.as_dict(), allow_nan=False)


def test_the_same_input_gives_the_same_answer(scene):
    one = scene()
    first, second = (inspect_recordings(one.raw, one.denoised) for _ in range(2))
    assert first.as_dict() == second.as_dict()


def test_a_lazy_recording_gives_what_its_array_gives(scene):
    one = scene()
    told = []
    lazy = inspect_recordings(
        one.simulated.raw, one.denoised, progress=lambda *frames: told.append(frames)
    )
    assert lazy.as_dict() == inspect_recordings(one.raw, one.denoised).as_dict()
    assert told[-1] == (480, 480)


@pytest.mark.parametrize(
    ("raw", "denoised", "window"),
    [
        (np.zeros((4, 4)), None, None),
        (np.zeros((0, 4, 4)), None, None),
        (np.zeros((4, 4, 4), complex), None, None),
        (np.zeros((4, 4, 4)), np.zeros((4, 4, 5)), None),
        (np.zeros((4, 4, 4)), None, 0),
    ],
)
def test_wrong_input_is_refused(raw, denoised, window):
    with pytest.raises(InputError):
        inspect_recordings(raw, denoised, window=window)


def test_a_real_recording_with_dropped_lines(codes):
    tifffile = pytest.importorskip("tifffile")
    folder = DATA / "neurofinder-crop"
    if not folder.is_dir():
        pytest.skip("the shared recordings are not beside this checkout")
    raw = tifffile.imread(folder / "raw.tif")
    denoised = tifffile.imread(folder / "denoised_deepcad_rt.tif")
    inspection = inspect_recordings(raw, denoised)
    assert inspection.raw.defects.dropped_lines == np.count_nonzero(~raw.any(axis=2)) == 666
    assert {"will_help", "contrast", "raw_dropped_lines", "other_level"} <= codes(inspection)
    assert not MISPLACED & codes(inspection)
    assert inspection.raw.stillness.range_px < 1.5

"""Fusion of recordings that move, with and without registration."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from freq2clean import fuse, open_recording
from freq2clean.simulation.motion import margin_for, view


@pytest.fixture(scope="module")
def moving():
    """A raw recording (uint16), its blurred version (float32) and truth, which shake and drift."""

    def make(shape=(90, 43, 51), jitter_px=1.0, drift_px=4.0, seed=4):
        rng = np.random.default_rng(seed)
        shifts = np.linspace(-0.5, 0.5, shape[0])[:, None] * [drift_px, 0]
        shifts = shifts + rng.normal(0, jitter_px, (shape[0], 2))
        margin = margin_for(shifts)
        scene = gaussian_filter(rng.standard_normal([n + 2 * margin for n in shape[1:]]), 1.0)
        scene = (60 + 25 * scene / scene.std()).clip(1).astype(np.float32)
        truth = np.stack([view(scene, shift, margin) for shift in shifts])
        raw = rng.poisson(truth).astype(np.uint16)
        denoised = gaussian_filter(truth, (0, 2, 2)) + rng.normal(0, 0.5, shape)
        return raw, denoised.astype(np.float32), truth, shifts

    return make


@pytest.fixture(scope="module")
def shaken(moving):
    made = moving()
    for array in made:
        array.flags.writeable = False
    return made


def error(fused, truth) -> float:
    return float(np.sqrt(np.mean(np.square(fused - truth))))


@pytest.mark.parametrize("method", ["wiener", "subspace", "fft", "dct"])
def test_what_moves_is_fused_better_where_it_is_still(shaken, method):
    raw, denoised, truth, _ = shaken
    options = {"alpha": 1.0} if method == "fft" else {}
    fused = fuse(raw, denoised, method=method, register=True, **options)
    without = fuse(raw, denoised, method=method, **options)
    assert fused.shape == raw.shape
    assert fused.dtype == np.float32
    assert error(fused, truth) < 0.9 * min(error(without, truth), error(denoised, truth))
    if method in ("wiener", "subspace"):
        assert error(fused, truth) < 0.5 * error(without, truth)


def test_a_denoised_recording_that_stands_still_is_moved(shaken, tmp_path):
    raw, _, truth, _ = shaken
    average = gaussian_filter(truth, (6, 1, 1))
    result = fuse(raw, average, method="wiener", register=True, out=tmp_path / "fused.npy")
    assert result.findings["registration"]["rms_lag_of_denoised_px"] > 1
    assert any("does not follow" in note for note in result.notes)
    assert error(np.load(result.path), truth) < 0.5 * error(average, truth)
    assert error(np.load(result.path), truth) < 0.5 * error(
        fuse(raw, average, method="wiener"), truth
    )


def test_borders_gain_too(shaken):
    raw, denoised, truth, _ = shaken
    fused = fuse(raw, denoised, method="wiener", register=True)
    for border in (np.s_[:, :4], np.s_[:, -4:], np.s_[:, :, :4], np.s_[:, :, -4:]):
        assert error(fused[border], truth[border]) < 0.7 * error(denoised[border], truth[border])


@pytest.mark.parametrize("method", ["wiener", "subspace"])
def test_what_is_still_is_fused_as_without(moving, tmp_path, method):
    raw, denoised, _, _ = moving(jitter_px=0.0, drift_px=0.0)
    result = fuse(raw, denoised, method=method, register=True, out=tmp_path / "fused.npy")
    np.testing.assert_array_equal(np.load(result.path), fuse(raw, denoised, method=method))
    assert result.findings["registration"]["registered"] is False
    assert any(note.startswith("not registered: ") for note in result.notes)


@pytest.mark.parametrize("method", ["wiener", "subspace"])
def test_the_size_of_blocks_changes_nothing(moving, monkeypatch, tmp_path, method):
    raw, denoised, _, _ = moving((80, 33, 35))
    options = {"method": method, "window": 40, "register": True}
    whole = fuse(raw, denoised, **options)
    monkeypatch.setattr("freq2clean.pipeline.streamed.block_frames", lambda *_, memory_bytes: 14)
    np.testing.assert_allclose(fuse(raw, denoised, **options), whole, atol=1e-3)
    written = fuse(raw, denoised, **options, out=tmp_path / "fused.npy")
    np.testing.assert_allclose(np.load(written.path), whole, atol=1e-3)


def test_the_shifts_are_named_and_kept_with_the_file(shaken, tmp_path):
    raw, denoised, _, shifts = shaken
    result = fuse(
        raw, denoised, method="wiener", register=True, out=tmp_path / "fused.tif", dtype="same"
    )
    found = result.findings["registration"]
    difference = np.array(found["shifts_px"]) - shifts
    assert np.std(difference, axis=0).max() < 0.1
    assert found["max_shift_px"] == pytest.approx(np.hypot(*shifts.T).max(), abs=0.6)
    assert 0 < found["error_px"] < 0.1
    assert result.parameters["register"] is True
    assert result.dtype == "uint16"
    assert any(note.startswith("registered: ") for note in result.notes)
    json.dumps(result.as_dict(), allow_nan=False)
    with open_recording(result.path) as fused:
        kept = fused.metadata.provenance["registration"]
        assert fused.shape == raw.shape
    assert kept == {key: value for key, value in found.items() if key != "shifts_px"}


def test_nan_stays_where_it_was_and_dropped_lines_are_mended(shaken):
    raw, denoised, truth, _ = shaken
    raw, denoised = raw.astype(np.float32), denoised.copy()
    raw[5, 3, 4] = np.nan
    raw[20] = np.nan
    denoised[9, 8, 7] = np.nan
    raw[::6, 10:12] = 0
    fused = fuse(raw, denoised, method="wiener", register=True)
    lost = np.isnan(fused)
    expected = np.zeros(raw.shape, np.bool_)
    expected[5, 3, 4] = expected[20] = expected[9, 8, 7] = True
    np.testing.assert_array_equal(lost, expected)
    lines = np.s_[::6, 10:12]
    assert error(fused[lines], truth[lines]) < 0.7 * error(denoised[lines], truth[lines])


def test_another_scale_is_matched_and_said(shaken, tmp_path):
    raw, denoised, truth, _ = shaken
    result = fuse(
        raw, (denoised - 50) / 1000, method="wiener", register=True, out=tmp_path / "fused.npy"
    )
    assert any("another scale" in note for note in result.notes)
    assert 900 < result.findings["scale"]["gain"] < 1500
    assert error(np.load(result.path), truth) < 0.6 * error(denoised, truth)


@pytest.mark.parametrize("shape", [(1, 32, 32), (2, 33, 17), (9, 1, 40)])
@pytest.mark.parametrize("constant", [False, True])
def test_strange_shapes_and_constant_recordings_pass(shape, constant):
    rng = np.random.default_rng(0)
    raw = np.full(shape, 7, np.uint16) if constant else rng.poisson(50, shape).astype(np.uint16)
    denoised = np.full(shape, 7.0 if constant else 50.0, np.float32)
    fused = fuse(raw, denoised, method="wiener", register=True)
    np.testing.assert_array_equal(fused, fuse(raw, denoised, method="wiener"))


def test_progress_rises_to_the_end(shaken):
    raw, denoised, _, _ = shaken
    reported = []
    fuse(
        raw,
        denoised,
        method="wiener",
        register=True,
        progress=lambda done, total: reported.append(done / total),
    )
    assert reported == sorted(reported)
    assert reported[-1] == 1

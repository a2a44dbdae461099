"""Evaluate, inspect, denoise and simulate, on arrays and on files."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest
import tifffile

from freq2clean import (
    InputError,
    OutputError,
    SSIM3DOptions,
    denoise,
    evaluate,
    fuse,
    inspect,
    open_recording,
    simulate,
)

SUFFIXES = (".tif", ".zarr", ".h5", ".npy")


def psnr(truth: np.ndarray, recording: np.ndarray, data_range: float) -> float:
    error = np.square(recording.astype(np.float64) - truth).mean()
    return 10 * np.log10(data_range**2 / error)


def test_evaluate_scores_arrays_and_files_alike(pair, save, tmp_path):
    truth = save(tmp_path / "truth.tif", pair.truth)
    denoised = save(tmp_path / "denoised.zarr", pair.denoised)
    of_arrays = evaluate(pair.truth, pair.denoised, data_range=300)
    of_files = evaluate(truth, denoised, data_range=300, memory="100MB")
    assert of_files.as_dict() == of_arrays.as_dict()
    assert of_arrays.psnr_db == pytest.approx(psnr(pair.truth, pair.denoised, 300), abs=1e-6)


def test_evaluate_in_small_blocks_gives_the_same(pair, monkeypatch):
    whole = evaluate(pair.truth, pair.denoised, data_range="q99.9")
    monkeypatch.setattr("freq2clean.pipeline.evaluating.block_frames", lambda *_, memory_bytes: 9)
    tiled = evaluate(pair.truth, pair.denoised, data_range="q99.9")
    for name in ("psnr_db", "psnr_active_db", "ssim_frames", "data_range"):
        assert getattr(tiled, name) == pytest.approx(getattr(whole, name), rel=1e-6)
    assert tiled.ssim3d.value == pytest.approx(whole.ssim3d.value, abs=1e-5)


def test_evaluate_takes_a_percentile_of_the_truth(pair):
    scores = evaluate(pair.truth, pair.denoised, data_range="q99")
    assert scores.data_range == pytest.approx(np.quantile(pair.truth, 0.99), rel=0.02)


@pytest.mark.parametrize("normalisation", ["own", "truth", None])
def test_evaluate_says_its_convention(pair, normalisation):
    data_range = 300.0 if normalisation is None else None
    options = SSIM3DOptions(normalisation=normalisation, data_range=data_range, stride=2)
    scores = evaluate(pair.truth, pair.denoised, data_range=300, ssim3d=options)
    assert scores.ssim3d.options == options
    assert 0 < scores.ssim3d.value < 1


@pytest.mark.parametrize("suffix", [".tif", ".npy"])
def test_evaluate_reads_masks(pair, tmp_path, suffix):
    labels = np.zeros(pair.truth.shape[1:], np.uint16)
    labels[3:9, 3:9], labels[12:20, 14:22] = 1, 2
    file = tmp_path / f"labels{suffix}"
    tifffile.imwrite(file, labels) if suffix == ".tif" else np.save(file, labels)
    scores = evaluate(pair.truth, pair.denoised, data_range=300, masks=file)
    assert scores.roi_correlation is not None
    assert scores.roi_correlation.traces == 2
    given = evaluate(pair.truth, pair.denoised, data_range=300, masks=labels).roi_correlation
    assert scores.roi_correlation.mean == given.mean
    true, traces = (
        [m[:, labels == i].mean(1) for i in (1, 2)] for m in (pair.truth, pair.denoised)
    )
    expected = np.mean([np.corrcoef(a, b)[0, 1] for a, b in zip(true, traces, strict=True)])
    assert scores.roi_correlation.mean == pytest.approx(expected, abs=1e-4)


def test_evaluate_aligns(pair):
    scores = evaluate(pair.truth, pair.denoised[5:], data_range=300, align="end")
    assert scores.frames == 65
    assert scores.psnr_db == pytest.approx(psnr(pair.truth[5:], pair.denoised[5:], 300), abs=1e-6)


def test_evaluate_reports_progress(pair):
    reported = []
    evaluate(pair.truth, pair.denoised, data_range=300, progress=lambda *at: reported.append(at))
    assert reported == sorted(reported)
    assert reported[-1] == (140, 140)


def codes(found) -> set[str]:
    return {finding.code for finding in found.advice}


def test_inspect_finds_arrays_and_files_alike(pair, save, tmp_path):
    raw = save(tmp_path / "raw.h5", pair.raw)
    denoised = save(tmp_path / "denoised.tif", pair.denoised)
    found = inspect(pair.raw, pair.denoised)
    assert inspect(raw, denoised).as_dict() == found.as_dict()
    json.dumps(found.as_dict(), allow_nan=False)


def test_inspect_measures_the_raw_noise_and_knows_a_copy(pair):
    found = inspect(pair.raw, pair.raw)
    assert "identical" in codes(found)
    noise = found.raw.noise
    assert noise is not None
    assert noise.gain == pytest.approx(1, abs=0.15)


def test_inspect_tells_another_scale(pair):
    assert any(
        "scale" in finding.sentence for finding in inspect(pair.raw, pair.denoised / 1000).advice
    )


@pytest.mark.parametrize("model", ["gaussian", "pca"])
def test_denoise_gives_the_same_for_arrays_and_files(pair, save, tmp_path, model):
    raw = save(tmp_path / "raw.zarr", pair.raw)
    denoised = denoise(pair.raw, model=model)
    result = denoise(raw, model=model, out=tmp_path / "denoised.tif")
    assert denoised.dtype == np.float32
    with open_recording(result.path) as written:
        np.testing.assert_allclose(written[:], denoised, atol=1e-3)
        assert written.metadata.frame_rate_hz == pytest.approx(12.5)
        assert written.metadata.provenance["model"] == model
    assert np.square(denoised - pair.truth).mean() < 0.5 * np.square(pair.raw - pair.truth).mean()
    json.dumps(result.as_dict(), allow_nan=False)


def test_denoise_then_fuse_gains(make_pair, tmp_path):
    raw, _, truth = make_pair((200, 40, 44))
    denoised = denoise(raw)
    fused = fuse(raw, denoised)
    assert np.square(fused - truth).mean() < np.square(denoised - truth).mean()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"model": "magic"}, "gaussian"),
        ({"sharpen": True}, "sharpen"),
        ({"dtype": "uint16"}, "give out"),
        ({"memory": "none"}, "500MB"),
    ],
)
def test_denoise_refuses_what_it_does_not_use(pair, options, says):
    with pytest.raises(InputError, match=says):
        denoise(pair.raw, **options)


def test_denoise_may_not_replace_its_input(pair, save, tmp_path):
    raw = save(tmp_path / "raw.npy", pair.raw)
    for source in (raw, np.load(raw, mmap_mode="r")):
        with pytest.raises(OutputError, match="one of the inputs"):
            denoise(source, out=raw)


def test_simulate_writes_what_it_returns(tmp_path):
    simulated = simulate((30, 64, 72), seed=4, out=tmp_path / "new" / "sim", snr_db=-3.0)
    folder = tmp_path / "new" / "sim"
    assert {path.name for path in folder.iterdir()} == {
        "raw.tif", "truth.tif", "labels.tif", "traces.npy", "spikes.npy",
    }  # fmt: skip
    for name in ("raw", "truth"):
        with open_recording(folder / f"{name}.tif") as written:
            expected = getattr(simulated, name)
            np.testing.assert_array_equal(written[:], expected[:])
            assert written.dtype == expected.dtype
            assert written.metadata.frame_rate_hz == pytest.approx(30)
            assert written.metadata.provenance["simulated"]["seed"] == 4
    np.testing.assert_array_equal(np.load(folder / "traces.npy"), simulated.traces)
    np.testing.assert_array_equal(np.load(folder / "spikes.npy"), simulated.spikes)
    assert simulated.traces.shape[1] == 30
    np.testing.assert_array_equal(tifffile.imread(folder / "labels.tif"), simulated.labels)
    scores = evaluate(
        folder / "truth.tif", folder / "raw.tif", data_range="q99.9", masks=folder / "labels.tif"
    )
    assert scores.roi_correlation is not None


def test_simulate_without_cells_writes_empty_traces(tmp_path):
    simulated = simulate((20, 24, 24), seed=0, out=tmp_path)
    assert np.load(tmp_path / "traces.npy").shape == simulated.traces.shape


def test_simulate_checks_before_it_makes_a_folder(tmp_path):
    for bad in ({"memory": "little"}, {"gain": -1.0}, {"colour": "red"}):
        with pytest.raises((InputError, TypeError)):
            simulate((20, 32, 32), seed=0, out=tmp_path / "sim", **bad)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_whole_chain_in_every_format(suffix, tmp_path):
    simulate((200, 64, 64), seed=2, out=tmp_path)
    raw, truth = tmp_path / "raw.tif", tmp_path / "truth.tif"
    denoised = denoise(raw, out=tmp_path / f"denoised{suffix}").path
    fused = fuse(raw, denoised, out=tmp_path / f"fused{suffix}").path
    scores = {
        name: evaluate(truth, path, data_range="q99.9").psnr_db
        for name, path in (("raw", raw), ("denoised", denoised), ("fused", fused))
    }
    assert scores["raw"] + 6 < scores["denoised"] < scores["fused"]


def test_a_dataset_inside_a_file_is_named(pair, tmp_path):
    with h5py.File(tmp_path / "many.h5", "w") as file:
        file["a/raw"], file["a/denoised"] = pair.raw, pair.denoised
    file = tmp_path / "many.h5"
    fused = fuse(f"{file}::/a/raw", f"{file}::/a/denoised")
    np.testing.assert_array_equal(fused, fuse(pair.raw, pair.denoised))

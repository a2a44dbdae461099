from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from freq2clean import simulate
from freq2clean.denoisers import DENOISERS
from freq2clean.errors import InputError
from freq2clean.studies import PRESETS, SUMMARY, study_patch_t, summarised, verdicts
from freq2clean.studies.steps import SCORES

SHAPE = 48, 20, 20
METHODS = ["denoised", "fft", "dct", "wiener", "subspace", "auto"]
SCORING = ("psnr_db", "psnr_active_db", "ssim3d", "patch_t", "method")


class StoppedError(Exception):
    pass


def scores(rows):
    return [tuple(row[name] for name in SCORING) for row in rows]


def stop_after_the_first_epoch(folder):
    """Progress that fails as soon as a training has left a model."""

    def report(done, total):
        if any(not (p.parent / "stage.json").exists() for p in folder.rglob("model.pth")):
            raise StoppedError

    return report


def test_a_stopped_training_goes_on_after_its_last_epoch(tmp_path):
    from freq2clean.denoisers.deepcad.checkpoint import read_checkpoint

    folder, whole = tmp_path / "stopped", tmp_path / "whole"
    with pytest.raises(StoppedError):
        study_patch_t(
            folder, preset="tiny", patch_t=[8], progress=stop_after_the_first_epoch(folder)
        )
    (model,) = folder.rglob("model.pth")
    before = read_checkpoint(model).history
    rows = study_patch_t(folder, preset="tiny", patch_t=[8])
    record = json.loads((model.parent / "stage.json").read_text())["result"]
    after = record["findings"]["history"]
    assert len(before) == 1
    assert len(after) == 2
    assert after[0] == before[0]
    assert record["seconds"] == sum(epoch["seconds"] for epoch in after)
    assert scores(rows) == scores(study_patch_t(whole, preset="tiny", patch_t=[8]))


def test_a_denoiser_without_patch_t_is_trained_once(tmp_path, monkeypatch):
    monkeypatch.setitem(DENOISERS, "noise2void", DENOISERS["gaussian"])
    monkeypatch.setitem(PRESETS, "noise2void", replace(PRESETS["noise2void"], shape=(60, 24, 24)))
    rows = study_patch_t(tmp_path, preset="noise2void", seeds=[3])
    assert [row["method"] for row in rows] == METHODS
    assert {(row["denoiser"], row["patch_t"], row["seed"]) for row in rows} == {
        ("noise2void", None, 3)
    }
    assert verdicts(rows) == []
    (model,) = tmp_path.rglob("model.pth")
    (model.parent / "stage.json").unlink()
    again = study_patch_t(tmp_path, preset="noise2void", seeds=[3])
    assert scores(again) == scores(rows)
    with pytest.raises(InputError, match="has none"):
        study_patch_t(tmp_path, preset="noise2void", patch_t=[8])


def row(patch_t, method, psnr_db, ssim3d, seconds, seed=0):
    values = dict.fromkeys(SCORES, 0.0) | {"psnr_db": psnr_db, "ssim3d": ssim3d}
    return {
        "denoiser": "deepcad", "patch_t": patch_t, "seed": seed, "method": method,
        "training_seconds": seconds, **values,
    }  # fmt: skip


def test_the_second_shortest_fused_is_set_beside_the_longest_denoised():
    rows = [
        row(15, "denoised", 20.0, 0.5, 1.0), row(15, "fft", 99.0, 0.9, 1.0),
        row(30, "denoised", 21.0, 0.5, 2.0), row(30, "fft", 24.0, 0.7, 2.0),
        row(300, "denoised", 23.0, 0.6, 10.0), row(300, "fft", 26.0, 0.8, 10.0),
    ]  # fmt: skip
    denoised, fft = verdicts(rows)
    assert (denoised.method, denoised.holds) == ("denoised", False)
    assert (fft.method, fft.short_patch_t, fft.long_patch_t, fft.holds) == ("fft", 30, 300, True)
    assert fft.psnr_gain_db == pytest.approx(1)
    assert fft.ssim3d_gain == pytest.approx(0.1)
    assert fft.times_faster == 5
    rows[3]["ssim3d"] = 0.6
    assert not verdicts(rows)[1].holds
    assert verdicts(rows[:2]) == []


def test_several_seeds_are_means_and_ranges():
    rows = [
        row(length, method, 20.0 + seed + gain, 0.5 + gain / 100, 60.0 * length, seed)
        for seed in (0, 1, 3)
        for length in (15, 30)
        for method, gain in {"denoised": 0.0, "fft": 2.0 - seed}.items()
    ]
    denoised, fft = (one for one in summarised(rows) if one["patch_t"] == 15)
    assert tuple(fft) == SUMMARY
    assert (denoised["n_seeds"], denoised["method"], fft["method"]) == (3, "denoised", "fft")
    assert denoised["psnr_db"] == pytest.approx(20 + 4 / 3)
    assert (denoised["psnr_db_lowest"], denoised["psnr_db_highest"]) == (20, 23)
    assert (fft["psnr_db_lowest"], fft["psnr_db_highest"]) == (22, 22)
    assert fft["ssim3d"] == pytest.approx(0.5 + 2 / 300)
    assert fft["training_seconds"] == 900
    _, fft = verdicts(rows)
    assert fft.psnr_gain_db == pytest.approx(2 - 4 / 3)
    assert fft.psnr_gain_range_db == (-1, 2)
    assert fft.ssim3d_gain_range == pytest.approx((-0.01, 0.02))
    assert (fft.n_seeds, fft.n_held, fft.holds, fft.times_faster) == (3, 2, False, 2)


def test_each_seed_is_a_recording_and_a_training_of_its_own(tmp_path):
    both = study_patch_t(tmp_path / "both", preset="tiny", patch_t=[8], seeds=[3, 5, 3])
    assert [row["seed"] for row in both] == [3] * len(METHODS) + [5] * len(METHODS)
    alone = study_patch_t(tmp_path / "alone", preset="tiny", patch_t=[8], seeds=[5])
    assert scores(alone) == scores(both[len(METHODS) :])
    assert scores(both[: len(METHODS)]) != scores(alone)
    for seeds in ([], [0, -1]):
        with pytest.raises(InputError, match="give one or more numbers from 0 up"):
            study_patch_t(tmp_path / "none", preset="tiny", seeds=seeds)
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("name", sorted(set(PRESETS) - {"tiny"}))
def test_every_preset_goes_through(tmp_path, monkeypatch, operators, name):
    """With all that it says but its sizes."""
    preset = PRESETS[name]
    if preset.model == "noise2void":
        pytest.importorskip("careamics", reason="CAREamics is not installed")
    sizes = {"patch_y": 16, "patch_x": 16, "patches_per_epoch": 2, "n_epochs": 1}
    lengths = preset.patch_t and (8,)
    shrunk = replace(
        preset,
        shape=preset.shape and SHAPE,
        patch_t=lengths,
        training={**preset.training, **sizes, "base_channels": 8},
    )
    monkeypatch.setitem(PRESETS, name, shrunk)
    recordings = {}
    if preset.shape is None:
        simulate(SHAPE, seed=3, out=tmp_path)
        recordings = {"truth": tmp_path / "truth.tif", "raw": tmp_path / "raw.tif"}
    rows = study_patch_t(tmp_path / "study", preset=name, device="cpu", **recordings)
    assert {row["denoiser"] for row in rows} == {preset.model}
    assert {row["patch_t"] for row in rows} == set(lengths or [None])
    assert np.isfinite([row[metric] for row in rows for metric in SCORES]).all()
    assert {row["training_voxels"] for row in rows} == {8 * 16 * 16 * 2 if lengths else None}

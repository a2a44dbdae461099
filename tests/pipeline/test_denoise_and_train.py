"""Train on files, denoise with what was trained, and refuse what cannot be."""

import json

import numpy as np
import pytest
import tifffile

from freq2clean.denoisers.deepcad import DeepCAD
from freq2clean.errors import InputError, MissingExtraError, OutputError
from freq2clean.pipeline import denoise, train

TINY = {
    "patch_t": 8,
    "patch_y": 16,
    "patch_x": 16,
    "patches_per_epoch": 4,
    "n_epochs": 1,
    "base_channels": 2,
}


@pytest.fixture
def raw_file(pair, save, tmp_path):
    return save(tmp_path / "raw.tif", pair.raw)


def test_train_then_denoise(pair, raw_file, tmp_path):
    model, out, seen = tmp_path / "model.pth", tmp_path / "out.tif", []
    result = train(raw_file, out=model, progress=lambda *report: seen.append(report), **TINY)
    assert seen[-1] == (4, 4)
    assert result.recordings == [str(raw_file)]
    json.dumps(result.as_dict())
    denoised = denoise(
        raw_file, model="deepcad", checkpoint=model, out=out, tile_yx=64,
        progress=lambda *report: seen.append(report),
    )  # fmt: skip
    assert seen[-1] == (70, 70)
    json.dumps(denoised.as_dict())
    assert denoised.parameters == {"model": "deepcad", "tile_yx": 64, "checkpoint": "model.pth"}
    assert denoised.notes == []
    expected = DeepCAD(**TINY).fit(pair.raw).predict(pair.raw)[:]
    np.testing.assert_allclose(tifffile.imread(out), expected, rtol=1e-5)


@pytest.mark.parametrize("model", ["gaussian", "pca"])
def test_models_fitted_in_one_go(pair, raw_file, tmp_path, model):
    path = tmp_path / "model.npz"
    train(raw_file, out=path, model=model)
    np.testing.assert_array_equal(
        denoise(pair.raw, model=model, checkpoint=path), denoise(pair.raw, model=model)
    )
    train(raw_file, out=path, model=model)
    with pytest.raises(InputError, match=f"{model} is fitted to one recording; 2 are given"):
        train(raw_file, raw_file, out=path, model=model)
    with pytest.raises(InputError, match="fitted in one go; leave resume away"):
        train(raw_file, out=path, model=model, resume=True)


def test_several_recordings_and_resuming(pair, raw_file, tmp_path):
    path = tmp_path / "model.pth"
    first = train(raw_file, pair.raw[:40], out=path, **TINY)
    second = train(raw_file, pair.raw[:40], out=path, resume=True, **TINY | {"n_epochs": 3})
    assert (first.findings["epochs"], second.findings["epochs"]) == (1, 3)


def test_targets_that_must_not_be_replaced(raw_file, tmp_path):
    before = raw_file.read_bytes()
    with pytest.raises(OutputError, match="is one of the recordings"):
        train(raw_file, out=raw_file, **TINY)
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(OutputError, match="stands there and is no model of deepcad"):
        train(raw_file, out=tmp_path / "thesis.txt", **TINY)
    with pytest.raises(OutputError, match="there is no folder"):
        train(raw_file, out=tmp_path / "nowhere" / "model.pth", **TINY)
    with pytest.raises(OutputError, match="is a folder"):
        train(raw_file, out=tmp_path, **TINY)
    assert raw_file.read_bytes() == before
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_what_cannot_be_used(pair, raw_file, tmp_path):
    with pytest.raises(InputError, match="no recording is given to train on"):
        train(out=tmp_path / "model.pth")
    with pytest.raises(InputError, match="patch_t: fixed when deepcad was fitted"):
        denoise(pair.raw, model="deepcad", checkpoint=raw_file, patch_t=3)
    with pytest.raises(InputError, match="could not be read as a checkpoint"):
        denoise(pair.raw, model="deepcad", checkpoint=raw_file)
    with pytest.raises(InputError, match="no such file"):
        denoise(pair.raw, model="deepcad", checkpoint=tmp_path / "model.pth")


def test_without_torch_the_extra_is_named(raw_file, tmp_path, monkeypatch):
    monkeypatch.setattr("freq2clean.denoisers.contract.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r'pip install "freq2clean\[torch\]"'):
        train(raw_file, out=tmp_path / "model.pth")
    with pytest.raises(MissingExtraError, match=r'pip install "freq2clean\[torch\]"'):
        denoise(raw_file, model="deepcad")

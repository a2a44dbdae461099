from __future__ import annotations

import numpy as np
import pytest

from freq2clean import evaluate, fuse, simulate
from freq2clean.errors import InputError
from freq2clean.simulation import imitate_denoiser
from freq2clean.studies import columns_of, study_parameter

SHAPE = (60, 24, 24)
STUDY = {"method": "fft", "alpha": 0.85, "matching": "histogram", "window": 3000}
CURVES = {
    ("window", "fft, mean of all raw frames"): {},
    ("window", "fft, mean of the window"): {"raw_mean": "window"},
    ("alpha", "fft, histograms matched"): {},
    ("alpha", "fft, gain and offset matched"): {"matching": "affine"},
}
VALUES = {"window": [30], "alpha": [0.3]}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("study")


@pytest.fixture(scope="module")
def recordings():
    """Truth, raw and denoised of both simulated scenes."""
    made = {}
    for name, options in {"still": {}, "drifting 3 px": {"drift_px": 3.0}}.items():
        simulated = simulate(SHAPE, seed=3, **options)
        truth, raw = simulated.truth[:], simulated.raw[:]
        made[name] = truth, raw, imitate_denoiser(truth, raw)
    return made


@pytest.mark.parametrize("parameter", ["window", "alpha"])
def test_every_row_is_what_fuse_and_evaluate_say(folder, recordings, parameter):
    rows = study_parameter(
        folder, parameter, values=VALUES[parameter], shape=SHAPE, drift_px=3.0, seed=3
    )
    across = ["denoised", "wiener", "subspace"]
    assert len(rows) >= 2 * (len(across) + 2 * len(VALUES[parameter]))
    for row in rows:
        assert tuple(row) == columns_of(parameter)
        truth, raw, denoised = recordings[row["recording"]]
        if row[parameter] is None:
            options = {"method": row["method"]}
        else:
            options = {**STUDY, **CURVES[parameter, row["method"]], parameter: row[parameter]}
        recording = denoised if row["method"] == "denoised" else fuse(raw, denoised, **options)
        expected = evaluate(truth, recording, data_range="q99.9")
        assert row["psnr_db"] == pytest.approx(expected.psnr_db, rel=1e-6)
        assert row["psnr_active_db"] == pytest.approx(expected.psnr_active_db, rel=1e-6)
        assert row["ssim3d"] == pytest.approx(expected.ssim3d.value, rel=1e-5)
    assert set(across) <= {row["method"] for row in rows}


def test_recordings_of_the_user(tmp_path, recordings):
    names = ("truth", "raw", "denoised")
    for name, frames in zip(names, recordings["still"], strict=True):
        np.save(tmp_path / f"{name}.npy", frames)
    given = {name: tmp_path / f"{name}.npy" for name in names}
    rows = study_parameter(tmp_path / "study", "alpha", values=[1.0], **given)
    assert {(row["recording"], row["seed"]) for row in rows} == {("given", None)}
    expected = fuse(given["raw"], given["denoised"], **{**STUDY, "alpha": 1.0})
    found = next(row for row in rows if row["method"] == "fft, histograms matched")
    score = evaluate(given["truth"], expected, data_range="q99.9")
    assert found["psnr_db"] == pytest.approx(score.psnr_db, rel=1e-6)
    with pytest.raises(InputError, match="give all three, or none"):
        study_parameter(tmp_path, "alpha", truth=given["truth"])


def test_a_value_that_is_not_allowed_is_refused_before_any_work(tmp_path):
    for parameter, values in {"alpha": [0.5, 2.0], "window": [100, 0]}.items():
        with pytest.raises(InputError, match=f"{parameter} = "):
            study_parameter(tmp_path / "study", parameter, values=values)
    assert not (tmp_path / "study").exists()

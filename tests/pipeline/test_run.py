"""Denoise and fuse in one go: the same as one after the other, and nothing in between stays."""

import json

import numpy as np
import pytest

from freq2clean.errors import InputError, MissingExtraError, OutputError
from freq2clean.pipeline import denoise, fuse, run
from freq2clean.recordings import open_recording


@pytest.fixture
def raw_file(pair, save, tmp_path):
    return save(tmp_path / "raw.tif", pair.raw)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_arrays(pair):
    denoised = denoise(pair.raw, model="gaussian", sigma_t_frames=2.0)
    expected = fuse(pair.raw, denoised, method="fft", alpha=0.7)
    found = run(
        pair.raw,
        model="gaussian",
        model_options={"sigma_t_frames": 2.0},
        method="fft",
        alpha=0.7,
        memory="500MB",
    )
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("out", ["fused.tif", "fused.zarr", "fused.h5::/inside", "fused.npy"])
def test_files(pair, raw_file, tmp_path, out):
    seen = []
    result = run(
        raw_file, model="pca", out=f"{tmp_path}/{out}", dtype="same",
        progress=lambda done, total: seen.append(done / total),
    )  # fmt: skip
    assert names(tmp_path) == sorted(["raw.tif", out.split("::")[0]])
    assert result.denoised.path == ""
    assert result.fused.path == f"{tmp_path}/{out}"
    assert (result.denoised.parameters["model"], result.fused.dtype) == ("pca", "uint16")
    json.dumps(result.as_dict())
    assert seen == sorted(seen)
    assert seen[-1] == 1
    with open_recording(f"{tmp_path}/{out}") as fused:
        expected = fuse(pair.raw, denoise(pair.raw, model="pca"))
        np.testing.assert_array_equal(fused[:], np.rint(expected))
        assert fused.metadata.frame_rate_hz == 12.5
        inputs = [recording["name"] for recording in fused.metadata.provenance["inputs"]]
    assert inputs == [str(raw_file), f"{raw_file} (pca)"]


def test_the_denoised_recording_is_kept_and_shown(pair, raw_file, tmp_path):
    seen = {}

    def look(recordings, result):
        seen.update({name: recording[:] for name, recording in recordings.items()})

    out, kept = tmp_path / "fused.npy", tmp_path / "denoised.tif"
    result = run(raw_file, out=out, keep_denoised=kept, look=look)
    assert result.denoised.path == str(kept)
    assert names(tmp_path) == ["denoised.tif", "fused.npy", "raw.tif"]
    np.testing.assert_array_equal(seen["raw"], pair.raw)
    np.testing.assert_array_equal(seen["fused"], np.load(out))
    with open_recording(kept) as denoised:
        np.testing.assert_array_equal(denoised[:], seen["denoised"])
    np.testing.assert_allclose(seen["denoised"], denoise(pair.raw, model="pretrained"), rtol=1e-5)


def test_what_fails_at_the_end_leaves_nothing_but_what_was_asked_for(raw_file, tmp_path):
    def fail(recordings, result):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(raw_file, out=tmp_path / "fused.npy", look=fail)
    assert names(tmp_path) == ["fused.npy", "raw.tif"]


def test_refused_before_any_work(raw_file, tmp_path):
    seen = []
    options = {"out": tmp_path / "fused.h5", "progress": lambda *report: seen.append(report)}
    for changed, error, message in (
        ({"out": raw_file}, OutputError, "is one of the inputs"),
        ({"keep_denoised": raw_file}, OutputError, "is one of the inputs"),
        ({"keep_denoised": tmp_path / "a" / "b.tif"}, OutputError, "there is no folder"),
        ({"keep_denoised": f"{tmp_path}/fused.h5::/other"}, OutputError, "two different files"),
        ({"dtype": "uint3"}, InputError, "uint3"),
        ({"compression": "zstd"}, OutputError, "deflate"),
        ({"method": "magic"}, InputError, "magic"),
        ({"alpha": 0.5}, InputError, "auto has no option alpha"),
        ({"model": "magic"}, InputError, "magic"),
        ({"model_options": {"depth": 3}}, InputError, "pretrained has no option depth"),
        ({"checkpoint": tmp_path / "absent.npz"}, InputError, "no such file"),
        ({"out": None, "dtype": "same"}, InputError, "give out to write a file"),
    ):
        with pytest.raises(error, match=message):
            run(raw_file, **options | changed)
    assert seen == []
    assert names(tmp_path) == ["raw.tif"]


def test_the_network_that_ships_is_taken_if_it_can_be_run(raw_file, tmp_path, monkeypatch):
    out = tmp_path / "fused.npy"
    denoised = run(raw_file, out=out).denoised
    assert denoised.parameters["model"] == "pretrained"
    assert denoised.notes == []
    assert "dB that the network was trained on" in denoised.findings["domain"]
    monkeypatch.setattr("freq2clean.denoisers.contract.find_spec", lambda name: None)
    denoised = run(raw_file, out=out).denoised
    assert denoised.parameters["model"] == "gaussian"
    (note,) = denoised.notes
    assert "freq2clean[onnx]" in note
    assert run(raw_file, out=out, model="gaussian").denoised.notes == []
    with pytest.raises(MissingExtraError, match="torch or onnxruntime"):
        run(raw_file, out=out, model="pretrained")

"""Public recordings by the command line, from an archive on this machine."""

from __future__ import annotations

import csv
import json

import pytest
import tifffile

from freq2clean import SSIM3DOptions, evaluate, fuse, simulate
from freq2clean.simulation import imitate_denoiser

REGISTRY = """
[small]
title = "A small one"
record = 7
raw = "noisy.tif"
truth = "clean.tif"
truth_is = "the same without noise"
frames = 60
size_px = [32, 40]
frame_rate_hz = 30.0
data_range = 1520.0
alpha = 0.85

[mine]
title = "A private one"
raw = "raw.tif"
alpha = 1.0
"""


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """A folder with noisy.tif, clean.tif and denoised.tif."""
    folder = tmp_path_factory.mktemp("recordings")
    simulated = simulate((60, 32, 40), seed=3)
    raw, truth = simulated.raw[:], simulated.truth[:]
    quiet = imitate_denoiser(truth, raw)
    for name, frames in {"noisy": raw, "clean": truth, "denoised": quiet}.items():
        tifffile.imwrite(folder / f"{name}.tif", frames, photometric="minisblack")
    return folder


@pytest.fixture
def archive(local_archive, recordings, tmp_path, monkeypatch):
    registry = tmp_path / "recordings.toml"
    registry.write_text(REGISTRY)
    monkeypatch.setattr("freq2clean.datasets.registry.REGISTRY", registry)
    local_archive.files = {
        name: (recordings / name).read_bytes() for name in ("noisy.tif", "clean.tif")
    }
    return local_archive


def test_the_list_says_what_is_known_and_what_is_here(archive, tmp_path, freq2clean_here):
    home = tmp_path / "home"
    shown = freq2clean_here("datasets", "list", "--dir", home)
    assert shown.returncode == 0
    assert "60      32 x 40  30.0  ?" in shown.stdout
    freq2clean_here("fetch", "small", "--dir", home)
    listed = json.loads(freq2clean_here("datasets", "list", "--dir", home, "--json").stdout)
    assert [(one["name"], one["here"], one["doi"]) for one in listed] == [
        ("small", True, "10.5281/zenodo.7"),
        ("mine", False, None),
    ]
    assert listed[0]["size_on_disk_bytes"] == sum(map(len, archive.files.values()))


def test_info_asks_the_archive_where_it_is_told_to(archive, tmp_path, freq2clean_here):
    offline = freq2clean_here("datasets", "info", "small", "--dir", tmp_path).stdout
    assert "licence:            unknown" in offline
    assert "truth is:           the same without noise" in offline
    shown = freq2clean_here("datasets", "info", "small", "--online", "--dir", tmp_path).stdout
    assert "licence:            cc-by-4.0" in shown
    assert "noisy.tif (0.2 MB), clean.tif" in shown
    command = ("datasets", "info", "small", "--online", "--json", "--dir", tmp_path)
    said = json.loads(freq2clean_here(*command).stdout)
    assert said["size_on_disk_bytes"] == sum(map(len, archive.files.values()))


@pytest.mark.parametrize("words", [("fetch",), ("datasets", "fetch")])
def test_fetch_says_which_file_is_which(archive, recordings, tmp_path, freq2clean_here, words):
    done = freq2clean_here(*words, "small", "--dir", tmp_path / "home")
    raw, truth = (tmp_path / "home" / "small" / f"{name}.tif" for name in ("noisy", "clean"))
    assert done.stdout == f"raw: {raw}\ntruth: {truth}\n"
    assert raw.read_bytes() == (recordings / "noisy.tif").read_bytes()


def test_what_fails_is_one_line(archive, tmp_path, freq2clean_here):
    for name, why in {
        "mine": f"put it at {tmp_path / 'mine' / 'raw.tif'}",
        "cats": "no dataset is called 'cats'; there are small, mine",
    }.items():
        failed = freq2clean_here("fetch", name, "--dir", tmp_path)
        assert failed.returncode != 0
        assert why in failed.stderr
        assert failed.stderr.count("\n") == 1


def test_a_study_of_a_dataset_in_one_line(archive, recordings, tmp_path, freq2clean_here):
    quiet = str(recordings / "denoised.tif")
    line = ("study", "--dataset", "small", "--denoised", quiet, "-o", "out", "--dir", "home")
    done = freq2clean_here(*line, "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = {row["method"]: row for row in json.loads(done.stdout)["rows"]}
    assert list(rows) == ["raw", "denoised", "fft", "dct", "auto"]
    noisy, clean = (str(recordings / f"{name}.tif") for name in ("noisy", "clean"))
    study = {"alpha": 0.85, "matching": "histogram", "window": 3000}
    expected = {
        "raw": noisy,
        "denoised": quiet,
        "fft": fuse(tifffile.imread(noisy), tifffile.imread(quiet), method="fft", **study),
        "auto": fuse(tifffile.imread(noisy), tifffile.imread(quiet)),
    }
    for method, recording in expected.items():
        scores = evaluate(clean, recording, data_range=1520, ssim3d=SSIM3DOptions())
        assert rows[method]["psnr_db"] == pytest.approx(scores.psnr_db)
        assert rows[method]["ssim3d"] == pytest.approx(scores.ssim3d.value)
        assert rows[method]["data_range"] == 1520
    with (tmp_path / "out" / "small.csv").open() as table:
        assert [row["method"] for row in csv.DictReader(table)] == list(rows)
    archive.status, archive.record = 500, b""
    again = freq2clean_here(*line, cwd=tmp_path)
    assert "data range 1520.0; the truth: the same without noise" in again.stdout


def test_a_study_denoises_what_comes_without(archive, tmp_path, freq2clean_here):
    line = ("study", "--dataset", "small", "--model", "gaussian", "--dir", "home", "--json")
    done = freq2clean_here(*line, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = {row["method"]: row for row in json.loads(done.stdout)["rows"]}
    assert {row["denoiser"] for row in rows.values()} == {"gaussian"}
    assert rows["raw"]["psnr_db"] < rows["denoised"]["psnr_db"] < rows["auto"]["psnr_db"]
    assert (tmp_path / "study-small" / "small.csv").is_file()


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--dataset", "mine"), "mine has no truth to score against"),
        (("--dataset", "cats"), "no dataset is called 'cats'"),
        (("--dataset", "small", "window"), "--dataset is an option of freq2clean study --dataset"),
        (("--dir", "x", "window"), "--dir is an option of freq2clean study --dataset NAME alone"),
        (("--dir", "x"), "--dir is an option of freq2clean study --dataset NAME alone"),
        (
            ("--dataset", "small", "--model", "pca", "--denoised", "x.tif"),
            "a denoised recording and model = 'pca' are given; give one of them",
        ),
    ],
)
def test_studies_that_cannot_be_are_refused(archive, tmp_path, freq2clean_here, words, why):
    failed = freq2clean_here("study", *words, cwd=tmp_path)
    assert failed.returncode != 0
    assert why in failed.stderr

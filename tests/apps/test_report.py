"""Reports by the command line: of `report`, of `fuse --report`, and of `run`."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tifffile

from freq2clean import fuse


def test_a_report_on_three_files(freq2clean, pair):
    fuse(pair / "raw.tif", pair / "denoised.tif", out=pair / "fused.tif")
    labels = np.zeros((24, 28), np.uint8)
    labels[4:9, 4:9] = 1
    tifffile.imwrite(pair / "labels.tif", labels)
    words = "--truth raw.tif --rois labels.tif --rois truth=labels.tif -o r.html --json"
    done = freq2clean("report", "raw.tif", "denoised.tif", "fused.tif", *words.split(), cwd=pair)
    assert (done.returncode, done.stderr) == (0, "")
    said = json.loads(done.stdout)
    text = (pair / "r.html").read_text()
    assert said["path"] == "r.html"
    assert said["n_bytes"] == len(text.encode())
    assert "Against the ground truth" in text
    assert "the most active ROIs found on fused" in text
    assert "fitting once more" in text


def test_fuse_writes_a_report_if_asked(freq2clean_here, pair):
    words = ("fuse", "raw.tif", "denoised.tif", "-o", "fused.tif", "--method", "wiener")
    done = freq2clean_here(*words, cwd=pair)
    assert done.returncode == 0, done.stderr
    assert not list(pair.glob("*.html"))
    done = freq2clean_here(*words, "--report", "r.html", cwd=pair)
    assert "r.html: the report, one file of" in done.stdout
    text = (pair / "r.html").read_text()
    assert "fused by wiener" in text
    assert "fitting once more" not in text
    done = freq2clean_here(*words, "--report", "r.html", "--json", cwd=pair)
    assert json.loads(done.stdout)["report"] == "r.html"


def test_run_writes_a_report_unless_told_not_to(freq2clean_here, pair):
    words = ("run", "raw.tif", "-o", "fused.npy", "--model", "pca")
    assert freq2clean_here(*words, "--no-report", cwd=pair).returncode == 0
    assert not list(pair.glob("*.html"))
    done = freq2clean_here(*words, "--report", "other.htm", "--probe", cwd=pair)
    assert done.returncode == 0, done.stderr
    assert "other.htm: the report" in done.stdout
    assert [path.name for path in pair.glob("*.htm*")] == ["other.htm"]
    text = (pair / "other.htm").read_text()
    assert "denoised by pca" in text
    assert "probe" in text
    assert "Where it was gained" in text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("fuse raw.tif denoised.tif -o fused.npy --report r.pdf", "ends in .html"),
        ("run raw.tif -o fused.npy --report away/r.html", "there is no folder"),
        ("report raw.tif denoised.tif denoised.tif -o denoised.tif", "ends in .html"),
        ("report raw.tif denoised.tif absent.tif", "absent.tif does not exist"),
        ("report raw.tif denoised.tif denoised.tif --rois absent.npz", "no such file"),
    ],
)
def test_wrong_words_are_refused_before_any_work(freq2clean_here, pair, words, message):
    before = sorted(path.name for path in pair.iterdir())
    done = freq2clean_here(*words.split(), cwd=pair)
    assert done.returncode == 2
    assert message in done.stderr
    assert sorted(path.name for path in pair.iterdir()) == before

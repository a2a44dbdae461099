"""The studies by the command line, on a tiny preset."""

from __future__ import annotations

import csv
import json
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from PIL import Image

from freq2clean import evaluate, fuse, simulate
from freq2clean.apps.study import Preset, RoiPreset
from freq2clean.rois import Rois
from freq2clean.studies import COLUMNS, PRESETS, ROI_PRESETS, SUMMARY, columns_of

TINY = ("study", "patch-t", "--preset", "tiny", "-o", "study", "--json")
SCORES = ("patch_t", "method", "psnr_db", "psnr_active_db", "ssim3d")


def scores(rows):
    return [tuple(row[name] for name in SCORES) for row in rows]


def steps(folder: Path) -> dict[str, int]:
    """When each file of each step was written."""
    files = (path for path in (folder / "steps").rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in files}


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def done(freq2clean, tmp_path_factory) -> tuple[Path, dict]:
    """The folder of a study that a process has made, and what it printed."""
    folder = tmp_path_factory.mktemp("studies")
    process = freq2clean(*TINY, cwd=folder)
    assert process.returncode == 0, process.stderr
    return folder / "study", json.loads(process.stdout)


def test_the_names_are_those_of_the_presets():
    assert set(map(str, Preset)) == set(PRESETS)


def test_a_row_for_every_training_and_method(done):
    folder, said = done
    found = [(row["patch_t"], row["method"]) for row in said["rows"]]
    methods = ("denoised", "fft", "dct", "wiener", "subspace", "auto")
    assert found == [(length, method) for length in (8, 16) for method in methods]
    with (folder / "patch-t.csv").open(newline="") as file:
        assert tuple(next(csv.reader(file))) == COLUMNS
    for row, texts in zip(said["rows"], table(folder / "patch-t.csv"), strict=True):
        assert {name: str(value) for name, value in row.items()} == texts
        assert row["training_seconds"] > 0
    assert [verdict["method"] for verdict in said["verdicts"]] == list(methods)


def test_scores_are_those_of_fuse_and_evaluate(done):
    folder, said = done
    (truth,), (raw,) = (
        list(folder.glob(f"steps/simulate-*/{name}.tif")) for name in ("truth", "raw")
    )
    fusions = {
        "denoised": None,
        "wiener": {},
        "fft": {"matching": "histogram"},
        "auto": {"method": "auto"},
        "subspace": {"method": "subspace"},
    }
    for denoised in folder.glob("steps/denoise-*/denoised.tif"):
        for name, options in fusions.items():
            fused = (
                denoised if options is None else fuse(raw, denoised, **{"method": name, **options})
            )
            score = evaluate(truth, fused, data_range="q99.9")
            expected = (score.psnr_db, score.psnr_active_db, score.ssim3d.value)
            assert any(
                (row["psnr_db"], row["psnr_active_db"], row["ssim3d"])
                == pytest.approx(expected, rel=1e-5)
                for row in said["rows"]
                if row["method"] == name
            )


def test_the_figures_can_be_read(done):
    folder, said = done
    for what, size in {"figure": (1200, 500), "time": (1200, 900)}.items():
        with Image.open(folder.parent / said["files"][what]) as image:
            assert image.size == size
            assert len(np.unique(np.asarray(image.convert("L")))) > 20


def test_a_second_run_does_no_work(done, freq2clean_here):
    folder, said = done
    before = steps(folder)
    again = json.loads(freq2clean_here(*TINY, cwd=folder.parent).stdout)
    assert again == said
    assert steps(folder) == before


def test_another_length_trains_that_one_only(done, freq2clean_here):
    folder, said = done
    before = steps(folder)
    words = (*TINY[:-1], "--patch-t", "8,24")
    assert (
        "fft: patch_t = 8 against 24 denoised" in freq2clean_here(*words, cwd=folder.parent).stdout
    )
    after = steps(folder)
    assert {name: after[name] for name in before} == before
    new = sorted({name.split("/")[1].split("-")[0] for name in after if name not in before})
    assert new == ["denoise", "score", "train"]
    assert len(after) - len(before) == 2 + 2 + 6
    rows = table(folder / "patch-t.csv")
    assert [row["psnr_db"] for row in rows[:6]] == [str(row["psnr_db"]) for row in said["rows"][:6]]


def test_several_seeds(done, freq2clean_here, tmp_path):
    folder, said = done
    folder = shutil.copytree(folder, tmp_path / "study")
    words = (*TINY[:-1], "--patch-t", "8,16", "--seeds", "0,3")
    shown = freq2clean_here(*words, cwd=folder.parent).stdout
    assert "psnr db lowest" in " ".join(shown.split())
    again = json.loads(freq2clean_here(*words, "--json", cwd=folder.parent).stdout)
    assert [row for row in again["rows"] if row["seed"] == 0] == said["rows"]
    summary = table(folder / "patch-t-summary.csv")
    assert tuple(summary[0]) == SUMMARY
    assert [row["n_seeds"] for row in summary] == ["2"] * 12
    for row, texts in zip(again["summary"], summary, strict=True):
        of = [
            one["psnr_db"]
            for one in again["rows"]
            if (one["patch_t"], one["method"]) == (row["patch_t"], row["method"])
        ]
        assert float(texts["psnr_db"]) == row["psnr_db"] == pytest.approx(sum(of) / 2)
        assert [row["psnr_db_lowest"], row["psnr_db_highest"]] == sorted(of)
    assert {verdict["n_seeds"] for verdict in again["verdicts"]} == {2}
    fft = again["verdicts"][1]
    low, high = fft["psnr_gain_range_db"]
    assert f"{fft['psnr_gain_db']:+.2f} ({low:+.2f} to {high:+.2f}) dB" in " ".join(shown.split())
    assert f"({fft['n_held']} of 2 seeds)" in " ".join(shown.split())


def test_killed_in_a_training_it_goes_on(done, command, tmp_path):
    _, said = done
    words = [*command, *TINY, "--patch-t", "8"]
    process = subprocess.Popen(words, cwd=tmp_path, stdout=subprocess.PIPE)
    steps_folder = tmp_path / "study" / "steps"
    while process.poll() is None and not list(steps_folder.glob("train-*/model.pth")):
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert not (tmp_path / "study" / "patch-t.csv").exists()
    finished = subprocess.run(words, cwd=tmp_path, capture_output=True, check=True, timeout=120)
    assert scores(json.loads(finished.stdout)["rows"]) == scores(said["rows"][:6])


def test_recordings_of_the_user_instead_of_simulated_ones(done, freq2clean_here, tmp_path):
    folder, said = done
    (simulated,) = folder.glob("steps/simulate-*")
    words = ("--recording", simulated / "truth.tif", "--noisy", simulated / "raw.tif")
    rows = json.loads(freq2clean_here(*TINY, *words, "--patch-t", 8, cwd=tmp_path).stdout)["rows"]
    assert not list(tmp_path.glob("study/steps/simulate-*"))
    same = [row for row in rows if row["method"] != "dct"]
    assert scores(same) == scores(
        [row for row in said["rows"] if row["patch_t"] == 8 and row["method"] != "dct"]
    )


@pytest.mark.parametrize(
    ("name", "option", "value"), [("window", "--windows", 30), ("alpha", "--alphas", 0.5)]
)
def test_a_parameter_of_the_study(freq2clean_here, tmp_path, name, option, value):
    words = ("study", name, "-o", "out", option, value, "--frames", 60, "--size", 24, "--json")
    said = json.loads(freq2clean_here(*words, cwd=tmp_path).stdout)
    rows = table(tmp_path / "out" / f"{name}.csv")
    assert tuple(rows[0]) == columns_of(name)
    assert len(rows) == len(said["rows"])
    assert [float(row["psnr_db"]) for row in rows] == [row["psnr_db"] for row in said["rows"]]
    with Image.open(tmp_path / said["files"]["figure"]) as image:
        assert image.size == (1200, 900)
    assert {row["recording"] for row in rows} == {"still", "drifting 4 px"}


REFUSED = {
    "study patch-t --preset paper": "--recording CLEAN --noisy NOISY",
    "study patch-t --preset tiny --noisy raw.tif": "give both, or none",
    "study patch-t --preset tiny --recording absent.tif --noisy raw.tif": "absent.tif",
    "study patch-t --preset tiny --patch-t 8,x": "give whole numbers with commas between",
    "study patch-t --preset tiny --patch-t 0": "from 1 up",
    "study patch-t --preset tiny --seeds 1,x": "give whole numbers with commas between",
    "study patch-t --preset tiny --seeds 1,-2": "give one or more numbers from 0 up",
    "study window --windows 1.5": "give whole numbers with commas between",
    "study window --windows 0": "window = 0",
    "study alpha --alphas 0.5,1.5": "alpha = 1.5",
    "study alpha --noisy raw.tif": "give all three, or none",
    "study rois --tools caiman": "choose from cellpose,suite2p",
}


@pytest.mark.parametrize("words", REFUSED)
def test_refused_with_one_message(freq2clean_here, tmp_path, words):
    done = freq2clean_here(*words.split(), cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: ")
    assert REFUSED[words] in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["patch-t", "window", "alpha", "rois"])
def test_without_matplotlib_nothing_is_begun(freq2clean_here, tmp_path, monkeypatch, name):
    monkeypatch.setattr("freq2clean.report.figures.find_spec", lambda name: None)
    done = freq2clean_here("study", name, cwd=tmp_path)
    assert done.returncode == 2
    assert 'pip install "freq2clean[figures]"' in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_names_are_those_of_the_roi_presets():
    assert set(map(str, RoiPreset)) == set(ROI_PRESETS)


def test_rois_of_a_labelled_recording(freq2clean_here, tmp_path, monkeypatch):
    simulated = simulate((60, 48, 48), seed=3, out=tmp_path)
    monkeypatch.setattr("freq2clean.studies.finders_of", lambda *a, **k: [Drawn()])
    words = ("study", "rois", "--noisy", "raw.tif", "--labels", "labels.tif", "-o", "out")
    options = ("--denoised", "truth.tif", "--denoised", "raw.tif")
    done = freq2clean_here(*words, *options, "--json", cwd=tmp_path)
    said = json.loads(done.stdout)
    assert {row["denoiser"] for row in said["rows"]} == {None, "truth", "raw"}
    assert len(table(tmp_path / "out" / "rois.csv")) == len(said["rows"])
    assert {row["f1"] for row in said["rows"]} == {1.0}
    assert {row["rois"] for row in said["rows"]} == {len(np.unique(simulated.labels)) - 1}
    for name in ("counts", "f1", "masks-truth", "masks-raw"):
        with Image.open(tmp_path / said["files"][name]) as image:
            assert len(np.unique(np.asarray(image.convert("L")))) > 20
    shown = freq2clean_here(*words, *options, cwd=tmp_path).stdout
    assert "against true ROIs" in shown
    assert "suite2p, cells" in shown


@dataclass(frozen=True)
class Drawn:
    """Knows where the cells are."""

    name: ClassVar[str] = "suite2p"

    def find(self, recording, /, *, progress=None):
        return Rois.from_label_image(simulate((60, 48, 48), seed=3).labels)

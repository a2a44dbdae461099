"""Every command does what it says, in words and in JSON."""

from __future__ import annotations

import csv
import json
import os
import pty
import re
import subprocess

import numpy as np
import pytest
import tifffile
from PIL import Image

from freq2clean import evaluate, fuse, open_recording
from freq2clean.apps.demo import run_demo

COMMANDS = (
    "fuse", "inspect", "evaluate", "denoise", "train", "run", "report", "simulate", "demo",
)  # fmt: skip


def strict(text: str):
    """JSON without NaN and infinities, which other readers would not take."""

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    return json.loads(text, parse_constant=refuse)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_teaches(name, freq2clean_here):
    done = freq2clean_here(name, "--help")
    assert done.returncode == 0
    assert done.stderr == ""
    assert f"Example: freq2clean {name}" in " ".join(done.stdout.split())


def test_help_lists_the_commands(freq2clean_here):
    done = freq2clean_here("--help")
    assert done.returncode == 0
    assert all(name in done.stdout for name in COMMANDS)


@pytest.mark.parametrize("method", ["auto", "wiener", "subspace", "fft", "dct"])
def test_help_of_fuse_says_which_options_a_method_has(freq2clean_here, method):
    panels = re.findall("Options of (.*?) ─", freq2clean_here("fuse", "--help").stdout)
    assert any(method in panel for panel in panels)


def test_the_process_says_its_version(freq2clean):
    done = freq2clean("--version")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("freq2clean 0.")


JSON = {
    "fuse": "fuse raw.tif denoised.tif -o fused.tif --dtype same",
    "inspect": "inspect raw.tif denoised.tif",
    "evaluate": "evaluate raw.tif raw.tif denoised.tif --data-range 300",
    "denoise": "denoise raw.tif -o out.zarr --model pca",
    "simulate": "simulate sim --frames 20 --height 48 --width 48 --seed 3",
}


@pytest.mark.parametrize("name", JSON)
def test_a_process_prints_json_and_nothing_else(name, freq2clean, pair):
    done = freq2clean(*JSON[name].split(), "--json", cwd=pair)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    found = strict(done.stdout)
    if name == "fuse":
        assert found["parameters"]["method"] == "auto"
        assert found["dtype"] == "uint16"
        assert found["shape"] == [40, 24, 28]
        with open_recording(pair / "fused.tif") as fused:
            assert fused.dtype == np.uint16
            assert fused.metadata.frame_rate_hz == pytest.approx(20)
            assert fused.metadata.pixel_size_um == pytest.approx((0.5, 0.5))
    elif name == "inspect":
        assert found["advice"][0]["sentence"]
    elif name == "evaluate":
        assert found["raw.tif"]["psnr_db"] == "inf"
        assert 0 < found["denoised.tif"]["psnr_db"] < 60
    elif name == "denoise":
        assert found["parameters"]["model"] == "pca"
    else:
        assert found["shape"] == [20, 48, 48]


@pytest.mark.parametrize("name", JSON)
def test_the_same_in_words(name, freq2clean_here, pair):
    done = freq2clean_here(*JSON[name].split(), cwd=pair)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    says = {
        "fuse": "40 frames of 24 x 28 pixels uint16",
        "inspect": "denoised",
        "evaluate": "SSIM3D: normalised by own",
        "denoise": "float32",
        "simulate": "traces.npy",
    }
    assert says[name] in done.stdout


def test_the_study_by_the_command_line(freq2clean_here, pair):
    words = "--method fft --alpha 0.85 --matching histogram --window 3000"
    done = freq2clean_here(
        "fuse", "raw.tif", "denoised.tif", "-o", "fused.npy", *words.split(), cwd=pair
    )
    assert done.returncode == 0, done.stderr
    expected = fuse(
        pair / "raw.tif",
        pair / "denoised.tif",
        method="fft",
        alpha=0.85,
        matching="histogram",
        window=3000,
    )
    np.testing.assert_array_equal(np.load(pair / "fused.npy"), expected)


def test_every_option_reaches_its_method(freq2clean_here, pair):
    words = {
        "wiener": "--bins 3 --window 20 --overlap 0.5",
        "fft": "--alpha 1,0.5 --matching none --raw-mean window --window 10 --overlap 0.2",
        "dct": "--window 20 --raw-average 9 --spatial-cutoff-per-um 0.2 --spatial-width-per-um 0.1"
        " --temporal-cutoff-hz 0.5 --temporal-width-hz 0.4 --frame-rate-hz 10 --pixel-size-um 0.7",
    }
    expected = {
        "wiener": {"n_bins": 3, "window": 20, "overlap": 0.5},
        "fft": {"alpha": [1, 0.5], "matching": "none", "raw_mean": "window", "window": 10},
        "dct": {
            "raw_average": 9,
            "spatial_cutoff_per_um": 0.2,
            "temporal_width_hz": 0.4,
            "frame_rate_hz": 10,
            "pixel_size_um": [0.7, 0.7],
        },
    }
    for method, options in words.items():
        target = f"{method}.npy"
        done = freq2clean_here(
            *("fuse", "raw.tif", "denoised.tif", "-o", target, "--method", method, "--json"),
            *options.split(),
            cwd=pair,
        )
        assert done.returncode == 0, done.stderr
        parameters = strict(done.stdout)["parameters"]
        assert parameters["method"] == method
        assert expected[method].items() <= parameters.items()


def test_units_come_from_the_raw_file(freq2clean_here, pair):
    words = "--method dct --temporal-cutoff-hz 0.5 --temporal-width-hz 0.4 --json"
    done = freq2clean_here(
        "fuse", "raw.tif", "denoised.tif", "-o", "fused.npy", *words.split(), cwd=pair
    )
    assert strict(done.stdout)["parameters"]["frame_rate_hz"] == pytest.approx(20)


def test_evaluate_by_the_command_line(freq2clean_here, pair):
    labels = np.zeros((24, 28), np.uint8)
    labels[4:9, 4:9] = 1
    tifffile.imwrite(pair / "labels.tif", labels)
    words = "--data-range q99.9 --normalisation truth --stride 2 --masks labels.tif --json"
    done = freq2clean_here("evaluate", "raw.tif", "denoised.tif", *words.split(), cwd=pair)
    assert done.returncode == 0, done.stderr
    found = strict(done.stdout)["denoised.tif"]
    assert found["ssim3d"]["options"]["normalisation"] == "truth"
    assert found["ssim3d"]["options"]["stride"] == 2
    assert found["roi_correlation"]["traces"] == 1
    expected = evaluate(pair / "raw.tif", pair / "denoised.tif", data_range="q99.9")
    assert found["psnr_db"] == pytest.approx(expected.psnr_db)


def test_align_by_the_command_line(freq2clean_here, pair):
    frames = tifffile.imread(pair / "denoised.tif")
    np.save(pair / "short.npy", frames[4:])
    done = freq2clean_here(
        *("fuse", "raw.tif", "short.npy", "-o", "fused.npy", "--align", "end", "--json"), cwd=pair
    )
    assert strict(done.stdout)["shape"] == [36, 24, 28]
    assert "36 of 40 frames" in strict(done.stdout)["notes"][0]


def test_progress_is_shown_on_a_terminal_only(command, pair):
    """A terminal on standard error gets a bar; the result still goes to standard output."""
    ours, theirs = pty.openpty()
    words = ["fuse", "raw.tif", "denoised.tif", "-o", "fused.tif", "--json"]
    environment = {**os.environ, "TERM": "xterm"}
    process = subprocess.Popen(
        [*command, *words], cwd=pair, stdout=subprocess.PIPE, stderr=theirs, env=environment
    )
    os.close(theirs)
    out, _ = process.communicate(timeout=120)
    bar = b""
    try:
        while part := os.read(ours, 4096):
            bar += part
    except OSError:  # the terminal has gone with the process
        pass
    os.close(ours)
    assert process.returncode == 0
    assert b"fusing" in bar
    assert strict(out.decode())["path"] == "fused.tif"


def test_a_closed_pipe_is_no_error_message(command, pair):
    process = subprocess.Popen(
        [*command, "inspect", "raw.tif", "--json"],
        cwd=pair,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    process.stdout.close()
    message = process.stderr.read().decode()
    process.stderr.close()
    process.wait(timeout=120)
    assert "Traceback" not in message


def test_the_demo_gives_file_table_and_picture(tmp_path):
    reported = []
    result = run_demo(
        tmp_path / "demo",
        seed=1,
        shape=(120, 64, 64),
        progress=lambda done, total: reported.append(done / total),
    )
    assert set(result.files) == {"fused", "metrics", "picture"}
    with open_recording(result.files["fused"]) as fused:
        assert fused.shape == (120, 64, 64)
    with result.files["metrics"].open(newline="") as file:
        rows = {row["recording"]: row for row in csv.DictReader(file)}
    assert list(rows) == ["raw", "denoised", "fused-by-study", "fused"]
    assert float(rows["fused"]["psnr_db"]) == pytest.approx(
        result.scores["fused"].psnr_db, abs=1e-3
    )
    assert float(rows["fused"]["psnr_db"]) > float(rows["raw"]["psnr_db"]) + 6
    with Image.open(result.files["picture"]) as picture:
        assert picture.width > picture.height > 300
        assert len(np.unique(np.asarray(picture))) > 50
    assert reported == sorted(reported)
    assert reported[-1] == 1
    strict(json.dumps(result.as_dict(), allow_nan=False))
    left = {path.name for path in (tmp_path / "demo").iterdir()}
    assert not any(name.startswith(".") for name in left)


@pytest.mark.slow
def test_the_default_demo(freq2clean, tmp_path):
    done = freq2clean("demo", tmp_path / "demo", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    scores = strict(done.stdout)["scores"]
    assert scores["fused"]["psnr_db"] > scores["denoised"]["psnr_db"] + 0.5

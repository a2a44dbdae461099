"""``freq2clean render``, as a user calls it: files are decoded again."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageSequence

MEASURE = """
import json, resource, subprocess, sys
subprocess.run([sys.executable, "-m", "freq2clean", *sys.argv[1:]], check=True,
               stdout=subprocess.DEVNULL)
print(json.dumps(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))
"""


def decoded(path: Path) -> tuple[int, tuple[int, int], float]:
    """Frames, their height and width, and seconds in all."""
    if path.suffix == ".gif":
        with Image.open(path) as movie:
            shown = [image.info["duration"] for image in ImageSequence.Iterator(movie)]
            return len(shown), movie.size[::-1], sum(shown) / 1000
    av = pytest.importorskip("av")
    with av.open(str(path)) as movie:
        frames = list(movie.decode(video=0))
        return len(frames), (frames[0].height, frames[0].width), movie.duration / 1e6


@pytest.mark.parametrize("name", ["out.gif", "out.mp4", "out.webm"])
def test_a_movie_as_a_process(name, pair, freq2clean):
    done = freq2clean(
        "render", "raw.tif", "denoised.tif", "-o", name, "--titles", "raw, denoised",
        "--zoom", "4:20,2:26", "--frames", "0:40:2", "--json", cwd=pair,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout)
    assert made["format"] == name[4:]
    assert list(made["limits"]) == ["raw", "denoised"]
    assert made["frames"] == [0, 40, 2]
    assert (made["fps"], made["speed"]) == pytest.approx((10, 1))  # 20 Hz, every other frame
    assert made["frame_rate_hz"] == pytest.approx(20)
    assert made["scale_bar_um"] == 2  # 12 um are shown
    n_frames, size, seconds = decoded(pair / name)
    assert n_frames == made["n_frames"] == 20
    assert list(size) == made["size"]
    assert seconds == pytest.approx(2, abs=0.02)
    assert {path.name for path in pair.iterdir()} == {"raw.tif", "denoised.tif", name}


@pytest.mark.parametrize(
    ("options", "size"),
    [
        ([], None),
        (["--difference", "--colour-map", "grey"], None),
        (["--frame", "3", "--gamma", "0.7", "--columns", "1", "--magnify", "2"], None),
        (["--kymograph", "y=12"], (1200, 540)),
        (["--kymograph", "2,3:20,21", "--contrast", "own"], (1200, 540)),
        (["--trace", "3,4", "--trace", "12,13", "--radius-px", "2"], (1200, 560)),
    ],
)
def test_pictures_and_figures(options, size, pair, freq2clean_here):
    done = freq2clean_here("render", "raw.tif", "denoised.tif", "-o", "out.png", *options, cwd=pair)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("out.png: frames 0 to 39\n")
    with Image.open(pair / "out.png") as image:
        assert size in (None, image.size)
        assert np.asarray(image.convert("L")).std() > 5


def test_rois_are_found_under_their_places(pair, freq2clean_here):
    labels = np.zeros((24, 28), np.uint8)
    labels[3:9, 5:8] = 2
    tifffile.imwrite(pair / "labels.tif", labels)
    words = ["render", "raw.tif", "-o", "out.png", "--labels", "labels.tif", "--json"]
    done = freq2clean_here(*words, "--trace", "4,6", cwd=pair)
    assert json.loads(done.stdout)["n_pixels"] == [18]
    done = freq2clean_here(*words, "--trace", "1,1", cwd=pair)
    assert done.returncode == 2
    assert "lies in no ROI" in done.stderr


def test_what_is_printed_says_the_pace_and_the_limits(pair, freq2clean_here):
    done = freq2clean_here(
        "render", "raw.tif", "-o", "out.gif", "--speed", "2", "--contrast", "0:300", cwd=pair
    )
    assert done.stdout == (
        "out.gif: frames 0 to 39, 40 per second, 2 x real time\n  raw: 0 to 300\n"
    )


def test_one_frame_is_a_range_too(pair, freq2clean_here):
    words = ["render", "raw.tif", "denoised.tif", "-o", "out.gif", "--frames", "7", "--alternate"]
    made = json.loads(freq2clean_here(*words, "--json", cwd=pair).stdout)
    assert (made["frames"], made["n_frames"]) == ([7, 8, 1], 1)
    assert decoded(pair / "out.gif")[2] == pytest.approx(2, abs=0.1)


def test_files_of_the_same_name_are_told_apart(pair, freq2clean_here):
    (pair / "other").mkdir()
    tifffile.imwrite(pair / "other" / "raw.tif", np.ones((40, 24, 28), np.uint8))
    words = ["render", "raw.tif", "other/raw.tif", "-o", "out.png", "--json"]
    made = json.loads(freq2clean_here(*words, cwd=pair).stdout)
    assert [title.split(",")[0] for title in made["limits"]][:2] == ["raw.tif", "other/raw.tif"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["raw.tif", "-o", "out.avi"], "unknown suffix '.avi'; movies end in .gif, .mp4, .webm"),
        (["raw.tif", "-o", "out"], "unknown suffix ''"),
        (["raw.tif", "-o", "absent/out.gif"], "there is no folder absent"),
        (["raw.tif", "-o", "folder.png"], "folder.png is a folder"),
        (["raw.tif", "-o", "absent/out.png", "--trace", "3,3"], "there is no folder absent"),
        (["absent.tif", "-o", "out.gif"], "absent.tif does not exist"),
        (["raw.tif", "small.tif", "-o", "out.gif"], "they must be equal"),
        (["raw.tif", "short.tif", "-o", "out.gif"], "raw 40, short 30"),
        (["raw.tif", "-o", "out.gif", "--frames", "9:9"], "there are frames 0:40"),
        (["raw.tif", "-o", "out.gif", "--frames", "0:99"], "there are frames 0:40"),
        (["raw.tif", "-o", "out.gif", "--frames", "first"], "START:STOP"),
        (["raw.tif", "-o", "out.gif", "--zoom", "0:9"], "Y0:Y1,X0:X1"),
        (["raw.tif", "-o", "out.gif", "--zoom", "0:9,9:9"], "columns 9:9 asked for"),
        (["raw.tif", "-o", "out.gif", "--titles", "a,b"], "names 2 recordings, and there are 1"),
        (["raw.tif", "raw.tif", "-o", "out.gif"], "same title"),
        (["raw.tif", "-o", "out.gif", "--alternate"], "one recording cannot alternate"),
        (["raw.tif", "-o", "out.gif", "--difference"], "give two or more"),
        (["raw.tif", "-o", "out.gif", "--fps", "51"], "keep up with 50"),
        (["raw.tif", "-o", "out.gif", "--speed", "0"], "speed = 0"),
        (["short.tif", "-o", "out.gif", "--speed", "2"], "--frame-rate-hz"),
        (["raw.tif", "-o", "out.gif", "--contrast", "high"], "contrast = 'high'"),
        (["raw.tif", "-o", "out.gif", "--contrast", "9:x"], "LOW:HIGH"),
        (["raw.tif", "-o", "out.gif", "--percentiles", "50"], "LOW:HIGH"),
        (["raw.tif", "-o", "out.gif", "--colour-map", "jet"], "colour map 'jet'"),
        (["raw.tif", "-o", "out.gif", "--gamma", "-1"], "gamma = -1"),
        (["raw.tif", "-o", "out.gif", "--frame", "3"], "--frame does not go with a movie"),
        (["raw.tif", "-o", "out.png", "--fps", "3"], "--fps does not go with a picture"),
        (["raw.tif", "-o", "out.png", "--frame", "40"], "frame 40 asked for"),
        (["raw.tif", "-o", "out.gif", "--kymograph", "y=3"], "ends in .png"),
        (["raw.tif", "-o", "out.png", "--kymograph", "z=3"], "y=ROW"),
        (["raw.tif", "-o", "out.png", "--kymograph", "y=24"], "rows 0:24"),
        (["raw.tif", "-o", "out.png", "--kymograph", "y=3", "--zoom", "0:9,0:9"], "--zoom does"),
        (["raw.tif", "-o", "out.png", "--trace", "3"], "a row and a column"),
        (["raw.tif", "-o", "out.png", "--trace", "3,28"], "columns 0:28"),
        (["raw.tif", "-o", "out.png", "--radius-px", "3"], "--radius-px does not go with"),
    ],
)
def test_what_cannot_be_shown_is_refused(words, says, pair, make_pair, freq2clean_here):
    small, _ = make_pair((40, 20, 20))
    short, _ = make_pair((30, 24, 28))
    tifffile.imwrite(pair / "small.tif", small)
    tifffile.imwrite(pair / "short.tif", short)
    (pair / "folder.png").mkdir()
    before = sorted(pair.iterdir())
    done = freq2clean_here("render", *words, cwd=pair)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert says in done.stderr
    assert sorted(pair.iterdir()) == before


@pytest.mark.parametrize(
    ("module", "words", "extra"),
    [
        ("av", ["-o", "out.mp4"], "video"),
        ("matplotlib", ["-o", "out.gif", "--colour-map", "magma"], "figures"),
        ("matplotlib", ["-o", "out.png", "--trace", "2,2"], "figures"),
    ],
)
def test_a_missing_extra_is_named(module, words, extra, pair, command):
    """As where it is not installed: the import machinery finds no such module."""
    hide = (
        "import importlib.util as u, sys; found = u.find_spec; "
        f"u.find_spec = lambda name, *a: None if name == '{module}' else found(name, *a); "
        "sys.argv[0] = 'freq2clean'; from freq2clean.__main__ import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", hide, "render", "raw.tif", *words],
        cwd=pair, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert f"freq2clean[{extra}]" in done.stderr
    assert {path.name for path in pair.iterdir()} == {"raw.tif", "denoised.tif"}


@pytest.mark.parametrize(
    ("name", "number"), [("out.gif", signal.SIGINT), ("out.mp4", signal.SIGTERM)]
)
def test_stopped_in_the_middle_it_leaves_what_was_there(number, name, command, make_pair, tmp_path):
    raw, _ = make_pair((600, 96, 96))
    np.save(tmp_path / "raw.npy", raw)
    (tmp_path / name).write_bytes(b"old")
    process = subprocess.Popen(
        [*command, "render", "raw.npy", "-o", name], cwd=tmp_path, stderr=subprocess.PIPE
    )
    while process.poll() is None and not list(tmp_path.glob(".*partial*")):
        time.sleep(0.001)
    time.sleep(0.1)
    process.send_signal(number)
    _, message = process.communicate(timeout=60)
    assert process.returncode == 128 + number, message.decode()
    assert message.decode().startswith("error: stopped before the end")
    assert {path.name for path in tmp_path.iterdir()} == {"raw.npy", name}
    assert (tmp_path / name).read_bytes() == b"old"


def peak_bytes(folder: Path, *words: str) -> int:
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, "render", *words],
        cwd=folder, capture_output=True, text=True, check=True, timeout=600,
    )  # fmt: skip
    return 1024 * int(json.loads(done.stdout))


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in other units elsewhere")
@pytest.mark.parametrize("name", ["out.gif", "out.mp4", "out.png"])
def test_peak_memory_does_not_grow_with_the_recording(name, make_pair, tmp_path):
    raw, _ = make_pair((100, 128, 128))
    peaks = []
    for repeats in (2, 12):
        with tifffile.TiffWriter(tmp_path / "raw.tif", bigtiff=True) as file:
            shape = (repeats * len(raw), *raw.shape[1:])
            frames = (frame for _ in range(repeats) for frame in raw)
            file.write(frames, shape=shape, dtype=raw.dtype, photometric="minisblack")
        words = [] if name == "out.png" else ["--magnify", "1"]
        peaks.append(peak_bytes(tmp_path, "raw.tif", "-o", name, *words))
    larger = (12 - 2) * raw.nbytes
    assert peaks[1] - peaks[0] < larger / 2, peaks
    assert max(peaks) < 3e8

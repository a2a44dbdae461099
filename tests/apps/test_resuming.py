"""Killed at any moment, ``fuse --resume`` goes on, and ends with what one run gives."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

SHAPE = (300, 96, 112)
# The command, in chunks of 10 frames that are committed at once.
PROGRAM = """
from freq2clean.recordings import resuming, zarr
resuming._STEP_SECONDS, zarr._CHUNK_BYTES = 0, 10 * 4 * 96 * 112
from freq2clean.__main__ import main
main()
"""


@pytest.fixture(scope="module")
def inputs(tmp_path_factory, make_pair) -> Path:
    folder = tmp_path_factory.mktemp("inputs")
    for name, frames in zip(("raw", "denoised"), make_pair(SHAPE), strict=True):
        np.save(folder / f"{name}.npy", frames)
    return folder


def start(inputs: Path, target: Path, *options: str) -> subprocess.Popen[str]:
    words = ["fuse", inputs / "raw.npy", inputs / "denoised.npy", "-o", target, *options]
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", PROGRAM, *map(str, words)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> float:
    began = time.perf_counter()
    _, message = process.communicate(timeout=300)
    assert process.returncode == 0, message
    return time.perf_counter() - began


def contents(store: Path) -> dict[str, bytes]:
    files = [path for path in (store / "c").rglob("*") if path.is_file()]
    return {str(path.relative_to(store)): path.read_bytes() for path in files}


def hidden(target: Path) -> Path:
    return target.with_name(f".{target.name}.resume")


def wait_for_chunk(process: subprocess.Popen[str], target: Path, number: int) -> None:
    chunk = hidden(target) / "store" / "c" / str(number)
    while process.poll() is None and not chunk.exists():
        time.sleep(0.0005)


def kill_and_go_on(inputs: Path, folder: Path, options: list[str], *, n_kills: int) -> None:
    whole, target = folder / "whole.zarr", folder / "fused.zarr"
    seconds = finish(start(inputs, whole, *options))
    rng = random.Random(77)
    for kill in range(n_kills):
        process = start(inputs, target, *options, "--resume")
        if kill % 2:
            wait_for_chunk(process, target, rng.randrange(30))
            time.sleep(rng.uniform(0, 0.05))
        else:
            time.sleep(rng.uniform(0, seconds))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert process.returncode in (-signal.SIGKILL, 0)
    finish(start(inputs, target, *options, "--resume"))
    assert contents(target) == contents(whole)
    assert len(contents(target)) == 30
    assert {path.name for path in folder.iterdir()} == {"whole.zarr", "fused.zarr"}


@pytest.mark.parametrize(
    "options",
    [["--method", "fft"], ["--method", "wiener", "--window", "120", "--compression", "zstd"]],
    ids=["fft", "wiener"],
)
def test_killed(options, inputs, tmp_path):
    kill_and_go_on(inputs, tmp_path, options, n_kills=3)


@pytest.mark.slow
@pytest.mark.parametrize("register", [False, True])
@pytest.mark.parametrize("method", ["fft", "dct", "wiener", "subspace"])
def test_killed_many_times(method, register, inputs, tmp_path):
    options = ["--method", method, *(["--register"] if register else [])]
    kill_and_go_on(inputs, tmp_path, options, n_kills=10)


def test_stopped_it_says_how_to_go_on_and_what_changed(inputs, tmp_path):
    target = tmp_path / "fused.zarr"
    process = start(inputs, target, "--method", "wiener", "--resume")
    wait_for_chunk(process, target, 3)
    process.send_signal(signal.SIGINT)
    _, message = process.communicate(timeout=60)
    if process.returncode == 0:
        pytest.skip("it had ended before the signal came")
    assert process.returncode == 128 + signal.SIGINT
    expected = f"error: stopped before the end; what is done is kept in {hidden(target)}: "
    assert message.startswith(expected)
    assert not target.exists()
    process = start(inputs, target, "--method", "dct", "--resume")
    _, message = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "parameters method was wiener and is dct" in message
    assert message.count("\n") == 1
    finish(start(inputs, target, "--method", "wiener", "--resume"))
    assert not hidden(target).exists()


@pytest.mark.parametrize("name", ["fused.tif", "fused.h5"])
def test_other_formats_are_refused(name, inputs, tmp_path, freq2clean_here):
    result = freq2clean_here(
        "fuse", inputs / "raw.npy", inputs / "denoised.npy", "-o", tmp_path / name, "--resume"
    )
    assert result.returncode == 2
    assert "only a Zarr target on a disk can be resumed" in result.stderr
    assert list(tmp_path.iterdir()) == []

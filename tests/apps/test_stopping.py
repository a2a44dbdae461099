"""Stopped at any moment, the command leaves the old target or the new one, and no debris."""

from __future__ import annotations

import os
import random
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tifffile

from freq2clean import open_recording

SHAPE = (240, 96, 112)
TARGETS = {
    "fused.tif": [],
    "fused.zarr": ["--compression", "zstd"],
    "fused.h5": [],
    "fused.npy": [],
}
needs_proc = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="looks into /proc for the signals that are handled"
)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory, make_pair) -> Path:
    folder = tmp_path_factory.mktemp("inputs")
    for name, frames in zip(("raw", "denoised"), make_pair(SHAPE), strict=True):
        tifffile.imwrite(folder / f"{name}.tif", frames, photometric="minisblack")
    return folder


def put_old_target(path: Path, run) -> None:
    """A recording that stood there before: a few frames of ones."""
    source = path.parent.parent / "old.npy"
    np.save(source, np.ones((3, 16, 16), np.float32))
    assert run("denoise", source, "-o", path).returncode == 0


def handles_signals(process: subprocess.Popen[bytes]) -> bool:
    """Whether a process has set its handlers, before which no file was touched."""
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    caught = next(line for line in lines if line.startswith("SigCgt:"))
    return bool(int(caught.split()[1], 16) >> (signal.SIGTERM - 1) & 1)


def start(
    command: list[str], inputs: Path, target: Path, *, verb: str = "fuse"
) -> subprocess.Popen[bytes]:
    """Start a fusion, or all of a run, and return once it handles signals."""
    recordings = {"fuse": ["raw.tif", "denoised.tif"], "run": ["raw.tif"]}[verb]
    words = [verb, *(inputs / name for name in recordings), "-o", target]
    process = subprocess.Popen(
        [*command, *map(str, words), *TARGETS[target.name]],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    while process.poll() is None and not handles_signals(process):
        time.sleep(0.001)
    return process


def partial_files(folder: Path, target: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path != target]


def state(target: Path) -> str:
    """Old, new or absent: anything else fails."""
    if not target.exists():
        return "absent"
    with open_recording(target) as recording:
        frames = recording[:]
    if frames.shape == SHAPE:
        assert frames.std() > 1
        assert (frames != 0).all()
        return "new"
    assert frames.shape == (3, 16, 16)
    return "old"


@pytest.fixture(scope="module")
def seconds_to_fuse(command, inputs, tmp_path_factory) -> float:
    target = tmp_path_factory.mktemp("timing") / "fused.tif"
    process = start(command, inputs, target)
    began = time.perf_counter()
    process.communicate()
    assert process.returncode == 0
    return time.perf_counter() - began


def wait_for(moment: float, seconds: float, process, folder: Path, target: Path) -> None:
    """A moment below 1 is a share of the whole time; from 1 on, after the first frames went out."""
    if moment < 1:
        time.sleep(moment * seconds)
        return
    while process.poll() is None and not partial_files(folder, target):
        time.sleep(0.0005)
    time.sleep((moment - 1) * 0.3)


def stop_at(number, moment, seconds, command, inputs, target) -> tuple[int, str]:
    folder = target.parent
    process = start(command, inputs, target)
    wait_for(moment, seconds, process, folder, target)
    process.send_signal(number)
    _, message = process.communicate(timeout=60)
    return process.returncode, message.decode()


def check(number, moment, seconds, command, inputs, target) -> None:
    before = state(target)
    code, message = stop_at(number, moment, seconds, command, inputs, target)
    after = state(target)
    assert after in (before, "new")
    if number == signal.SIGKILL:
        assert code in (-signal.SIGKILL, 0)
        return
    assert code in (128 + number, 0), message
    if code:
        assert message.count("\n") == 1
        assert message.startswith("error: stopped")
    else:
        assert after == "new"
    assert partial_files(target.parent, target) == []


def moments(seed: int, n: int) -> list[float]:
    return [round(random.Random(seed * 1000 + i).uniform(0, 2), 3) for i in range(n)]


@needs_proc
@pytest.mark.parametrize("with_old", [False, True], ids=["new", "replacing"])
@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_stopping(
    number, name, with_old, command, inputs, seconds_to_fuse, freq2clean_here, tmp_path
):
    target = tmp_path / "results" / name
    target.parent.mkdir()
    if with_old:
        put_old_target(target, freq2clean_here)
    (moment,) = moments(100 * int(number) + 2 * len(name) + with_old, 1)
    check(number, moment, seconds_to_fuse, command, inputs, target)


@needs_proc
@pytest.mark.slow
@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_stopping_at_many_moments(
    number, name, command, inputs, seconds_to_fuse, freq2clean_here, tmp_path
):
    for i, moment in enumerate(moments(int(number), 10)):
        target = tmp_path / f"results{i}" / name
        target.parent.mkdir()
        if i % 2:
            put_old_target(target, freq2clean_here)
        check(number, moment, seconds_to_fuse, command, inputs, target)


@needs_proc
def test_a_second_signal_does_not_disturb_the_tidying_up(command, inputs, tmp_path):
    target = tmp_path / "fused.zarr"
    process = start(command, inputs, target)
    wait_for(1.0, 0, process, tmp_path, target)
    for number in (signal.SIGINT, signal.SIGINT, signal.SIGTERM):
        process.send_signal(number)
        time.sleep(0.002)
    process.communicate(timeout=60)
    assert process.returncode in (130, 143)
    assert list(tmp_path.iterdir()) == []


@needs_proc
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("pattern", [".*.denoised.npy.*.partial", ".*.denoised.npy", ".fused.tif*"])
def test_a_run_leaves_no_denoised_recording(number, pattern, command, inputs, tmp_path):
    """Stopped while it denoises, in between, and while it fuses."""
    process = start(command, inputs, tmp_path / "fused.tif", verb="run")
    while process.poll() is None and not list(tmp_path.glob(pattern)):
        time.sleep(0.0005)
    process.send_signal(number)
    _, message = process.communicate(timeout=60)
    assert process.returncode in (128 + number, 0), message.decode()
    left = {path.name for path in tmp_path.iterdir()}
    assert left <= {"fused.tif", "fused-report.html"}


@needs_proc
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("verb", ["denoise", "run"])
def test_a_program_that_is_run_ends_too(number, verb, command, inputs, tmp_path):
    code = (
        f"import os, time; open('{tmp_path}/new', 'w').write(str(os.getpid())); "
        f"os.rename('{tmp_path}/new', '{tmp_path}/pid'); time.sleep(60)"
    )
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    program = shlex.join([sys.executable, "-c", code, "{input}", "{output}"])
    words = [verb, inputs / "raw.tif", "-o", tmp_path / "out.tif", "--command", program]
    process = subprocess.Popen(
        [*command, *map(str, words)],
        stderr=subprocess.PIPE,
        env=os.environ | {"TMPDIR": str(temporary)},
    )
    while process.poll() is None and not (tmp_path / "pid").exists():
        time.sleep(0.01)
    process.send_signal(number)
    _, message = process.communicate(timeout=20)
    assert process.returncode == 128 + number
    assert message.decode().startswith("error: stopped before the end")
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)
    assert list(temporary.iterdir()) == []
    assert {path.name for path in tmp_path.iterdir()} == {"pid", "temporary"}


@needs_proc
def test_an_ignored_interrupt_stays_ignored(command, inputs, tmp_path):
    """As in a background job of a shell."""
    ignored = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        process = start(command, inputs, tmp_path / "fused.npy")
    finally:
        signal.signal(signal.SIGINT, ignored)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert state(tmp_path / "fused.npy") == "new"

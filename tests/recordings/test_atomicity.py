"""Killed at any moment, nothing but whole recordings stands under a target's name."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from freq2clean.recordings import create, open_recording, swap

_WRITE_FOREVER = """
import itertools, sys
import numpy as np
from freq2clean.recordings import create
for n in itertools.count(1):
    with create(sys.argv[1], (30, 64, 64), "uint16", compression=sys.argv[2] or None) as writer:
        for _ in range(30):
            writer.append(np.full((1, 64, 64), n, "uint16"))
    print(n, flush=True)
"""


def moments(one_s, *, upto):
    """One moment for every run of the tests, and twenty for the slow ones."""
    more = np.random.default_rng(0).uniform(0, upto, 20).round(4)
    return [one_s, *(pytest.param(float(s), marks=pytest.mark.slow) for s in more)]


def start(target):
    path, compression = target
    process = subprocess.Popen(
        [sys.executable, "-c", _WRITE_FOREVER, path, compression or ""], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    return process


def interrupt(process):
    """Press Ctrl-C until it ends: Python drops an interrupt that falls into a finalizer."""
    for _ in range(10):
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=5)
            break
    process.kill()
    assert process.wait() == -signal.SIGINT


def whole(path):
    """The one value of a recording that was written whole."""
    with open_recording(path) as recording:
        assert recording.shape == (30, 64, 64)
        pixels = recording[:]
    value = int(pixels.flat[0])
    np.testing.assert_array_equal(pixels, value)
    return value


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals")
@pytest.mark.parametrize("delay_s", moments(0.011, upto=0.04))
def test_killed_while_replacing(target, delay_s):
    process = start(target)
    written = [process.stdout.readline() for _ in range(2)]
    time.sleep(delay_s)
    process.send_signal(signal.SIGKILL)
    rest = process.communicate()[0]
    assert process.returncode == -signal.SIGKILL
    last = int((b"".join(written) + rest).split()[-1])
    assert whole(target[0]) in (last, last + 1)


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals")
@pytest.mark.parametrize("delay_s", moments(0.5, upto=1.0))
def test_killed_at_the_first_attempt(target, delay_s):
    process = start(target)
    time.sleep(delay_s)
    process.send_signal(signal.SIGKILL)
    written = process.communicate()[0]
    if Path(target[0].partition("::")[0]).exists():
        assert whole(target[0]) >= 1
    else:
        assert written == b""


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals")
@pytest.mark.parametrize("delay_s", moments(0.005, upto=0.04))
def test_interrupted_leaves_nothing_but_the_target(target, tmp_path, delay_s):
    process = start(target)
    process.stdout.readline()
    time.sleep(delay_s)
    interrupt(process)
    assert [file.name for file in tmp_path.iterdir()] == [Path(target[0].partition("::")[0]).name]
    assert whole(target[0]) >= 1


@pytest.mark.parametrize("fails", [False, True])
def test_directories_swap_where_the_system_cannot_exchange(tmp_path, monkeypatch, fails):
    monkeypatch.setattr(swap, "_exchange", lambda one, other: False)
    for name in ("new", "target"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    if fails:
        rename = Path.rename

        def refuse(self, other):
            if self.name == "new":
                raise OSError("refused")
            return rename(self, other)

        monkeypatch.setattr(Path, "rename", refuse)
        with pytest.raises(OSError, match="refused"):
            swap.put_in_place(tmp_path / "new", tmp_path / "target")
        assert (tmp_path / "target" / "target").exists()
        return
    swap.put_in_place(tmp_path / "new", tmp_path / "target")
    assert [file.name for file in tmp_path.rglob("*")] == ["target", "new"]


@pytest.mark.skipif(not hasattr(os, "posix_fadvise"), reason="this system takes no advice")
def test_only_memory_of_the_old_target_is_released(target, tmp_path, movie, monkeypatch):
    path, compression = target
    with create(path, movie().shape, "uint16", compression=compression) as writer:
        writer.append(movie())
    old = {file.stat().st_ino for file in tmp_path.rglob("*") if file.is_file()}
    released = set()
    advise = os.posix_fadvise

    def note(descriptor, *advice):
        released.add(os.fstat(descriptor).st_ino)
        advise(descriptor, *advice)

    monkeypatch.setattr(os, "posix_fadvise", note)
    with (
        pytest.raises(KeyboardInterrupt),
        create(path, movie().shape, "uint16", compression=compression),
    ):
        raise KeyboardInterrupt
    assert released == old
    with open_recording(path) as recording:
        np.testing.assert_array_equal(recording[:], movie())


def test_two_writers_of_one_target_do_not_meet(tmp_path, movie):
    with (
        create(tmp_path / "a.npy", movie().shape, "uint16") as one,
        create(tmp_path / "a.npy", movie().shape, "uint16") as other,
    ):
        one.append(movie(seed=1))
        other.append(movie(seed=2))
    np.testing.assert_array_equal(open_recording(tmp_path / "a.npy")[:], movie(seed=1))


def test_the_temporary_is_no_recording(tmp_path, movie, target):
    with create(target[0], movie().shape, "uint16", compression=target[1]) as writer:
        writer.append(movie()[:3])
        (temporary,) = tmp_path.iterdir()
        assert temporary.name.startswith(".")
        assert temporary.suffix == ".partial"
        writer.append(movie()[3:])

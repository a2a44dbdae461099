"""The command on worker processes: what it writes, says, and leaves when it is stopped."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from freq2clean import open_recording

pytest.importorskip("distributed")


@pytest.fixture(scope="module")
def inputs(tmp_path_factory, make_pair):
    folder = tmp_path_factory.mktemp("inputs")
    for name, frames in zip(("raw", "denoised"), make_pair((300, 48, 56)), strict=True):
        np.save(folder / f"{name}.npy", frames)
    return [str(folder / f"{name}.npy") for name in ("raw", "denoised")]


def test_workers_on_this_machine_write_what_the_command_writes(inputs, tmp_path, freq2clean):
    how = ["--method", "wiener", "--dtype", "uint16", "--json"]
    done = freq2clean("fuse", *inputs, "-o", tmp_path / "a.zarr", "--scheduler", "local:1", *how)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["dtype"] == "uint16"
    assert result["findings"]["n_bins"] >= 1
    assert freq2clean("fuse", *inputs, "-o", tmp_path / "b.zarr", *how).returncode == 0
    one, other = (open_recording(tmp_path / f"{name}.zarr")[:] for name in "ab")
    assert np.mean(one != other) < 1e-3
    assert np.abs(one.astype(int) - other).max() <= 1


def test_a_scheduler_that_does_not_answer_is_said(inputs, tmp_path, freq2clean_here, monkeypatch):
    monkeypatch.setattr("freq2clean.streaming.dask._PATIENCE_S", 0.3)
    words = "fuse", *inputs, "-o", tmp_path / "a.zarr", "--scheduler", "tcp://127.0.0.1:9"
    done = freq2clean_here(*words)
    assert done.returncode == 2
    assert done.stderr.startswith("error: no scheduler answers at tcp://127.0.0.1:9")
    assert done.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


def descendants(pid):
    """Processes that a process started, and those started by these."""
    found = []
    for entry in os.listdir("/proc"):
        try:
            fields = Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()
        except (OSError, NotADirectoryError):
            continue
        if entry.isdigit() and fields[0] != "Z" and int(fields[1]) == pid:
            found += [int(entry), *descendants(int(entry))]
    return found


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")
def test_ctrl_c_leaves_neither_debris_nor_workers(inputs, tmp_path, command):
    process = subprocess.Popen(
        [*command, "fuse", *inputs, "-o", str(tmp_path / "a.zarr"), "--scheduler", "local:2"],
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while len(descendants(process.pid)) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(2)
    assert process.poll() is None
    started = descendants(process.pid)
    process.send_signal(signal.SIGINT)
    _, written = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGINT
    assert written.strip().endswith("stopped before the end; no unfinished file was left")
    assert not list(tmp_path.iterdir())
    deadline = time.monotonic() + 10
    while any(os.path.exists(f"/proc/{pid}") for pid in started) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not [pid for pid in started if os.path.exists(f"/proc/{pid}")]

"""Fusion in a process of its own: the same result, errors in words, nothing left when stopped."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import freq2clean
from freq2clean.apps.napari.job import Job, JobError, StoppedError, copy_recording, reason_of
from freq2clean.recordings import open_recording


def fused(path) -> np.ndarray:
    with open_recording(path) as recording:
        return recording[:]


def test_files_are_fused_as_by_the_function(folder):
    raw, denoised, out = (str(folder / name) for name in ("raw.tif", "denoised.tif", "fused.tif"))
    steps = []
    job = Job("fuse", ("raw", raw), ("denoised", denoised), out=out, method="wiener")
    result = job.run(lambda done, total: steps.append((done, total)))
    expected = freq2clean.fuse(raw, denoised, method="wiener")
    np.testing.assert_allclose(fused(out), expected, rtol=1e-5)
    assert result["path"] == out
    assert steps[-1][0] == steps[-1][1]
    assert result["notes"]


def test_arrays_are_fused_too(folder, make_pair, tmp_path):
    raw, denoised = (open_recording(movie) for movie in make_pair())
    out = str(tmp_path / "fused.npy")
    Job("fuse", ("a", raw), ("b", denoised), out=out, method="fft").run(lambda *_: None)
    expected = freq2clean.fuse(raw, denoised, method="fft")
    np.testing.assert_allclose(fused(out), expected, rtol=1e-5)


def test_an_error_calls_recordings_by_their_layers(make_pair, tmp_path):
    raw, other = make_pair((10, 8, 9))[0], make_pair((10, 8, 10))[0]
    job = Job(
        "fuse",
        ("my raw", open_recording(raw)),
        ("my other", open_recording(other)),
        out=str(tmp_path / "fused.tif"),
    )
    with pytest.raises(JobError, match="frames of my raw are 8 x 9 pixels and those of my other"):
        job.run(lambda *_: None)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("complaints", "code", "reason"),
    [
        ("some warning\nerror: /tmp/0.npy is empty\n", 2, "my raw is empty"),
        ("Traceback ...\nKeyError: 'guess'\n", 1, "KeyError: 'guess'"),
        ("", -9, "the system ended the work (signal 9), as it does where memory runs out"),
        ("", 1, "exit code 1"),
    ],
)
def test_why_the_other_process_ended_is_told_without_a_traceback(complaints, code, reason):
    assert reason_of(complaints, code, {"/tmp/0.npy": "my raw"}) == reason


def test_stopped_at_its_first_progress_it_leaves_nothing(tmp_path, make_pair):
    raw, denoised = (open_recording(movie) for movie in make_pair((300, 96, 96)))
    job = Job("fuse", ("raw", raw), ("denoised", denoised), out=str(tmp_path / "fused.tif"))
    asked = []

    def stop(*_: int) -> None:
        if not asked:
            asked.append(time.monotonic())
            threading.Thread(target=job.stop).start()

    with pytest.raises(StoppedError):
        job.run(stop)
    assert time.monotonic() - asked[0] < 5
    assert not list(tmp_path.iterdir())


def test_stopped_before_it_began_it_never_begins(folder):
    job = Job("inspect", ("raw", str(folder / "raw.tif")))
    job.stop()
    with pytest.raises(StoppedError):
        job.run(lambda *_: pytest.fail("it began"))


def test_without_its_parent_the_child_ends(tmp_path, make_pair):
    """Where napari dies, no work goes on in the background."""
    for name, movie in zip(("raw", "denoised"), make_pair((300, 96, 96)), strict=True):
        np.save(tmp_path / f"{name}.npy", movie)
    (tmp_path / "out").mkdir()
    child = subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "freq2clean.apps.napari.child"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    request = {
        "call": "fuse",
        "recordings": [str(tmp_path / f"{name}.npy") for name in ("raw", "denoised")],
        "options": {"out": str(tmp_path / "out/fused.tif")},
    }
    child.stdin.write(json.dumps(request) + "\n")
    child.stdin.flush()
    assert "progress" in json.loads(child.stdout.readline())
    child.stdin.close()
    assert child.wait(20) == 128 + 15
    assert "no unfinished file was left" in child.stderr.read()
    assert not list((tmp_path / "out").iterdir())
    child.stdout.close()
    child.stderr.close()


def test_a_copy_has_frames_and_metadata(folder, tmp_path):
    with open_recording(folder / "raw.tif") as recording:
        copy_recording(recording, tmp_path / "copy.h5")
        with open_recording(tmp_path / "copy.h5") as copy:
            np.testing.assert_array_equal(copy[:], recording[:])
            assert copy.metadata.frame_rate_hz == 20
            assert copy.metadata.pixel_size_um == (1.5, 1.5)

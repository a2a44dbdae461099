"""Everything that is written is on the disk before it gets the target's name."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

import numpy as np
import pytest

from freq2clean.errors import OutputError
from freq2clean.recordings import create, flushing

SHAPE = (100, 512, 512)  # 50 MB: some of it is flushed while it is written
N_FRAMES = 10


def write(path) -> None:
    with create(path, SHAPE, "uint16") as writer:
        for start in range(0, SHAPE[0], N_FRAMES):
            writer.append(np.full((N_FRAMES, *SHAPE[1:]), start, "uint16"))


@pytest.fixture
def flushed(monkeypatch) -> list[Path]:
    """Every path that is flushed, in order."""
    paths: list[Path] = []
    flush = flushing.flush

    def note(path):
        flush(path)
        paths.append(path)

    monkeypatch.setattr(flushing, "flush", note)
    return paths


def test_every_file_of_a_folder_is_flushed_once(tmp_path, flushed, monkeypatch):
    before_rename = []
    finish = flushing.Flusher.finish

    def finish_and_list(self):
        finish(self)
        before_rename.extend([self._path, *self._path.rglob("*")])

    monkeypatch.setattr(flushing.Flusher, "finish", finish_and_list)
    write(tmp_path / "a.zarr")
    assert len(before_rename) > 5
    assert sorted(flushed) == sorted(before_rename)


@pytest.mark.parametrize("name", ["a.zarr", "a.npy"])
def test_flushing_begins_while_frames_are_still_written(tmp_path, monkeypatch, name):
    begun = threading.Event()
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda descriptor: begun.set() or fsync(descriptor))
    frames = np.ones(SHAPE, "uint16")
    with create(tmp_path / name, SHAPE, "uint16") as writer:
        writer.append(frames[:-1])
        assert begun.wait(timeout=30)
        writer.append(frames[-1:])


@pytest.mark.parametrize("name", ["a.zarr", "a.npy", "a.h5", "a.tif"])
def test_what_cannot_be_flushed_is_an_error(tmp_path, monkeypatch, name):
    def refuse(descriptor):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(OutputError, match=f"{name} could not be written: Input/output error"):
        write(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_failure_in_the_background_is_not_forgotten(tmp_path, monkeypatch):
    """Only the first flush may tell of it: the system says it once."""
    failures = [OSError(errno.EIO, os.strerror(errno.EIO))]
    fsync = os.fsync

    def refuse_once(descriptor):
        if failures:
            raise failures.pop()
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", refuse_once)
    with pytest.raises(OutputError, match="Input/output error"):
        write(tmp_path / "a.npy")
    assert list(tmp_path.iterdir()) == []

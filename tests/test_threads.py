"""The bound on threads: what it is, and that computing and decoding keep it."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
import tifffile
import zarr
from threadpoolctl import threadpool_info

from freq2clean import open_recording
from freq2clean.errors import InputError
from freq2clean.fusion.parallel import over_items
from freq2clean.pipeline.workers import working
from freq2clean.recordings import tiff
from freq2clean.threads import at_most, n_threads


class Watched:
    """Calls a function, and knows how many threads were inside at once."""

    def __init__(self, function=lambda *_: None):
        self.most = 0
        self._function = function
        self._inside = 0
        self._lock = threading.Lock()

    def __call__(self, *args, **options):
        with self._lock:
            self._inside += 1
            self.most = max(self.most, self._inside)
        time.sleep(0.002)
        try:
            return self._function(*args, **options)
        finally:
            with self._lock:
                self._inside -= 1


def test_the_bound_holds_within_and_the_least_of_several():
    before = n_threads()
    with at_most(3):
        assert n_threads() == 3
        with at_most(None), at_most(5):
            assert n_threads() == 3
        with at_most(1):
            assert n_threads() == 1
        assert n_threads() == 3
    assert n_threads() == before


def test_the_bound_is_lifted_after_an_error():
    before = n_threads()
    with pytest.raises(ZeroDivisionError), at_most(before + 1):
        raise ZeroDivisionError
    assert n_threads() == before


@pytest.mark.parametrize("workers", [0, -1, 1.5, "2", True])
def test_other_than_a_number_of_threads_is_refused(workers):
    with pytest.raises(InputError, match=r"workers = .*; give 1 or more"), at_most(workers):
        pass


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_so_many_compute(workers):
    watched = Watched()
    with at_most(workers):
        over_items(watched, range(40))
        blas = [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]
    assert watched.most == workers
    assert max(blas) <= workers


@pytest.mark.parametrize("workers", [1, 3])
def test_so_many_decode_tiff(workers, tmp_path, monkeypatch):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((30, 16, 16), np.uint16), compression="zstd")
    recording = open_recording(tmp_path / "a.tif")
    watched = Watched(tiff._decode)
    monkeypatch.setattr(tiff, "_decode", watched)
    with working(workers):
        assert not recording.read(0, 30).any()
    assert watched.most == workers


@pytest.mark.parametrize("workers", [1, 3])
def test_so_many_decode_zarr(workers, tmp_path, monkeypatch):
    from numcodecs.zstd import Zstd

    frames = np.arange(30 * 256, dtype=np.uint16).reshape(30, 16, 16)
    zarr.create_array(
        tmp_path / "a.zarr",
        data=frames,
        chunks=(1, 16, 16),
        compressors=zarr.codecs.ZstdCodec(level=1),
    )
    watched = Watched(Zstd.decode)
    monkeypatch.setattr("zarr.codecs.zstd.ZstdCodec._zstd_codec", Patched(watched))
    recording = open_recording(tmp_path / "a.zarr")
    before = zarr.config.get("async.concurrency")
    with working(workers):
        np.testing.assert_array_equal(recording.read(0, 30), frames)
    assert watched.most == workers
    assert zarr.config.get("async.concurrency") == before


class Patched:
    """A codec whose decoding is watched."""

    def __init__(self, decode):
        from numcodecs.zstd import Zstd

        self._codec = Zstd(level=1)
        self._decode = decode

    def decode(self, *args):
        return self._decode(self._codec, *args)

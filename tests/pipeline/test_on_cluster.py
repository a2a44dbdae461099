"""A cluster writes what one process gives, whoever dies meanwhile, from disks and object stores."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time

import numpy as np
import pytest

from freq2clean import InputError, OutputError, fuse, inspect, open_recording

distributed = pytest.importorskip("distributed")

METHODS = {
    "fft": {"window": 100},
    "dct": {"window": 120, "raw_average": 60},
    "wiener": {"window": 130, "n_bins": 12},
    "subspace": {"window": 150},
    "auto": {},
}


@pytest.fixture(scope="module")
def bucket():
    """The URL of a bucket in an object store of this machine, which the environment names."""
    moto = pytest.importorskip("moto.server")
    fsspec = pytest.importorskip("fsspec")
    pytest.importorskip("s3fs")
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "AWS_ENDPOINT_URL": f"http://{host}:{port}",
            "AWS_ACCESS_KEY_ID": "nobody",
            "AWS_SECRET_ACCESS_KEY": "nothing",
            "AWS_DEFAULT_REGION": "us-east-1",
        }.items():
            patch.setenv(name, value)
        fsspec.filesystem("s3").mkdir("recordings")
        yield "s3://recordings"
    server.stop()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory, bucket):
    """Two worker processes, which know of the object store too."""
    with distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        dashboard_address=":0",
        memory_limit=None,
        local_directory=str(tmp_path_factory.mktemp("workers")),
        silence_logs=50,
    ) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def stored(active, save, tmp_path_factory):
    folder = tmp_path_factory.mktemp("shared")
    return [save(folder / f"{n}.zarr", x) for n, x in zip(("raw", "den"), active, strict=True)]


@pytest.fixture(autouse=True)
def short_chunks(monkeypatch):
    """Of 16 frames: recordings are small here."""
    monkeypatch.setattr("freq2clean.recordings.zarr._CHUNK_BYTES", 16 * 4 * 40 * 44)


@pytest.mark.parametrize("method", METHODS)
def test_a_cluster_writes_what_arrays_give(active, stored, cluster, tmp_path, method):
    reported = []
    result = fuse(
        *stored,
        out=tmp_path / "fused.zarr",
        method=method,
        scheduler=cluster.scheduler_address,
        progress=lambda done, total: reported.append((done, total)),
        **METHODS[method],
    )
    serial = fuse(*active, method=method, **METHODS[method])
    with open_recording(tmp_path / "fused.zarr") as fused:
        np.testing.assert_allclose(fused[:], serial, atol=1e-4 * np.nanmax(serial))
        assert fused.metadata.frame_rate_hz == pytest.approx(12.5)
        assert fused.metadata.provenance["method"] == method
        assert [x["name"] for x in fused.metadata.provenance["inputs"]] == list(map(str, stored))
    assert [path.name for path in tmp_path.iterdir()] == ["fused.zarr"]
    assert reported[-1][0] == reported[-1][1] == len(reported) > 1
    again = fuse(*stored, out=tmp_path / "serial.zarr", method=method, **METHODS[method])
    assert result.parameters == again.parameters
    assert result.findings.keys() == again.findings.keys()
    assert len(result.notes) == len(again.notes)


@pytest.mark.parametrize("suffix", [".h5", ".tif", ".npy"])
def test_other_formats_are_read_by_workers(pair, save, cluster, tmp_path, suffix):
    paths = [save(tmp_path / f"{n}{suffix}", getattr(pair, n)) for n in ("raw", "denoised")]
    fuse(*paths, out=tmp_path / "f.zarr", method="fft", scheduler=cluster.scheduler_address)
    expected = fuse(pair.raw, pair.denoised, method="fft")
    np.testing.assert_allclose(open_recording(tmp_path / "f.zarr")[:], expected, atol=1e-2)


def test_fewer_frames_another_dtype_and_a_target_that_is_replaced(
    pair, save, cluster, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    save(tmp_path / "raw.npy", pair.raw)
    save(tmp_path / "den.npy", pair.denoised[3:] - 195)
    options = {"align": "end", "dtype": "uint8", "rescale": False, "method": "wiener"}
    serial = fuse("raw.npy", "den.npy", out="serial.zarr", **options)
    fuse("raw.npy", "den.npy", out="f.zarr", compression="zstd", **options)
    result = fuse(
        "raw.npy", "den.npy", out="f.zarr", scheduler=cluster.scheduler_address, **options
    )
    assert result.n_clipped == pytest.approx(serial.n_clipped, abs=2)
    assert result.n_clipped > 100
    both = [open_recording(name)[:] for name in ("f.zarr", "serial.zarr")]
    assert both[0].dtype == np.uint8
    assert np.mean(both[0] != both[1]) < 1e-3
    assert sorted(os.listdir()) == ["den.npy", "f.zarr", "raw.npy", "serial.zarr"]


def kill_holder_of(cluster, prefix, killed):
    """Kill the worker that has the first result of some tasks, once there is one."""
    nannies = list(cluster.workers.values())
    while not killed:
        time.sleep(0.001)
        for task in list(cluster.scheduler.tasks.values()):
            if task.key.startswith(prefix) and task.who_has:
                address = next(iter(task.who_has)).address
                pid = next(nanny.pid for nanny in nannies if nanny.worker_address == address)
                os.kill(pid, signal.SIGKILL)
                killed.append(pid)
                return


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals")
@pytest.mark.parametrize("after", ["_add_up", "_fuse"])
def test_a_worker_that_dies_in_the_middle_changes_nothing(active, stored, cluster, tmp_path, after):
    killed = []
    killer = threading.Thread(target=kill_holder_of, args=(cluster, after, killed), daemon=True)
    killer.start()
    options = {"method": "subspace", "window": 150}
    fuse(*stored, out=tmp_path / "fused.zarr", scheduler=cluster.scheduler_address, **options)
    killer.join()
    assert len(killed) == 1
    serial = fuse(*active, **options)
    fused = open_recording(tmp_path / "fused.zarr")[:]
    np.testing.assert_allclose(fused, serial, atol=1e-4 * np.nanmax(serial))
    assert [path.name for path in tmp_path.iterdir()] == ["fused.zarr"]


def test_an_error_of_a_worker_is_told_and_leaves_the_old_target(make_pair, cluster, tmp_path, save):
    made = make_pair((400, 20, 24))
    target = save(tmp_path / "fused.zarr", np.ones((3, 4, 4), np.float32))
    swapped = [save(tmp_path / f"{n}.npy", getattr(made, n)) for n in ("denoised", "raw")]
    with pytest.raises(InputError, match="were they swapped"):
        fuse(*swapped, out=target, scheduler=cluster.scheduler_address)
    assert len(list(tmp_path.iterdir())) == 3
    assert open_recording(target).shape == (3, 4, 4)


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_a_stop_leaves_no_debris(stored, cluster, tmp_path, error):
    def stop(done, total):
        raise error

    with pytest.raises(error):
        fuse(*stored, out=tmp_path / "f.zarr", scheduler=cluster.scheduler_address, progress=stop)
    time.sleep(1)  # what was under way when it was cancelled must not bring the store back
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"out": "a.tif"}, OutputError, "give an out that ends in .zarr; a.tif was"),
        ({"out": None}, OutputError, "none was"),
        ({"register": True}, InputError, "register is for one machine"),
        ({"workers": 2}, InputError, "workers and scheduler are both given"),
        ({"scheduler": "host"}, InputError, "tcp://host:8786"),
    ],
)
def test_what_workers_cannot_do_is_refused(stored, tmp_path, monkeypatch, change, error, message):
    monkeypatch.chdir(tmp_path)
    options = {"out": "a.zarr", "scheduler": "tcp://127.0.0.1:9", **change}
    with pytest.raises(error, match=message):
        fuse(*stored, **options)
    assert not list(tmp_path.iterdir())


def test_arrays_are_refused(active, tmp_path):
    with pytest.raises(InputError, match="workers read files; a ndarray was given"):
        fuse(*active, out=tmp_path / "a.zarr", scheduler="local:1")


def test_an_object_store_is_read_and_written(active, save, cluster, bucket, monkeypatch):
    """By one process, then by workers."""
    monkeypatch.setattr("freq2clean.recordings.zarr._CHUNK_BYTES", 128 * 4 * 40 * 44)
    import fsspec

    urls = [f"{bucket}/{name}.zarr" for name in ("raw", "den")]
    for url, frames in zip(urls, active, strict=True):
        save(url, frames)
    assert inspect(urls[0]).as_dict() == inspect(active[0]).as_dict()
    expected = fuse(*active, method="fft")
    for name, scheduler in (("serial", None), ("cluster", cluster.scheduler_address)):
        out = f"{bucket}/{name}.zarr"
        result = fuse(*urls, out=out, method="fft", scheduler=scheduler)
        assert result.path == out
        with open_recording(out) as fused:
            np.testing.assert_allclose(fused[:], expected, atol=1e-2)
            made = fused.metadata.provenance
        assert [entry["name"] for entry in made["inputs"]] == urls
    with pytest.raises(OutputError, match="stands there already"):
        fuse(*urls, out=out)
    stored = fsspec.filesystem("s3", use_listings_cache=False).ls("recordings")
    names = {name.rsplit("/")[-1] for name in stored}
    assert names == {"raw.zarr", "den.zarr", "serial.zarr", "cluster.zarr"}

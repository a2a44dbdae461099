"""Zarr arrays by their URL: read, written all or nothing, in order or in parts."""

from __future__ import annotations

import functools
import http.server
import threading
import uuid

import fsspec
import numpy as np
import pytest
import zarr

from freq2clean import InputError, MissingExtraError, OutputError, create, open_recording
from freq2clean.recordings import Metadata, check_target, in_parts
from freq2clean.recordings.urls import is_url


@pytest.fixture
def url():
    """A folder of a store in memory."""
    folder = f"memory://{uuid.uuid4().hex}"
    yield folder
    fs, path = fsspec.core.url_to_fs(folder)
    if fs.exists(path):
        fs.rm(path, recursive=True)


def files_at(url):
    fs, path = fsspec.core.url_to_fs(url)
    fs.invalidate_cache()
    return fs.find(path)


@pytest.mark.parametrize("compression", [None, "deflate", "zstd"])
def test_what_is_written_to_a_url_is_read_from_it(movie, url, compression):
    pixels = movie("int16")
    metadata = Metadata(12.5, (0.5, 0.25), {"method": "none"})
    target = f"{url}/fused.zarr"
    with create(
        target, pixels.shape, "int16", metadata=metadata, compression=compression
    ) as writer:
        writer.append(pixels[:4])
        assert not any(name.endswith("zarr.json") for name in files_at(url))
        writer.append(pixels[4:])
    with open_recording(target) as recording:
        np.testing.assert_array_equal(recording[:], pixels)
        assert recording.metadata == metadata
        assert recording.name == target
        np.testing.assert_array_equal(recording[2:7], pixels[2:7])


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_nothing_is_left_of_what_is_broken_off(movie, url, error):
    def write():
        with create(f"{url}/a.zarr", movie().shape, "uint16") as writer:
            writer.append(movie()[:8])
            raise error

    with pytest.raises(error):
        write()
    assert not files_at(url)


def test_missing_frames_are_refused_and_nothing_is_left(movie, url):
    with (
        pytest.raises(OutputError, match="not all of the 9 frames"),
        create(f"{url}/a.zarr", movie().shape, "uint16") as writer,
    ):
        writer.append(movie()[:8])
    assert not files_at(url)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("memory://x/a.tif", "end it in .zarr"),
        ("https://example.org/a.zarr", "takes no files"),
    ],
)
def test_bad_urls_are_refused_before_any_work(name, message):
    with pytest.raises(OutputError, match=message):
        check_target(name)


def test_what_stands_there_is_not_replaced(movie, url):
    with create(f"{url}/a.zarr", movie().shape, "uint16") as writer:
        writer.append(movie())
    with pytest.raises(OutputError, match="stands there already"):
        check_target(f"{url}/a.zarr")


def test_what_is_no_zarr_is_said(url):
    with pytest.raises(InputError, match=r"nothing\.zarr cannot be read as Zarr"):
        open_recording(f"{url}/nothing.zarr")


def test_an_unknown_kind_of_url_is_said():
    with pytest.raises(InputError, match="Protocol not known"):
        open_recording("nowhere://a.zarr")


def test_a_missing_library_is_named(monkeypatch):
    def missing(*args, **options):
        raise ImportError("Install gcsfs to access Google Storage")

    monkeypatch.setattr("freq2clean.recordings.urls.store_at", missing)
    with pytest.raises(MissingExtraError, match=r"gcsfs.*freq2clean\[cloud\]"):
        open_recording("gs://bucket/a.zarr")


def test_windows_drives_and_paths_are_no_urls():
    assert not any(is_url(x) for x in ("C:/a.zarr", "a.zarr", "/a//b.zarr", "a.h5::/b"))


@pytest.fixture
def web(tmp_path):
    """The address of a web server that serves a folder, and the folder."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    handler = functools.partial(Quiet, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", tmp_path
        server.shutdown()


@pytest.mark.parametrize(
    ("error", "n_attempts"),
    [(OSError("503"), 3), (RuntimeError("half a chunk"), 3), (MemoryError(), 1), (InputError(), 1)],
)
def test_only_what_may_pass_is_asked_for_again(movie, url, monkeypatch, error, n_attempts):
    monkeypatch.setattr("freq2clean.recordings.urls._WAITS_S", (0, 0, 0))
    zarr.create_array(f"{url}/a.zarr", data=movie())
    recording = open_recording(f"{url}/a.zarr")
    attempts = []

    def fail(array, key):
        attempts.append(key)
        raise error

    monkeypatch.setattr(zarr.Array, "__getitem__", fail)
    with pytest.raises(InputError if n_attempts > 1 else type(error)):
        recording.read(0, 2)
    assert len(attempts) == n_attempts


@pytest.mark.parametrize("version", [2, 3])
def test_a_web_server_is_read(movie, web, version):
    address, folder = web
    array = zarr.create_array(
        folder / "raw.zarr", shape=(9, 33, 47), chunks=(4, 20, 20), dtype="uint16",
        zarr_format=version,
    )  # fmt: skip
    array[:] = movie()
    recording = open_recording(f"{address}/raw.zarr")
    np.testing.assert_array_equal(recording[:], movie())
    assert recording.chunk_frames == 4
    with pytest.raises(InputError, match="cannot be read as Zarr"):
        open_recording(f"{address}/other.zarr")


@pytest.fixture(params=["disk", "url"])
def target(request, tmp_path, url):
    return str(tmp_path / "a.zarr") if request.param == "disk" else f"{url}/a.zarr"


def test_parts_are_written_in_any_order_and_again(target, tmp_path, movie, monkeypatch):
    monkeypatch.setattr("freq2clean.recordings.zarr._CHUNK_BYTES", 3 * 33 * 47 * 2)
    pixels = movie("float32", (11, 33, 47))
    pixels[4, 0, 0] = 1e9
    make = in_parts.in_parts(target, (11, 33, 47), np.dtype("uint16"), metadata=Metadata())
    with make as (parts, written):
        assert parts.chunk_frames == 3
        for start, stop in ((6, 11), (0, 6), (6, 11)):
            part = parts.write(start, iter([pixels[start : start + 2], pixels[start + 2 : stop]]))
        written += [parts.write(0, [pixels[:6]]), part]
    assert sum(part.n_clipped for part in written) == np.sum(np.rint(pixels) < 0) + 1
    expected = np.clip(np.rint(pixels), 0, 65535).astype("uint16")
    np.testing.assert_array_equal(open_recording(target)[:], expected)
    assert [file.name for file in tmp_path.iterdir()] in ([], ["a.zarr"])


def test_a_part_that_is_missing_or_lost_is_refused(target, tmp_path, movie, monkeypatch):
    monkeypatch.setattr("freq2clean.recordings.zarr._CHUNK_BYTES", 3 * 33 * 47 * 2)

    def write(lost):
        with in_parts.in_parts(target, (9, 33, 47), np.dtype("uint16"), metadata=Metadata()) as (
            parts,
            written,
        ):
            written += [parts.write(0, [movie()[:3]]), parts.write(6, [movie()[6:]])]
            if lost:
                written.append(written[0]._replace(start=3, stop=6))

    for lost, message in ((False, "not all of the 9"), (True, "2 of 3 chunks")):
        with pytest.raises(OutputError, match=message):
            write(lost)
        assert not list(tmp_path.iterdir())


def test_debris_of_killed_writers_goes(tmp_path, movie):
    with in_parts.in_parts(
        tmp_path / "a.zarr", movie().shape, np.dtype("uint16"), metadata=Metadata()
    ) as (parts, written):
        written.append(parts.write(0, [movie()]))
        stray = next(tmp_path.rglob("c")) / "0.abc.partial"
        stray.write_bytes(b"half a chunk")
    assert not list(tmp_path.rglob("*.partial"))
    np.testing.assert_array_equal(open_recording(tmp_path / "a.zarr")[:], movie())

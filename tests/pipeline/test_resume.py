"""A fusion that was stopped goes on, and gives what it would have given; or says what changed."""

from __future__ import annotations

import json
import os
import shutil

import numpy as np
import pytest
import zarr

from freq2clean import fuse, open_recording
from freq2clean.errors import InputError, OutputError
from freq2clean.recordings import Metadata, resuming
from freq2clean.recordings import zarr as zarr_room

SHAPE = (420, 40, 44)
METHODS = {
    "fft": {"window": 100},
    "dct": {},
    "wiener": {"window": 150},
    "subspace": {},
}


class StopError(Exception):
    """What the system does to a job."""


@pytest.fixture(autouse=True)
def small_steps(monkeypatch):
    """Chunks of 9 frames of float32, committed as they are written."""
    monkeypatch.setattr(zarr_room, "_CHUNK_BYTES", 9 * 4 * SHAPE[1] * SHAPE[2])
    monkeypatch.setattr(resuming, "_STEP_SECONDS", 0)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory, make_pair, save):
    made = make_pair(SHAPE, seed=11)
    raw = made.raw.copy()
    raw[200:205, 7] = 0
    folder = tmp_path_factory.mktemp("inputs")
    return tuple(
        str(save(folder / f"{name}.npy", frames))
        for name, frames in (("raw", raw), ("denoised", made.denoised))
    )


def hidden(path):
    return path.with_name(f".{path.name}.resume")


def n_committed(path):
    return len(json.loads((hidden(path) / "journal.json").read_text())["checksums"])


@pytest.fixture
def stop_after(monkeypatch):
    """Stop a job once so many chunks are on the disk."""

    def stop_after(n_chunks):
        append = resuming.ResumedWriter.append

        def append_or_stop(writer, start, block):
            append(writer, start, block)
            writer._wait()
            if len(writer._journal.checksums) >= n_chunks:
                raise StopError

        monkeypatch.setattr(resuming.ResumedWriter, "append", append_or_stop)
        return lambda: monkeypatch.setattr(resuming.ResumedWriter, "append", append)

    return stop_after


def chunks_of(store):
    return {
        str(p.relative_to(store)): p.read_bytes() for p in (store / "c").rglob("*") if p.is_file()
    }


SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    ("method", "register"),
    [
        ("fft", False),
        ("dct", False),
        ("wiener", False),
        ("subspace", False),
        ("fft", True),
        pytest.param("wiener", True, marks=SLOW),
        pytest.param("subspace", True, marks=SLOW),
    ],
)
def test_the_result_is_that_of_one_run_bit_for_bit(
    method, register, inputs, tmp_path, stop_after, monkeypatch
):
    options = {"method": method, "register": register, "memory": "100MB", **METHODS[method]}
    monkeypatch.setattr("freq2clean.pipeline.streamed.block_frames", lambda *_, memory_bytes: 37)
    whole, target = tmp_path / "whole.zarr", tmp_path / "fused.zarr"
    expected = fuse(*inputs, out=whole, **options)
    for n_chunks in (1, 30):
        go_on = stop_after(n_chunks)
        with pytest.raises(StopError) as stopped:
            fuse(*inputs, out=target, resume=True, **options)
        go_on()
        assert "goes on" in stopped.value.__notes__[0]
        assert n_chunks <= n_committed(target) < 47
        assert not target.exists()
    result = fuse(*inputs, out=target, resume=True, **options)
    assert chunks_of(target) == chunks_of(whole)
    assert not hidden(target).exists()
    assert result.findings == expected.findings
    assert result.parameters == expected.parameters


@pytest.fixture
def stopped(inputs, tmp_path, stop_after):
    """A job that was stopped: its target and options."""
    target, options = tmp_path / "fused.zarr", {"method": "fft", "dtype": "uint16", "resume": True}
    go_on = stop_after(11)
    with pytest.raises(StopError):
        fuse(*inputs, out=target, **options)
    go_on()
    return target, options


def test_only_what_is_missing_is_written(stopped, inputs, monkeypatch):
    target, options = stopped
    n_before = n_committed(target)
    times = {p.name: p.stat().st_mtime_ns for p in (hidden(target) / "store" / "c").iterdir()}
    fuse(*inputs, out=target, **options)
    after = {p.name: p.stat().st_mtime_ns for p in (target / "c").iterdir()}
    same = [name for name in times if times[name] == after[name]]
    assert len(same) >= n_before >= 11
    assert len(after) > n_before


def test_clipped_values_are_counted_once(inputs, tmp_path, stop_after):
    options = {"method": "fft", "dtype": "uint8"}
    expected = fuse(*inputs, out=tmp_path / "whole.zarr", **options)
    go_on = stop_after(11)
    with pytest.raises(StopError):
        fuse(*inputs, out=tmp_path / "fused.zarr", resume=True, **options)
    go_on()
    result = fuse(*inputs, out=tmp_path / "fused.zarr", resume=True, **options)
    assert result.n_clipped == expected.n_clipped > 0
    assert result.dtype == "uint8"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"alpha": 0.5}, r"parameters alpha was .* and is 0.5"),
        ({"method": "wiener"}, "parameters method was fft and is wiener"),
        ({"dtype": "float32"}, "output dtype was uint16 and is float32"),
        ({"compression": "zstd"}, "output compression was None and is zstd"),
        ({"memory": "2GB"}, "parameters memory was 1000000000 and is 2000000000"),
        ({"rescale": False}, "parameters rescale was True and is False"),
    ],
)
def test_other_options_are_refused(change, told, stopped, inputs):
    target, options = stopped
    n_before = n_committed(target)
    with pytest.raises(
        InputError, match=rf"begun otherwise: .*{told}.*remove .*\.fused.zarr.resume"
    ):
        fuse(*inputs, out=target, **{**options, **change})
    assert n_committed(target) == n_before


def test_an_input_that_was_touched_is_refused(stopped, inputs):
    target, options = stopped
    before = os.stat(inputs[1])
    os.utime(inputs[1], ns=(before.st_atime_ns, before.st_mtime_ns + 10**9))
    with pytest.raises(InputError, match=r"input 2 files .*denoised.npy modified_ns was"):
        fuse(*inputs, out=target, **options)
    os.utime(inputs[1], ns=(before.st_atime_ns, before.st_mtime_ns))
    fuse(*inputs, out=target, **options)


def test_other_pixels_in_an_array_are_refused(inputs, tmp_path, stop_after):
    raw, denoised = (open_recording(path)[:].copy() for path in inputs)
    go_on = stop_after(11)
    with pytest.raises(StopError):
        fuse(raw, denoised, out=tmp_path / "a.zarr", method="fft", resume=True)
    go_on()
    raw[0, 3, 3] += 1
    with pytest.raises(InputError, match="input 1 sampled frames was"):
        fuse(raw, denoised, out=tmp_path / "a.zarr", method="fft", resume=True)


def test_another_version_is_refused(stopped, inputs, monkeypatch):
    monkeypatch.setattr("freq2clean.pipeline.resuming.__version__", "99.0")
    with pytest.raises(InputError, match=r"versions freq2clean was .* and is 99.0"):
        fuse(*inputs, out=stopped[0], **stopped[1])


def test_a_damaged_chunk_and_those_after_it_are_written_again(stopped, inputs, tmp_path):
    target, options = stopped
    chunk = hidden(target) / "store" / "c" / "5" / "0" / "0"
    chunk.write_bytes(chunk.read_bytes()[:-1] + b"\xff")
    fuse(*inputs, out=target, **options)
    options.pop("resume")
    fuse(*inputs, out=tmp_path / "whole.zarr", **options)
    assert chunks_of(target) == chunks_of(tmp_path / "whole.zarr")


def test_what_zarr_left_behind_is_removed(stopped, inputs):
    target, options = stopped
    stray = hidden(target) / "store" / "c" / "2" / "0" / "0.1234.partial"
    stray.write_bytes(b"half a chunk")
    fuse(*inputs, out=target, **options)
    assert list(target.rglob("*.partial")) == []


def test_frames_that_come_out_differently_are_refused(stopped, inputs):
    """As they may on another kind of machine."""
    target, options = stopped
    store = hidden(target) / "store"
    array = zarr.open_array(store, mode="r+")
    array[:] += 1
    n = array.chunks[0]
    journal = json.loads((hidden(target) / "journal.json").read_text())
    journal["checksums"] = [
        resuming.zlib.crc32(array[n * i : n * i + n].data) for i in range(len(journal["checksums"]))
    ]
    (hidden(target) / "journal.json").write_text(json.dumps(journal))
    with pytest.raises(OutputError, match="comes out differently than before the stop"):
        fuse(*inputs, out=target, **options)


@pytest.mark.parametrize("journal", [None, "", "{", "[1]"])
def test_without_a_journal_it_is_begun_anew(journal, stopped, inputs):
    target, options = stopped
    path = hidden(target) / "journal.json"
    path.unlink()
    if journal is not None:
        path.write_text(journal)
    fuse(*inputs, out=target, **options)
    assert target.exists()
    assert not hidden(target).exists()


def test_what_stood_there_stays_until_the_end(stopped, inputs):
    target, options = stopped
    fuse(*inputs, out=target, method="fft")
    shutil.copytree(target, target.with_name("old.zarr"))
    fuse(*inputs, out=target, **options)
    assert open_recording(target).dtype == np.uint16


def test_two_at_once_are_refused(stopped, inputs):
    fcntl = pytest.importorskip("fcntl")
    target, options = stopped
    descriptor = os.open(hidden(target), os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    with pytest.raises(OutputError, match="is being written by another process"):
        fuse(*inputs, out=target, **options)
    os.close(descriptor)
    fuse(*inputs, out=target, **options)


def test_nothing_is_kept_of_what_never_began(inputs, tmp_path):
    def stop(done, total):
        raise StopError

    with pytest.raises(StopError) as stopped:
        fuse(*inputs, out=tmp_path / "fused.zarr", resume=True, progress=stop)
    assert not hasattr(stopped.value, "__notes__")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("out", ["fused.tif", "fused.npy", "fused.h5", "s3://bucket/a.zarr", None])
def test_other_targets_are_refused(out, inputs):
    with pytest.raises(InputError, match="only a Zarr target on a disk can be resumed"):
        fuse(*inputs, out=out, resume=True)


def test_a_chunk_of_zeros_is_a_chunk_too(tmp_path):
    frames = np.zeros(SHAPE, np.float32)
    frames[-1] = 1
    with resuming.resumable(
        tmp_path / "a.zarr", SHAPE, frames.dtype, metadata=Metadata(), job={}
    ) as writer:
        writer.append(0, frames[:30])
        writer.append(30, frames[30:])
    written = zarr.open_array(tmp_path / "a.zarr")
    assert written.nchunks_initialized == written.nchunks
    np.testing.assert_array_equal(written[:], frames)

"""Plain chunks of a Zarr array are read without zarr, and what is read is what zarr reads."""

from __future__ import annotations

import numpy as np
import pytest
import zarr

from freq2clean.errors import InputError
from freq2clean.recordings import create, open_recording


@pytest.fixture
def asked(monkeypatch) -> list:
    """What zarr is asked for."""
    keys = []
    read = zarr.Array.__getitem__
    monkeypatch.setattr(
        zarr.Array, "__getitem__", lambda array, key: keys.append(key) or read(array, key)
    )
    return keys


@pytest.fixture
def plain(tmp_path, movie):
    """An array of 9 frames in 3 chunks, the last of which is not full, with a fill value."""
    array = zarr.create_array(
        tmp_path / "a.zarr",
        shape=(9, 33, 47),
        chunks=(4, 33, 47),
        dtype="uint16",
        compressors=None,
        fill_value=7,
    )
    array[:] = movie()
    return array


def chunk(array, number):
    return array.store.root / array.metadata.encode_chunk_key((number, 0, 0))


@pytest.mark.parametrize(("start", "stop"), [(0, 4), (5, 7), (8, 9), (3, 9), (0, 9)])
def test_frames_of_any_chunks(plain, movie, asked, start, stop):
    frames = open_recording(plain.store.root).read(start, stop)
    np.testing.assert_array_equal(frames, movie()[start:stop])
    assert not asked


def test_what_create_writes(tmp_path, movie, asked):
    with create(tmp_path / "a.zarr", (9, 33, 47), "uint16") as writer:
        writer.append(movie())
    asked.clear()
    pixels = open_recording(tmp_path / "a.zarr").read(2, 5)
    np.testing.assert_array_equal(pixels, movie()[2:5])
    assert not asked


def test_an_array_inside_a_group(tmp_path, movie, asked):
    group = zarr.open_group(tmp_path / "a.zarr", mode="w").create_group("session")
    group.create_array("movie", data=movie(), chunks=(4, 33, 47), compressors=None)
    pixels = open_recording(tmp_path / "a.zarr" / "session").read(4, 8)
    np.testing.assert_array_equal(pixels, movie()[4:8])
    assert not asked


@pytest.mark.parametrize(
    "options",
    [
        {"chunks": (4, 20, 47)},
        {"compressors": "auto"},
        {"chunks": (1, 33, 47), "shards": (3, 33, 47)},
        {"filters": {"name": "transpose", "configuration": {"order": [2, 1, 0]}}},
        {"zarr_format": 2, "order": "F"},
    ],
)
def test_other_chunks_are_left_to_zarr(tmp_path, movie, asked, options):
    plain = {"chunks": (4, 33, 47), "compressors": None}
    zarr.create_array(tmp_path / "a.zarr", data=movie(), **plain | options)
    pixels = open_recording(tmp_path / "a.zarr").read(0, 4)
    np.testing.assert_array_equal(pixels, movie()[:4])
    assert asked


def test_a_missing_chunk_holds_the_fill_value(plain, movie):
    chunk(plain, 1).unlink()
    expected = movie()
    expected[4:8] = 7
    np.testing.assert_array_equal(open_recording(plain.store.root)[:], expected)


def test_a_truncated_chunk_is_damage(plain):
    chunk(plain, 1).write_bytes(b"\xff" * 50)
    recording = open_recording(plain.store.root)
    recording.read(0, 4)
    with pytest.raises(InputError, match=r"a.zarr: frames 2:5 cannot be read .* is damaged"):
        recording.read(2, 5)

"""Plain chunks of a Zarr array are mapped, and what is mapped is what zarr reads."""

from __future__ import annotations

import numpy as np
import pytest
import zarr

from freq2clean.errors import InputError
from freq2clean.recordings import create, open_recording


def is_mapped(pixels) -> bool:
    return not pixels.flags.writeable


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


def test_frames_of_one_chunk_are_not_copied(plain, movie):
    recording = open_recording(plain.store.root)
    for start, stop in ((0, 4), (5, 7), (8, 9)):
        assert is_mapped(recording.read(start, stop))
    np.testing.assert_array_equal(recording.read(3, 9), movie()[3:])


def test_what_create_writes_is_mapped(tmp_path, movie):
    with create(tmp_path / "a.zarr", (9, 33, 47), "uint16") as writer:
        writer.append(movie())
    pixels = open_recording(tmp_path / "a.zarr").read(2, 5)
    assert is_mapped(pixels)
    np.testing.assert_array_equal(pixels, movie()[2:5])


def test_an_array_inside_a_group(tmp_path, movie):
    group = zarr.open_group(tmp_path / "a.zarr", mode="w").create_group("session")
    group.create_array("movie", data=movie(), chunks=(4, 33, 47), compressors=None)
    pixels = open_recording(tmp_path / "a.zarr" / "session").read(4, 8)
    assert is_mapped(pixels)
    np.testing.assert_array_equal(pixels, movie()[4:8])


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
def test_other_chunks_are_left_to_zarr(tmp_path, movie, options):
    plain = {"chunks": (4, 33, 47), "compressors": None}
    zarr.create_array(tmp_path / "a.zarr", data=movie(), **plain | options)
    pixels = open_recording(tmp_path / "a.zarr").read(0, 4)
    assert not is_mapped(pixels)
    np.testing.assert_array_equal(pixels, movie()[:4])


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

"""The contract that every format keeps when it is written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from freq2clean.errors import InputError, OutputError
from freq2clean.recordings import Metadata, create, open_recording

METADATA = Metadata(
    frame_rate_hz=30.01,
    pixel_size_um=(1.02, 0.65),
    provenance={
        "method": "wiener",
        "inputs": [{"name": "rôh.tif", "sha256": "ab"}],
        "weights": np.linspace(0, 1, 3),
        "window": np.int64(3000),
        "path": Path("a"),
    },
)


def write(target, pixels, *, step=4, **options):
    path, compression = target
    with create(path, pixels.shape, pixels.dtype, compression=compression, **options) as writer:
        for start in range(0, len(pixels), step):
            writer.append(pixels[start : start + step])


@pytest.mark.parametrize("frames", [1, 2, 3, 9])
def test_round_trip(target, dtype, frames, movie):
    pixels = movie(dtype, (frames, 12, 17))
    write(target, pixels)
    with open_recording(target[0]) as recording:
        assert recording.shape == pixels.shape
        assert recording.dtype == pixels.dtype
        np.testing.assert_array_equal(recording[:], pixels)


@pytest.mark.parametrize("shape", [(3, 4, 4), (4, 3, 3), (5, 6, 3), (3, 1, 4), (2, 1, 1)])
def test_small_shapes_are_no_colours(target, shape, movie):
    pixels = movie("uint8", shape)
    write(target, pixels)
    with open_recording(target[0]) as recording:
        np.testing.assert_array_equal(recording[:], pixels)


@pytest.mark.parametrize("dtype", ["uint16", "float64"])
@pytest.mark.parametrize("frames", [1, 5])
def test_metadata_and_provenance_round_trip(target, dtype, frames, movie):
    write(target, movie(dtype, (frames, 12, 17)), metadata=METADATA)
    with open_recording(target[0]) as recording:
        found = recording.metadata
    assert found.frame_rate_hz == pytest.approx(30.01, rel=1e-12)
    assert found.pixel_size_um == pytest.approx((1.02, 0.65), rel=1e-8)
    assert found.provenance == {
        "method": "wiener",
        "inputs": [{"name": "rôh.tif", "sha256": "ab"}],
        "weights": [0.0, 0.5, 1.0],
        "window": 3000,
        "path": "a",
    }


def test_long_provenance_is_kept(target, movie):
    provenance = {"weights": list(range(40_000))}
    write(target, movie(), metadata=Metadata(provenance=provenance))
    with open_recording(target[0]) as recording:
        assert recording.metadata.provenance == provenance


def test_nan_and_infinity_are_kept(target):
    pixels = np.zeros((3, 5, 6), np.float32)
    pixels[0, 0, :3] = np.nan, np.inf, -np.inf
    write(target, pixels)
    with open_recording(target[0]) as recording:
        np.testing.assert_array_equal(recording[:], pixels)


def test_blocks_of_any_size_and_layout(target, movie):
    pixels = movie(shape=(40, 12, 17))
    path, compression = target
    reordered = np.asfortranarray(pixels)
    with create(path, pixels.shape, pixels.dtype, compression=compression) as writer:
        for start, stop in ((0, 1), (1, 1), (1, 4), (4, 30), (30, 31), (31, 40)):
            writer.append(reordered[start:stop])
    with open_recording(path) as recording:
        np.testing.assert_array_equal(recording[:], pixels)


def test_existing_target_is_replaced(target, movie):
    write(target, movie(seed=1))
    write(target, movie("float32", (5, 12, 17), seed=2))
    with open_recording(target[0]) as recording:
        np.testing.assert_array_equal(recording[:], movie("float32", (5, 12, 17), seed=2))
    assert len(list(Path(target[0].partition("::")[0]).parent.iterdir())) == 1


def test_relative_target(target, movie, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write((Path(target[0]).relative_to(tmp_path), target[1]), movie())
    with open_recording(target[0]) as recording:
        np.testing.assert_array_equal(recording[:], movie())


def test_link_keeps_pointing_at_what_was_written(tmp_path, movie):
    (tmp_path / "real.npy").touch()
    (tmp_path / "link.npy").symlink_to("real.npy")
    write((str(tmp_path / "link.npy"), None), movie())
    assert (tmp_path / "link.npy").is_symlink()
    np.testing.assert_array_equal(open_recording(tmp_path / "real.npy")[:], movie())


def fail(target, pixels, end, error):
    path, compression = target
    with create(path, pixels.shape, pixels.dtype, compression=compression) as writer:
        writer.append(pixels[:17])
        if end == "too-many":
            writer.append(pixels)
        if end != "too-few":
            raise error


@pytest.mark.parametrize("end", ["error", "interrupt", "exit", "too-few", "too-many"])
@pytest.mark.parametrize("existing", [False, True])
def test_nothing_is_left_of_a_failure(target, end, existing, movie, tmp_path):
    old = movie("uint8", (3, 12, 17), seed=5)
    if existing:
        write(target, old)
    before = set(tmp_path.iterdir())
    expected = {
        "error": ValueError,
        "interrupt": KeyboardInterrupt,
        "exit": SystemExit,
        "too-few": OutputError,
        "too-many": OutputError,
    }[end]
    with pytest.raises(expected):
        fail(target, movie(shape=(40, 12, 17)), end, expected)
    assert set(tmp_path.iterdir()) == before
    if existing:
        with open_recording(target[0]) as recording:
            np.testing.assert_array_equal(recording[:], old)


def test_strange_blocks_are_refused(target, movie):
    pixels = movie()
    path, compression = target
    for strange in (pixels[0], pixels[:2, :5], pixels[:2].astype("float32")):
        with (
            pytest.raises(InputError, match=r"it takes \(n, 33, 47\) uint16"),
            create(path, pixels.shape, pixels.dtype, compression=compression) as writer,
        ):
            writer.append(strange)


def test_what_the_disk_changed_is_not_kept(tmp_path, movie, monkeypatch):
    from freq2clean.recordings import npy

    def lossy(sink, block):
        sink._file.write(np.zeros_like(block).data)

    monkeypatch.setattr(npy.NpySink, "append", lossy)
    with pytest.raises(OutputError, match="differs from what was appended"):
        write((str(tmp_path / "a.npy"), None), movie())
    assert not list(tmp_path.iterdir())

"""The contract that every recording keeps, whatever wrote it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from freq2clean.errors import InputError
from freq2clean.recordings import Recording, fingerprint, open_recording


def test_gives_every_pixel_in_its_dtype(write_source, movie, dtype, tmp_path):
    pixels = movie(dtype)
    with open_recording(write_source(tmp_path, pixels)) as recording:
        assert recording.shape == pixels.shape
        assert len(recording) == 9
        assert recording.dtype == np.dtype(dtype)
        whole = recording.read(0, 9)
        assert whole.dtype == np.dtype(dtype)
        assert whole.dtype.isnative
        assert whole.flags.aligned
        np.testing.assert_array_equal(whole, pixels)


def test_gives_every_pixel_of_a_format_with_some_dtypes(of_some_dtype):
    source, pixels = of_some_dtype
    with open_recording(source) as recording:
        assert recording.dtype == pixels.dtype
        whole = recording.read(0, 9)
        assert whole.dtype == pixels.dtype
        assert whole.dtype.isnative
        np.testing.assert_array_equal(whole, pixels)


@pytest.mark.parametrize("dtype", ["uint16", "int32", "float16", "float32", "float64"])
def test_reads_either_byte_order(write_source, movie, dtype, tmp_path):
    pixels = movie(dtype)
    swapped = pixels.astype(pixels.dtype.newbyteorder(">"))
    with open_recording(write_source(tmp_path, swapped)) as recording:
        assert recording.dtype.isnative
        assert recording.read(3, 5).dtype.isnative
        np.testing.assert_array_equal(recording.read(3, 5), pixels[3:5])


def test_slices_equal_the_whole(written):
    source, pixels = written
    with open_recording(source) as recording:
        for start in range(10):
            for stop in range(start, 10):
                np.testing.assert_array_equal(recording.read(start, stop), pixels[start:stop])
        np.testing.assert_array_equal(recording[::-2], pixels[::-2])
        np.testing.assert_array_equal(recording[-3:], pixels[-3:])
        np.testing.assert_array_equal(recording[-1], pixels[-1])
        assert recording.read(4, 4).shape == (0, 33, 47)


def test_reads_in_parallel(written):
    source, pixels = written
    ranges = [(i % 9, min(9, i % 9 + 1 + i % 4)) for i in range(120)]
    with (
        open_recording(source) as recording,
        ThreadPoolExecutor(8) as pool,
    ):
        blocks = list(pool.map(lambda r: recording.read(*r), ranges))
    for (start, stop), block in zip(ranges, blocks, strict=True):
        np.testing.assert_array_equal(block, pixels[start:stop])


def test_frames_out_of_range_are_refused(written):
    with open_recording(written[0]) as recording:
        for start, stop in ((-1, 2), (5, 4), (0, 10)):
            with pytest.raises(InputError, match="it has frames 0:9"):
                recording.read(start, stop)
        with pytest.raises(IndexError):
            recording[9]


def test_closed_means_closed(written):
    recording = open_recording(written[0])
    block = recording.read(0, 2)
    first = block[0, 0, 0]
    recording.close()
    recording.close()
    with pytest.raises(InputError, match="is closed"):
        recording.read(0, 1)
    assert block[0, 0, 0] == first


def test_nothing_is_known_of_a_bare_file(write_source, movie, tmp_path):
    with open_recording(write_source(tmp_path, movie())) as recording:
        assert recording.metadata.frame_rate_hz is None
        assert recording.metadata.pixel_size_um is None
        assert recording.metadata.provenance == {}


def test_fingerprint_is_that_of_the_pixels(written):
    source, pixels = written
    other = pixels.copy()
    other[-1, -1, -1] += 1
    with open_recording(source) as recording:
        assert fingerprint(recording) == fingerprint(open_recording(pixels))
        assert fingerprint(recording) != fingerprint(open_recording(other))


def test_a_recording_opens_as_itself(movie):
    recording = open_recording(movie())
    assert isinstance(recording, Recording)
    assert open_recording(recording) is recording


def test_one_frame(movie, tmp_path):
    import h5py
    import tifffile
    import zarr

    pixels = movie(shape=(1, 33, 47))
    np.save(tmp_path / "a.npy", pixels)
    tifffile.imwrite(tmp_path / "a.tif", pixels)
    zarr.create_array(tmp_path / "a.zarr", data=pixels)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"] = pixels
    for name in ("a.npy", "a.tif", "a.zarr", "a.h5"):
        with open_recording(tmp_path / name) as recording:
            np.testing.assert_array_equal(recording[:], pixels)


def test_a_numpy_array_is_not_copied(movie):
    pixels = movie()
    assert np.shares_memory(open_recording(pixels).read(2, 4), pixels[2:4])


def test_only_the_frames_asked_for_are_taken(movie, lazy_array):
    array = lazy_array(movie())
    open_recording(array).read(2, 4)
    assert array.asked == 2


def test_only_the_pages_asked_for_are_decoded(movie, tmp_path, monkeypatch):
    import tifffile

    tifffile.imwrite(tmp_path / "a.tif", movie(), compression="zlib")
    recording = open_recording(tmp_path / "a.tif")
    asked = []
    decode = recording._decoder
    monkeypatch.setattr(recording, "_decoder", lambda *args: asked.append(1) or decode(*args))
    recording.read(2, 4)
    assert len(asked) == 2


def test_natural_order_of_numbered_files(tmp_path):
    import tifffile

    for number in (1, 2, 9, 10, 11, 100):
        tifffile.imwrite(tmp_path / f"f{number}.tif", np.full((4, 5), number, np.uint8))
    assert open_recording(tmp_path).read(0, 6)[:, 0, 0].tolist() == [1, 2, 9, 10, 11, 100]


def test_chunks_are_told(tmp_path, movie):
    import zarr

    zarr.create_array(tmp_path / "a.zarr", data=movie(), chunks=(4, 33, 47))
    assert open_recording(tmp_path / "a.zarr").chunk_frames == 4
    assert open_recording(movie()).chunk_frames == 1

"""What we write, opened by the programs that people go on with."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile

from freq2clean.recordings import Metadata, create, open_recording

METADATA = Metadata(30.0, (1.5, 0.75), {"method": "wiener"})


def write(path, pixels):
    with create(path, pixels.shape, pixels.dtype, metadata=METADATA) as writer:
        writer.append(pixels)


@pytest.fixture(scope="module")
def suite2p(operators):
    return pytest.importorskip("suite2p", reason="needs Suite2p")


def test_suite2p_opens_our_binary(suite2p, tmp_path, movie):
    pixels = movie("uint16", (9, 33, 47)) * 200
    write(tmp_path / "data.bin", pixels)
    with suite2p.io.BinaryFile(Ly=33, Lx=47, filename=str(tmp_path / "data.bin")) as binary:
        assert binary.shape == (9, 33, 47)
        np.testing.assert_array_equal(binary[2:7], pixels[2:7] // 2)


def test_we_open_suite2ps_binary(suite2p, tmp_path, movie):
    frames = movie("int16")
    with suite2p.io.BinaryFile(
        Ly=33, Lx=47, filename=str(tmp_path / "data.bin"), n_frames=9, write=True
    ) as binary:
        binary[0:9] = frames
    np.save(tmp_path / "ops.npy", {**suite2p.default_db(), "Ly": 33, "Lx": 47, "fs": 7.5})
    with open_recording(tmp_path / "data.bin") as recording:
        np.testing.assert_array_equal(recording[:], frames)
        assert recording.metadata.frame_rate_hz == 7.5


@pytest.mark.parametrize("dtype", ["uint16", "float32", "int16"])
def test_suite2p_reads_our_tiff(suite2p, tmp_path, movie, dtype):
    from suite2p.io.tiff import open_tiff, read_tiff

    pixels = movie(dtype)
    write(tmp_path / "a.tif", pixels)
    file, n_frames = open_tiff(str(tmp_path / "a.tif"), True)
    assert n_frames == 9
    read = read_tiff(str(tmp_path / "a.tif"), file, n_frames, 2, 5, True)
    file.close()
    halved = pixels // 2 if dtype == "uint16" else pixels
    np.testing.assert_array_equal(read, halved[2:7].astype(np.int16))


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_imagej_takes_our_tiff_for_a_calibrated_movie(tmp_path, movie, dtype):
    """By ImageJ's rules, as tifffile knows them: frames, interval, unit, pixels per unit."""
    write(tmp_path / "a.tif", movie(dtype))
    with tifffile.TiffFile(tmp_path / "a.tif") as tif:
        assert tif.is_imagej
        assert not tif.is_bigtiff
        described, tags = tif.imagej_metadata, tif.pages.first.tags
        assert (described["frames"], described["images"]) == (9, 9)
        assert described.get("slices", 1) == described.get("channels", 1) == 1
        assert described["finterval"] == pytest.approx(1 / 30)
        assert described["unit"] == "micron"
        per_unit = [np.divide(*tags.valueof(f"{axis}Resolution")) for axis in "YX"]
        assert per_unit == pytest.approx([1 / 1.5, 1 / 0.75])
        assert tif.series[0].axes == "TYX"
        offsets = [page.dataoffsets[0] for page in tif.pages]
        assert np.ptp(np.diff(offsets)) == 0


def test_opencv_plays_our_video(tmp_path, movie):
    cv2 = pytest.importorskip("cv2", reason="needs OpenCV")
    pixels = movie("uint8", (9, 64, 80))
    write(tmp_path / "a.avi", pixels)
    video = cv2.VideoCapture(str(tmp_path / "a.avi"))
    frames = [video.read()[1][..., 0] for _ in range(9)]
    video.release()
    np.testing.assert_array_equal(frames, pixels)


def test_roiextractors_agrees_on_the_axes_of_nwb(tmp_path, movie, nwb_file, add_series, write_nwb):
    """Rows and columns, although the file has them the other way round."""
    from roiextractors import NwbImagingExtractor

    file = nwb_file()
    add_series(file, movie())
    raw = open_recording(write_nwb(tmp_path / "raw.nwb", file))
    pixels = movie("float32", seed=5)
    with create(
        tmp_path / "a.nwb", pixels.shape, "float32", metadata=raw.metadata, inputs=[raw]
    ) as writer:
        writer.append(pixels)
    raw.close()
    with open_recording(f"{tmp_path / 'a.nwb'}::/acquisition/Movie") as recording:
        read = NwbImagingExtractor(tmp_path / "a.nwb", "Movie").get_series(2, 5)
        np.testing.assert_array_equal(recording.read(2, 5), read)

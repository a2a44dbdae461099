"""What is particular to TIFF: its dialects, more axes, calibration, files beyond 4 GB."""

from __future__ import annotations

import os

import numpy as np
import pytest
import tifffile

from freq2clean.errors import InputError
from freq2clean.recordings import Metadata, create, open_recording, tiff


@pytest.fixture
def hyperstack(movie):
    return movie("uint16", (7, 5, 2, 12, 17))


def write_one_page(path, frame, images, total_frames):
    """A TIFF of one page whose description promises more, as ImageJ writes beyond 4 GB."""
    tifffile.imwrite(
        path, frame, metadata=None, description=f"ImageJ=1.54f\nimages={images}\n", byteorder=">"
    )
    with tifffile.TiffFile(path) as tif:
        start = tif.pages.first.dataoffsets[0]
    os.truncate(path, start + total_frames * frame.nbytes)
    return start


def test_imagej_promises_frames_in_one_page(tmp_path, movie):
    pixels = movie(shape=(40, 12, 17))
    path = tmp_path / "a.tif"
    start = write_one_page(path, pixels[0], 40, 40)
    with path.open("r+b") as file:
        file.seek(start)
        file.write(pixels.astype(">u2").tobytes())
    with open_recording(path) as recording:
        np.testing.assert_array_equal(recording[:], pixels)


@pytest.mark.parametrize("description", ["images=9000", "images=9000\nframes=9000\nloop=false"])
def test_imagej_beyond_4_gb_has_one_page(tmp_path, movie, description):
    frame = movie(shape=(512, 512))
    path = tmp_path / "a.tif"
    start = write_one_page(path, frame, description.partition("=")[2], 9000)
    with path.open("r+b") as file:
        file.seek(start + 8999 * frame.nbytes)
        file.write(frame.astype(">u2").tobytes())
    if path.stat().st_blocks * 512 > 1e9:
        pytest.skip("the file system keeps no sparse files")
    with open_recording(path) as recording:
        assert recording.shape == (9000, 512, 512)
        assert not recording[8998].any()
        np.testing.assert_array_equal(recording[-1], frame)


@pytest.mark.parametrize("options", [{"imagej": True}, {"ome": True}, {}])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_channel_and_plane_choose(tmp_path, hyperstack, options, compression):
    path = tmp_path / "a.tif"
    if options.get("imagej") and compression:
        pytest.skip("tifffile writes no compressed ImageJ files")
    tifffile.imwrite(
        path, hyperstack, metadata={"axes": "TZCYX"}, compression=compression, **options
    )
    for plane, channel in ((0, 0), (4, 1), (2, 0)):
        with open_recording(path, plane=plane, channel=channel) as recording:
            assert recording.shape == (7, 12, 17)
            np.testing.assert_array_equal(recording[:], hyperstack[:, plane, channel])
            np.testing.assert_array_equal(recording.read(2, 5), hyperstack[2:5, plane, channel])


def test_missing_choice_lists_axes(tmp_path, hyperstack):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, hyperstack, imagej=True)
    message = r"axes TZCYX = \(7, 5, 2, 12, 17\): give --plane 0..4 and --channel 0..1"
    with pytest.raises(InputError, match=message):
        open_recording(path)
    with pytest.raises(InputError, match=r"give --channel 0..1$"):
        open_recording(path, plane=1)
    with pytest.raises(InputError, match=r"plane 5 asked for; it has 0..4"):
        open_recording(path, plane=5, channel=0)


def test_axes_of_length_one_are_dropped(tmp_path, hyperstack):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, hyperstack[:, :1], imagej=True)
    with open_recording(path, channel=1) as recording:
        np.testing.assert_array_equal(recording[:], hyperstack[:, 0, 1])


@pytest.mark.parametrize("axes", ["ZYX", "CYX", "TYX"])
def test_a_lone_axis_is_time(tmp_path, movie, axes):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, movie(), imagej=True, metadata={"axes": axes})
    np.testing.assert_array_equal(open_recording(path)[:], movie())


def test_thumbnail_beside_the_movie_is_left_out(tmp_path, movie):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, movie())
    tifffile.imwrite(path, np.zeros((5, 5), np.uint8), append=True)
    np.testing.assert_array_equal(open_recording(path)[:], movie())


def test_calibration_of_imagej(tmp_path, movie):
    path = tmp_path / "a.tif"
    tifffile.imwrite(
        path,
        movie(),
        imagej=True,
        resolution=(2, 4),
        metadata={"axes": "TYX", "unit": "um", "finterval": 0.04, "fps": 7},
    )
    found = open_recording(path).metadata
    assert found.frame_rate_hz == pytest.approx(25)
    assert found.pixel_size_um == pytest.approx((0.25, 0.5))


@pytest.mark.parametrize(("unit", "interval"), [("s", 0.05), ("ms", 50), ("min", 0.05 / 60)])
def test_calibration_of_ome(tmp_path, movie, unit, interval):
    path = tmp_path / "a.ome.tif"
    tifffile.imwrite(
        path,
        movie(),
        metadata={
            "axes": "TYX",
            "TimeIncrement": interval,
            "TimeIncrementUnit": unit,
            "PhysicalSizeX": 700,
            "PhysicalSizeXUnit": "nm",
            "PhysicalSizeY": 0.8,
        },
    )
    found = open_recording(path).metadata
    assert found.frame_rate_hz == pytest.approx(20)
    assert found.pixel_size_um == pytest.approx((0.8, 0.7))


@pytest.mark.parametrize(
    "description", ["finterval=nonsense\nunit=um", "finterval=0\nunit=parsec", "finterval=-1"]
)
def test_senseless_calibration_is_unknown(tmp_path, movie, description):
    path = tmp_path / "a.tif"
    text = f"ImageJ=1.54f\nimages=9\nframes=9\n{description}\n"
    tifffile.imwrite(path, movie(), metadata=None, description=text, resolution=(0, 0))
    assert open_recording(path).metadata == Metadata()


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("compression", [None, "deflate"])
def test_imagej_can_read_what_we_write(tmp_path, movie, dtype, compression):
    path = tmp_path / "a.tif"
    pixels = movie(dtype)
    metadata = Metadata(frame_rate_hz=20.0, pixel_size_um=(0.5, 0.25), provenance={"a": 1})
    with create(path, pixels.shape, dtype, metadata=metadata, compression=compression) as writer:
        writer.append(pixels)
    with tifffile.TiffFile(path) as tif:
        assert tif.is_imagej
        assert not tif.is_bigtiff
        assert tif.series[0].axes == "TYX"
        described = tif.imagej_metadata
        assert described["frames"] == described["images"] == 9
        assert described["finterval"] == 0.05
        assert described["unit"] == "micron"
        assert '"a": 1' in described["Info"]
        assert tif.pages.first.resolution == (4.0, 2.0)
        assert len(tif.pages) == 9
        assert tif.pages.first.predictor == (2 if compression and dtype != "float32" else 1)
        np.testing.assert_array_equal(tif.asarray(), pixels)


@pytest.mark.parametrize("compression", [None, "zstd"])
def test_bigtiff_where_it_does_not_fit(tmp_path, movie, monkeypatch, compression):
    monkeypatch.setattr(tiff, "_CLASSIC_LIMIT_BYTES", movie().nbytes)
    path = tmp_path / "a.tif"
    metadata = Metadata(frame_rate_hz=30.0, provenance={"a": 1})
    with create(
        path, movie().shape, "uint16", metadata=metadata, compression=compression
    ) as writer:
        writer.append(movie())
    with tifffile.TiffFile(path) as tif:
        assert tif.is_bigtiff
        np.testing.assert_array_equal(tif.asarray(), movie())
    assert open_recording(path).metadata == metadata


def test_every_other_page_has_another_place(tmp_path, movie):
    """Pages whose directories lie between them are no single block of bytes."""
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as writer:
        for frame in movie():
            writer.write(frame, metadata=None)
    np.testing.assert_array_equal(open_recording(path)[:], movie())
    np.testing.assert_array_equal(open_recording(path).read(3, 8), movie()[3:8])

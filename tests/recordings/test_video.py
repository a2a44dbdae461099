"""Videos of every codec: any range of frames is what decoding from the beginning gives."""

from __future__ import annotations

import struct

import av
import numpy as np
import pytest

from freq2clean.errors import InputError, OutputError
from freq2clean.recordings import Metadata, create, open_recording
from freq2clean.recordings.video import _pixels as pixels_of
from freq2clean.recordings.writing import dtype_to_write

CODECS = {
    "ffv1": ("a.avi", "ffv1", {}),
    "huffyuv": ("a.avi", "huffyuv", {"layout": "yuv422p"}),
    "ffvhuff": ("a.avi", "ffvhuff", {"layout": "yuv420p"}),
    "mjpeg": ("a.avi", "mjpeg", {"layout": "yuvj420p"}),
    "mpeg4-b-frames": ("a.avi", "mpeg4", {"layout": "yuv420p", "bf": "2", "g": "7"}),
    "mpeg4-mp4": ("a.mp4", "mpeg4", {"layout": "yuv420p", "bf": "2", "g": "5"}),
    "h264": ("a.mp4", "libx264", {"layout": "yuv420p", "g": "6"}),
    "h264-open-groups": (
        "a.mp4",
        "libx264",
        {"layout": "yuv420p", "x264-params": "keyint=6:min-keyint=2:open-gop=1:bframes=3"},
    ),
    "h264-intra": ("a.mkv", "libx264", {"layout": "yuv420p", "g": "1"}),
    "h264-10-bits": ("a.mov", "libx264", {"layout": "yuv420p10le", "g": "8"}),
}


def moving(n_frames=40, dtype=np.uint8):
    """A blob that moves, so that no two frames are coded alike."""
    t, y, x = np.ogrid[:n_frames, :32, :48]
    return (30 + 200 * np.exp(-((y - 16) ** 2 + (x - 4 - t) ** 2) / 40)).astype(dtype)


def decoded(path):
    """The luma of all frames, one after the other, as PyAV itself gives them."""
    with av.open(path) as container:
        frames = []
        for frame in container.decode(video=0):
            plane = frame.planes[0]
            size = frame.format.components[0].bits > 8
            rows = np.frombuffer(plane, np.uint16 if size else np.uint8)
            frames.append(rows.reshape(plane.height, -1)[:, : frame.width].copy())
        return np.stack(frames)


@pytest.fixture(params=sorted(CODECS))
def video(request, tmp_path, make_video):
    name, codec, options = CODECS[request.param]
    return make_video(tmp_path / name, moving(), codec, **options)


def test_any_range_is_that_of_the_whole(video):
    whole = decoded(video)
    with open_recording(video) as recording:
        assert recording.shape == (40, 32, 48)
        assert recording.dtype == whole.dtype
        assert recording.metadata.frame_rate_hz == 30
        rng = np.random.default_rng(0)
        for start in rng.permutation(40).tolist():
            stop = int(rng.integers(start + 1, 41))
            np.testing.assert_array_equal(recording.read(start, stop), whole[start:stop])
        np.testing.assert_array_equal(recording[:], whole)


def test_frames_in_order_are_decoded_once(tmp_path, make_video, monkeypatch):
    from freq2clean.recordings.video import VideoRecording

    jumps = []
    go_to = VideoRecording._go_to
    monkeypatch.setattr(
        VideoRecording, "_go_to", lambda self, number: jumps.append(number) or go_to(self, number)
    )
    with open_recording(make_video(tmp_path / "a.avi", moving())) as recording:
        for start in range(0, 40, 8):
            recording.read(start, start + 8)
        assert jumps == [0, 0]
        recording.read(3, 4)
        assert jumps == [0, 0, 3]


def test_frame_rates(tmp_path, make_video):
    from fractions import Fraction

    path = make_video(tmp_path / "a.avi", moving(), rate=Fraction(30000, 1001))
    with open_recording(path) as recording:
        assert recording.metadata.frame_rate_hz == pytest.approx(30000 / 1001)


def test_what_a_user_should_know(tmp_path, make_video):
    with open_recording(make_video(tmp_path / "a.avi", moving())) as recording:
        assert not recording.notes
    path = make_video(tmp_path / "a.mp4", moving(), "libx264", layout="yuv420p")
    with open_recording(path) as recording:
        lossy, luma = recording.notes
    assert "compressed as h264, which loses faint detail" in lossy
    assert "in colour format yuv420p, the luma was read" in luma


def test_colours_are_chosen(tmp_path, make_video):
    colours = np.random.default_rng(0).integers(0, 256, (6, 32, 48, 3)).astype(np.uint8)
    path = make_video(tmp_path / "a.avi", colours, "ffv1", layout="bgr0", given="rgb24")
    for channel in range(3):
        with open_recording(path, channel=channel) as recording:
            np.testing.assert_array_equal(recording[:], colours[..., channel])
    with pytest.raises(InputError, match=r"give --channel 0\.\.2"):
        open_recording(path)
    with pytest.raises(InputError, match=r"channel 3 asked for; it has 0\.\.2"):
        open_recording(path, channel=3)


def test_colours_that_come_late(tmp_path, make_video):
    colours = np.repeat(moving(6)[..., np.newaxis], 3, axis=3)
    colours[4, 0, 0] = 1, 2, 3
    path = make_video(tmp_path / "a.avi", colours, "ffv1", layout="bgr0", given="rgb24")
    with open_recording(path) as recording:
        np.testing.assert_array_equal(recording.read(0, 4), moving(6)[:4])
        with pytest.raises(InputError, match="frame 4 has colours, which the first one has not"):
            recording.read(3, 6)
    with open_recording(path, channel=2) as recording:
        assert recording.read(4, 5)[0, 0, 0] == 3


def test_palette_of_greys():
    """As ImageJ writes AVI: 8 bits, with a palette."""
    palette = np.repeat(np.arange(256, dtype=np.uint8)[:, np.newaxis], 4, axis=1)
    palette[:, 0] = 255
    frame = av.VideoFrame.from_ndarray((moving()[0], palette), format="pal8")
    for colour in pixels_of(frame):
        np.testing.assert_array_equal(colour, moving()[0])


@pytest.mark.parametrize(
    "layout", ["yuyv422", "uyvy422", "nv12", "yuv444p", "gray16be", "gray12le"]
)
def test_luma_of_other_layouts(layout):
    """Grey is converted to the layout by FFmpeg, with the range of values that it has there."""
    wide = layout.startswith("gray")
    grey = moving(1, np.uint16 if wide else np.uint8)[0]
    picture = av.VideoFrame.from_ndarray(grey, format="gray16le" if wide else "gray")
    (luma,) = pixels_of(picture.reformat(format=layout, dst_color_range="JPEG"))
    expected = grey >> 4 if layout == "gray12le" else grey
    assert luma.dtype == grey.dtype
    np.testing.assert_allclose(luma.astype(int), expected, atol=1)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 5, 1), (4, 33, 47), (2, 1, 9)])
def test_written_without_loss(tmp_path, movie, dtype, shape):
    pixels = movie(dtype, shape)
    metadata = Metadata(29.97, (0.5, 0.25), {"method": "wiener"})
    with create(tmp_path / "a.avi", shape, dtype, metadata=metadata) as writer:
        writer.append(pixels[:1])
        writer.append(pixels[1:])
    with open_recording(tmp_path / "a.avi") as recording:
        np.testing.assert_array_equal(recording[:], pixels)
        assert recording.metadata == metadata
    with av.open(str(tmp_path / "a.avi")) as container:
        assert float(container.streams.video[0].average_rate) == pytest.approx(29.97)
        assert container.streams.video[0].codec_context.name == "ffv1"


def test_only_integers_are_written(tmp_path):
    assert dtype_to_write(tmp_path / "a.avi", "float32", "uint8") == np.uint8
    assert dtype_to_write(tmp_path / "a.avi", "float32", "int32") == np.uint16
    with (
        pytest.raises(OutputError, match="video holds uint16, uint8, and no float32"),
        create(tmp_path / "a.avi", (2, 4, 5), "float32"),
    ):
        pytest.fail("a float was written")


def test_no_video(tmp_path, make_video):
    (tmp_path / "a.avi").write_bytes(b"no video at all" * 20)
    with pytest.raises(InputError, match="cannot be read as a video"):
        open_recording(tmp_path / "a.avi")
    path = make_video(tmp_path / "b.avi", moving())
    content = (tmp_path / "b.avi").read_bytes()
    (tmp_path / "b.avi").write_bytes(content[:200])
    with pytest.raises(InputError, match=r"cannot be read as a video|without frames"):
        open_recording(path)
    (tmp_path / "b.avi").write_bytes(content[: len(content) // 2])
    with open_recording(path) as recording:
        assert 0 < len(recording) < 40
        np.testing.assert_array_equal(recording.read(0, 5), moving()[:5])


def test_damaged_frames(tmp_path, make_video):
    path = make_video(tmp_path / "a.avi", moving(), "png", layout="gray")
    content = bytearray((tmp_path / "a.avi").read_bytes())
    middle = len(content) // 2
    content[middle : middle + 500] = bytes(500)
    (tmp_path / "a.avi").write_bytes(content)
    with (
        pytest.raises(InputError, match=r"cannot be|without frames"),
        open_recording(path) as video,
    ):
        video.read(0, len(video))


def test_frames_larger_than_any(tmp_path, make_video):
    """FFmpeg would take gigabytes of memory for them, before it sees that they are not there."""
    path = tmp_path / "a.avi"
    make_video(path, np.zeros((3, 64, 64), np.uint8))
    content = path.read_bytes()
    sizes = struct.pack("<II", 64, 64)
    assert content.count(sizes) == 2
    path.write_bytes(content.replace(sizes, struct.pack("<II", 16000, 16000)))
    with pytest.raises(InputError, match=r"a.avi cannot be read as a video"):
        open_recording(path)
    with (
        pytest.raises(OutputError, match="8000 x 8000 pixels are too large for a video"),
        create(tmp_path / "b.avi", (1, 8000, 8000), "uint8"),
    ):
        pytest.fail("it is refused before")
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_of_numbered_videos(tmp_path, make_video):
    """As the Miniscope writes: 0.avi, 1.avi ... of a thousand frames each, and other files."""
    folder = tmp_path / "My_V4_Miniscope"
    folder.mkdir()
    pixels = moving(36)
    for number, start in enumerate(range(0, 36, 3)):
        make_video(folder / f"{number}.avi", pixels[start : start + 3])
    (folder / "metaData.json").write_text("{}")
    for source in (folder, str(folder / "*.avi")):
        with open_recording(source) as recording:
            assert recording.metadata.frame_rate_hz == 30
            np.testing.assert_array_equal(recording.read(4, 34), pixels[4:34])

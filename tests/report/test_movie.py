from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from freq2clean.errors import InputError, MissingExtraError, OutputError
from freq2clean.recordings import open_recording
from freq2clean.report.contrast import shades
from freq2clean.report.encoders import movie_format
from freq2clean.report.lettering import letters
from freq2clean.report.movie import movie, pace
from freq2clean.report.palette import PAPER, Palette
from freq2clean.report.scene import Scene, View

VIEW = View(contrast=(0, 100), magnify=2)
SIZE = (48, 64)
MOVIES = ["out.gif", "out.mp4", "out.webm"]
TOLERANCE = {".gif": 100 / 63 / 2 + 0.4, ".mp4": 2.0, ".webm": 3.0}


@pytest.mark.parametrize("name", MOVIES)
def test_frames_are_there_in_their_order_with_their_values(
    name, known, tmp_path, frames_of, panels_of
):
    path = tmp_path / name
    made = movie(known, path, VIEW, frames=slice(2, 30, 3), fps=5)
    frames, seconds = frames_of(path)
    assert frames.shape == (10, *made.size, 3)
    assert made.frames == (2, 30, 3)
    assert seconds == pytest.approx([0.2] * 10, abs=0.002)
    for number, frame in zip(range(2, 30, 3), frames, strict=True):
        greys = [panel[4:-4, 4:-4].reshape(-1, 3) / 2.55 for panel in panels_of(frame, SIZE, 2)]
        for panel, value in zip(greys, (60 + number, 99 - number), strict=True):
            assert np.abs(panel - value).max() < TOLERANCE[path.suffix]
            assert np.abs(panel.mean() - value) < 1


@pytest.mark.parametrize("name", MOVIES)
def test_a_scene_looks_as_it_is(name, tmp_path, frames_of, panels_of):
    """Detail and colours survive the codec; no two panels or axes are confused."""
    y, x = np.mgrid[:48, :64]
    scene = 50 + 40 * np.sin(x / 9) * np.cos(y / 7) + 5 * (x > 32)
    view = View(contrast=(0, 100), magnify=2, colour_map="viridis")
    movie({"x": np.stack([scene] * 5)}, tmp_path / name, view)
    frames, _ = frames_of(tmp_path / name)
    palette = Palette("viridis")
    expected = palette.colours[palette.indices(shades(scene, (0, 100)))].astype(float)
    (panel,) = panels_of(frames[3], (96, 128), 1)
    error = panel[::2, ::2].astype(float) - expected
    assert np.sqrt((error**2).mean()) < 8
    assert np.abs(error.mean(axis=(0, 1))).max() < 2


def test_real_time_unless_told_otherwise(known, tmp_path, frames_of):
    for options, speed, n_frames, fps in (
        ({}, 1, 40, 10), ({"speed": 2}, 2, 40, 20), ({"speed": 12}, 12, 10, 30),
        ({"fps": 25}, 2.5, 40, 25), ({"frames": slice(0, 40, 2)}, 1, 20, 5),
    ):  # fmt: skip
        made = movie(known, tmp_path / "x.gif", VIEW, **options)
        frames, seconds = frames_of(tmp_path / "x.gif")
        assert (made.speed, made.n_frames, made.fps) == pytest.approx((speed, n_frames, fps))
        assert len(frames) == n_frames
        assert sum(seconds) == pytest.approx(n_frames / fps, abs=0.011)


def test_frame_rates_of_a_view_and_of_none(known, tmp_path):
    assert movie(known, tmp_path / "x.gif", View(frame_rate_hz=20.0)).fps == 20
    assert movie({"x": np.ones((3, 9, 9))}, tmp_path / "x.gif").fps == 15


def test_alternating_every_second(known, tmp_path, frames_of, panels_of):
    path = tmp_path / "x.gif"
    made = movie(known, path, VIEW, alternate=True, fps=8)
    frames, _ = frames_of(path)
    assert len(frames) == made.n_frames == 40
    for i, frame in enumerate(frames):
        (panel,) = panels_of(frame, SIZE, 1)
        value = 99 - i if i // 8 % 2 else 60 + i
        assert abs(panel[5, 5, 0] / 2.55 - value) < TOLERANCE[".gif"]
    title = slice(0, 30)
    assert (frames[0, title] == frames[7, title]).all()
    assert (frames[7, title] != frames[8, title]).any()
    assert (frames[0, title] == frames[16, title]).all()


def test_a_still_alternates_until_all_were_shown(known, tmp_path, frames_of):
    movie(known, tmp_path / "x.gif", VIEW, frames=slice(0, 1), alternate=True)
    _, seconds = frames_of(tmp_path / "x.gif")
    assert sum(seconds) == pytest.approx(2, abs=0.01)


def test_one_cannot_alternate(known, tmp_path):
    with pytest.raises(InputError, match="two or more"):
        movie({"up": known["up"]}, tmp_path / "x.gif", alternate=True)


def test_scale_bar_and_clock(known, tmp_path, frames_of, longest_run):
    made = movie(known, tmp_path / "x.gif", VIEW)
    frames, _ = frames_of(tmp_path / "x.gif")
    assert made.scale_bar_um == 2  # 16 um are shown
    below = frames[0][np.nonzero((frames[0] > 100).all(axis=2).sum(axis=1) > 100)[0].max() + 1 :]
    assert longest_run(below[..., 0] > 220) == 2 / 0.5 * 2
    changed = np.nonzero((frames[0] != frames[13]).any(axis=2)[-len(below) + 4 :])
    assert changed[1].min() > made.size[1] / 2


@pytest.mark.parametrize(
    ("frame", "frame_rate_hz", "says"),
    [(30, 10.0, "3.00 s"), (35, 20.0, "1.75 s"), (15, 5.0, "3.0 s"), (15, None, "frame 15")],
)
def test_the_clock_says_the_time(frame, frame_rate_hz, says, tmp_path, frames_of):
    frames = np.full((40, 24, 32), 50, np.uint8)
    view = View(frame_rate_hz=frame_rate_hz, magnify=8)
    movie({"x": frames}, tmp_path / "x.gif", view, frames=slice(frame, frame + 1))
    (shown,), _ = frames_of(tmp_path / "x.gif")
    words = letters(says, 14)
    height, width = words.shape
    corner = shown[-height - 16 :, -width - 24 :, 0] > 128
    ink = words > PAPER + 7
    places = np.lib.stride_tricks.sliding_window_view(corner, ink.shape)
    assert (places == ink).all(axis=(2, 3)).any()


@pytest.mark.parametrize("contrast", ["shared", "own"])
def test_limits_are_those_of_the_frames_shown(contrast, known, tmp_path):
    view = View(contrast=contrast, percentiles=(0, 100))
    limits = movie(known, tmp_path / "x.gif", view, frames=slice(10, 20)).limits
    assert limits["down"] == (80, 89)
    assert limits["up"] == ((70, 79) if contrast == "own" else (80, 89))


def test_limits_of_a_long_recording_are_close(tmp_path):
    frames = np.random.default_rng(0).gamma(2, 50, (1500, 12, 12)).astype(np.float32)
    limits = movie({"x": frames}, tmp_path / "x.gif", View(), frames=slice(0, 1500, 5)).limits
    assert limits["x"] == pytest.approx(np.percentile(frames[::5], (0.5, 99.5)), rel=0.15)


@pytest.mark.parametrize("chunk", [1, 3, 20])
@pytest.mark.parametrize("step", [1, 3, 50])
def test_frames_are_read_once_and_right_whatever_the_chunks(step, chunk, monkeypatch):
    monkeypatch.setattr("freq2clean.report.scene._BLOCK_BYTES", 7 * 4 * 6)
    frames = np.arange(120, dtype=np.float32)[:, None, None] + np.zeros((1, 2, 3), np.float32)
    recording = open_recording(frames)
    recording.chunk_frames = chunk
    ranges = []
    read = recording._read
    monkeypatch.setattr(recording, "_read", lambda *r: ranges.append(r) or read(*r))
    found = list(Scene({"x": recording}, View()).images(range(5, 111, step)))
    assert [number for number, _ in found] == list(range(5, 111, step))
    assert [image[0, 0] for _, (image,) in found] == list(range(5, 111, step))
    assert all(stop - start <= max(chunk, 7) for start, stop in ranges)
    assert all(one[1] <= other[0] for one, other in pairwise(ranges))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"fps": 30, "speed": 2}, "leave one away"),
        ({"fps": 61}, "keep up with 60"),
        ({"fps": 0}, "above 0"),
        ({"speed": -1}, "above 0"),
        ({"speed": float("nan")}, "above 0"),
    ],
)
def test_strange_paces_are_refused(options, says):
    with pytest.raises(InputError, match=says):
        pace(range(9), 30.0, most=60, **options)


def test_speed_needs_a_frame_rate():
    with pytest.raises(InputError, match="--frame-rate-hz"):
        pace(range(9), None, speed=2, most=60)


def test_suffixes_and_extras(tmp_path, monkeypatch):
    with pytest.raises(OutputError, match=r"'.avi'; movies end in .gif, .mp4, .webm"):
        movie_format(tmp_path / "x.avi")
    monkeypatch.setattr("freq2clean.report.encoders.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r'pip install "freq2clean\[video\]"'):
        movie_format(tmp_path / "x.mp4")
    assert not movie_format(tmp_path / "x.GIF").is_video


def test_a_movie_that_fails_leaves_what_was_there(known, tmp_path, monkeypatch):
    for name in MOVIES:
        folder = tmp_path / name.replace(".", "-")
        folder.mkdir()
        (folder / name).write_bytes(b"old")

        def stop(done, total):
            if done == 5:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            movie(known, folder / name, VIEW, progress=stop)
        assert [path.name for path in folder.iterdir()] == [name]
        assert (folder / name).read_bytes() == b"old"


def test_missing_pixels_are_blue(tmp_path, frames_of, panels_of):
    frames = np.full((4, 24, 32), 50, np.float32)
    frames[2, :12] = np.nan
    movie({"x": frames}, tmp_path / "x.gif", VIEW)
    shown, _ = frames_of(tmp_path / "x.gif")
    (panel,) = panels_of(shown[2], SIZE, 1)
    assert panel[0, 0].tolist() == [68, 119, 170]
    assert abs(panel[-1, 0, 0] / 2.55 - 50) < 1
    (panel,) = panels_of(shown[3], SIZE, 1)
    assert abs(panel[0, 0, 0] / 2.55 - 50) < 1


def test_differences_move(known, tmp_path, frames_of, panels_of):
    view = View(difference=True, contrast=(-40, 40), magnify=2)
    movie(known, tmp_path / "x.gif", view)
    shown, _ = frames_of(tmp_path / "x.gif")
    (first,), (last,) = (panels_of(frame, SIZE, 1) for frame in shown[[0, -1]])
    assert int(first[0, 0, 2]) - first[0, 0, 0] > 100
    assert int(last[0, 0, 0]) - last[0, 0, 2] > 100

from __future__ import annotations

import numpy as np
import pytest

from freq2clean.errors import InputError, OutputError
from freq2clean.recordings import open_recording
from freq2clean.report.picture import mean_images, picture, side_by_side
from freq2clean.report.scene import Scene, View

LIMITS = View(contrast=(0, 100), magnify=2)
SIZE = (48, 64)


def test_mean_above_and_frame_below(known, tmp_path, pixels, panels_of):
    made = picture(known, tmp_path / "out.png", LIMITS, frames=slice(0, 10), frame=3)
    image = pixels(tmp_path / "out.png")
    assert image.shape[:2] == made.size
    greys = [panel[0, 0, 0] / 2.55 for panel in panels_of(image, SIZE, 4)]
    assert greys == pytest.approx([64.5, 94.5, 63, 96], abs=0.5)
    assert made.limits["up, frame 3"] == (0, 100)
    assert made.as_dict()["contrast"] == "given"


def test_one_frame_has_no_mean(known, tmp_path, pixels, panels_of):
    picture(known, tmp_path / "out.png", LIMITS, frames=slice(7, 8))
    greys = [p[5, 5, 0] / 2.55 for p in panels_of(pixels(tmp_path / "out.png"), SIZE, 2)]
    assert greys == pytest.approx([67, 92], abs=0.5)


def test_contrast_is_the_last_ones_or_each_its_own(tmp_path):
    ramp = np.tile(np.arange(64.0), (3, 64, 1))
    pair = {"dark": ramp, "light": 100 + ramp}
    shared, own = (
        picture(pair, tmp_path / "x.png", View(contrast=contrast, percentiles=(0, 100))).limits
        for contrast in ("shared", "own")
    )
    assert shared == dict.fromkeys(shared, (100, 163))
    assert own["dark, frame 1"] == (0, 63)
    assert own["light, mean of 3 frames"] == (100, 163)


def test_zoom_shows_the_region(tmp_path, pixels, panels_of):
    frames = np.arange(200 * 240, dtype=np.float32).reshape(1, 200, 240)
    view = View(zoom=((20, 60), (100, 150)), magnify=1, contrast=(-9000, 200 * 240))
    picture({"x": frames}, tmp_path / "x.png", view)
    (panel,) = panels_of(pixels(tmp_path / "x.png"), (40, 50), 1)
    expected = 255 * (frames[0, 20:60, 100:150] + 9000) / (200 * 240 + 9000)
    assert np.abs(panel[..., 0] - expected).max() < 1.5


def test_differences_are_of_each_and_the_last(known, tmp_path, pixels, panels_of):
    view = View(difference=True, contrast=(-50, 50), magnify=2)
    made = picture(known, tmp_path / "out.png", view, frames=slice(0, 1))
    assert list(made.limits) == ["up − down, frame 0"]
    (panel,) = panels_of(pixels(tmp_path / "out.png"), SIZE, 1)
    red, _, blue = panel[0, 0].astype(int)
    assert blue - red > 100  # 60 - 99


def test_difference_needs_two(known, tmp_path):
    with pytest.raises(InputError, match="two or more"):
        picture({"up": known["up"]}, tmp_path / "x.png", View(difference=True))


def test_missing_pixels_are_blue_and_left_out_of_the_mean(tmp_path, pixels, panels_of):
    frames = np.full((4, 24, 32), 50, np.float32)
    frames[:, :12] = np.nan
    frames[0] = 80
    made = picture({"x": frames}, tmp_path / "x.png", LIMITS, frame=1)
    mean, frame = panels_of(pixels(tmp_path / "x.png"), SIZE, 2)
    assert mean[0, 0, 0] / 2.55 == pytest.approx(80, abs=0.5)
    assert mean[-1, 0, 0] / 2.55 == pytest.approx(57.5, abs=0.5)
    assert frame[0, 0].tolist() == [68, 119, 170]
    assert made.missing == "blue"


def test_mean_images_are_those_of_numpy():
    frames = np.random.default_rng(0).normal(1e6, 1, (50, 8, 9)).astype(np.float32)
    frames[3, 2, 1] = np.inf
    frames[:, 0, 0] = np.nan
    scene = Scene({"x": open_recording(frames)}, View())
    expected = np.where(np.isfinite(frames), frames, np.nan).astype(float)[4:40:3]
    found = mean_images(scene, range(4, 40, 3))["x"]
    np.testing.assert_allclose(found[1:], np.nanmean(expected[:, 1:], axis=0), rtol=1e-12)
    assert np.isnan(found[0, 0])


def test_recordings_of_different_lengths(tmp_path):
    pair = {"long": np.ones((9, 16, 16)), "short": np.ones((6, 16, 16))}
    with pytest.raises(InputError, match=r"long 9, short 6.*0:6"):
        picture(pair, tmp_path / "x.png")
    assert side_by_side(pair, tmp_path / "x.png", frame=5).exists()
    with pytest.raises(InputError, match="frame 6 asked for"):
        side_by_side(pair, tmp_path / "x.png", frame=6)


def test_recordings_of_different_sizes(tmp_path):
    pair = {"one": np.ones((9, 16, 16)), "other": np.ones((9, 16, 20))}
    with pytest.raises(InputError, match=r"16 x 16 pixels .* 16 x 20"):
        picture(pair, tmp_path / "x.png")
    with pytest.raises(InputError, match="no recording"):
        picture({}, tmp_path / "x.png")


@pytest.mark.parametrize(
    "frames", [slice(5, 5), slice(0, 41), slice(-3, 5), slice(0, 5, -1), slice(30, 20)]
)
def test_frames_that_are_not_there(frames, known, tmp_path):
    with pytest.raises(InputError, match=r"there are frames 0:40"):
        picture(known, tmp_path / "x.png", frames=frames)


@pytest.mark.parametrize(
    "zoom", [((0, 25), (0, 5)), ((5, 5), (0, 5)), ((0, 5), (30, 33)), ((-1, 5), (0, 5))]
)
def test_regions_that_are_not_there(zoom, known, tmp_path):
    with pytest.raises(InputError, match=r"has (rows 0:24|columns 0:32)"):
        picture(known, tmp_path / "x.png", View(zoom=zoom))


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("gamma", 0), ("gamma", float("nan")), ("magnify", 0), ("columns", -1),
        ("frame_rate_hz", 0), ("pixel_size_um", -2), ("contrast", "loud"), ("contrast", (2, 1)),
        ("percentiles", (99, 1)),
    ],
)  # fmt: skip
def test_strange_views_are_refused(option, value):
    with pytest.raises(InputError, match=option):
        View(**{option: value})


def test_the_same_recordings_give_the_same_file(known, tmp_path):
    first, second = (
        side_by_side(known, tmp_path / f"{i}.png", frame=2).read_bytes() for i in range(2)
    )
    assert first == second


def test_no_folder_no_file(known, tmp_path):
    with pytest.raises(OutputError, match="there is no folder"):
        side_by_side(known, tmp_path / "absent" / "x.png", frame=0)

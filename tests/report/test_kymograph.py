from __future__ import annotations

import warnings

import matplotlib as mpl
import numpy as np
import pytest

from freq2clean.errors import InputError, MissingExtraError
from freq2clean.recordings import ArrayRecording, Metadata
from freq2clean.report.kymograph import _binned, _pixels, kymograph
from freq2clean.report.scene import View

FRAMES = np.arange(6 * 20 * 30, dtype=np.float32).reshape(6, 20, 30)


@pytest.fixture
def drawn(monkeypatch):
    """Figures as they were before they were saved."""
    figures = []
    monkeypatch.setattr(
        "freq2clean.report.kymograph.save_figure", lambda figure, path: figures.append(figure)
    )
    return figures


def image_of(figure, row=0):
    return figure.axes[row].images[0]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ((7, None), FRAMES[:, 7]),
        ((None, 11), FRAMES[:, :, 11]),
        (((3, 4), (3, 9)), FRAMES[:, 3, 4:10]),
        (((9, 2), (3, 2)), FRAMES[:, 9:2:-1, 2]),
        (((2, 3), (8, 9)), FRAMES[:, range(2, 9), range(3, 10)]),
        (((5, 5), (5, 5)), FRAMES[:, 5, 5:6]),
    ],
)
def test_pixels_of_the_line_over_time(line, expected, drawn, tmp_path):
    kymograph({"x": FRAMES}, tmp_path / "x.png", line)
    np.testing.assert_array_equal(image_of(drawn[0]).get_array(), expected.T)


def test_a_slanted_line_takes_the_nearest_pixels():
    rows, columns = _pixels((0, 0), (4, 10))
    assert columns.tolist() == list(range(11))
    assert np.abs(rows - columns * 0.4).max() <= 0.5


def test_axes_say_seconds_and_micrometres(drawn, tmp_path):
    known = ArrayRecording(FRAMES, metadata=Metadata(10.0, (2.0, 0.5)))
    for source, unit, length, seconds in (
        (known, "µm", 15, "time, s"),
        (FRAMES, "pixels", 30, "frame"),
    ):
        made = kymograph({"x": source}, tmp_path / "x.png", (7, None), frames=slice(2, 6, 2))
        axes = drawn[-1].axes[0]
        left, right, bottom, top = image_of(drawn[-1]).get_extent()
        per_second = 10 if source is known else 1
        assert (left, right) == (2 / per_second, 6 / per_second)
        assert (bottom, top) == (length, 0)
        assert axes.get_ylabel().endswith(unit)
        assert axes.get_xlabel() == seconds
        assert (made.n_frames, made.frames, made.line) == (2, (2, 6, 2), ((7, 0), (7, 29)))


def test_long_recordings_are_averaged(tmp_path):
    frames = np.random.default_rng(0).random((2500, 4, 5), dtype=np.float32)
    made = kymograph({"x": frames}, tmp_path / "x.png", (2, None))
    assert made.frames_per_column == 3


@pytest.mark.parametrize("n", [1, 2, 3, 7, 50])
def test_averages_leave_missing_values_out(n):
    lines = np.random.default_rng(0).normal(0, 1, (2, 3, 50)).astype(np.float32)
    lines[1, 2, 5] = np.nan
    lines[0, 0, 14:21] = np.nan
    with warnings.catch_warnings(action="ignore", category=RuntimeWarning):
        expected = np.stack(
            [np.nanmean(lines[..., i : i + n], axis=-1) for i in range(0, 50, n)], axis=-1
        )
    np.testing.assert_allclose(_binned(lines, n), expected, rtol=1e-5, atol=1e-6)


def test_limits_and_colours(drawn, tmp_path):
    pair = {"dark": FRAMES, "light": FRAMES + 1000}
    view = View(percentiles=(0, 100), colour_map="viridis")
    made = kymograph(pair, tmp_path / "x.png", (0, None), view)
    assert made.limits["dark"] == made.limits["light"] == (1000, 1000 + 5 * 600 + 29)
    image = image_of(drawn[0])
    assert image.get_clim() == made.limits["light"]
    assert image.to_rgba(5000.0)[:3] == pytest.approx(mpl.colormaps["viridis"](1.0)[:3], abs=0.01)
    assert image.to_rgba(np.array([[np.nan]]))[0, 0, :3] == pytest.approx([128 / 255] * 3)
    own = kymograph(pair, tmp_path / "x.png", (0, None), View(percentiles=(0, 100), contrast="own"))
    assert own.limits["dark"] == (0, 5 * 600 + 29)


def test_it_is_drawn(tmp_path, pixels):
    kymograph({"one": FRAMES, "two": FRAMES}, tmp_path / "x.png", (0, None))
    image = pixels(tmp_path / "x.png")
    assert image.shape[1] == 1200
    assert image.std() > 20


@pytest.mark.parametrize("line", [(20, None), (None, 30), ((0, 0), (5, 30)), ((-1, 0), (5, 5))])
def test_lines_outside_are_refused(line, tmp_path):
    with pytest.raises(InputError, match="rows 0:20 and columns 0:30"):
        kymograph({"x": FRAMES}, tmp_path / "x.png", line)


def test_what_is_no_line_is_refused(tmp_path):
    with pytest.raises(InputError, match="give two pixels"):
        kymograph({"x": FRAMES}, tmp_path / "x.png", (None, None))


def test_settings_of_the_user_stay(tmp_path):
    before = dict(mpl.rcParams)
    kymograph({"x": FRAMES}, tmp_path / "x.png", (0, None))
    assert dict(mpl.rcParams) == before


def test_without_matplotlib_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr("freq2clean.report.figures.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"freq2clean\[figures\]"):
        kymograph({"x": FRAMES}, tmp_path / "x.png", (0, None))

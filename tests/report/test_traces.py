from __future__ import annotations

import numpy as np
import pytest

from freq2clean.errors import InputError
from freq2clean.report.scene import View
from freq2clean.report.traces import traces

FRAMES = np.random.default_rng(0).normal(100, 10, (50, 20, 30)).astype(np.float32)


@pytest.fixture
def drawn(monkeypatch):
    figures = []
    monkeypatch.setattr(
        "freq2clean.report.traces.save_figure", lambda figure, path: figures.append(figure)
    )
    return figures


def lines_of(figure, row=0):
    return [line.get_ydata() for line in figure.axes[row].lines]


def test_pixels_of_all_recordings(drawn, tmp_path):
    pair = {"raw": FRAMES, "fused": FRAMES + 1}
    made = traces(pair, tmp_path / "x.png", [(3, 4), (19, 29)], frames=slice(10, 50, 2))
    for row, (y, x) in enumerate(made.places):
        raw, fused = lines_of(drawn[0], row)
        np.testing.assert_allclose(raw, FRAMES[10::2, y, x], rtol=1e-6)
        np.testing.assert_allclose(fused, FRAMES[10::2, y, x] + 1, rtol=1e-6)
    assert drawn[0].axes[0].lines[0].get_xdata().tolist() == list(range(10, 50, 2))
    assert made.n_pixels == (1, 1)
    assert (made.frames, made.n_frames) == ((10, 50, 2), 20)


@pytest.mark.parametrize(("radius_px", "n_pixels"), [(0, 1), (1, 5), (1.5, 9), (2, 13)])
def test_discs(radius_px, n_pixels, drawn, tmp_path):
    made = traces({"x": FRAMES}, tmp_path / "x.png", [(9, 9)], radius_px=radius_px)
    assert made.n_pixels == (n_pixels,)
    y, x = np.mgrid[:20, :30]
    disc = (y - 9) ** 2 + (x - 9) ** 2 <= radius_px**2
    np.testing.assert_allclose(lines_of(drawn[0])[0], FRAMES[:, disc].mean(axis=1), rtol=1e-6)


def test_rois_of_a_label_image(drawn, tmp_path):
    labels = np.zeros((20, 30), np.uint16)
    labels[2:5, 3:9] = 7
    made = traces({"x": FRAMES}, tmp_path / "x.png", [(4, 8)], labels=labels)
    assert made.n_pixels == (18,)
    expected = FRAMES[:, 2:5, 3:9].mean(axis=(1, 2))
    np.testing.assert_allclose(lines_of(drawn[0])[0], expected, rtol=1e-6)
    assert drawn[0].axes[0].get_title(loc="left") == "ROI at 4,8, mean of 18 pixels"
    with pytest.raises(InputError, match="12,3 lies in no ROI"):
        traces({"x": FRAMES}, tmp_path / "x.png", [(12, 3)], labels=labels)
    with pytest.raises(InputError, match="must be equal"):
        traces({"x": FRAMES}, tmp_path / "x.png", [(4, 8)], labels=labels[1:])


def test_missing_pixels_are_left_out(drawn, tmp_path):
    frames = FRAMES.copy()
    frames[:, 9, 9] = np.nan
    frames[3, 8:11, 8:11] = np.nan
    traces({"x": frames}, tmp_path / "x.png", [(9, 9)], radius_px=1)
    found = lines_of(drawn[0])[0]
    assert np.isnan(found[3])
    neighbours = FRAMES[4, [8, 10, 9, 9], [9, 9, 8, 10]]
    assert found[4] == pytest.approx(neighbours.mean(), rel=1e-6)


def test_the_last_recording_sets_the_range(drawn, tmp_path):
    pair = {"raw": 100 + 9 * (FRAMES - 100), "fused": FRAMES}
    for contrast, low in (("shared", FRAMES[:, 5, 5].min()), ("own", pair["raw"][:, 5, 5].min())):
        traces(pair, tmp_path / "x.png", [(5, 5)], View(contrast=contrast))
        bottom, top = drawn[-1].axes[0].get_ylim()
        assert low - 0.5 * (top - bottom) < bottom < low


def test_it_is_drawn(tmp_path, pixels):
    traces({"x": FRAMES}, tmp_path / "x.png", [(1, 1), (2, 2)])
    image = pixels(tmp_path / "x.png")
    assert image.shape == (560, 1200, 3)
    assert image.std() > 5


@pytest.mark.parametrize("place", [(20, 0), (0, 30), (-1, 3)])
def test_places_outside_are_refused(place, tmp_path):
    with pytest.raises(InputError, match="rows 0:20 and columns 0:30"):
        traces({"x": FRAMES}, tmp_path / "x.png", [place])

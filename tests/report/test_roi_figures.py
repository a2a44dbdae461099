from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from freq2clean.report.figures import COLOURS
from freq2clean.report.rois import Bars, MaskPanel, draw_masks, draw_roi_bars
from freq2clean.rois import Rois

BLUE, ORANGE = (86, 180, 233), (230, 159, 0)


def row(denoiser, method, f1, tool="cellpose"):
    return {"denoiser": denoiser, "method": method, "tool": tool, "f1": f1}


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB")).astype(int)


def has(image, colour):
    return (np.abs(image - colour).max(axis=-1) <= 40).any()


@pytest.fixture
def cells():
    labels = np.zeros((40, 40), np.uint32)
    labels[4:14, 4:14], labels[24:36, 20:34] = 1, 2
    return labels


def test_bars_of_every_method_and_lines_of_what_is_not_denoised(tmp_path):
    rows = [row(None, "raw", 0.2), row(None, "clean", 0.9)]
    rows += [row("pca", method, 0.5) for method in ("denoised", "auto")]
    panel = Bars("Cellpose", "F1", "f1", {"tool": "cellpose"})
    image = pixels(draw_roi_bars(rows, [panel], tmp_path / "bars.png"))
    for method in ("denoised", "auto"):
        colour = tuple(int(COLOURS[method][i : i + 2], 16) for i in (1, 3, 5))
        assert (image == colour).all(axis=-1).sum() > 1000


def test_a_panel_without_a_row_is_left_out(tmp_path):
    rows = [row("pca", "denoised", 0.5), row("pca", "auto", None, tool="suite2p")]
    panels = [Bars(tool, "F1", "f1", {"tool": tool}) for tool in ("cellpose", "suite2p")]
    path = draw_roi_bars(rows, panels, tmp_path / "bars.png")
    with Image.open(path) as image:
        assert image.size[0] == 600
    assert draw_roi_bars(rows, panels[1:], tmp_path / "none.png") is None
    assert not (tmp_path / "none.png").exists()


def test_outlines_say_what_is_true_false_and_missed(tmp_path, cells):
    truth = Rois.from_label_image(cells)
    image = np.random.default_rng(0).random(cells.shape).astype(np.float32)

    def drawn(labels, truth):
        panel = MaskPanel("raw", image, Rois.from_label_image(labels), "1 ROI")
        return pixels(draw_masks({"tool": [panel]}, tmp_path / "masks.png", truth=truth))[:220]

    good, bad = drawn(cells, truth), drawn(np.roll(cells, 15, axis=1), truth)
    assert (has(good, BLUE), has(good, ORANGE)) == (True, False)
    assert (has(bad, BLUE), has(bad, ORANGE)) == (False, True)
    unknown = drawn(np.roll(cells, 15, axis=1), None)
    assert (has(unknown, BLUE), has(unknown, ORANGE)) == (True, False)


def test_an_image_without_contrast_or_rois(tmp_path):
    nothing = Rois.from_label_image(np.zeros((20, 20), np.uint8))
    panel = MaskPanel("raw", np.zeros((20, 20), np.float32), nothing)
    assert draw_masks({"tool": [panel]}, tmp_path / "masks.png", truth=nothing).is_file()

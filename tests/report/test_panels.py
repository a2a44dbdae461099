from __future__ import annotations

import numpy as np
import pytest

from freq2clean.report.lettering import letters
from freq2clean.report.palette import PAPER
from freq2clean.report.panels import Panel, Sheet, bar_length_um, in_rows


def find(canvas, value):
    """Corners of the rectangle that is made of one value."""
    y, x = np.nonzero(canvas == value)
    assert y.size == (np.ptp(y) + 1) * (np.ptp(x) + 1)
    return y.min(), x.min(), y.max() + 1, x.max() + 1


def test_images_are_magnified_and_lie_side_by_side():
    sheet = Sheet([[Panel("one"), Panel("two")], [Panel("three")]], (20, 30), magnify=3)
    canvas = sheet.draw([np.full((20, 30), i, np.uint8) for i in (1, 2, 3)])
    one, two, three = (find(canvas, i) for i in (1, 2, 3))
    for top, left, bottom, right in (one, two, three):
        assert (bottom - top, right - left) == (60, 90)
    assert one[0] == two[0] < three[0]
    assert one[1] == three[1] < two[1]
    assert canvas.shape == sheet.size


def test_pixels_keep_their_places():
    image = np.random.default_rng(0).integers(0, 200, (9, 12)).astype(np.uint8)
    sheet = Sheet([[Panel("x")]], (9, 12), magnify=4)
    canvas = sheet.draw([image])
    top, left, bottom, right = find(np.where(canvas < PAPER, 1, 0), 1)
    np.testing.assert_array_equal(canvas[top:bottom:4, left:right:4], image)


@pytest.mark.parametrize("shape", [(17, 33), (64, 64), (301, 157), (5, 900), (900, 5)])
@pytest.mark.parametrize("clock", [False, True])
def test_sizes_are_even_and_everything_fits(shape, clock):
    panels = [Panel("a title that is much too long for such a panel", "and so is a note")] * 3
    sheet = Sheet([panels], shape, pixel_size_um=(0.7, 0.7), clock=clock)
    canvas = sheet.draw([np.zeros(shape, np.uint8)] * 3, clock="1234.56 s" if clock else "")
    assert canvas.shape[0] % 2 == canvas.shape[1] % 2 == 0
    assert (canvas == 0).sum() == 3 * shape[0] * shape[1] * sheet._magnify**2
    assert (canvas[:, -4:] == PAPER).all()


@pytest.mark.parametrize(("width_um", "expected"), [(100, 20), (34, 10), (1.5, 0.2), (9000, 2000)])
def test_scale_bars_are_round(width_um, expected):
    assert bar_length_um(width_um) == pytest.approx(expected)


@pytest.mark.parametrize(("pixel_um", "magnify"), [(1.0, 2), (0.5, 1), (1.02, 3), (0.27, 4)])
def test_the_scale_bar_is_as_long_as_it_says(pixel_um, magnify, longest_run):
    sheet = Sheet([[Panel()]], (40, 120), magnify=magnify, pixel_size_um=(9.0, pixel_um))
    canvas = sheet.draw([np.zeros((40, 120), np.uint8)])
    below = canvas[max(np.nonzero(canvas == 0)[0]) + 1 :]
    assert longest_run(below == 255) == round(sheet.bar_um / pixel_um * magnify)


def test_the_clock_is_the_only_thing_that_changes():
    sheet = Sheet([[Panel("x")]], (64, 64), clock=True)
    image = np.zeros((64, 64), np.uint8)
    early, late = (sheet.draw([image], clock=clock) for clock in ("0.00 s", "9.97 s"))
    changed = np.nonzero(early != late)
    bottom = np.nonzero(early == 0)[0].max()
    assert changed[0].min() > bottom
    assert changed[1].min() > early.shape[1] // 2


def test_words_are_there_and_small_or_cut_where_they_do_not_fit():
    assert (letters("µ × − …é", 20) == 255).any()
    boxes = {letters(c, 20).tobytes() for c in "µ×−…é"}
    assert len(boxes) == 5  # none of them is the box of an unknown letter
    wide = letters("a long title", 20)
    smaller = letters("a long title", 20, room=wide.shape[1] * 4 // 5)
    assert smaller.shape[0] < wide.shape[0]
    assert smaller.shape[1] <= wide.shape[1] * 4 // 5
    assert letters("a long title", 20, room=40).shape[1] <= 40
    assert letters("", 20, room=40).shape[1] == 1


@pytest.mark.parametrize(
    ("n", "columns", "expected"),
    [(3, None, [3]), (5, None, [5]), (7, None, [3, 3, 1]), (4, 2, [2, 2]), (2, 6, [2])],
)
def test_grids(n, columns, expected):
    assert [len(row) for row in in_rows([Panel()] * n, columns)] == expected

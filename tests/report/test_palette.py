from __future__ import annotations

import matplotlib
import numpy as np
import pytest

from freq2clean.errors import InputError, MissingExtraError
from freq2clean.report.palette import COLOUR_MAPS, DIVERGING, PAPER, Palette

RAMP = np.linspace(0, 1, 101, dtype=np.float32)


def luminance(colours):
    return (colours / 255) ** 2.2 @ [0.2126, 0.7152, 0.0722]


@pytest.mark.parametrize("name", COLOUR_MAPS)
def test_brighter_is_more(name):
    palette = Palette(name)
    assert (np.diff(luminance(palette.colours[palette.indices(RAMP)])) >= 0).all()


@pytest.mark.parametrize("name", COLOUR_MAPS[1:])
def test_colours_are_those_of_matplotlib(name):
    palette = Palette(name)
    expected = 255 * matplotlib.colormaps[name](RAMP)[:, :3]
    assert np.abs(palette.colours[palette.indices(RAMP)] - expected).max() < 5  # half a shade


def test_grey_is_grey_and_as_fine_as_its_shades():
    for n_shades in (64, 239):
        palette = Palette(n_shades=n_shades)
        colours = palette.colours[palette.indices(RAMP)].astype(float)
        assert np.ptp(colours, axis=1).max() == 0
        assert np.abs(colours[:, 0] - 255 * RAMP).max() <= 255 / 2 / (n_shades - 1) + 0.5


def test_differences_have_white_in_the_middle_and_other_colours_at_the_ends():
    palette = Palette(DIVERGING)
    blue, white, red = palette.colours[palette.indices(np.float32([0, 0.5, 1]))].astype(int)
    assert blue[2] - blue[0] > 100
    assert red[0] - red[2] > 100
    assert white.min() > 240


@pytest.mark.parametrize("name", [*COLOUR_MAPS, DIVERGING])
def test_missing_pixels_look_like_no_value(name):
    palette = Palette(name)
    missing = palette.colours[palette.indices(np.float32([np.nan]))[0]].astype(int)
    others = palette.colours[: palette.n_shades].astype(int)
    assert np.abs(others - missing).sum(axis=1).min() > 30


def test_ink_stands_out_from_paper():
    colours = Palette().colours
    assert colours[255].min() - colours[PAPER].max() > 200


def test_an_unknown_map_is_refused():
    with pytest.raises(InputError, match="'jet'; give one of grey, viridis"):
        Palette("jet")


def test_without_matplotlib_there_is_grey(monkeypatch):
    monkeypatch.setattr("freq2clean.report.palette.find_spec", lambda name: None)
    assert Palette("grey").colours[0].tolist() == [0, 0, 0]
    with pytest.raises(MissingExtraError, match=r'pip install "freq2clean\[figures\]", or take'):
        Palette("magma")

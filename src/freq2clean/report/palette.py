"""Colours as indices: a colour map, one colour for what is missing, and ink for words."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

from freq2clean.errors import InputError, MissingExtraError

__all__ = ["COLOUR_MAPS", "DIVERGING", "N_INKS", "PAPER", "Palette"]

COLOUR_MAPS = ("grey", "viridis", "magma", "inferno", "cividis")
"""Perceptually uniform, and told apart by the colour-blind; all but grey are matplotlib's."""

DIVERGING = "blue-white-red"
_BLUE_WHITE_RED = ("0571b0", "92c5de", "f7f7f7", "f4a582", "ca0020")

N_INKS = 16
PAPER = 256 - N_INKS
"""The index of the background; the inks follow, up to full strength at 255."""

_MISSING = PAPER - 1
_MOST_SHADES = _MISSING
_MISSING_COLOURS = {"grey": ("blue", (68, 119, 170)), "cividis": ("purple", (170, 68, 153))}
_MISSING_ELSEWHERE = ("grey", (128, 128, 128))
_PAPER_GREY, _INK_GREY = 17, 238


class Palette:
    """256 colours: shades of a map, the colour of missing pixels, background and inks.

    Parameters
    ----------
    name : str
        One of `COLOUR_MAPS`, or `DIVERGING`.
    n_shades : int
        Fewer make smaller files.

    Attributes
    ----------
    colours : ndarray (256, 3), uint8
    missing : str
        The colour of pixels without a value, in words.
    missing_colour : ndarray (3,), uint8

    Examples
    --------
    >>> palette = Palette("grey")
    >>> palette.indices(np.array([0.0, 1.0, np.nan])).tolist()
    [0, 238, 239]
    """

    def __init__(self, name: str = "grey", *, n_shades: int = _MOST_SHADES) -> None:
        self.name = name
        self.n_shades = n_shades
        self.colours = np.zeros((256, 3), np.uint8)
        self.colours[:n_shades] = np.round(255 * _map(name, n_shades))
        self.missing, self.colours[_MISSING] = _MISSING_COLOURS.get(name, _MISSING_ELSEWHERE)
        self.missing_colour = self.colours[_MISSING]
        self.colours[PAPER:] = np.round(np.linspace(_PAPER_GREY, _INK_GREY, N_INKS))[:, None]

    def indices(self, shades: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Of shades from 0 to 1, where NaN is a missing pixel."""
        unknown = np.isnan(shades)
        index = np.where(unknown, 0, shades * (self.n_shades - 1) + 0.5).astype(np.uint8)
        index[unknown] = _MISSING
        return index


def _map(name: str, n_shades: int) -> NDArray[np.float64]:
    """Red, green and blue (n_shades, 3) from 0 to 1."""
    position = np.linspace(0, 1, n_shades)
    if name == "grey":
        return np.repeat(position[:, None], 3, axis=1)
    if name == DIVERGING:
        anchors = np.array([list(bytes.fromhex(colour)) for colour in _BLUE_WHITE_RED]) / 255
        at = np.linspace(0, 1, len(anchors))
        return np.stack([np.interp(position, at, channel) for channel in anchors.T], axis=1)
    if name not in COLOUR_MAPS:
        raise InputError(f"colour map {name!r}; give one of {', '.join(COLOUR_MAPS)}")
    if find_spec("matplotlib") is None:
        raise MissingExtraError(
            f"the colour map {name} is matplotlib's; install it with "
            'pip install "freq2clean[figures]", or take grey'
        )
    from matplotlib import colormaps

    colours: NDArray[np.float64] = colormaps[name](position)[:, :3]
    return colours

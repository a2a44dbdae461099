"""Words as pixels: ink indices of a palette, in the font that comes with the package."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from freq2clean.report.palette import N_INKS, PAPER

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

__all__ = ["letters", "line_height"]

_FONT = Path(__file__).with_name("fonts") / "DejaVuSans.ttf"
_SMALLEST = 0.7


def letters(text: str, size: int, *, room: int | None = None) -> NDArray[np.uint8]:
    """One line of text; wider than the room in pixels, it is smaller, or cut with an ellipsis.

    Examples
    --------
    >>> letters("20 µm", 16).shape[0] == line_height(16)
    True
    """
    from PIL import Image, ImageDraw

    least = round(_SMALLEST * size)
    while room and size > least and _font(size).getlength(text) > room:
        size -= 1
    font = _font(size)
    text = _cut(text, font, room)
    image = Image.new("L", (max(1, round(font.getlength(text))), line_height(size)))
    ImageDraw.Draw(image).text((0, 0), text, fill=255, font=font)
    strength = np.asarray(image, np.uint16)
    return (PAPER + (strength * (N_INKS - 1) + 127) // 255).astype(np.uint8)


def line_height(size: int) -> int:
    """Of letters of that size, in pixels."""
    return sum(_font(size).getmetrics())


def _cut(text: str, font: FreeTypeFont, room: int | None) -> str:
    if room is None or font.getlength(text) <= room:
        return text
    while text and font.getlength(text + "…") > room:
        text = text[:-1]
    return text + "…"


@lru_cache
def _font(size: int) -> FreeTypeFont:
    from PIL import ImageFont

    return ImageFont.truetype(str(_FONT), size, layout_engine=ImageFont.Layout.BASIC)

"""A sheet of titled panels, with a scale bar and a clock below: all pictures and movies are one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from freq2clean.report.lettering import letters, line_height
from freq2clean.report.palette import PAPER

__all__ = ["Panel", "Sheet", "bar_length_um", "in_rows", "magnification"]

_PANEL_PIXELS = 360
_WIDEST_GRID = 5
_BAR_SHARE = 0.3
_INK = 255
_LONGEST_CLOCK = "0000000.00 s"


@dataclass(frozen=True)
class Panel:
    """What stands above an image, and below it in smaller letters."""

    title: str = ""
    note: str = ""


class Sheet:
    """Where everything lies, and what never changes, drawn once.

    Parameters
    ----------
    rows : sequence of sequences of Panel
        As `in_rows` makes them.
    shape : (int, int)
        Rows and columns of each image.
    magnify : int, optional
        Screen pixels per image pixel; panels of about 360 pixels if left out.
    pixel_size_um : (float, float), optional
        Height and width, for a scale bar.
    clock : bool
        Whether there is to be room for one.

    Attributes
    ----------
    size : (int, int)
        Height and width in pixels, both even, as video wants them.
    bar_um : float or None
        Length of the scale bar.

    Examples
    --------
    >>> sheet = Sheet([[Panel("raw"), Panel("fused")]], (64, 64), magnify=2)
    >>> image = np.zeros((64, 64), np.uint8)
    >>> sheet.draw([image, image]).shape == sheet.size
    True
    """

    def __init__(
        self,
        rows: Sequence[Sequence[Panel]],
        shape: tuple[int, int],
        *,
        magnify: int | None = None,
        pixel_size_um: tuple[float, float] | None = None,
        clock: bool = False,
    ) -> None:
        self._magnify = magnify or magnification(shape)
        height, width = (self._magnify * side for side in shape)
        self._title_size = min(40, max(18, width // 15))
        self._small_size = max(14, self._title_size * 5 // 7)
        self._gap = gap = self._title_size // 2
        right = gap + max(len(row) for row in rows) * (width + gap)

        self._corners: list[tuple[int, int]] = []
        words: list[_Words] = []
        top = gap
        for row in rows:
            title_height = self._height(self._title_size, [panel.title for panel in row])
            note_height = self._height(self._small_size, [panel.note for panel in row])
            left = gap
            for panel, after in zip(row, [*row[1:], None], strict=True):
                self._corners.append((top + title_height, left))
                words.append(_Words(top, left, panel.title, self._title_size, width))
                room = width if after and after.note else right - gap - left
                below = top + title_height + height + gap // 2
                words.append(_Words(below, left, panel.note, self._small_size, room))
                left += width + gap
            top += title_height + height + note_height + gap
        self._foot = top

        self.bar_um = bar_length_um(pixel_size_um[1] * shape[1]) if pixel_size_um else None
        bar = self._bar(pixel_size_um[1]) if pixel_size_um else None
        self._clock_width = letters(_LONGEST_CLOCK, self._small_size).shape[1] if clock else 0
        if bar is not None or clock:
            top += line_height(self._small_size) + gap
        foot_width = 3 * gap + self._clock_width + (0 if bar is None else bar.shape[1])
        self._right = max(right, foot_width) - gap
        self.size = _even(top), _even(self._right + gap)

        self._background = np.full(self.size, PAPER, np.uint8)
        for line in words:
            if line.text:
                ink = letters(line.text, line.size, room=line.room)
                _put(self._background, line.top, line.left, ink)
        if bar is not None:
            _put(self._background, self._foot, gap, bar)

    def draw(self, images: Sequence[NDArray[np.uint8]], *, clock: str = "") -> NDArray[np.uint8]:
        """Indices of the whole sheet, for one image of indices per panel."""
        canvas = self._background.copy()
        for (top, left), image in zip(self._corners, images, strict=True):
            _put(canvas, top, left, image.repeat(self._magnify, 0).repeat(self._magnify, 1))
        if clock:
            words = letters(clock, self._small_size, room=self._clock_width)
            _put(canvas, self._foot, self._right - words.shape[1], words)
        return canvas

    def _height(self, size: int, texts: Sequence[str]) -> int:
        return line_height(size) + self._gap // 2 if any(texts) else 0

    def _bar(self, pixel_width_um: float) -> NDArray[np.uint8]:
        """The scale bar, and what it stands for beside it."""
        assert self.bar_um is not None
        length = max(1, round(self.bar_um / pixel_width_um * self._magnify))
        label = letters(f"{self.bar_um:g} µm", self._small_size)
        bar = np.full((label.shape[0], length + self._gap), PAPER, np.uint8)
        thick = max(3, self._small_size // 4)
        top = (len(bar) - thick) // 2
        bar[top : top + thick, :length] = _INK
        return np.concatenate([bar, label], axis=1)


@dataclass(frozen=True)
class _Words:
    """A line of text, and how wide it may be."""

    top: int
    left: int
    text: str
    size: int
    room: int


def in_rows(panels: Sequence[Panel], columns: int | None = None) -> list[list[Panel]]:
    """Panels in rows of so many; all up to five of them in one, else about as many as rows."""
    n = len(panels)
    columns = columns or (n if n <= _WIDEST_GRID else math.ceil(math.sqrt(n)))
    return [list(panels[start : start + columns]) for start in range(0, n, columns)]


def magnification(shape: tuple[int, int]) -> int:
    """Screen pixels per image pixel that make a panel of about 360."""
    return max(1, round(_PANEL_PIXELS / max(shape)))


def bar_length_um(width_um: float) -> float:
    """The longest of 1, 2, 5, 10 ... that takes no more than 30 % of a width.

    Examples
    --------
    >>> bar_length_um(100), bar_length_um(512), bar_length_um(0.8)
    (20.0, 100.0, 0.2)
    """
    most = _BAR_SHARE * width_um
    unit = 10.0 ** math.floor(math.log10(most))
    return max(step * unit for step in (1, 2, 5) if step * unit <= most * (1 + 1e-9))


def _put(canvas: NDArray[np.uint8], top: int, left: int, pixels: NDArray[np.uint8]) -> None:
    height, width = pixels.shape
    canvas[top : top + height, left : left + width] = pixels


def _even(pixels: int) -> int:
    return pixels + pixels % 2

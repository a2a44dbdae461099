"""Charts as inline SVG: lines, and maps of cells. Colours come from the style sheet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from freq2clean.report.html.markup import Safe, tag

__all__ = ["WIDTH", "Cells", "Series", "cell_map", "interval", "line_chart", "ticks"]

WIDTH = 720
_LEFT, _RIGHT, _TOP = 68, 12, 10
_UNDER_TEXT = 0.45
_NUMBERS, _LABEL = 24, 20


@dataclass(frozen=True, eq=False)
class Series:
    """One line.

    Attributes
    ----------
    kind : str
        Which recording: the class that gives it its colour.
    x, y : ndarray
        Of one length; NaN in ``y`` leaves a gap.
    """

    kind: str
    x: NDArray[np.float64]
    y: NDArray[np.float64]


@dataclass(frozen=True)
class _Axis:
    """Values to places along an axis of the drawing."""

    low: float
    high: float
    start: float
    stop: float

    def __call__(self, value: float) -> float:
        span = self.high - self.low or 1.0
        return self.start + (value - self.low) / span * (self.stop - self.start)


@dataclass(frozen=True)
class _Frame:
    """A drawing with room for axes at the left and at the bottom."""

    width: int
    height: int
    x_label: str
    y_label: str

    @property
    def right(self) -> int:
        return self.width - _RIGHT

    @property
    def bottom(self) -> int:
        return self.height - _NUMBERS - (_LABEL if self.x_label else 0)

    def x_axis(self, low: float, high: float) -> _Axis:
        return _Axis(low, high, _LEFT, self.right)

    def labels(self) -> list[Safe]:
        across = _text(self.x_label, (_LEFT + self.right) / 2, self.height - 6, "middle")
        middle = (_TOP + self.bottom) / 2
        turned = f"rotate(-90 14 {middle:g})"
        up = tag(
            "text", self.y_label, x=14, y=middle, text_anchor="middle", transform=turned,
            class_="y-label",
        )  # fmt: skip
        return [label for label, text in ((across, self.x_label), (up, self.y_label)) if text]

    def under(self, x: _Axis, marks: Sequence[tuple[float, str]]) -> list[Safe]:
        return [_text(text, x(place), self.bottom + 16, "middle") for place, text in marks]

    def svg(self, title: str, *children: Safe) -> Safe:
        return tag(
            "svg", tag("title", title), *children, *self.labels(), role="img",
            class_="wide" if self.width == WIDTH else None,
            viewBox=f"0 0 {self.width} {self.height}", width=self.width, height=self.height,
        )  # fmt: skip


def ticks(low: float, high: float, n_ticks: int = 5) -> list[float]:
    """Round numbers between two values.

    Examples
    --------
    >>> ticks(0, 0.7)
    [0.0, 0.2, 0.4, 0.6]
    >>> ticks(-3, 12)
    [0.0, 5.0, 10.0]
    """
    if not high > low:
        return [low]
    rough = (high - low) / n_ticks
    power = 10.0 ** np.floor(np.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999)
    first, last = int(np.ceil(low / step - 1e-9)), int(np.floor(high / step + 1e-9))
    return [float(f"{index * step:.12g}") for index in range(first, last + 1)]


def line_chart(
    title: str,
    series: Sequence[Series],
    *,
    x_label: str,
    y_label: str,
    height: int = 240,
    y_range: tuple[float, float] | None = None,
) -> Safe:
    """Lines over one another, the last on top.

    Long ones are drawn by the lowest and the highest value in each pixel column.

    Parameters
    ----------
    title : str
        Says what the chart shows to who cannot see it.
    y_range : (float, float), optional
        By default that of the values.
    """
    frame = _Frame(WIDTH, height, x_label, y_label)
    known = np.concatenate([line.y[np.isfinite(line.y)] for line in series])
    low, high = y_range or ((known.min(), known.max()) if known.size else (0.0, 1.0))
    ends = [float(end(line.x)) for line in series for end in (np.min, np.max)]
    x = frame.x_axis(min(ends), max(ends))
    y = _Axis(float(low), float(high), frame.bottom, _TOP)
    paths = [tag("path", class_=f"line {line.kind}", d=_path(line, x, y)) for line in series]
    across = [(t, f"{t:g}") for t in ticks(x.low, x.high, 8)]
    return frame.svg(title, *_grid(y, frame.right), *frame.under(x, across), *paths)


@dataclass(frozen=True, eq=False)
class Cells:
    """Values on a grid, and how strong each is drawn.

    Attributes
    ----------
    values : ndarray (rows, columns)
        NaN leaves a cell empty.
    texts : sequence of sequence of str, optional
        Written into the cells.
    """

    values: NDArray[np.float64]
    texts: Sequence[Sequence[str]] | None = None


def cell_map(
    title: str,
    cells: Cells,
    *,
    x_label: str,
    y_label: str,
    x_ticks: Sequence[tuple[float, str]] = (),
    y_ticks: Sequence[tuple[float, str]] = (),
    height: int = 240,
    width: int = WIDTH,
) -> Safe:
    """A grid of cells, the first row at the top; 0 is pale, 1 strong.

    Parameters
    ----------
    x_ticks, y_ticks : sequence of (float, str)
        Places in cells from the left and from the top, and what stands there.
    """
    frame = _Frame(width, height, x_label, y_label)
    n_rows, n_columns = cells.values.shape
    x, y = frame.x_axis(0, n_columns), _Axis(0, n_rows, _TOP, frame.bottom)
    size = {"width": x(1) - x(0), "height": y(1) - y(0)}
    full = _UNDER_TEXT if cells.texts else 1.0
    drawn: list[Safe] = []
    for row, column in np.ndindex(n_rows, n_columns):
        value = float(cells.values[row, column])
        known = not np.isnan(value)
        look = {"class_": "cell", "fill_opacity": full * min(max(value, 0.0), 1.0)}
        place = {"x": x(column), "y": y(row), **size}
        drawn.append(tag("rect", **place, **(look if known else {"class_": "cell empty"})))
        if cells.texts:
            middle = {"x": x(column + 0.5), "y": y(row + 0.5)}
            drawn.append(tag("text", cells.texts[row][column], class_="cell-text", **middle))
    beside = [_text(text, _LEFT - 6, y(place) + 4, "end") for place, text in y_ticks]
    return frame.svg(title, *drawn, *frame.under(x, x_ticks), *beside)


def interval(title: str, value: float, bounds: tuple[float, float], *, x_label: str) -> Safe:
    """A value between its bounds, on an axis that holds 0."""
    frame = _Frame(WIDTH, 84, x_label, "")
    low, high = min(0.0, *bounds), max(0.0, *bounds)
    margin = 0.06 * (high - low or 1.0)
    x = frame.x_axis(low - margin, high + margin)
    middle = (frame.bottom + _TOP) / 2
    ends = [(bounds[0], bounds[0], 6), (bounds[1], bounds[1], 6), (*bounds, 0)]
    marks = [
        tag("line", x1=x(0), x2=x(0), y1=_TOP, y2=frame.bottom, class_="zero"),
        *(
            tag("line", x1=x(a), x2=x(b), y1=middle - up, y2=middle + up, class_="whisker")
            for a, b, up in ends
        ),
        tag("circle", cx=x(value), cy=middle, r=6, class_="dot"),
    ]
    across = [(t, f"{t:g}") for t in ticks(x.low, x.high)]
    return frame.svg(title, *marks, *frame.under(x, across))


def _grid(y: _Axis, right: int) -> list[Safe]:
    marks = ticks(y.low, y.high, 4)
    lines = [tag("line", x1=_LEFT, x2=right, y1=y(t), y2=y(t), class_="grid") for t in marks]
    return [*lines, *(_text(f"{t:g}", _LEFT - 6, y(t) + 4, "end") for t in marks)]


def _text(text: str, x: float, y: float, anchor: str) -> Safe:
    return tag("text", text, x=x, y=y, text_anchor=anchor)


def _path(line: Series, x: _Axis, y: _Axis) -> str:
    xs, ys = thinned(line.x, line.y, int(x.stop - x.start))
    words, pen_is_down = [], False
    for a, b in zip(xs, ys, strict=True):
        if not np.isfinite(b):
            pen_is_down = False
            continue
        b = min(max(b, y.low), y.high)
        words.append(f"{'L' if pen_is_down else 'M'}{x(a):.1f} {y(b):.1f}")
        pen_is_down = True
    return "".join(words)


def thinned(
    x: NDArray[np.float64], y: NDArray[np.float64], n_columns: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Of each of so many stretches the lowest and the highest value, in their order.

    Examples
    --------
    >>> x = np.arange(8.0)
    >>> thinned(x, np.array([0, 3, 1, 1, 9, 5, 6, 2.0]), 2)[1].tolist()
    [0.0, 3.0, 9.0, 2.0]
    """
    if len(y) <= 2 * n_columns:
        return x, y
    kept: list[int] = []
    for part in np.array_split(np.arange(len(y)), n_columns):
        known = part[np.isfinite(y[part])]
        if known.size:
            kept += sorted({int(known[np.argmin(y[known])]), int(known[np.argmax(y[known])])})
        else:
            kept.append(int(part[0]))
    return x[kept], y[kept]

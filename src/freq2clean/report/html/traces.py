"""Traces of a few regions, and where these are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from freq2clean.report.contrast import limits_of
from freq2clean.report.html.charts import Series, line_chart
from freq2clean.report.html.contents import Contents
from freq2clean.report.html.images import embed
from freq2clean.report.html.markup import Safe, joined, tag
from freq2clean.report.html.regions import Region

__all__ = ["legend", "trace_figures"]

_HEIGHT = 130
_LABEL = 20
_MAP_PIXELS = 360 * 360
_NOISE_QUANTILES = (0.002, 0.998)


def trace_figures(contents: Contents) -> Safe:
    """A map of the regions, and a chart for each."""
    said = (
        f"Mean brightness of {len(contents.regions)} regions, {contents.regions_from}, in counts. "
        "The raw trace is noisy but right on average: the others should run through it."
    )
    charts = [_chart(contents, index) for index in range(len(contents.regions))]
    return joined(
        [
            _map(contents),
            tag(
                "figure", legend(list(contents.seen)), *charts, tag("figcaption", said),
                class_="traces",
            ),
        ]
    )  # fmt: skip


def legend(kinds: Sequence[str]) -> Safe:
    """Which line is which recording."""
    items = [
        tag(
            "li",
            tag(
                "svg", tag("path", class_=f"line {kind}", d="M2 6L26 6"), width=28, height=12,
                viewBox="0 0 28 12", aria_hidden="true",
            ),
            f" {kind}",
        )
        for kind in kinds
    ]  # fmt: skip
    return tag("ul", *items, class_="legend")


def _chart(contents: Contents, index: int) -> Safe:
    x, x_label = contents.times
    region = contents.regions[index]
    is_last = index == len(contents.regions) - 1
    series = [Series(kind, x, seen.traces[index]) for kind, seen in contents.seen.items()]
    chart = line_chart(
        f"Traces of region {region.name}: {', '.join(contents.seen)}",
        series,
        x_label=x_label if is_last else "",
        y_label="counts",
        height=_HEIGHT + (_LABEL if is_last else 0),
        y_range=_range([line.y for line in series]),
    )
    return tag("div", tag("p", f"Region {region.name}"), chart, class_="chart")


def _range(traces: Sequence[NDArray[np.float64]]) -> tuple[float, float]:
    """Of all traces, but for the rarest values of noise."""
    ends = [
        np.quantile(known, _NOISE_QUANTILES)
        for trace in traces
        if (known := trace[np.isfinite(trace)]).size
    ]
    if not ends:
        return 0.0, 1.0
    low, high = min(e[0] for e in ends), max(e[1] for e in ends)
    margin = 0.04 * (high - low) or 1.0
    return float(low - margin), float(high + margin)


def _map(contents: Contents) -> Safe:
    """The regions drawn on a small mean image."""
    mean = contents.seen["fused"].mean
    image = embed(mean, limits_of([mean]), most_pixels=_MAP_PIXELS)
    height, width = mean.shape
    drawn = [mark for region in contents.regions for mark in _outline(region, max(height, width))]
    # The viewBox is in pixels of the recording; the picture may hold fewer.
    shown = tag(
        "svg",
        tag("title", f"Where the {len(contents.regions)} regions are"),
        tag("image", href=image.uri, width=width, height=height),
        *drawn,
        viewBox=f"0 0 {width} {height}", role="img", class_="map",
    )  # fmt: skip
    return tag(
        "figure", shown, tag("figcaption", "The regions on the fused mean image."), class_="where"
    )


def _outline(region: Region, size: int) -> list[Safe]:
    from skimage.measure import find_contours

    contours: Sequence[NDArray[np.float64]] = find_contours(  # type: ignore[no-untyped-call]
        np.pad(region.mask, 1).astype(np.float32), 0.5
    )
    paths = [
        "M" + "L".join(f"{x - 0.5:.1f} {y - 0.5:.1f}" for y, x in line) + "Z" for line in contours
    ]
    rows, columns = np.nonzero(region.mask)
    is_at_the_right = columns.max() > 0.92 * region.mask.shape[1]
    x = columns.min() - 1 if is_at_the_right else columns.max() + 2
    number = tag(
        "text",
        region.name,
        class_="number",
        font_size=size / 22,
        x=float(x),
        y=float(np.clip(rows.mean() + size / 60, size / 22, region.mask.shape[0] - 1)),
        text_anchor="end" if is_at_the_right else "start",
    )
    return [tag("path", d="".join(paths), class_="outline"), number]

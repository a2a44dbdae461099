"""What the fusion gave back, band by band, and what that gained."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freq2clean.inspection import Gain
from freq2clean.report.html.charts import Cells, Series, cell_map, interval, line_chart, ticks
from freq2clean.report.html.contents import Contents
from freq2clean.report.html.markup import Safe, joined, tag
from freq2clean.report.html.sentences import number
from freq2clean.report.html.table import table
from freq2clean.report.html.traces import legend

__all__ = ["gain_figures", "weights_figure"]

_HALF = 0.5
_ROW, _FRAME = 18, 56
_MAP_WIDTH = 420
_MOST_LABELS = 10


def weights_figure(contents: Contents) -> Safe:
    """The weights as a map of temporal bands and rings of spatial frequency, and as numbers."""
    findings = contents.facts.findings
    weights = np.array(findings["weights"], np.float64)
    rate = contents.sources["raw"].metadata.frame_rate_hz
    edges = np.array(findings["band_edges_cycles_per_frame"]) * (rate or 1000.0)
    unit = "Hz" if rate else "cycles per 1000 frames"
    rings = np.array(findings["ring_edges_cycles_per_pixel"])
    per_cell = rings[1] if len(rings) > 1 else 1.0
    n_bands = len(weights)
    chart = cell_map(
        "Weights of the difference between raw and denoised, by temporal and by spatial frequency",
        Cells(weights[::-1]),
        x_label="spatial frequency, cycles per pixel",
        y_label=unit,
        x_ticks=[(t / per_cell + 1, f"{t:g}") for t in ticks(0, float(rings[-1]), 7)],
        y_ticks=_band_ticks(edges),
        height=max(150, min(420, n_bands * _ROW + _FRAME)),
    )
    said = (
        "Share of the difference between the raw and the denoised recording that was given back: "
        "pale is none, strong is all of it. The lowest row holds the mean image, those above what "
        f"changes faster ({unit}). Weights are a "
        f"first estimate; over the image they differ. {_reach(weights, rings, edges, unit)}"
    )
    return tag("figure", chart, tag("figcaption", said), _numbers(weights, rings, edges, unit))


def gain_figures(contents: Contents) -> Safe:
    """What a probe measured, or what the recordings let expect."""
    gain = contents.facts.gain
    if gain is None:
        return joined(_expected(contents.facts.findings))
    figures = [_interval(gain), _map(gain), _rings(gain)]
    return joined([figure for figure in figures if figure is not None])


def _expected(findings: Mapping[str, Any]) -> Iterator[Safe]:
    if "expected_mse_reduction" in findings:
        before, after = findings["expected_mse_in_bands"]
        yield table(
            ("expected, without ground truth", "value"),
            [
                ("fall of the mean squared error, counts²",
                 number(findings["expected_mse_reduction"])),
                ("error in the corrected bands, before, counts²", number(before)),
                ("error in the corrected bands, after, counts²", number(after)),
                ("gain in these bands, dB", f"{findings['expected_gain_in_bands_db']:.1f}"),
                ("noise of the raw recording (SD), counts", number(findings["noise_sd"])),
            ],
        )  # fmt: skip
    trials = findings.get("window_trials")
    if trials:
        said = ", ".join(
            f"{trial['window']} frames {number(trial['expected_mse_reduction'])}"
            for trial in trials
        )
        yield tag("p", f"Windows tried, and the fall that each lets expect, counts²: {said}.")


def _interval(gain: Gain) -> Safe | None:
    low, high = gain.interval_db
    if gain.db is None or low is None or high is None:
        return None
    chart = interval(
        f"Gain {gain.db:.1f} dB, between {low:.1f} and {high:.1f}", gain.db, (low, high),
        x_label="by how much the mean squared error fell, dB",
    )  # fmt: skip
    left = gain.noise_left / gain.mse_fused if gain.mse_fused > 0 else None
    said = (
        f"Mean squared error: {number(gain.mse_denoised)} counts² denoised, "
        f"{number(gain.mse_fused)} fused, on {gain.frames} frames"
    )
    if left is not None and 0 <= left <= 1:
        said += f"; {left:.0%} of what is left is noise, the rest detail that is missing or wrong"
    said += ". The line is what the gain lies between, at three standard errors."
    return tag("figure", chart, tag("figcaption", said))


def _map(gain: Gain) -> Safe:
    values = np.array(gain.map_db, np.float64)
    top = np.nanmax(values, initial=0.0) or 1.0
    n_rows, n_columns = values.shape
    cell = _MAP_WIDTH / n_columns
    height = int(min(640, n_rows * cell * gain.tile_shape[0] / gain.tile_shape[1] + _FRAME))
    texts = [["–" if np.isnan(v) else f"{v:.1f}" for v in row] for row in values]
    chart = cell_map(
        f"Gain in dB of {n_rows} by {n_columns} tiles of the field",
        Cells(values / top, texts if max(n_rows, n_columns) <= _MOST_LABELS else None),
        x_label="column, pixels",
        y_label="row, pixels",
        x_ticks=_pixel_ticks(n_columns, gain.tile_shape[1]),
        y_ticks=_pixel_ticks(n_rows, gain.tile_shape[0]),
        height=height,
        width=_MAP_WIDTH,
    )
    said = (
        f"Where it was gained: dB in tiles of {gain.tile_shape[0]} × {gain.tile_shape[1]} pixels; "
        "– where too little error is left to measure."
    )
    return tag("figure", chart, tag("figcaption", said))


def _rings(gain: Gain) -> Safe | None:
    x = np.array(gain.ring_frequencies)
    both = {"denoised": gain.ring_correlation_denoised, "fused": gain.ring_correlation_fused}
    series = [Series(kind, x, np.array(found, np.float64)) for kind, found in both.items()]
    if not any(np.isfinite(line.y).any() for line in series):
        return None
    chart = line_chart(
        "Correlation with the true recording by spatial frequency",
        series,
        x_label="spatial frequency, cycles per pixel",
        y_label="correlation",
        y_range=(0.0, 1.0),
    )
    ends = [_detail(gain.detail_px_denoised), _detail(gain.detail_px_fused)]
    said = (
        "Which detail is right: correlation with the true recording in rings of spatial frequency "
        f"(Fourier ring correlation), as the probe measures it. Above 0.5 down to {ends[0]} "
        f"denoised, {ends[1]} fused."
    )
    return tag("figure", legend(list(both)), chart, tag("figcaption", said))


def _detail(period_px: float | None) -> str:
    return "no detail" if period_px is None else f"a period of {period_px:.1f} pixels"


def _pixel_ticks(n_tiles: int, pixels: int) -> list[tuple[float, str]]:
    return [(t / pixels, f"{t:g}") for t in ticks(0, n_tiles * pixels, 4)]


def _band_ticks(edges: NDArray[np.float64]) -> list[tuple[float, str]]:
    """Upper edges of some bands, the slowest at the bottom."""
    n_bands = len(edges) - 1
    step = max(1, -(-n_bands // _MOST_LABELS))
    return [(float(n_bands - band), number(edges[band])) for band in range(1, n_bands + 1, step)]


def _reach(
    weights: NDArray[np.float64],
    rings: NDArray[np.float64],
    edges: NDArray[np.float64],
    unit: str,
) -> str:
    """How far detail was given back by half or more, in space and in time."""
    strong = weights >= _HALF
    if not strong.any():
        return "No band was given back by half or more."
    finest = int(np.flatnonzero(strong.any(axis=0))[-1])
    fastest = int(np.flatnonzero(strong.any(axis=1))[-1])
    said = (
        f"Half or more comes back of detail with periods down to {number(1 / rings[finest])} pixels"
        if finest
        else "Half or more comes back of the level only"
    )
    when = (
        "in the mean image"
        if fastest == 0
        else f"and of changes up to {number(edges[fastest + 1])} {unit}"
    )
    return f"{said}, {when}."


def _numbers(
    weights: NDArray[np.float64],
    rings: NDArray[np.float64],
    edges: NDArray[np.float64],
    unit: str,
) -> Safe:
    heads = [f"temporal, {unit}", *(f"≤ {number(ring)}" for ring in rings)]
    rows: list[Sequence[str]] = [
        (f"{number(low)} to {number(high)}", *(f"{w:.2f}" for w in row))
        for (low, high), row in zip(pairwise(edges), weights, strict=True)
    ]
    shown = table(heads, rows, caption="Weights by ring of spatial frequency, cycles per pixel.")
    return tag("details", tag("summary", "The numbers"), shown)

"""Pictures of a table of scores."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import matplotlib as mpl
import numpy as np
from benchmarks.quality.conditions import AXES, Condition
from benchmarks.quality.page import CANDIDATES
from benchmarks.quality.results import Table
from benchmarks.quality.scoring import DENOISED, ORACLES
from matplotlib.axes import Axes
from matplotlib.figure import Figure

__all__ = ["draw_plots"]

METHODS = (*CANDIDATES, *ORACLES)
COLOURS = dict(zip(METHODS, mpl.colormaps["tab10"].colors, strict=False))


def draw_plots(scores: Table, folder: Path) -> list[str]:
    """Write the pictures; gives their names."""
    folder.mkdir(parents=True, exist_ok=True)
    pictures = {
        "quality-snr": _over_snr,
        "quality-conditions": _over_conditions,
        "quality-calibration": _calibration,
    }
    for name, draw in pictures.items():
        figure = draw(scores)
        figure.savefig(folder / f"{name}.png", dpi=100, metadata={"Software": None})
    return list(pictures)


def _denoisers(scores: Table) -> list[str]:
    return list(dict.fromkeys(condition.denoiser for condition in scores.conditions))


def _style(name: str) -> dict[str, object]:
    return {"color": COLOURS[name], "linestyle": ":" if name in ORACLES else "-", "label": name}


def _label_gain(axes: Axes, what: str) -> None:
    axes.axhline(0, color="black", linewidth=0.8)
    axes.set_ylabel(f"gain on denoised, {what}, dB")


def _over_snr(scores: Table) -> Figure:
    denoisers = _denoisers(scores)
    figure = Figure(figsize=(4 * len(denoisers), 7), layout="constrained")
    grid = figure.subplots(2, len(denoisers), squeeze=False)
    metrics = {"psnr_db": "all pixels", "psnr_active_db": "active pixels"}
    for row, (metric, what) in zip(grid, metrics.items(), strict=True):
        for axes, denoiser in zip(row, denoisers, strict=True):
            base = Condition(denoiser=denoiser)
            places = [replace(base, snr_db=snr_db) for snr_db in AXES["snr_db"]]
            for name in METHODS:
                gains = [scores.gain(place, name, DENOISED, metric) for place in places]
                axes.plot(AXES["snr_db"], gains, marker="o", markersize=3, **_style(name))
            axes.set(title=denoiser, xlabel="SNR of the raw recording, dB")
            _label_gain(axes, what)
    figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure


def _over_conditions(scores: Table) -> Figure:
    denoisers = _denoisers(scores)
    figure = Figure(figsize=(11, 3.2 * len(denoisers)), layout="constrained")
    grid = figure.subplots(len(denoisers), 1, squeeze=False)
    for axes, denoiser in zip(grid[:, 0], denoisers, strict=True):
        base = Condition(denoiser=denoiser)
        varied = [
            (condition.label(axis), condition)
            for axis in AXES
            if axis != "snr_db"
            for value in AXES[axis]
            if (condition := replace(base, **{axis: value})) != base
        ]
        places = [
            (label, place)
            for label, place in [("base", base), *varied]
            if place in scores.conditions
        ]
        width = 0.85 / len(METHODS)
        for index, name in enumerate(METHODS):
            gains = [scores.gain(place, name, DENOISED) for _, place in places]
            axes.bar(
                np.arange(len(places)) + index * width,
                gains,
                width,
                color=COLOURS[name],
                alpha=0.5 if name in ORACLES else 1,
                label=name,
            )
        axes.set_xticks(np.arange(len(places)) + 0.4 - width / 2, [label for label, _ in places])
        axes.set_title(denoiser)
        _label_gain(axes, "all pixels")
    figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure


def _calibration(scores: Table) -> Figure:
    figure = Figure(figsize=(5, 5), layout="constrained")
    axes = figure.subplots()
    for name in CANDIDATES:
        foretold = scores.foretold(name)
        if len(foretold):
            axes.plot(*foretold.T, "o", markersize=4, color=COLOURS[name], label=name)
    ends = np.array(axes.get_xlim())
    axes.plot(ends, ends, color="black", linewidth=0.8)
    axes.fill_between(ends, ends - 1, ends + 1, color="black", alpha=0.1, label="within 1 dB")
    axes.set(xlabel="true gain, dB", ylabel="expected gain, dB")
    axes.legend(fontsize="small")
    return figure

"""The figures of the studies, from their rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from freq2clean.report.figures import COLOURS, new_figure, save_figure, styled
from freq2clean.studies.training_length import summarised

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_gains", "draw_sweep", "draw_training_time"]

Row = Mapping[str, Any]

_DENOISED = "denoised"
_LABELS = {"psnr_db": "PSNR, dB", "ssim3d": "SSIM3D"}
_ENDS = "lowest", "highest"
_OVER = "auto"
_DASHES = (0, (4, 4)), (4, (4, 4))
"""Of lines that may coincide, as of `_OVER` and subspace: one shows in the gaps of the other."""
_BARS_WIDTH = 0.8
_ROOM = 0.12
_CURVES = "#0072b2", "#e69f00"


@styled
def draw_gains(rows: Sequence[Row], path: Path) -> Path:
    """The study's figure: for each training, what it reaches alone, and on top what fusion adds.

    Where fusion loses, its bar hangs from the score without it, hatched. With several seeds, bars
    are means, and lines reach from the lowest score to the highest.

    Parameters
    ----------
    rows : sequence of mapping
        Of `freq2clean.studies.study_patch_t`.
    path : Path
        The PNG to write, 1200 x 500 pixels.

    Raises
    ------
    MissingExtraError, OutputError
        Without matplotlib; if it cannot be written.
    """
    rows = summarised(rows)
    figure = new_figure(12, 5)
    both = figure.subplots(1, 2)
    for axes, metric in zip(both, _LABELS, strict=True):
        _stack(axes, rows, metric)
    figure.legend(*both[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return save_figure(figure, path)


@styled
def draw_training_time(rows: Sequence[Row], path: Path) -> Path:
    """Scores, and the gain of fusion, against the time that training took; means over seeds.

    Parameters
    ----------
    rows : sequence of mapping
        Of `freq2clean.studies.study_patch_t`.
    path : Path
        The PNG to write, 1200 x 900 pixels.

    Raises
    ------
    MissingExtraError, OutputError
        Without matplotlib; if it cannot be written.
    """
    rows = summarised(rows)
    figure = new_figure(12, 9)
    grid = figure.subplots(2, 2, sharex=True)
    for (left, right), metric in zip(grid, _LABELS, strict=True):
        plain = _scores(rows, _DENOISED, metric)
        for method in _methods(rows):
            scores = _scores(rows, method, metric)
            times = [
                _score(row, "training_seconds") / 60 for row in rows if row["method"] == method
            ]
            style: dict[str, Any] = {
                "marker": "o", "color": COLOURS[method], "label": method,
                "linestyle": _DASHES[0] if method == _OVER else "-",
            }  # fmt: skip
            left.plot(times, scores, **style)
            if method == _DENOISED:
                for time, score, label in zip(times, scores, _trainings(rows), strict=True):
                    left.annotate(
                        label, (time, score), xytext=(0, -12), textcoords="offset points",
                        ha="center", fontsize="small",
                    )  # fmt: skip
            else:
                gains = [a - b for a, b in zip(scores, plain, strict=True)]
                right.plot(times, gains, **style)
        left.set_ylabel(_LABELS[metric])
        left.margins(y=_ROOM)
        right.set_ylabel(f"gain of fusion, {_LABELS[metric]}")
        right.axhline(0, color="black", linewidth=0.8)
    for axes in grid[-1]:
        axes.set_xlabel("training, minutes")
    figure.suptitle("beside the points: patch_t in frames")
    figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=6)
    return save_figure(figure, path)


@styled
def draw_sweep(rows: Sequence[Row], parameter: str, path: Path) -> Path:
    """Scores against a parameter of the study's fusion, with other methods as lines across.

    Parameters
    ----------
    rows : sequence of mapping
        Of `freq2clean.studies.study_parameter`.
    parameter : "window" or "alpha"
    path : Path
        The PNG to write, 1200 pixels wide and 400 high for every recording, and 100 more.

    Raises
    ------
    MissingExtraError, OutputError
        Without matplotlib; if it cannot be written.
    """
    recordings = list(dict.fromkeys(row["recording"] for row in rows))
    figure = new_figure(12, 4 * len(recordings) + 1)
    grid = figure.subplots(len(recordings), 2, squeeze=False, sharex=True)
    for line, recording in zip(grid, recordings, strict=True):
        for axes, metric in zip(line, _LABELS, strict=True):
            _sweep(axes, [row for row in rows if row["recording"] == recording], parameter, metric)
            axes.set(title=recording, ylabel=_LABELS[metric])
    for axes in grid[-1]:
        axes.set_xlabel("window, frames" if parameter == "window" else parameter)
    figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=5)
    return save_figure(figure, path)


def _stack(axes: Axes, rows: Sequence[Row], metric: str) -> None:
    plain = _scores(rows, _DENOISED, metric)
    fusions = [method for method in _methods(rows) if method != _DENOISED]
    width = _BARS_WIDTH / len(fusions)
    lowest = min(plain)
    for index, method in enumerate(fusions):
        places = [group + (index + 0.5) * width - _BARS_WIDTH / 2 for group in range(len(plain))]
        fused = _scores(rows, method, metric)
        lowest = min(lowest, *fused)
        axes.bar(places, plain, width, color=COLOURS[_DENOISED], label=None if index else _DENOISED)
        bars = axes.bar(
            places,
            [a - b for a, b in zip(fused, plain, strict=True)],
            width,
            bottom=plain,
            color=COLOURS[method],
            label=method,
        )
        for bar, score, before in zip(bars, fused, plain, strict=True):
            bar.set_hatch("///" if score < before else "")
        if rows[0]["n_seeds"] > 1:
            lows, highs = (_scores(rows, method, f"{metric}_{end}") for end in _ENDS)
            axes.vlines(places, lows, highs, color="black", linewidth=1.2)
            lowest = min(lowest, *lows)
    top = max(_score(row, f"{metric}_highest") for row in rows)
    axes.set_ylim(max(0, lowest - (top - lowest) * 0.5), top + (top - lowest) * _ROOM)
    if len(plain) > 1:
        axes.axhline(plain[-1], color="black", linestyle=":", label="denoised, longest patch_t")
    labels = _trainings(rows)
    axes.set_xticks(range(len(labels)), labels)
    axes.set(ylabel=_LABELS[metric], xlabel=_axis_of(rows))


def _sweep(axes: Axes, rows: Sequence[Row], parameter: str, metric: str) -> None:
    curves = dict.fromkeys(row["method"] for row in rows if row[parameter] is not None)
    for colour, curve in zip(_CURVES, curves, strict=True):
        points = [row for row in rows if row["method"] == curve]
        x = [row[parameter] for row in points]
        y = [_score(row, metric) for row in points]
        axes.plot(x, y, marker="o", markersize=4, color=colour, label=curve)
    for row in rows:
        if row[parameter] is None:
            axes.axhline(
                _score(row, metric), color=COLOURS[row["method"]], label=row["method"],
                linestyle=_DASHES[row["method"] == _OVER],
            )  # fmt: skip
    if parameter == "window":
        axes.set_xscale("log")
        axes.minorticks_off()
        axes.set_xticks(x, [f"{value:g}" for value in x])


def _methods(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(row["method"] for row in rows))


def _scores(rows: Sequence[Row], method: str, metric: str) -> list[float]:
    """Of each training in turn."""
    return [_score(row, metric) for row in rows if row["method"] == method]


def _score(row: Row, name: str) -> float:
    """JSON holds values that are not finite as texts."""
    return float(row[name])


def _trainings(rows: Sequence[Row]) -> list[str]:
    plain = [row for row in rows if row["method"] == _DENOISED]
    return [row["denoiser"] if row["patch_t"] is None else str(row["patch_t"]) for row in plain]


def _axis_of(rows: Sequence[Row]) -> str:
    return "" if rows[0]["patch_t"] is None else "patch_t, frames"

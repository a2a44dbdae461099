"""The figures of the study of ROIs: how many there are, how well they agree, and where they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from freq2clean.metrics import match_rois
from freq2clean.pipeline.labels import read_labels
from freq2clean.report.figures import COLOURS, new_figure, save_figure, styled
from freq2clean.rois import Rois
from freq2clean.studies.roi_steps import CORE, read_pictures
from freq2clean.studies.rois import CLEAN, RAW, ROIS_OF_CLEAN, TRUE_ROIS, RoiStudy, Version

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Bars", "MaskPanel", "draw_masks", "draw_roi_bars", "draw_roi_study"]

Row = Mapping[str, Any]
_Source = tuple[str, str | None]
"""A tool, and the image that it looked at."""

_LINES = {"raw": ("#8c564b", ":"), "clean": ("black", "--")}
"""Recordings that no denoiser had to do with are lines across."""
_WIDTH = 0.84
_FRAMES, _MEAN, _CELLS = ("cellpose", "frames"), ("cellpose", "mean"), ("suite2p", "cells")
_SOURCES: dict[_Source, str] = {
    _FRAMES: "Cellpose, frames",
    _MEAN: "Cellpose, mean image",
    ("cellpose", "max"): "Cellpose, maximum",
    ("suite2p", "movie"): "Suite2p, all ROIs",
    _CELLS: "Suite2p, cells",
    (TRUE_ROIS, None): "true ROIs",
}
_FIGURES: dict[str, list[tuple[_Source, str]]] = {
    "counts": [(_FRAMES, "rois"), (_FRAMES, "union_iou"), (_CELLS, "rois"), (_CELLS, "union_iou")],
    "f1": [(_FRAMES, "f1"), (_MEAN, "f1"), (("suite2p", "movie"), "f1"), (_CELLS, "f1")],
    "traces": [
        (_CELLS, "trace_correlation"), (_CELLS, "spike_f1"),
        ((TRUE_ROIS, None), "trace_correlation"), ((TRUE_ROIS, None), "spike_f1"),
    ],
}  # fmt: skip
_LABELS = {
    "rois": "ROIs",
    "union_iou": "IoU of all ROIs",
    "f1": "F1",
    "trace_correlation": "correlation of traces",
    "spike_f1": "F1 of spikes",
}
_ON_IMAGE = {_FRAMES: "frame", _MEAN: "mean", _CELLS: "mean"}
"""What the grids of masks show, and on which picture."""
_MATCHED, _FALSE, _MISSED = "#56b4e9", "#e69f00", "#ffffff"
"""Sky blue, orange and white: told apart by the colour-blind, on grey."""
_STYLES: dict[str, Literal["solid", "dotted"]] = {
    _MATCHED: "solid",
    _FALSE: "solid",
    _MISSED: "dotted",
}
_QUANTILES = (0.01, 0.997)


def draw_roi_study(study: RoiStudy, folder: Path) -> dict[str, Path]:
    """All figures of a study: counts and IoU, F1, traces, and masks for every denoiser.

    Parameters
    ----------
    study : RoiStudy
    folder : Path

    Returns
    -------
    dict of str to Path
        PNGs by what they show; a figure that there is nothing for is left out.

    Raises
    ------
    MissingExtraError, OutputError
        Without matplotlib; if one cannot be written.
    """
    against = TRUE_ROIS if study.labels is not None else ROIS_OF_CLEAN
    drawn = {
        name: draw_roi_bars(
            study.rows, [_panel(*panel, against) for panel in panels], folder / f"{name}.png"
        )
        for name, panels in _FIGURES.items()
    }
    files = {name: path for name, path in drawn.items() if path is not None}
    truth = (
        None if study.labels is None else Rois.from_label_image(read_labels(study.labels.path()))
    )
    for denoiser in dict.fromkeys(version[0] for version in study.pictures):
        if denoiser is not None and (lines := _lines_of(study, denoiser, against)):
            name = f"masks-{denoiser}"
            files[name] = draw_masks(lines, folder / f"{name}.png", truth=truth)
    return files


@dataclass(frozen=True)
class Bars:
    """One panel of bars.

    Attributes
    ----------
    title, label : str
        Above it, and of its axis.
    column : str
        Of the rows: what is drawn.
    where : mapping
        Which rows: the value of some of their columns.
    """

    title: str
    label: str
    column: str
    where: Mapping[str, Any]


@styled
def draw_roi_bars(rows: Sequence[Row], panels: Sequence[Bars], path: Path) -> Path | None:
    """Bars by denoiser and fusion, with lines for the raw and the clean recording.

    Parameters
    ----------
    rows : sequence of mapping
        Of `freq2clean.studies.study_rois`.
    panels : sequence of Bars
        Those that no row is for are left out.
    path : Path
        The PNG to write, 600 pixels wide for each panel, two in a row.

    Returns
    -------
    Path or None
        The same path; None if there is nothing to draw.

    Raises
    ------
    MissingExtraError, OutputError
        Without matplotlib; if it cannot be written.
    """
    chosen = [(panel, found) for panel in panels if (found := _of(rows, panel))]
    if not chosen:
        return None
    n_lines = -(-len(chosen) // 2)
    figure = new_figure(6 * min(2, len(chosen)), 4 * n_lines + 0.6)
    grid = figure.subplots(n_lines, min(2, len(chosen)), squeeze=False).ravel()
    for axes, (panel, found) in zip(grid, chosen, strict=False):
        _bars(axes, found, panel.column)
        axes.set(title=panel.title, ylabel=panel.label)
    for axes in grid[len(chosen) :]:
        axes.set_axis_off()
    legend: dict[str, Any] = {}
    for axes in grid[: len(chosen)]:
        handles, labels = axes.get_legend_handles_labels()
        legend |= {label: one for one, label in zip(handles, labels, strict=True)}
    figure.legend(legend.values(), legend.keys(), loc="outside lower center", ncols=len(legend))
    return save_figure(figure, path)


@dataclass(frozen=True, eq=False)
class MaskPanel:
    """An image and the ROIs on it.

    Attributes
    ----------
    title : str
    image : ndarray (Y, X)
    rois : Rois
    note : str
        Below the title, such as a score.
    """

    title: str
    image: NDArray[np.float32]
    rois: Rois
    note: str = ""


@styled
def draw_masks(
    lines: Mapping[str, Sequence[MaskPanel]], path: Path, *, truth: Rois | None = None
) -> Path:
    """Outlines of ROIs on images, a line of panels for each tool.

    Blue are ROIs that match a true one with an IoU of 0.5 or more, orange those that do not, and
    dotted white the true ones that nothing matches. Without a truth all are blue.

    Parameters
    ----------
    lines : mapping of str to sequence of MaskPanel
        By what stands beside the line; each image has its own grey scale.
    path : Path
        The PNG to write, 240 pixels wide for each panel.
    truth : Rois, optional

    Raises
    ------
    MissingExtraError, OutputError
        Without matplotlib; if it cannot be written.
    """
    from matplotlib.lines import Line2D

    n_panels = max(len(panels) for panels in lines.values())
    figure = new_figure(2.4 * n_panels, 3.0 * len(lines) + 0.6)
    grid = figure.subplots(len(lines), n_panels, squeeze=False)
    for line, (name, panels) in zip(grid, lines.items(), strict=True):
        for axes in line:
            axes.set(xticks=[], yticks=[])
            axes.set_frame_on(False)
        for axes, panel in zip(line, panels, strict=False):
            _masks(axes, panel, truth)
        line[0].set_ylabel(name)
    keys = {"found and true": _MATCHED, "found, not true": _FALSE, "true, not found": _MISSED}
    if truth is not None:
        figure.legend(
            [Line2D([], [], color=colour, linestyle=_STYLES[colour]) for colour in keys.values()],
            list(keys), loc="outside lower center", ncols=3, facecolor="#707070", frameon=True,
            labelcolor="white",
        )  # fmt: skip
    return save_figure(figure, path)


def _panel(source: _Source, column: str, against: str) -> Bars:
    where = {"tool": source[0], "image": source[1], "against": against}
    return Bars(_SOURCES[source], _LABELS[column], column, where)


def _lines_of(study: RoiStudy, denoiser: str, against: str) -> dict[str, list[MaskPanel]]:
    """Raw, denoised, fused by each method, clean."""
    versions = [
        *((None, RAW),),
        *(version for version in study.pictures if version[0] == denoiser),
        *((None, CLEAN),),
    ]
    lines = {}
    for source, picture in _ON_IMAGE.items():
        panels = [
            panel
            for version in versions
            if (panel := _mask_panel(study, version, source, picture, against)) is not None
        ]
        if panels:
            lines[_SOURCES[source]] = panels
    return lines


def _mask_panel(
    study: RoiStudy, version: Version, source: tuple[str, str], picture: str, against: str
) -> MaskPanel | None:
    """Nothing where a tool was not run, or failed."""
    where = dict(zip(("denoiser", "method", "tool", "image"), (*version, *source), strict=True))
    scores = [row for row in study.rows if all(row[name] == value for name, value in where.items())]
    if not scores:
        return None
    rois = Rois.load(study.rois[version, source[0]].path())
    if source == _FRAMES:
        assert rois.frame_labels is not None
        shown = Rois.from_label_image(rois.frame_labels[len(rois.frame_labels) // 2])
    elif source == _MEAN:
        assert rois.mean_labels is not None
        shown = Rois.from_label_image(rois.mean_labels)
    else:
        shown = Rois.from_masks(rois.cells().masks(at_least=CORE))
    note = f"{len(shown)} ROIs"
    of_one = [row for row in scores if row["against"] == against and source != _FRAMES]
    if of_one:
        note += f", F1 {of_one[0]['f1'] or 0:.2f}"
    return MaskPanel(version[1], read_pictures(study.pictures[version])[picture], shown, note)


def _of(rows: Sequence[Row], panel: Bars) -> list[Row]:
    return [
        row
        for row in rows
        if row[panel.column] is not None
        and all(row[name] == value for name, value in panel.where.items())
    ]


def _bars(axes: Axes, rows: Sequence[Row], column: str) -> None:
    denoisers = list(dict.fromkeys(row["denoiser"] for row in rows if row["denoiser"] is not None))
    methods = list(dict.fromkeys(row["method"] for row in rows if row["denoiser"] is not None))
    width = _WIDTH / max(len(methods), 1)
    for index, method in enumerate(methods):
        values = {row["denoiser"]: row[column] for row in rows if row["method"] == method}
        places = [
            denoisers.index(denoiser) + (index + 0.5) * width - _WIDTH / 2 for denoiser in values
        ]
        axes.bar(places, list(values.values()), width, color=COLOURS[method], label=method)
    for row in rows:
        if row["denoiser"] is None:
            colour, style = _LINES[row["method"]]
            axes.axhline(row[column], color=colour, linestyle=style, label=row["method"])
    axes.set_xticks(range(len(denoisers)), denoisers)
    axes.margins(y=0.08)


def _masks(axes: Axes, panel: MaskPanel, truth: Rois | None) -> None:
    low, high = np.quantile(panel.image, _QUANTILES)
    axes.imshow(panel.image, cmap="gray", vmin=low, vmax=max(high, low + 1e-12))
    axes.set_title(f"{panel.title}\n{panel.note}" if panel.note else panel.title, fontsize="small")
    masks = panel.rois.masks()
    if truth is None:
        _outline(axes, masks, _MATCHED)
        return
    matches = match_rois(panel.rois.footprints, truth.footprints)
    is_true = np.isin(np.arange(len(masks)), matches.found)
    is_found = np.isin(np.arange(len(truth)), matches.true)
    _outline(axes, truth.masks()[~is_found], _MISSED)
    _outline(axes, masks[~is_true], _FALSE)
    _outline(axes, masks[is_true], _MATCHED)


def _outline(axes: Axes, masks: NDArray[np.bool_], colour: str) -> None:
    for mask in masks:
        padded = np.pad(mask, 1)
        rows, columns = (np.arange(-1, size + 1) for size in mask.shape)
        axes.contour(
            columns, rows, padded, [0.5], colors=colour, linewidths=0.8, linestyles=_STYLES[colour]
        )
    height, width = axes.get_images()[0].get_array().shape  # type: ignore[union-attr]
    axes.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5))

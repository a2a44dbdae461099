"""``freq2clean rois``: cells by Suite2p or Cellpose."""

from __future__ import annotations

import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from freq2clean.apps.options import Channel, Json, Plane, given
from freq2clean.apps.terminal import out, print_json, progress_bar

__all__ = ["rois"]

rois = typer.Typer(
    no_args_is_help=True,
    help="Find cells in a recording, raw, denoised or fused, by Suite2p or Cellpose.",
)

Image = StrEnum("Image", ["mean", "max"])
Recording = Annotated[str, typer.Argument(metavar="RECORDING", help="Any recording.")]


@rois.command()
def suite2p(
    recording: Recording,
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="A new or empty folder for what Suite2p writes."),
    ],
    frame_rate_hz: Annotated[
        float | None, typer.Option(help="Where the recording does not say.")
    ] = None,
    tau_s: Annotated[
        float,
        typer.Option(help="Decay time of the indicator: GCaMP6f 0.7, 6m 1.0, 6s 1.3."),
    ] = 1.0,
    classifier: Annotated[
        Path | None,
        typer.Option(help="A classifier that Suite2p saved, instead of the one built in."),
    ] = None,
    threshold_scaling: Annotated[
        float, typer.Option(help="Of Suite2p's threshold: less finds more.")
    ] = 1.0,
    registration: Annotated[
        bool, typer.Option("--registration", help="Let Suite2p register the frames first.")
    ] = False,
    keep_binary: Annotated[
        bool,
        typer.Option(help="Keep Suite2p's copy of the recording, 2 bytes per pixel, for its GUI."),
    ] = True,
    channel: Channel = None,
    plane: Plane = None,
    json: Json = False,
) -> None:
    """Cells that are active, with their traces and spikes, by Suite2p 1.x.

    Example: `freq2clean rois suite2p fused.tif -o cells --tau-s 0.7`

    Its GUI opens cells/suite2p/plane0/stat.npy; cells/rois.npz holds the same for freq2clean.
    Needs the extra suite2p, and no internet.
    """
    _find(
        "suite2p", recording, output, channel, plane, json,
        keep_binary=keep_binary, tau_s=tau_s, threshold_scaling=threshold_scaling,
        registration=registration,
        **given(frame_rate_hz=frame_rate_hz, classifier=classifier),
    )  # fmt: skip


@rois.command()
def cellpose(
    recording: Recording,
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", help="A .npz with all label images, or a .tif with that of the ROIs."
        ),
    ],
    cell_model: Annotated[
        Path | None,
        typer.Option(
            help="Weights that Cellpose saved, instead of its standard model, which it gets from "
            "the internet once."
        ),
    ] = None,
    diameter_px: Annotated[
        float | None, typer.Option(help="Of a typical cell; else that of the model.")
    ] = None,
    n_frames: Annotated[
        int, typer.Option(min=0, help="Frames to segment too, spread over the recording.")
    ] = 50,
    image: Annotated[Image, typer.Option(help="What the ROIs are taken from.")] = Image.mean,
    flow_threshold: Annotated[float, typer.Option(help="Of Cellpose: more finds more.")] = 0.4,
    cell_probability_threshold: Annotated[
        float, typer.Option(help="Of Cellpose: less finds more.")
    ] = 0.0,
    channel: Channel = None,
    plane: Plane = None,
    json: Json = False,
) -> None:
    """Cells by their looks, in the mean image, the maximum projection and single frames, by
    Cellpose 3 or 4.

    Example: `freq2clean rois cellpose fused.tif -o cells.npz --diameter-px 12`

    Needs the extra cellpose.
    """
    _find(
        "cellpose", recording, output, channel, plane, json,
        n_frames=n_frames, image=str(image), flow_threshold=flow_threshold,
        cell_probability_threshold=cell_probability_threshold,
        **given(cell_model=cell_model, diameter_px=diameter_px),
    )  # fmt: skip


def _find(
    tool: str,
    recording: str,
    output: Path,
    channel: int | None,
    plane: int | None,
    json: bool,
    **options: Any,
) -> None:
    from freq2clean.pipeline.finding_rois import find_rois

    began = time.perf_counter()
    with progress_bar(f"finding cells by {tool}") as progress:
        found = find_rois(
            recording,
            tool=tool,
            out=output,
            channel=channel,
            plane=plane,
            progress=progress,
            **options,
        )
    seconds = time.perf_counter() - began
    n_cells = None if found.is_cell is None else int(found.is_cell.sum())
    if json:
        print_json(
            {
                "path": str(output),
                "n_rois": len(found),
                "n_cells": n_cells,
                "shape": list(found.shape),
                "tool": found.tool,
                "options": dict(found.options),
                "seconds": seconds,
            }
        )
        return
    cells = "" if n_cells is None else f", {n_cells} of them cells"
    what = f"{len(found)} ROIs{cells}" if len(found) else "no ROIs were found"
    out.print(f"{output}: {what}, by {found.tool} in {seconds:.1f} s", markup=False)

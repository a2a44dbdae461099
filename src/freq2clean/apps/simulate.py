"""``freq2clean simulate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from freq2clean.apps import show
from freq2clean.apps.options import Json
from freq2clean.apps.terminal import print_json, progress_bar

__all__ = ["simulate"]


def simulate(
    folder: Annotated[Path, typer.Argument(help="A folder, made if need be.")],
    frames: Annotated[int, typer.Option(min=1)] = 1500,
    height: Annotated[int, typer.Option(min=1)] = 192,
    width: Annotated[int, typer.Option(min=1)] = 192,
    seed: Annotated[int, typer.Option(help="The same seed gives the same recording.")] = 0,
    snr_db: Annotated[
        float, typer.Option(help="10 log10(sum of squared signal / sum of squared noise).")
    ] = -5.5,
    frame_rate_hz: Annotated[float, typer.Option()] = 30.0,
    pixel_size_um: Annotated[float, typer.Option()] = 1.0,
    drift_px: Annotated[float, typer.Option(help="From the first frame to the last.")] = 0.0,
    jitter_px: Annotated[float, typer.Option(help="Standard deviation, frame to frame.")] = 0.0,
    bleaching: Annotated[float, typer.Option(help="Share of the light lost at the end.")] = 0.1,
    gain: Annotated[float, typer.Option(help="Counts per photon.")] = 100.0,
    offset: Annotated[float, typer.Option(help="Counts without light.")] = 20.0,
    read_noise: Annotated[float, typer.Option(help="In counts.")] = 5.0,
    bleed: Annotated[float, typer.Option(help="Share of noise passed to the next pixel.")] = 0.0,
    json: Json = False,
) -> None:
    """Simulate a recording with ground truth.

    Example: `freq2clean simulate simulated --frames 1500 --seed 7`

    Writes raw.tif, truth.tif, labels.tif, traces.npy and spikes.npy.
    """
    from freq2clean.pipeline import simulate as run

    with progress_bar("simulating") as progress:
        simulated = run(
            (frames, height, width),
            seed=seed,
            out=folder,
            progress=progress,
            snr_db=snr_db,
            frame_rate_hz=frame_rate_hz,
            pixel_size_um=pixel_size_um,
            drift_px=drift_px,
            jitter_px=jitter_px,
            bleaching=bleaching,
            gain=gain,
            offset=offset,
            read_noise=read_noise,
            bleed=bleed,
        )
    facts = {
        "folder": str(folder),
        "shape": list(simulated.raw.shape),
        "n_cells": len(simulated.traces),
        "photons_per_pixel": simulated.photons_per_pixel,
    }
    print_json(facts) if json else show.simulation(facts)

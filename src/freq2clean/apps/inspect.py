"""``freq2clean inspect``."""

from __future__ import annotations

from typing import Annotated

import typer

from freq2clean.apps import show
from freq2clean.apps.options import Channel, Json, Plane, Raw
from freq2clean.apps.terminal import print_json, progress_bar

__all__ = ["inspect"]


def inspect(
    raw: Raw,
    denoised: Annotated[str | None, typer.Argument(help="The same recording, denoised.")] = None,
    window: Annotated[
        int | None, typer.Option(help="Frames that the fusion is to average.")
    ] = None,
    channel: Channel = None,
    plane: Plane = None,
    json: Json = False,
) -> None:
    """Say whether fusion will help, and what is wrong with the recordings.

    Example: `freq2clean inspect raw.tif denoised.tif`

    Measures the noise, the SNR and the drift of the raw recording, and what the denoised one
    lacks. No ground truth is needed.
    """
    from freq2clean.pipeline import inspect as run

    with progress_bar("inspecting") as progress:
        inspection = run(
            raw, denoised, window=window, channel=channel, plane=plane, progress=progress
        )
    print_json(inspection.as_dict()) if json else show.inspection(inspection)

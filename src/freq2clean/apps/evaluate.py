"""``freq2clean evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from freq2clean.apps import show
from freq2clean.apps.options import AlignTo, Channel, Json, Memory, Plane, Workers
from freq2clean.apps.terminal import print_json, progress_bar

__all__ = ["evaluate"]


def evaluate(
    truth: Annotated[str, typer.Argument(help="The ground truth.")],
    recordings: Annotated[list[str], typer.Argument(help="One or more recordings to score.")],
    data_range: Annotated[
        str,
        typer.Option(
            help="For PSNR and SSIM: a number in the units of the pixels, or a percentile of the "
            "truth such as q99.9, as in the study."
        ),
    ],
    normalisation: Annotated[
        str,
        typer.Option(
            help="Of SSIM3D: own (each recording by its own percentiles, as in the study), truth "
            "(both by the truth's), or none (needs a number as data range)."
        ),
    ] = "own",
    stride: Annotated[int, typer.Option(help="Of SSIM3D: every so many frames are taken.")] = 4,
    masks: Annotated[
        Path | None, typer.Option(help="A label image of ROIs whose traces are compared.")
    ] = None,
    align: AlignTo = None,
    channel: Channel = None,
    plane: Plane = None,
    memory: Memory = "1GB",
    workers: Workers = None,
    json: Json = False,
) -> None:
    """Score recordings against a ground truth.

    Example: `freq2clean evaluate truth.tif denoised.tif fused.tif --data-range q99.9`

    PSNR, SSIM3D (with the convention it was computed under, for the same movies score very
    differently under others), SSIM per frame, stSNR, and correlation of traces.
    """
    from freq2clean.metrics import SSIM3DOptions
    from freq2clean.pipeline import evaluate as run

    range_ = _data_range(data_range)
    kind: Any = None if normalisation == "none" else normalisation
    options = SSIM3DOptions(
        normalisation=kind,
        stride=stride,
        data_range=range_ if kind is None and isinstance(range_, float) else None,
    )
    scores = {}
    for recording in recordings:
        with progress_bar(f"scoring {recording}") as progress:
            scores[recording] = run(
                truth,
                recording,
                data_range=range_,
                ssim3d=options,
                masks=masks,
                align=align and str(align),
                channel=channel,
                plane=plane,
                memory=memory,
                workers=workers,
                progress=progress,
            )
    if json:
        print_json({name: score.as_dict() for name, score in scores.items()})
    else:
        show.scores(scores)


def _data_range(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text

"""``freq2clean train``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from freq2clean.apps import show
from freq2clean.apps.model_options import ModelName, Predicting, Training
from freq2clean.apps.options import Channel, Json, Plane, with_groups
from freq2clean.apps.terminal import print_json, progress_bar

__all__ = ["train"]


@with_groups
def train(
    raws: Annotated[
        list[str],
        typer.Argument(
            metavar="RAW", help="Raw recordings; for noise2noise one, or two of each scene."
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The model: a file, as in model.pth.")
    ],
    *,
    model: ModelName = "deepcad",
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the model that stands there.")
    ] = False,
    training: Training,
    predicting: Predicting,
    channel: Channel = None,
    plane: Plane = None,
    json: Json = False,
) -> None:
    """Train a denoiser on raw recordings, without ground truth.

    Example: `freq2clean train raw.tif -o model.pth --patch-t 30 --patch-xy 64 --patches 500`

    Then `freq2clean denoise raw.tif -o denoised.tif --model deepcad --checkpoint model.pth`, or
    `freq2clean run` with the same options.

    noise2noise learns one acquisition of a scene from another, frame by frame, as in
    `freq2clean train one.tif other.tif -o model.pth --model noise2noise`.

    Without options, patches are 150 frames of 150 x 150 pixels, 6000 in each of 10 epochs: work
    for a GPU. The model is written after every epoch; stopped in between, `--resume` goes on.
    """
    from freq2clean.pipeline import train as run

    with progress_bar("training") as progress:
        result = run(
            *raws,
            out=output,
            model=str(model),
            resume=resume,
            channel=channel,
            plane=plane,
            progress=progress,
            **training.given(),
            **predicting.given(),
        )
    print_json(result.as_dict()) if json else show.training(result)

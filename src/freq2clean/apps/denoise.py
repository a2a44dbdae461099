"""``freq2clean denoise``."""

from __future__ import annotations

from freq2clean.apps import show
from freq2clean.apps.model_options import (
    Baseline,
    Checkpoint,
    OptionalModel,
    Predicting,
    Program,
    TrainFirst,
    Training,
    check_trained,
    chosen_model,
)
from freq2clean.apps.options import (
    Files,
    Json,
    Output,
    Raw,
    given,
    with_groups,
)
from freq2clean.apps.terminal import print_json, progress_bar

__all__ = ["denoise"]


@with_groups
def denoise(
    raw: Raw,
    output: Output,
    *,
    model: OptionalModel = None,
    command: Program = None,
    checkpoint: Checkpoint = None,
    train: TrainFirst = False,
    baseline: Baseline,
    training: Training,
    predicting: Predicting,
    files: Files,
    json: Json = False,
) -> None:
    """Denoise a recording.

    Example: `freq2clean denoise raw.tif -o denoised.tif`

    gaussian and pca are fitted to the recording in a moment. A Gaussian blurs detail away that
    fusion brings back; a PCA keeps the raw mean image, so that fusion has little to add to it.

    deepcad takes a model: `--model deepcad --checkpoint model.pth`, or `--train`, which has the
    options of `freq2clean train` and takes long.

    Any program will do: `--command "prog {input} {output}"`.
    """
    from freq2clean.pipeline import denoise as run

    chosen = chosen_model(model, command)
    check_trained(chosen, checkpoint, train=train)
    with progress_bar("denoising") as progress:
        result = run(
            raw,
            out=output,
            model=str(chosen or "gaussian"),
            checkpoint=checkpoint,
            train=train,
            progress=progress,
            **given(command=command, **baseline.given()),
            **training.given(),
            **predicting.given(),
            **files.given(),
        )
    print_json(result.as_dict()) if json else show.denoising(result)

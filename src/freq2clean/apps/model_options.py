"""The options of denoisers on the command line."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from freq2clean.apps.options import about, given, option_of
from freq2clean.denoisers import DENOISERS, kind_of
from freq2clean.errors import InputError

__all__ = [
    "Baseline",
    "BestModel",
    "Checkpoint",
    "ModelName",
    "OptionalModel",
    "Predicting",
    "Program",
    "TrainFirst",
    "Training",
    "check_trained",
    "chosen_model",
]

Schedule = StrEnum("Schedule", ["constant", "cosine"])
if TYPE_CHECKING:
    Model = str
else:
    Model = StrEnum("Model", list(DENOISERS))

_MODEL = typer.Option("--model", help=about(DENOISERS))
ModelName = Annotated[Model, _MODEL]
BestModel = Annotated[Model | None, _MODEL]
OptionalModel = Annotated[
    Model | None, typer.Option("--model", help=about(DENOISERS), show_default="gaussian")
]
Program = Annotated[
    str | None,
    typer.Option(
        "--command",
        metavar="PROGRAM",
        help='Denoise by any program, as in "prog {input} {output}"; the files are TIFF, or as in '
        "{input.npy} and {output.h5}. No shell is started.",
    ),
]
Checkpoint = Annotated[
    Path | None,
    typer.Option(
        help="A model that `freq2clean train` wrote, or a .pth of the public DeepCAD-RT package.",
    ),
]
TrainFirst = Annotated[
    bool, typer.Option("--train", help="Train on this recording first; into CHECKPOINT, if given.")
]

_GAUSSIAN, _TRAINING, _PREDICTING = "--model gaussian", "training", "networks"


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """Options of what is fitted in a moment."""

    sigma_t_frames: Annotated[
        float | None, option_of(_GAUSSIAN, "Width in time; measured if not given.")
    ] = None
    sigma_yx_pixels: Annotated[
        float | None, option_of(_GAUSSIAN, "Width in space; with 0 it blurs in time only.")
    ] = None
    patch_pixels: Annotated[int | None, option_of("--model pca", "Side of a patch, even.")] = None

    def given(self) -> dict[str, Any]:
        """What was given, by the names that denoisers have for it."""
        return given(**asdict(self))


@dataclass(frozen=True, kw_only=True)
class Training:
    """Options of a training."""

    patch_t: Annotated[int | None, option_of(_TRAINING, "Frames of a training patch.")] = None
    patch_xy: Annotated[
        int | None, option_of(_TRAINING, "Rows and columns of it.", "--patch-xy")
    ] = None
    patch_overlap: Annotated[
        float | None,
        option_of(_TRAINING, "Share of a patch that the next one beside it covers, 0 to 0.95."),
    ] = None
    patches: Annotated[int | None, option_of(_TRAINING, "Patches in each epoch.")] = None
    epochs: Annotated[int | None, option_of(_TRAINING, "Rounds of training.")] = None
    batch_size: Annotated[int | None, option_of(_TRAINING, "Patches at a time.")] = None
    learning_rate: Annotated[float | None, option_of(_TRAINING, "Of Adam.")] = None
    schedule: Annotated[
        Schedule | None,
        option_of(_TRAINING, "Of the learning rate; cosine falls to nothing at the last epoch."),
    ] = None
    patience: Annotated[
        int | None,
        option_of(
            _TRAINING,
            "Stop when so many epochs brought nothing on a tenth of the frames, which are held out "
            "for that.",
        ),
    ] = None
    base_channels: Annotated[
        int | None, option_of(_TRAINING, "Width of the network: fewer are faster.")
    ] = None
    seed: Annotated[int | None, option_of(_TRAINING, "The same seed trains the same network.")] = (
        None
    )

    def given(self) -> dict[str, Any]:
        """What was given, by the names that denoisers have for it."""
        return given(
            patch_t=self.patch_t,
            patch_y=self.patch_xy,
            patch_x=self.patch_xy,
            overlap=self.patch_overlap,
            patches_per_epoch=self.patches,
            n_epochs=self.epochs,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            schedule=self.schedule and str(self.schedule),
            patience=self.patience,
            base_channels=self.base_channels,
            seed=self.seed,
        )


@dataclass(frozen=True, kw_only=True)
class Predicting:
    """Options of a network that is used."""

    device: Annotated[
        str | None,
        option_of(_PREDICTING, "auto (a GPU if there is one, else the CPU), cpu, cuda, cuda:1 ..."),
    ] = None
    mixed_precision: Annotated[bool | None, option_of(_PREDICTING, "Half precision on a GPU.")] = (
        None
    )
    tile_t: Annotated[
        int | None,
        option_of(
            _PREDICTING,
            "Frames that go through at a time, a multiple of 8. Fewer take less memory; where that "
            "runs out, smaller tiles are taken by themselves.",
        ),
    ] = None
    tile_xy: Annotated[int | None, option_of(_PREDICTING, "Rows and columns of a tile.")] = None

    def given(self) -> dict[str, Any]:
        """What was given, by the names that denoisers have for it."""
        return given(
            device=self.device,
            mixed_precision=self.mixed_precision,
            tile_t=self.tile_t,
            tile_yx=self.tile_xy,
        )


def chosen_model(model: str | None, command: str | None) -> str | None:
    """The model, which a command names by itself."""
    if command is None:
        return model
    if model not in (None, "command"):
        raise InputError(f"--command and --model {model} are both given; leave one of them away")
    return "command"


def check_trained(model: str | None, checkpoint: Path | None, *, train: bool = False) -> None:
    if model and kind_of(model).trains_long and not (checkpoint or train):
        raise InputError(
            f"{model} needs a trained model: make one with freq2clean train, and give it with "
            "--checkpoint"
        )
    if train and model is None:
        raise InputError("--train: name what is to be trained, as in --model deepcad")

"""The options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from functools import wraps
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from freq2clean.denoisers import DENOISERS

__all__ = [
    "AlignTo",
    "Baseline",
    "BestModel",
    "Channel",
    "Checkpoint",
    "Compress",
    "DeepcadFolder",
    "Device",
    "Dtype",
    "Json",
    "Memory",
    "Method",
    "MethodName",
    "Model",
    "ModelName",
    "OptionalModel",
    "Output",
    "OutputOrUrl",
    "Plane",
    "Predicting",
    "Program",
    "Raw",
    "Register",
    "Scheduler",
    "TrainFirst",
    "Training",
    "Window",
    "Workers",
    "given",
    "option_of",
    "with_groups",
]

Method = StrEnum("Method", ["auto", "subspace", "wiener", "fft", "dct"])
Align = StrEnum("Align", ["start", "end", "center"])
Compression = StrEnum("Compression", ["deflate", "zstd"])
Schedule = StrEnum("Schedule", ["constant", "cosine"])
if TYPE_CHECKING:
    Model = str
else:
    Model = StrEnum("Model", list(DENOISERS))


def option_of(panel: str, help: str, *names: str) -> Any:
    """An option that stands in a panel of its own kind."""
    return typer.Option(*names, help=help, rich_help_panel=f"Options of {panel}")


Raw = Annotated[str, typer.Argument(help="The raw recording.")]
Json = Annotated[bool, typer.Option("--json", help="Print machine-readable results.")]
Channel = Annotated[int | None, typer.Option(help="Channel, where there are several.")]
Plane = Annotated[int | None, typer.Option(help="Plane, where there are several.")]
Memory = Annotated[str, typer.Option(help="Bound on the working memory, such as 500MB or 4GB.")]
Workers = Annotated[
    int | None,
    typer.Option(
        help="Threads to compute with, and to decode with.", show_default="all cores", min=1
    ),
]
Dtype = Annotated[
    str,
    typer.Option(
        help="Of the file: float32, same (as the raw recording), uint16 ... Integers are rounded "
        "and clipped, and clipped values are counted."
    ),
]
Compress = Annotated[
    Compression | None, typer.Option("--compression", help="TIFF and Zarr: both; HDF5: deflate.")
]
AlignTo = Annotated[
    Align | None,
    typer.Option(help="Where the frames of a recording with fewer of them lie in the other."),
]
Output = Annotated[
    Path,
    typer.Option(
        "--output", "-o", help="Where to write; format by suffix: .tif .zarr .h5 .npy .nwb ..."
    ),
]
OutputOrUrl = Annotated[
    str,
    typer.Option(
        "--output",
        "-o",
        help="Where to write; format by suffix: .tif .zarr .h5 .npy .nwb ...; or a URL: s3://bucket/a.zarr",
    ),
]
Scheduler = Annotated[
    str | None,
    typer.Option(
        help="Of a Dask cluster that is to do it: tcp://host:8786, or local:4 for four processes "
        "here. Inputs must be readable, and a .zarr output writable, for all workers.",
    ),
]
Device = Annotated[
    str | None,
    typer.Option(
        help="Where to compute by fft, dct or wiener: cpu (the default), cuda, cuda:1, mps, or "
        "auto: a GPU that PyTorch sees, else the CPU.",
    ),
]
MethodName = Annotated[
    Method,
    typer.Option(
        "--method",
        help="auto chooses the windows of subspace, which sharpens what is active too; wiener is "
        "several times faster; fft and dct are the study's.",
    ),
]
Window = Annotated[int | None, typer.Option(help="Frames per window.")]
_MODEL_HELP = "; ".join(f"{name}: {entry.about}" for name, entry in DENOISERS.items()) + "."
_MODEL = typer.Option("--model", help=_MODEL_HELP)
ModelName = Annotated[Model, _MODEL]
BestModel = Annotated[Model | None, _MODEL]
OptionalModel = Annotated[
    Model | None, typer.Option("--model", help=_MODEL_HELP, show_default="gaussian")
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
DeepcadFolder = Annotated[
    Path | None,
    typer.Option(
        "--deepcad-run",
        metavar="FOLDER",
        help="In place of RAW and DENOISED: what the public DeepCAD-RT package worked in, of which "
        "the output of the last checkpoint is taken.",
    ),
]
Register = Annotated[
    bool,
    typer.Option(
        "--register",
        help="For recordings that drift or shake: fuse them where they are still, and give the "
        "result back in its original place.",
    ),
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


_GROUPS = Baseline, Training, Predicting


def given(**options: Any) -> dict[str, Any]:
    """The options that were given on the command line."""
    return {name: value for name, value in options.items() if value is not None}


def with_groups(command: Callable[..., None]) -> Callable[..., None]:
    """A command that has, in the place of a parameter whose type is a group, the group's options.

    Groups are `Baseline`, `Training` and `Predicting`; the command itself gets them filled.
    """
    hints = get_type_hints(command, include_extras=True)
    groups = {name: kind for name, kind in hints.items() if kind in _GROUPS}
    parameters: list[Parameter] = []
    for name, parameter in signature(command).parameters.items():
        if name in groups:
            parameters += _options_of(groups[name])
        else:
            parameters.append(parameter.replace(annotation=hints[name]))

    @wraps(command)
    def call(**values: Any) -> None:
        for name, kind in groups.items():
            values[name] = kind(**{option.name: values.pop(option.name) for option in fields(kind)})
        command(**values)

    call.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    return call


def _options_of(group: type[Baseline | Training | Predicting]) -> list[Parameter]:
    hints = get_type_hints(group, include_extras=True)
    return [
        Parameter(name, Parameter.KEYWORD_ONLY, default=None, annotation=hint)
        for name, hint in hints.items()
    ]

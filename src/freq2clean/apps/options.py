"""The options that several commands share."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

__all__ = [
    "Align",
    "AlignTo",
    "BestModel",
    "Channel",
    "Checkpoint",
    "Compress",
    "Compression",
    "Device",
    "Dtype",
    "Epochs",
    "Json",
    "LearningRate",
    "Memory",
    "Method",
    "MethodName",
    "Model",
    "ModelName",
    "OptionalModel",
    "Output",
    "PatchT",
    "PatchXY",
    "Patches",
    "Plane",
    "Program",
    "Raw",
    "Register",
    "TrainingSeed",
    "Window",
    "option_of",
]

Method = StrEnum("Method", ["auto", "subspace", "wiener", "fft", "dct"])
Align = StrEnum("Align", ["start", "end", "center"])
Compression = StrEnum("Compression", ["deflate", "zstd"])
Model = StrEnum(
    "Model", ["gaussian", "pca", "pretrained", "deepcad", "noise2noise", "noise2void", "command"]
)


def option_of(panel: str, help: str, *names: str) -> Any:
    """An option that stands in a panel of its own kind."""
    return typer.Option(*names, help=help, rich_help_panel=f"Options of {panel}")


Raw = Annotated[str, typer.Argument(help="The raw recording.")]
Json = Annotated[bool, typer.Option("--json", help="Print machine-readable results.")]
Channel = Annotated[int | None, typer.Option(help="Channel, where there are several.")]
Plane = Annotated[int | None, typer.Option(help="Plane, where there are several.")]
Memory = Annotated[str, typer.Option(help="Bound on the working memory, such as 500MB or 4GB.")]
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
    typer.Option("--output", "-o", help="Where to write; format by suffix: .tif .zarr .h5 .npy"),
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
_MODEL_HELP = (
    "gaussian: widths chosen from the data; pca: local, by patch; pretrained: a network that "
    "comes with freq2clean (needs the extra onnx or torch); deepcad: the network of DeepCAD-RT, "
    "which has to be trained (needs the extra torch), and noise2noise the same, trained on pairs; "
    "noise2void: by CAREamics, to be trained (needs the extra careamics); command: see --command."
)
_MODEL = typer.Option("--model", help=_MODEL_HELP)
ModelName = Annotated[Model, _MODEL]
BestModel = Annotated[Model | None, _MODEL]
OptionalModel = Annotated[
    Model | None, typer.Option("--model", help=_MODEL_HELP, show_default=str(Model.gaussian))
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
Register = Annotated[
    bool,
    typer.Option(
        "--register",
        help="For recordings that drift or shake: fuse them where they are still, and give the "
        "result back in its original place.",
    ),
]

_DEEPCAD = "--model deepcad, noise2noise and noise2void"
Device = Annotated[
    str | None,
    option_of(
        "--model pretrained, deepcad, noise2noise and noise2void",
        "auto (a GPU if there is one, else the CPU), cpu, cuda, cuda:1 ...",
    ),
]
PatchT = Annotated[int | None, option_of(_DEEPCAD, "Frames of a training patch.")]
PatchXY = Annotated[int | None, option_of(_DEEPCAD, "Rows and columns of it.", "--patch-xy")]
Epochs = Annotated[int | None, option_of(_DEEPCAD, "Rounds of training.")]
Patches = Annotated[int | None, option_of(_DEEPCAD, "Patches in each round.")]
LearningRate = Annotated[float | None, option_of(_DEEPCAD, "Of Adam.")]
TrainingSeed = Annotated[int | None, option_of(_DEEPCAD, "The same seed trains the same network.")]

"""The options that several commands share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, is_dataclass
from enum import StrEnum
from functools import wraps
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from freq2clean.entries import Entry
from freq2clean.fusion import METHODS

__all__ = [
    "AlignTo",
    "Channel",
    "DeepcadFolder",
    "Device",
    "Files",
    "Json",
    "Memory",
    "MethodName",
    "Output",
    "OutputOrUrl",
    "Plane",
    "Raw",
    "Register",
    "Scheduler",
    "Window",
    "Workers",
    "about",
    "given",
    "listed",
    "option_of",
    "with_groups",
]

Align = StrEnum("Align", ["start", "end", "center"])
Compression = StrEnum("Compression", ["deflate", "zstd"])
if TYPE_CHECKING:
    Method = str
else:
    Method = StrEnum("Method", list(METHODS))


def option_of(panel: str, help: str, *names: str) -> Any:
    """An option that stands in a panel of its own kind."""
    return typer.Option(*names, help=help, rich_help_panel=f"Options of {panel}")


def listed(names: Sequence[str], last: str) -> str:
    """Names in a sentence: "a, b and c"."""
    *before, end = names
    return f"{', '.join(before)} {last} {end}" if before else end


def about(entries: Mapping[str, Entry]) -> str:
    """What each name stands for."""
    return "; ".join(f"{name}: {entry.about}" for name, entry in entries.items()) + "."


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
        help="Where to compute: cpu (the default), cuda, cuda:1, mps, or auto: a GPU that PyTorch "
        "sees, else the CPU.",
    ),
]
MethodName = Annotated[Method, typer.Option("--method", help=about(METHODS))]
Window = Annotated[int | None, typer.Option(help="Frames per window.")]
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


@dataclass(frozen=True, kw_only=True)
class Files:
    """How a recording is read and one is written, in which memory and by how many."""

    dtype: Annotated[
        str,
        typer.Option(
            help="Of the file: float32, same (as the raw recording), uint16 ... Integers are "
            "rounded and clipped, and clipped values are counted."
        ),
    ] = "float32"
    compression: Annotated[
        Compression | None, typer.Option(help="TIFF and Zarr: both; HDF5: deflate.")
    ] = None
    channel: Channel = None
    plane: Plane = None
    memory: Memory = "1GB"
    workers: Workers = None

    def given(self) -> dict[str, Any]:
        """By the names that functions have for it."""
        return {**asdict(self), "compression": self.compression and str(self.compression)}


def given(**options: Any) -> dict[str, Any]:
    """The options that were given on the command line."""
    return {name: value for name, value in options.items() if value is not None}


def with_groups(command: Callable[..., None]) -> Callable[..., None]:
    """A command that has, in the place of a parameter whose type is a group, the group's options.

    A group is a dataclass; the command itself gets it filled.
    """
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, Any] = {name: kind for name, kind in hints.items() if is_dataclass(kind)}
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


def _options_of(group: Any) -> list[Parameter]:
    hints = get_type_hints(group, include_extras=True)
    return [
        Parameter(one.name, Parameter.KEYWORD_ONLY, default=one.default, annotation=hints[one.name])
        for one in fields(group)
    ]

"""The command ``freq2clean``: one module per command."""

from __future__ import annotations

from typing import Annotated

import typer

from freq2clean.apps.datasets import datasets, fetch
from freq2clean.apps.demo import demo
from freq2clean.apps.denoise import denoise
from freq2clean.apps.evaluate import evaluate
from freq2clean.apps.fuse import fuse
from freq2clean.apps.inspect import inspect
from freq2clean.apps.method_options import WithMethodOptions
from freq2clean.apps.render import render
from freq2clean.apps.report import report
from freq2clean.apps.rois import rois
from freq2clean.apps.run import run
from freq2clean.apps.simulate import simulate
from freq2clean.apps.study import study
from freq2clean.apps.terminal import out
from freq2clean.apps.train import train
from freq2clean.version import __version__

__all__ = ["app"]

app = typer.Typer(
    name="freq2clean",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    help="Give the spatial detail back that a denoiser took from a fluorescence recording.\n\n"
    "Start with `freq2clean demo`, then `freq2clean fuse raw.tif denoised.tif -o fused.tif`, or "
    "`freq2clean run raw.tif -o fused.tif` where nothing is denoised yet.",
    epilog="Recordings are TIFF files (or a folder or glob of them), .zarr, .h5, .npy, .nwb ...; "
    "'file.h5::/path' and 'store.zarr/path' name an array inside.",
)
app.add_typer(study, name="study")
app.add_typer(rois, name="rois")
app.add_typer(datasets, name="datasets")
app.command()(fetch)
app.command()(render)
app.command()(report)
app.command(cls=WithMethodOptions)(fuse)
app.command()(inspect)
app.command()(evaluate)
app.command()(denoise)
app.command()(train)
app.command()(run)
app.command()(simulate)
app.command()(demo)


def _version(wanted: bool) -> None:
    if wanted:
        out.print(f"freq2clean {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass

"""Figures of one style: size, colours of methods, and files that are whole or not there."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from freq2clean.errors import MissingExtraError
from freq2clean.recordings.small_files import whole_file

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["COLOURS", "DPI", "check_installed", "new_figure", "save_figure"]

DPI = 100
COLOURS = {
    "denoised": "#9a9a9a",
    "fft": "#1f77b4",
    "dct": "#ff7f0e",
    "wiener": "#2ca02c",
    "subspace": "#d62728",
    "auto": "#9467bd",
}
"""Of what is denoised only, and of every method."""


def check_installed() -> None:
    """Raise MissingExtraError unless matplotlib is there."""
    if find_spec("matplotlib") is None:
        raise MissingExtraError(
            'figures need matplotlib; install with pip install "freq2clean[figures]"'
        )


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of that size in hundreds of pixels.

    Raises
    ------
    MissingExtraError
        Without matplotlib.
    """
    check_installed()
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def save_figure(figure: Figure, path: Path) -> Path:
    """Write a PNG, the same for the same figure.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    with whole_file(path) as unfinished:
        figure.savefig(unfinished, dpi=DPI, format="png", metadata={"Software": None})
    return path

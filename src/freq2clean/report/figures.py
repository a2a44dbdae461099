"""Figures of one style: size, colours of methods, and files that are whole or not there."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from freq2clean.errors import MissingExtraError
from freq2clean.recordings.small_files import whole_file

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["COLOURS", "DPI", "check_installed", "new_figure", "save_figure", "styled"]

P = ParamSpec("P")
R = TypeVar("R")

DPI = 100
COLOURS = {
    "raw": "#c8c8c8",
    "denoised": "#8c8c8c",
    "fft": "#0072b2",
    "dct": "#e69f00",
    "wiener": "#009e73",
    "subspace": "#d55e00",
    "auto": "#cc79a7",
    "fused": "#d55e00",
    "truth": "#000000",
}
"""Of recordings by their usual titles, and of every method; those of Okabe and Ito."""

_STYLE = Path(__file__).with_name("style.mplstyle")


def check_installed() -> None:
    """Raise MissingExtraError unless matplotlib is there."""
    if find_spec("matplotlib") is None:
        raise MissingExtraError(
            'figures need matplotlib; install with pip install "freq2clean[figures]"'
        )


def styled(draw: Callable[P, R]) -> Callable[P, R]:
    """A function that draws, in the package's style; the user's own settings stay as they are."""

    @wraps(draw)
    def drawing(*args: P.args, **options: P.kwargs) -> R:
        check_installed()
        from matplotlib import style

        with style.context(_STYLE):
            return draw(*args, **options)

    return drawing


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

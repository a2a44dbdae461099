"""Recordings side by side in one PNG: mean images above, one frame of each below."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from freq2clean.errors import InputError
from freq2clean.pipeline.saving import whole_file
from freq2clean.recordings import Recording, open_recording
from freq2clean.streaming import blocks

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["side_by_side"]

_PANEL_PIXELS = 320
_GAP = 12
_TITLE = 30
_QUANTILES = (0.005, 0.997)
_BLOCK_FRAMES = 64


def side_by_side(recordings: Mapping[str, Any], path: Path, *, frame: int) -> Path:
    """Draw the mean image and one frame of each recording, titled, on shared grey scales.

    Parameters
    ----------
    recordings : mapping of title to path, array-like or Recording
        All of one frame size. The last one sets the grey scale of both rows, so give the
        reference, such as the truth, last.
    path : Path
        The PNG to write.
    frame : int
        Which frame to show below.

    Returns
    -------
    Path
        The same path.
    """
    with ExitStack() as stack:
        opened = {
            title: stack.enter_context(open_recording(source))
            for title, source in recordings.items()
        }
        shortest = min(len(recording) for recording in opened.values())
        if not 0 <= frame < shortest:
            raise InputError(f"frame {frame} asked for; the recordings have frames 0:{shortest}")
        rows: dict[str, list[NDArray[Any]]] = {
            "mean of all frames": [mean_image(recording) for recording in opened.values()],
            f"frame {frame}": [recording[frame] for recording in opened.values()],
        }
    with whole_file(path) as file:
        _draw(list(opened), rows).save(file, "PNG")
    return path


def mean_image(recording: Recording) -> NDArray[np.float64]:
    """The mean of all frames (Y, X), NaN left out."""
    total = np.zeros(recording.shape[1:])
    number = np.zeros(recording.shape[1:], np.int64)
    for start, stop in blocks(0, len(recording), _BLOCK_FRAMES):
        block = recording.read(start, stop)
        total += np.nansum(block, axis=0, dtype=np.float64)
        number += np.isfinite(block).sum(axis=0)
    return total / np.maximum(number, 1)


def _draw(titles: list[str], rows: Mapping[str, list[NDArray[Any]]]) -> Image:
    from PIL import Image, ImageDraw, ImageFont

    height, width = next(iter(rows.values()))[0].shape
    zoom = max(1, _PANEL_PIXELS // max(height, width))
    panel = height * zoom, width * zoom
    size = (
        _GAP + len(titles) * (panel[1] + _GAP),
        _TITLE + len(rows) * (panel[0] + _TITLE + _GAP),
    )
    canvas = Image.new("L", size, 255)
    draw = ImageDraw.Draw(canvas)
    font = ImageFont.load_default(18)
    for column, title in enumerate(titles):
        draw.text((_GAP + column * (panel[1] + _GAP), 6), title, fill=0, font=font)
    for row, (name, images) in enumerate(rows.items()):
        top = _TITLE + row * (panel[0] + _TITLE + _GAP)
        known = images[-1][np.isfinite(images[-1])]
        low, high = np.quantile(known, _QUANTILES) if known.size else (0.0, 1.0)
        for column, image in enumerate(images):
            grey = np.nan_to_num((image - low) / max(high - low, 1e-12)).clip(0, 1) ** 0.7
            pixels = np.repeat(np.repeat((255 * grey).astype(np.uint8), zoom, 0), zoom, 1)
            canvas.paste(Image.fromarray(pixels), (_GAP + column * (panel[1] + _GAP), top))
        draw.text((_GAP, top + panel[0] + 4), name, fill=90, font=ImageFont.load_default(14))
    return canvas

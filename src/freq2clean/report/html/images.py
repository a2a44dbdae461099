"""Images of pixels as pictures that stand in the page itself."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freq2clean.report.contrast import Limits, shades

__all__ = ["GAMMA", "MOST_PIXELS", "Embedded", "data_uri", "embed", "shrunk"]

GAMMA = 0.7
MOST_PIXELS = 6 << 20

"""Of all large images of a page together, so that it stays below 15 MB."""


@dataclass(frozen=True)
class Embedded:
    """A PNG as the address of an image.

    Attributes
    ----------
    uri : str
    height, width : int
        In its own pixels.
    factor : int
        Pixels of the recording in one of it, along each axis.
    """

    uri: str
    height: int
    width: int
    factor: int


def embed(image: NDArray[Any], limits: Limits, *, most_pixels: int) -> Embedded:
    """An image (Y, X) in grey, NaN as black, made smaller where it has too many pixels."""
    from PIL import Image

    factor = max(1, int(np.ceil(np.sqrt(image.size / most_pixels))))
    small = shrunk(image, factor)
    grey = np.nan_to_num(255 * shades(small, limits, gamma=GAMMA)).round().astype(np.uint8)
    file = BytesIO()
    Image.fromarray(grey).save(file, "PNG", optimize=True)
    height, width = grey.shape
    return Embedded(data_uri("image/png", file.getvalue()), height, width, factor)


def shrunk(image: NDArray[Any], factor: int) -> NDArray[np.float64]:
    """Means over squares of ``factor`` x ``factor`` pixels; what is over at the ends is dropped.

    Examples
    --------
    >>> shrunk(np.arange(8.0).reshape(2, 4), 2).tolist()
    [[2.5, 4.5]]
    """
    height, width = (max(1, size // factor) for size in image.shape)
    step = min(factor, image.shape[0]), min(factor, image.shape[1])
    cut = image[: height * step[0], : width * step[1]].astype(np.float64)
    means: NDArray[np.float64] = cut.reshape(height, step[0], width, step[1]).mean(axis=(1, 3))
    return means


def data_uri(kind: str, content: bytes) -> str:
    """The content of a file as an address that needs no file."""
    return f"data:{kind};base64,{b64encode(content).decode()}"

"""The raw recording's coefficient image brought to the denoised one's contrast."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from freq2clean.errors import InputError
from freq2clean.fusion.scale import is_same_scene, match_scale

__all__ = ["MATCHINGS", "Matching", "matcher"]

Matching = Literal["histogram", "affine", "none"]
MATCHINGS: tuple[str, ...] = get_args(Matching)


def matcher(matching: str) -> Callable[[NDArray[Any], NDArray[Any]], NDArray[Any]]:
    """The function (source, template) -> matched source of a kind of matching."""
    functions = {"histogram": match_histogram, "affine": match_affine, "none": _keep}
    if matching not in functions:
        raise InputError(f"matching = {matching!r}; give one of {', '.join(MATCHINGS)}")
    return functions[matching]


def match_histogram(source: NDArray[Any], template: NDArray[Any]) -> NDArray[np.float64]:
    """Give the source the template's distribution of values, as the study did.

    The value at a quantile of the source becomes the template's value at that quantile
    (Gonzalez and Woods, Digital Image Processing, histogram specification).
    """
    _, ranks, counts = np.unique(source, return_inverse=True, return_counts=True)
    template_values, template_counts = np.unique(template, return_counts=True)
    quantiles = np.cumsum(counts) / source.size
    template_quantiles = np.cumsum(template_counts) / template.size
    matched = np.interp(quantiles, template_quantiles, template_values.astype(np.float64))
    result: NDArray[np.float64] = matched[ranks].reshape(source.shape)
    return result


def match_affine(source: NDArray[Any], template: NDArray[Any]) -> NDArray[np.float64]:
    """Undo the gain and offset that best predict the source from the template.

    Unlike `match_histogram` this leaves the source as sharp as it is. A source that does not show
    what the template shows has no such gain, and stays as it is.
    """
    scale, correlation = match_scale(source, template)
    if not is_same_scene(correlation, n_pixels=source.size):
        return source.astype(np.float64)
    matched: NDArray[np.float64] = (source.astype(np.float64) - scale.offset) / scale.gain
    return matched


def _keep(source: NDArray[Any], template: NDArray[Any]) -> NDArray[Any]:
    return source

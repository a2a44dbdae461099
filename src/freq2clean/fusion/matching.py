"""The raw recording's coefficient image brought to the denoised one's contrast."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal, get_args

from freq2clean.errors import InputError
from freq2clean.fusion.scale import is_same_scene, match_scale
from freq2clean.fusion.spaces import space_of

__all__ = ["MATCHINGS", "Matching", "matcher"]

Matching = Literal["histogram", "affine", "none"]
MATCHINGS: tuple[str, ...] = get_args(Matching)


def matcher(matching: str) -> Callable[[Any, Any], Any]:
    """The function (source, template) -> matched source of a kind of matching."""
    functions = {"histogram": match_histogram, "affine": match_affine, "none": _keep}
    if matching not in functions:
        raise InputError(f"matching = {matching!r}; give one of {', '.join(MATCHINGS)}")
    return functions[matching]


def match_histogram(source: Any, template: Any) -> Any:
    """Give the source the template's distribution of values, as the study did.

    The value at a quantile of the source becomes the template's value at that quantile
    (Gonzalez and Woods, Digital Image Processing, histogram specification). Between two values of
    the template it is interpolated: a value's quantile is the share of all that are no larger.
    """
    space = space_of(source, template)
    xp = space.xp
    flat, values = (xp.reshape(x, (math.prod(x.shape),)) for x in (source, template))
    values = xp.sort(xp.astype(values, space.real))
    order = xp.argsort(flat)
    ranked = xp.take(flat, order, axis=0)
    # Ranks times the number of the template's values: quantiles, and integers still.
    rank = xp.searchsorted(ranked, ranked, side="right") * values.shape[0]
    upper = xp.take(values, (rank - 1) // flat.shape[0], axis=0)
    first, last = (xp.searchsorted(values, upper, side=side) for side in ("left", "right"))
    lower = xp.take(values, xp.maximum(first - 1, xp.zeros_like(first)), axis=0)
    share = xp.astype(rank - first * flat.shape[0], space.real)
    share /= xp.astype((last - first) * flat.shape[0], space.real)
    matched = xp.where(first > 0, lower + (upper - lower) * share, upper)
    return xp.reshape(xp.take(matched, xp.argsort(order), axis=0), source.shape)


def match_affine(source: Any, template: Any) -> Any:
    """Undo the gain and offset that best predict the source from the template.

    Unlike `match_histogram` this leaves the source as sharp as it is. A source that does not show
    what the template shows has no such gain, and stays as it is.
    """
    space = space_of(source, template)
    scale, correlation = match_scale(source, template)
    source = space.xp.astype(source, space.real)
    if not is_same_scene(correlation, n_pixels=math.prod(source.shape)):
        return source
    return (source - scale.offset) / scale.gain


def _keep(source: Any, template: Any) -> Any:
    return source

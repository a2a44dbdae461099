"""One (T, Y, X) movie out of an array of more axes."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from freq2clean.errors import InputError

__all__ = ["NAMELESS", "select"]

NAMELESS = {3: "TYX", 4: "TQYX", 5: "TZCYX"}
"""What the axes of an array without names are taken for, by their number; Q is unknown."""

_OPTIONS = {"Z": "plane", "C": "channel"}


def select(
    axes: str, shape: Sequence[int], *, channel: int | None, plane: int | None, name: str
) -> tuple[int | slice, ...]:
    """Index of the axes before Y and X: a slice for time, an integer for every other.

    Axes of length 1 need no choice. Time is T; without T it is an axis of unknown meaning, then Z
    (ImageJ users often keep movies as slices), then C.

    Raises
    ------
    InputError
        Where there is no time axis, or a choice is missing, needless or out of range.
    """
    sizes = " x ".join(map(str, shape))
    if not axes.endswith("YX"):
        raise InputError(
            f"{name}: axes {axes} = {tuple(shape)}; a recording is a grey movie (T, Y, X): "
            + ("convert its colours to grey first" if "S" in axes else "reorder its axes first")
        )
    if len(axes) == 2:
        raise InputError(f"{name} is a single 2-D image ({sizes}); a recording is (T, Y, X)")
    if 0 in shape:
        raise InputError(f"{name} is empty: its shape is {tuple(shape)}")
    if max(shape) > sys.maxsize:
        raise InputError(f"{name} is damaged: its header claims {sizes} pixels")
    leading = range(len(axes) - 2)
    time = _time_axis(axes, shape)
    given = {"plane": plane, "channel": channel}
    index: list[int | slice] = [0] * len(leading)
    index[time] = slice(None)
    missing = []
    for axis in leading:
        if axis == time or shape[axis] == 1:
            continue
        option = _OPTIONS.get(axes[axis]) or _spare(axes, given)
        chosen = given.pop(option, None)
        if chosen is None:
            missing.append(f"--{option} 0..{shape[axis] - 1}")
        elif not 0 <= chosen < shape[axis]:
            raise InputError(f"{name}: {option} {chosen} asked for; it has 0..{shape[axis] - 1}")
        else:
            index[axis] = chosen
    if missing:
        raise InputError(f"{name}: axes {axes} = {tuple(shape)}: give {' and '.join(missing)}")
    for option, chosen in given.items():
        if chosen:
            raise InputError(
                f"{name}: {option} {chosen} asked for, but axes {axes} = {tuple(shape)} have only "
                f"one {option}: leave --{option} out"
            )
    return tuple(index)


def _time_axis(axes: str, shape: Sequence[int]) -> int:
    leading = range(len(axes) - 2)
    long = [axis for axis in leading if shape[axis] > 1] or list(leading)
    return min(long, key=lambda axis: {"T": 0, "Z": 2, "C": 3}.get(axes[axis], 1))


def _spare(axes: str, given: dict[str, int | None]) -> str:
    """The option for an axis of unknown meaning: one that no named axis needs."""
    free = [option for letter, option in _OPTIONS.items() if letter not in axes[:-2]]
    free = [option for option in free if option in given] or ["plane"]
    return next((option for option in free if given[option] is not None), free[0])

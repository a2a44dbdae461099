"""Open one recording or a pair, and close what was opened here."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

from freq2clean.errors import InputError
from freq2clean.recordings import Recording, open_recording
from freq2clean.recordings.view import FrameRange

__all__ = ["ALIGNMENTS", "Pair", "open_one", "open_pair"]

ALIGNMENTS = ("start", "end", "center")

Pair = tuple[Recording, Recording]


def open_one(
    stack: ExitStack, source: Any, *, channel: int | None = None, plane: int | None = None
) -> Recording:
    """A recording that is closed with the stack, unless it was open before."""
    recording = open_recording(source, channel=channel, plane=plane)
    if recording is not source:
        stack.callback(recording.close)
    return recording


def open_pair(
    stack: ExitStack,
    reference: Any,
    other: Any,
    *,
    align: str | None,
    channel: int | None = None,
    plane: int | None = None,
) -> tuple[Pair, list[str]]:
    """Two recordings of the same scene with the same number of frames.

    Parameters
    ----------
    stack : ExitStack
        Closes what is opened here.
    reference, other : path, array-like or Recording
    align : {None, "start", "end", "center"}
        Where the frames of ``other`` lie in ``reference`` if they are fewer.

    Returns
    -------
    pair : (Recording, Recording)
    notes : list of str
        What had to be done, in plain words.

    Raises
    ------
    InputError
        Where frames differ in size, or in number and ``align`` does not say how.
    """
    if align is not None and align not in ALIGNMENTS:
        raise InputError(f"align = {align!r}; give one of {', '.join(ALIGNMENTS)}")
    x, y = (open_one(stack, s, channel=channel, plane=plane) for s in (reference, other))
    if x.shape[1:] != y.shape[1:]:
        raise InputError(
            f"the frames of {x.name} are {x.shape[1]} x {x.shape[2]} pixels and those of {y.name} "
            f"{y.shape[1]} x {y.shape[2]}; they must be equal"
        )
    long, short = len(x), len(y)
    if short == long:
        return (x, y), [*x.notes, *y.notes]
    if short > long:
        raise InputError(
            f"{y.name} has {short} frames, more than the {long} of {x.name}; were they swapped?"
        )
    if align is None:
        raise InputError(
            f"{x.name} has {long} frames and {y.name} has {short}; if the denoiser dropped frames, "
            "say with align (--align start, end or center) where its frames lie"
        )
    first = {"start": 0, "end": long - short, "center": (long - short) // 2}[align]
    note = (
        f"{y.name} has {short} of {long} frames: it was set against frames {first} to "
        f"{first + short - 1} of {x.name}, and the result has {short} frames"
    )
    return (FrameRange(x, first, first + short), y), [*x.notes, *y.notes, note]

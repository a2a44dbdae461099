"""The ROIs of a recording, by Suite2p or Cellpose."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from freq2clean.errors import InputError, OutputError
from freq2clean.pipeline.opening import open_one
from freq2clean.recordings import Metadata, Recording, check_target, create
from freq2clean.recordings.small_files import check_parent
from freq2clean.rois import Cellpose, Rois, Suite2p

__all__ = ["find_rois"]

_TOOLS: Mapping[str, type[Suite2p] | type[Cellpose]] = {
    kind.name: kind for kind in (Suite2p, Cellpose)
}
_NPZ = ".npz"
_TIFF = (".tif", ".tiff")


def find_rois(
    recording: Any,
    /,
    *,
    tool: str = "suite2p",
    out: str | Path | None = None,
    keep_binary: bool = True,
    channel: int | None = None,
    plane: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    **options: Any,
) -> Rois:
    """Find cells in a recording.

    Parameters
    ----------
    recording : array-like (T, Y, X), path or Recording
    tool : "suite2p" or "cellpose"
        By activity, with traces and spikes (extra ``suite2p``); or by looks (extra ``cellpose``).
    out : path, optional
        Of Suite2p: a new or empty folder, which gets its results in its own layout. Of Cellpose:
        an ``.npz`` file with all label images, for `freq2clean.rois.Rois.load`, or a ``.tif`` with
        the label image of the ROIs.
    keep_binary : bool
        Keep Suite2p's copy of the recording in the folder too.
    channel, plane : int, optional
        Of recordings with more than three axes.
    progress : callable, optional
    **options
        Of `freq2clean.rois.Suite2p` or `freq2clean.rois.Cellpose`.

    Returns
    -------
    Rois
        Perhaps none.

    Raises
    ------
    InputError
        If the tool has no such option, cannot be used on such a recording, or fails.
    MissingExtraError
        If the tool is not installed.
    OutputError
        If the target cannot be written.

    Examples
    --------
    >>> import numpy as np
    >>> find_rois(np.zeros((20, 16, 16), np.uint16), tool="suite2p", size=3)
    Traceback (most recent call last):
    freq2clean.errors.InputError: suite2p has no option size; its options are frame_rate_hz, ...
    """
    finder = _finder(tool, options)
    with ExitStack() as stack:
        opened = open_one(stack, recording, channel=channel, plane=plane)
        if isinstance(finder, Suite2p):
            return finder.find(opened, folder=out, keep_binary=keep_binary, progress=progress)
        if out is not None:
            _check_target(Path(out), [opened, recording])
        rois = finder.find(opened, progress=progress)
        if out is not None:
            _write(rois, Path(out), opened)
        return rois


def _finder(tool: str, options: Mapping[str, Any]) -> Suite2p | Cellpose:
    if tool not in _TOOLS:
        raise InputError(f"tool = {tool!r}; give one of {', '.join(_TOOLS)}")
    known = [field.name for field in fields(_TOOLS[tool])]
    unknown = [name for name in options if name not in known]
    if unknown:
        raise InputError(
            f"{tool} has no option {', '.join(unknown)}; its options are {', '.join(known)}"
        )
    return _TOOLS[tool](**options)


def _check_target(path: Path, inputs: list[Any]) -> None:
    """Refuse a target that cannot be written, before any work is done."""
    suffix = path.suffix.lower()
    if suffix in _TIFF:
        check_target(path, inputs=inputs)
        return
    if suffix != _NPZ:
        raise OutputError(f"{path}: ROIs go to {_NPZ} or {', '.join(_TIFF)}; give such a name")
    if path.is_dir():
        raise OutputError(f"{path} is a folder: give the name of a file")
    check_parent(path)


def _write(rois: Rois, path: Path, recording: Recording) -> None:
    if path.suffix.lower() == _NPZ:
        rois.save(path)
        return
    labels = rois.label_image()
    dtype = np.uint16 if len(rois) <= np.iinfo(np.uint16).max else np.uint32
    metadata = Metadata(
        pixel_size_um=recording.metadata.pixel_size_um,
        provenance={"tool": rois.tool, "options": dict(rois.options)},
    )
    with create(path, (1, *rois.shape), dtype, metadata=metadata, inputs=[recording]) as writer:
        writer.append(labels[None].astype(dtype))

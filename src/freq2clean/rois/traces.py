"""Traces of ROIs that a tool has only drawn."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from freq2clean.errors import InputError
from freq2clean.recordings.contract import Recording
from freq2clean.rois.contract import Rois
from freq2clean.rois.reading import Progress, frames_of

__all__ = ["extract_traces"]


def extract_traces(
    rois: Rois, recording: Recording, *, progress: Progress | None = None
) -> NDArray[np.float32]:
    """Mean of each ROI's pixels by their weights, in every frame, in one pass.

    Parameters
    ----------
    rois : Rois
    recording : Recording (T, Y, X)

    Returns
    -------
    (n, T) float32
        NaN where a pixel of the ROI is; 0 for an ROI without pixels.

    Raises
    ------
    InputError
        If the frames differ in size from those that the ROIs are of.

    Examples
    --------
    >>> import numpy as np
    >>> from freq2clean.recordings import open_recording
    >>> frames = open_recording(np.arange(12, dtype=np.float32).reshape(2, 2, 3))
    >>> rois = Rois.from_label_image(np.array([[1, 1, 0], [0, 2, 0]]))
    >>> extract_traces(rois, frames).tolist()
    [[0.5, 6.5], [4.0, 10.0]]
    """
    if recording.shape[1:] != rois.shape:
        raise InputError(
            f"the frames of {recording.name} are {recording.shape[1]} x {recording.shape[2]} "
            f"pixels, and the ROIs are of {rois.shape[0]} x {rois.shape[1]}; they must be equal"
        )
    sums = np.asarray(rois.footprints.sum(axis=1, dtype=np.float64)).reshape(-1)
    shares = sparse.diags_array(1 / np.maximum(sums, np.finfo(np.float32).tiny)) @ rois.footprints
    traces = np.empty((len(rois), len(recording)), np.float32)
    for start, frames in frames_of(recording, progress=progress):
        pixels = frames.reshape(len(frames), -1).astype(np.float64)
        traces[:, start : start + len(frames)] = shares @ pixels.T
    return traces

"""Label images and masks of ROIs, from files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freq2clean.errors import InputError
from freq2clean.recordings.tiff import TiffRecording

__all__ = ["read_labels"]


def read_labels(masks: Any) -> NDArray[Any]:
    """A label image (Y, X) or masks (K, Y, X): an array as it is, or a TIFF or .npy file.

    Raises
    ------
    InputError
        If the file cannot be read.
    """
    if not isinstance(masks, str | Path):
        return np.asarray(masks)
    path = Path(masks)
    if path.suffix.lower() == ".npy":
        try:
            labels: NDArray[Any] = np.load(path, allow_pickle=False)
        except (OSError, ValueError) as error:
            raise InputError(f"{path} cannot be read as a label image: {error}") from error
        return labels
    with TiffRecording(path, single=True) as images:
        labels = images[:]
    return labels[0] if len(labels) == 1 else labels

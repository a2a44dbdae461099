"""What a fusion follows from: told before it is resumed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import scipy

from freq2clean.fusion.spaces import to_host
from freq2clean.recordings import Recording
from freq2clean.version import __version__

__all__ = ["job_of"]

_N_SAMPLES = 8


def job_of(inputs: Iterable[Recording], parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters, versions and inputs, with a checksum of frames from all over each of these."""
    return {
        "versions": {
            "freq2clean": __version__,
            "numpy": np.__version__,
            "scipy": scipy.__version__,
        },
        "parameters": dict(parameters),
        "input": [_told(recording) for recording in inputs],
    }


def _told(recording: Recording) -> dict[str, Any]:
    digest = hashlib.sha256()
    n_frames = recording.shape[0]
    for frame in np.unique(np.linspace(0, n_frames - 1, _N_SAMPLES).astype(int)):
        digest.update(np.ascontiguousarray(to_host(recording[int(frame)])).data)
    return {
        "name": recording.name,
        "files": {str(path.resolve()): _file(path) for path in recording.paths},
        "shape": recording.shape,
        "dtype": recording.dtype.name,
        "sampled frames": digest.hexdigest()[:16],
    }


def _file(path: Path) -> dict[str, int]:
    """Size and time of a file, or of all in a folder."""
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    found = [file.stat() for file in files]
    return {
        "bytes": sum(one.st_size for one in found),
        "modified_ns": max((one.st_mtime_ns for one in found), default=0),
    }

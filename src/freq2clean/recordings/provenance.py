"""What is kept with a recording besides its pixels, and the checksum that names its inputs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from freq2clean.recordings.contract import Metadata, Recording

__all__ = ["described", "fingerprint", "metadata_from", "metadata_items", "positive", "to_json"]


def fingerprint(recording: Recording) -> str:
    """Checksum of a recording's shape, dtype, first and last frame.

    Parameters
    ----------
    recording : Recording

    Returns
    -------
    str
        SHA-256 in hexadecimal. Independent of format, compression and byte order.

    Examples
    --------
    >>> import numpy as np
    >>> from freq2clean.recordings import fingerprint, open_recording
    >>> fingerprint(open_recording(np.zeros((2, 4, 4), np.uint8)))[:12]
    '2863b6071590'
    """
    digest = hashlib.sha256(f"{recording.shape} {recording.dtype.name}".encode())
    for frame in (recording[0], recording[-1]):
        little_endian = frame.astype(frame.dtype.newbyteorder("<"), copy=False)
        digest.update(np.ascontiguousarray(little_endian).data)
    return digest.hexdigest()


def described(recording: Recording) -> dict[str, Any]:
    """Which recording went in, for those who ask later."""
    return {
        "name": recording.name,
        "shape": list(recording.shape),
        "dtype": recording.dtype.name,
        "sha256_of_shape_dtype_first_and_last_frame": fingerprint(recording),
    }


def to_json(value: Any) -> str:
    """JSON text of provenance, NumPy scalars, arrays and paths included."""
    return json.dumps(value, default=_plain)


def metadata_items(metadata: Metadata) -> dict[str, Any]:
    """What is known of a recording, as names and JSON-serialisable values."""
    items: dict[str, Any] = {}
    if metadata.frame_rate_hz is not None:
        items["frame_rate_hz"] = float(metadata.frame_rate_hz)
    if metadata.pixel_size_um is not None:
        items["pixel_size_um"] = [float(size) for size in metadata.pixel_size_um]
    if metadata.provenance:
        items["provenance"] = json.loads(to_json(dict(metadata.provenance)))
    return items


def metadata_from(items: Mapping[str, Any]) -> Metadata:
    """Metadata from names and values; a value that makes no sense counts as unknown."""
    return Metadata(
        frame_rate_hz=positive(items.get("frame_rate_hz")),
        pixel_size_um=_pixel_size(items.get("pixel_size_um")),
        provenance=_provenance(items.get("provenance")),
    )


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"provenance holds a {type(value).__name__}, which JSON cannot express")


def positive(value: Any) -> float | None:
    """The value as a number if it is finite and above 0, else None."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if 0 < number < float("inf") else None


def _pixel_size(value: Any) -> tuple[float, float] | None:
    sizes = [positive(size) for size in np.ravel(value)]
    if len(sizes) == 1:
        sizes *= 2
    if len(sizes) != 2 or sizes[0] is None or sizes[1] is None:
        return None
    return sizes[0], sizes[1]


def _provenance(value: Any) -> Mapping[str, Any]:
    if isinstance(value, str | bytes):
        try:
            value = json.loads(value)
        except ValueError:
            return {}
    return value if isinstance(value, Mapping) else {}

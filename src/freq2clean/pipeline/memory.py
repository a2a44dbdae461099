"""How much memory a job may take, and what that means for the blocks it works in."""

from __future__ import annotations

import re

from freq2clean.errors import InputError
from freq2clean.recordings import Recording

__all__ = ["DEFAULT_MEMORY", "block_frames", "parse_bytes"]

DEFAULT_MEMORY = "1GB"
_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_UNITS |= {f"{unit}I": 2 ** (10 * i) for i, unit in enumerate("KMGT", start=1)}
_LEAST = 100 * 10**6
_MOST_FRAMES = 256


def parse_bytes(text: str | int) -> int:
    """A number of bytes such as ``"500MB"``, ``"1.5 GiB"`` or ``2000000000``.

    Examples
    --------
    >>> parse_bytes("1.5GB"), parse_bytes("512MiB")
    (1500000000, 536870912)
    """
    found = re.fullmatch(r"\s*([\d.]+)\s*([KMGT]?I?)B?\s*", str(text).upper())
    try:
        assert found is not None
        n_bytes = int(float(found[1]) * _UNITS[found[2]])
    except (AssertionError, KeyError, ValueError) as error:
        raise InputError(f"memory = {text!r}; give a size such as 500MB or 2GB") from error
    if n_bytes < _LEAST:
        raise InputError(f"memory = {text!r}; give at least 100MB")
    return n_bytes


def block_frames(*recordings: Recording, memory_bytes: int) -> int:
    """Frames per block: some thirty float32 blocks fit, and stored chunks stay whole."""
    _, height, width = recordings[0].shape
    fits = max(1, min(_MOST_FRAMES, memory_bytes // 32 // (4 * height * width)))
    chunk = max(recording.chunk_frames for recording in recordings)
    return fits // chunk * chunk if fits >= chunk else fits

"""What the options of a simulation may be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from freq2clean.errors import InputError

__all__ = ["check_options"]

RANGES = {
    "snr_db": (-40.0, 60.0),
    "frame_rate_hz": (0.1, 1000.0),
    "pixel_size_um": (0.1, 10.0),
    "soma_diameter_um": (2.0, 100.0),
    "cell_density_per_mm2": (0.0, 20_000.0),
    "rise_s": (0.001, 5.0),
    "decay_s": (0.01, 20.0),
    "bleaching": (0.0, 0.99),
    "drift_px": (0.0, 256.0),
    "jitter_px": (0.0, 16.0),
    "gain": (1.0, 60_000.0),
    "offset": (0.0, 60_000.0),
    "read_noise": (0.0, 10_000.0),
    "bleed": (0.0, 1.0),
}


def check_options(shape: Any, seed: Any, options: Mapping[str, Any]) -> None:
    """Refuse what cannot be simulated; ``options`` has every key of `RANGES`."""
    if len(shape) != 3 or not all(_is_whole(n) and n > 0 for n in shape):
        raise InputError(f"shape={shape}: must be three whole numbers above 0, (T, Y, X)")
    if not _is_whole(seed) or seed < 0:
        raise InputError(f"seed={seed}: must be a whole number, 0 or more")
    for name, (low, high) in RANGES.items():
        value = options[name]
        if not isinstance(value, (int, float, np.number)) or not low <= value <= high:
            raise InputError(f"{name}={value}: must be a number from {low:g} to {high:g}")
    floor = max(4 * options["read_noise"], 0.2 * options["gain"] * options["bleed"])
    if options["offset"] < floor:
        raise InputError(
            f"offset={options['offset']}: counts below 0 would be clipped; use at least {floor:g}, "
            "which is four times read_noise and a fifth of gain times bleed"
        )


def _is_whole(value: Any) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)

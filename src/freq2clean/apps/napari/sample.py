"""A small recording from the simulator, made when it is asked for."""

from __future__ import annotations

from typing import Any

__all__ = ["two_photon"]

SHAPE = (600, 128, 128)
SEED = 5


def two_photon() -> list[tuple[Any, dict[str, Any], str]]:
    """Truth and cells, hidden, and the raw recording under the denoised one."""
    from freq2clean.pipeline import denoise, simulate
    from freq2clean.report.contrast import limits_of

    simulated = simulate(SHAPE, seed=SEED)
    raw, truth = simulated.raw[:], simulated.truth[:]
    limits = limits_of([truth])
    size = simulated.raw.metadata.pixel_size_um
    assert size is not None
    how = {
        "contrast_limits": limits,
        "scale": (1, *size),
        "units": ("pixel", "um", "um"),
        "metadata": {"frame_rate_hz": simulated.raw.metadata.frame_rate_hz},
    }
    return [
        (truth, {**how, "name": "truth", "visible": False}, "image"),
        (raw, {**how, "name": "raw"}, "image"),
        (denoise(raw), {**how, "name": "denoised"}, "image"),
        (
            simulated.labels,
            {"name": "cells", "scale": size, "units": ("um", "um"), "visible": False},
            "labels",
        ),
    ]

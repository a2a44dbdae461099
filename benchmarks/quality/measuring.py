"""All scores on one recording: what a process of its own does."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence, Set

from benchmarks.quality.conditions import Condition, denoiser_of, make_recordings
from benchmarks.quality.results import Key, Row
from benchmarks.quality.scoring import NAMES, fusion_by, gain_by_probe, score

from freq2clean.fusion import DEFAULT_METHOD

__all__ = ["measure"]


def measure(
    conditions: Sequence[Condition],
    *,
    size: int,
    seed: int,
    known: Set[Key],
    checkpoints: Mapping[str, str],
) -> list[Row]:
    """Score the methods that have no row yet, on one recording."""
    rows = []
    for condition in conditions:
        missing = [name for name in NAMES if (condition, size, seed, name) not in known]
        if not missing:
            continue
        began = time.perf_counter()
        truth, raw, denoised = make_recordings(
            condition, size=size, seed=seed, checkpoints=checkpoints
        )
        for name in missing:
            fused, expected = fusion_by(name)(truth, raw, denoised)
            values = {**score(truth, fused), "expected_mse_reduction": expected}
            if name == DEFAULT_METHOD:
                again = denoiser_of(condition, truth, checkpoints=checkpoints)
                values |= gain_by_probe(raw, denoised, fused, again, name)
            rows.append(Row(condition, size, seed, name, values))
        seconds = time.perf_counter() - began
        print(f"{condition}, seed {seed}: {seconds:.1f} s", file=sys.stderr, flush=True)
    return rows

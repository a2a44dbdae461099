"""Many fusions in one process take no more memory than few."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import numpy as np
import pytest

from freq2clean import fuse

N_FUSIONS = 500
MOST_GROWTH_BYTES = 20 * 2**20


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_stays_flat(tmp_path):
    rng = np.random.default_rng(5)
    for name in ("raw", "denoised"):
        np.save(tmp_path / f"{name}.npy", rng.normal(100, 10, (40, 32, 32)).astype(np.float32))
    held = []
    for _ in range(N_FUSIONS):
        fuse(
            tmp_path / "raw.npy",
            tmp_path / "denoised.npy",
            out=tmp_path / "fused.npy",
            method="wiener",
        )
        held.append(resident_bytes())
    growth = held[-1] - held[N_FUSIONS // 10]
    print(f"{held[0] / 2**20:.0f} MB after 1, {held[-1] / 2**20:.0f} MB after {N_FUSIONS}")
    assert growth < MOST_GROWTH_BYTES

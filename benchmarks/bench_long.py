"""A long recording, file to file, by the command: time and peak memory.

python benchmarks/bench_long.py [frames] [size]
"""

from __future__ import annotations

import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from recording import write_pair_like
from timing import cost_of, table

METHODS = ("wiener", "auto")
SUFFIXES = ("npy", "zarr")


def main(n_frames: int, size: int) -> None:
    rows = []
    for suffix in SUFFIXES:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            with ProcessPoolExecutor(1) as elsewhere:  # a child's peak starts from its parent's
                pair = elsewhere.submit(
                    write_pair_like, folder, n_frames, size, suffix=suffix
                ).result()
            for method in METHODS:
                out = str(folder / f"fused.{suffix}")
                cost = cost_of(["fuse", *pair, "-o", out, "--method", method, "--json"])
                peak = f"{cost.peak_bytes / 1e6:.0f}"
                rows.append(
                    (suffix, method, f"{cost.seconds:.1f}", f"{cost.cpu_seconds:.1f}", peak)
                )
    print(f"## A long recording, file to file: {n_frames} x {size} x {size}\n")
    print(
        "uint16 raw, float32 denoised and fused, uncompressed; the command with the default "
        "`--memory 1GB`, interpreter\nincluded. One run each. CPU seconds are those of all "
        "cores; memory is resident.\n"
    )
    print(table(("format", "method", "seconds", "CPU seconds", "peak, MB"), rows))


if __name__ == "__main__":
    sizes = [int(argument) for argument in sys.argv[1:]]
    main(*(sizes + [6000, 512][len(sizes) :]))

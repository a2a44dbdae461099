"""Peak memory of the command, from file to file, for a short and a long recording.

python benchmarks/bench_memory.py [size] [frames ...]
"""

from __future__ import annotations

import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from recording import write_pair_like
from timing import cost_of, table

METHODS = ("fft", "dct", "wiener", "subspace")


def main(size: int, lengths: list[int]) -> None:
    rows = []
    for n_frames in lengths:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            with ProcessPoolExecutor(1) as elsewhere:  # a child's peak starts from its parent's
                pair = elsewhere.submit(write_pair_like, folder, n_frames, size).result()
            for method in METHODS:
                out = str(folder / "fused.tif")
                cost = cost_of(["fuse", *pair, "-o", out, "--method", method, "--json"])
                rows.append((str(n_frames), method, f"{cost.peak_bytes / 1e6:.0f}"))
    print(f"## Peak memory, {size} x {size} pixels, `--memory 1GB`\n")
    print("Resident memory of the whole process, TIFF to TIFF, interpreter included.\n")
    print(table(("frames", "method", "peak, MB"), rows))


if __name__ == "__main__":
    given = [int(argument) for argument in sys.argv[1:]]
    main(given[0] if given else 512, given[1:] or [500, 6000])

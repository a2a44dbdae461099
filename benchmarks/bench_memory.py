"""Peak memory of the command, from file to file, for a short and a long recording.

python benchmarks/bench_memory.py [size] [frames ...]
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from recording import write_pair_like
from timing import table

METHODS = ("fft", "dct", "wiener")


def peak_bytes(arguments: list[str]) -> int:
    """Peak resident memory of one run of the command."""
    command = [sys.executable, "-m", "freq2clean", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"freq2clean {' '.join(arguments)} failed")
    return usage.ru_maxrss * 1024


def main(size: int, lengths: list[int]) -> None:
    rows = []
    for n_frames in lengths:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            with ProcessPoolExecutor(1) as elsewhere:  # a child's peak starts from its parent's
                pair = elsewhere.submit(write_pair_like, folder, n_frames, size).result()
            for method in METHODS:
                out = str(folder / "fused.tif")
                peak = peak_bytes(["fuse", *pair, "-o", out, "--method", method, "--json"])
                rows.append((str(n_frames), method, f"{peak / 1e6:.0f}"))
    print(f"## Peak memory, {size} x {size} pixels, `--memory 1GB`\n")
    print("Resident memory of the whole process, TIFF to TIFF, interpreter included.\n")
    print(table(("frames", "method", "peak, MB"), rows))


if __name__ == "__main__":
    given = [int(argument) for argument in sys.argv[1:]]
    main(given[0] if given else 512, given[1:] or [500, 6000])

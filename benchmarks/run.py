"""Run every benchmark and rewrite docs/performance.md: ``make bench``."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import numpy as np
import scipy

HERE = Path(__file__).parent
BENCHMARKS = ("bench_fusion", "bench_files", "bench_memory", "bench_long", "bench_ssim3d")


def main() -> None:
    sections = []
    for name in BENCHMARKS:
        print(f"{name} ...", file=sys.stderr, flush=True)
        run = subprocess.run(
            [sys.executable, HERE / f"{name}.py"], check=True, capture_output=True, text=True
        )
        sections.append(f"{run.stdout.strip()}\n\n`python benchmarks/{name}.py`\n")
    head = (
        "# Performance\n\n"
        "Written by `make bench`. Compare the ratios: all figures of a table come from one run on "
        "one machine,\nand seconds differ from machine to machine.\n\n"
        f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, "
        f"NumPy {np.__version__}, SciPy {scipy.__version__}.\n"
    )
    target = HERE.parent / "docs" / "performance.md"
    target.write_text("\n".join([head, *sections]), encoding="utf-8")
    print(f"wrote {target}")


if __name__ == "__main__":
    main()

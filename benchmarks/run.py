"""Run benchmarks and write what they print to docs/performance.md: ``make bench``.

python benchmarks/run.py [name ...]

With names, such as ``bench_files``, only these; the sections of the others stay as they are. What
needs a library or a GPU that is not there is left out, and its section stays too.
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import scipy

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "performance.md"
BENCHMARKS: dict[str, str | None] = {
    "bench_fusion": None,
    "bench_files": None,
    "bench_memory": None,
    "bench_long": None,
    "bench_ssim3d": None,
    "bench_live": None,
    "bench_cluster": "distributed",
    "bench_deepcad": "torch",
    "gpu": None,
}
"""What there is, in the order of the page, and the library that it needs."""
_COMMAND = "`python benchmarks/{}.py`"


def sections_of(page: str) -> dict[str, str]:
    """The text of each benchmark on a page, by its name."""
    ends = re.compile(re.escape(_COMMAND).replace(r"\{\}", r"(\w+)"))
    _, _, text = page.partition("\n## ")
    found, start = {}, 0
    for end in ends.finditer(text):
        found[end[1]] = "## " + text[start : end.start()].strip().removeprefix("## ")
        start = end.end()
    return found


def page_of(sections: dict[str, str]) -> str:
    """The page that holds them, in the order of `BENCHMARKS`."""
    head = (
        "# Performance\n\n"
        "Written by `make bench`. Compare the ratios: all figures of a table come from one run on "
        "one machine,\nand seconds differ from machine to machine.\n\n"
        f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, "
        f"NumPy {np.__version__}, SciPy {scipy.__version__}.\n"
    )
    known = [name for name in BENCHMARKS if name in sections]
    return "\n".join([head, *(f"{sections[name]}\n\n{_COMMAND.format(name)}\n" for name in known)])


def main(names: Sequence[str]) -> None:
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        raise SystemExit(f"no benchmark is called {unknown[0]}; there are {', '.join(BENCHMARKS)}")
    sections = sections_of(PAGE.read_text(encoding="utf-8")) if PAGE.exists() else {}
    for name in names or BENCHMARKS:
        if (needed := BENCHMARKS[name]) and find_spec(needed) is None:
            print(f"{name} left out: it needs {needed}", file=sys.stderr)
            continue
        print(f"{name} ...", file=sys.stderr, flush=True)
        run = subprocess.run(
            [sys.executable, HERE / f"{name}.py"], check=True, capture_output=True, text=True
        )
        if not run.stdout.strip():
            print(f"{name}: {run.stderr.strip()}", file=sys.stderr)
            continue
        sections[name] = run.stdout.strip()
        PAGE.write_text(page_of(sections), encoding="utf-8")
    print(f"wrote {PAGE}")


if __name__ == "__main__":
    main(sys.argv[1:])

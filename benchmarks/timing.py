"""Medians of repeated runs, and tables of ratios."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from typing import NamedTuple


def median_seconds(function: Callable[[], object], *, repeats: int = 3) -> float:
    """Median wall time of a few runs, after one that does not count where there are several."""
    if repeats > 1:
        function()
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


class Cost(NamedTuple):
    """What a process took: wall time, time on all cores, and its peak resident memory."""

    seconds: float
    cpu_seconds: float
    peak_bytes: int


def cost_of(arguments: list[str]) -> Cost:
    """What one run of the command costs, interpreter included."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "freq2clean", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"freq2clean {' '.join(arguments)} failed")
    seconds = time.perf_counter() - began
    return Cost(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table."""
    head = list(head)
    lines = [head, ["---"] * len(head), *map(list, rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)

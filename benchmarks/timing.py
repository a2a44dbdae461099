"""Medians of repeated runs, and tables of ratios."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable


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


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table."""
    head = list(head)
    lines = [head, ["---"] * len(head), *map(list, rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)

"""A cluster of one and of two workers: what a frame costs, what is moved, memory against length.

python benchmarks/bench_cluster.py [size]
"""

from __future__ import annotations

import os
import resource
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from distributed import Client, LocalCluster, get_task_stream
from recording import write_pair_like
from timing import table

from freq2clean import fuse

LENGTHS = (500, 1000, 2000)
METHODS = ("wiener", "subspace")
WINDOW = 500
STEPS = {
    "survey": ("_decide",),
    "add up": ("_add_up", "_pick", "merge"),
    "solve": ("_solve",),
    "review": ("_look_again", "_limit"),
    "apply, write": ("_fuse",),
}


class Run(NamedTuple):
    """What one fusion took: CPU of all workers, by step too; what each received, and its peak."""

    seconds: float
    cpu_seconds: float
    steps: dict[str, float]
    received_bytes: float
    peak_bytes: int


def usage(dask_worker: Any) -> tuple[float, int, int]:
    """CPU seconds of a worker, bytes it received from others, and its peak memory."""
    own = resource.getrusage(resource.RUSAGE_SELF)
    return (
        own.ru_utime + own.ru_stime,
        sum(entry["total"] for entry in dask_worker.transfer_incoming_log),
        own.ru_maxrss * 1024,
    )


def seconds_of(task: dict[str, Any]) -> float:
    """How long a task was computed, without what was moved before."""
    spans = task["startstops"]
    return sum(span["stop"] - span["start"] for span in spans if span["action"] == "compute")


def pin(dask_worker: Any) -> None:
    """One core for each worker."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, [cores[int(dask_worker.name) % len(cores)]])


def run(pair: tuple[str, str], out: str, method: str, n_workers: int) -> Run:
    """One fusion on fresh workers."""
    with (
        LocalCluster(
            n_workers=n_workers, threads_per_worker=1, dashboard_address=":0", memory_limit=None
        ) as cluster,
        Client(cluster) as client,
    ):
        client.run(pin)
        before = client.run(usage).values()
        began = time.perf_counter()
        with get_task_stream(client) as stream:
            address = cluster.scheduler_address
            fuse(*pair, out=out, method=method, window=WINDOW, scheduler=address)
        seconds = time.perf_counter() - began
        after = client.run(usage).values()
        steps = {
            step: sum(seconds_of(task) for task in stream.data if task["key"].startswith(names))
            for step, names in STEPS.items()
        }
    cpu, received, peak = (list(x) for x in zip(*after, strict=True))
    cpu_before, received_before, _ = (list(x) for x in zip(*before, strict=True))
    return Run(
        seconds,
        sum(cpu) - sum(cpu_before),
        steps,
        (sum(received) - sum(received_before)) / n_workers,
        max(peak),
    )


def main(size: int) -> None:
    rows = []
    for n_frames in LENGTHS:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            with ProcessPoolExecutor(1) as elsewhere:  # a child's peak starts from its parent's
                pair = elsewhere.submit(
                    write_pair_like, folder, n_frames, size, suffix="zarr"
                ).result()
            for method in METHODS:
                for n_workers in (1, 2):
                    cost = run(pair, str(folder / "fused.zarr"), method, n_workers)
                    rows.append(
                        (
                            method,
                            str(n_frames),
                            str(n_workers),
                            f"{cost.seconds:.1f}",
                            f"{cost.cpu_seconds:.1f}",
                            *(f"{seconds:.1f}" for seconds in cost.steps.values()),
                            f"{cost.received_bytes / 1e6:.0f}",
                            f"{cost.peak_bytes / 1e6:.0f}",
                        )
                    )
    print(f"## A cluster of one and of two workers: {size} x {size}, Zarr to Zarr\n")
    print(
        f"uint16 raw, float32 denoised and fused, windows of {WINDOW} frames; each worker a "
        "process of one thread, held\nto one core; start of the workers not counted. Steps are "
        "seconds of all workers together. Received: MB per\nworker, from the other one. Peak: "
        "resident, of the larger worker.\n"
    )
    head = ("method", "frames", "workers", "seconds", "CPU seconds", *STEPS)
    print(table((*head, "received, MB", "peak, MB"), rows))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 128)

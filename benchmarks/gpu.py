"""Fusion of recordings in the memory of a GPU, against what moving their bytes takes.

python benchmarks/gpu.py [--device cuda] [--frames 6000] [--size 512] [--repeats 5] [--json FILE]

Beside it, the study's path on the same device in the same run: real FFT along time, histogram
match of the mean's magnitude, inverse FFT, on windows of 3000 frames; by PyTorch, and by CuPy where
it is installed. Then file to file. `--device cpu` with few frames tries it out without a GPU.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from itertools import chain, cycle, islice
from pathlib import Path
from typing import Any

import array_api_compat as compat
import numpy as np
from recording import make_pair, write_pair_like
from timing import median_seconds, table

import freq2clean
from freq2clean.fusion.matching import match_histogram

try:
    import torch
except ImportError:
    print("left out: it needs torch", file=sys.stderr)
    raise SystemExit(0) from None

ALPHA = 0.85
WINDOW = 3000
METHODS = ("fft", "dct", "wiener", "subspace", "auto")
_UNIQUE_FRAMES = 200


def pair_on(device: str, n_frames: int, size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """A simulated pair on the device; its frames repeat, to and fro."""
    filled = []
    for frames in make_pair(min(_UNIQUE_FRAMES, n_frames), size):
        there = torch.from_numpy(frames).to(device)
        whole = torch.empty((n_frames, size, size), dtype=there.dtype, device=device)
        order = islice(cycle(chain(range(len(frames)), reversed(range(len(frames))))), n_frames)
        for i, frame in enumerate(order):
            whole[i] = there[frame]
        filled.append(whole)
    return filled[0], filled[1]


def study_path(raw: Any, denoised: Any) -> Any:
    """The study's fusion by full transforms, on whatever device the arrays are."""
    xp = compat.array_namespace(denoised)
    mean = xp.mean(xp.astype(raw, xp.float32), axis=0)
    out = xp.empty_like(denoised)
    for start in range(0, denoised.shape[0], WINDOW):
        frames = slice(start, min(start + WINDOW, denoised.shape[0]))
        n_frames = frames.stop - start
        spectrum = xp.fft.rfft(denoised[frames, ...], axis=0)
        magnitude = xp.abs(spectrum[0, ...])
        matched = xp.astype(match_histogram(mean * n_frames, magnitude), xp.float32)
        spectrum[0, ...] *= (ALPHA * matched + (1 - ALPHA) * magnitude) / (magnitude + 1e-12)
        out[frames, ...] = xp.fft.irfft(spectrum, n=n_frames, axis=0)
    return out


class Meter:
    """Times functions on a device, and the memory that they take beside their inputs."""

    def __init__(self, device: str, repeats: int) -> None:
        self._is_cuda = torch.device(device).type == "cuda"
        self._is_mps = torch.device(device).type == "mps"
        self._repeats = repeats

    def __call__(self, function: Callable[[], object]) -> dict[str, Any]:
        """Median seconds and, on CUDA, peak bytes."""
        before = torch.cuda.memory_allocated() if self._is_cuda else 0
        if self._is_cuda:
            torch.cuda.reset_peak_memory_stats()
        seconds = median_seconds(lambda: self._finish(function()), repeats=self._repeats)
        peak = torch.cuda.max_memory_allocated() - before if self._is_cuda else None
        return {"seconds": seconds, "peak_bytes": peak}

    def _finish(self, _: object) -> None:
        if self._is_cuda:
            torch.cuda.synchronize()
        elif self._is_mps:
            torch.mps.synchronize()


def copying(frames: torch.Tensor) -> Callable[[], object]:
    """Copies frames, each time into the same memory."""
    out = torch.empty_like(frames)
    return lambda: out.copy_(frames)


def in_memory(device: str, n_frames: int, size: int, meter: Meter) -> dict[str, Any]:
    """What each path takes for arrays on the device, and the floor."""
    raw, denoised = pair_on(device, n_frames, size)
    bytes_per_second = 2 * denoised.nbytes / meter(copying(denoised))["seconds"]
    moved = raw.nbytes + 3 * denoised.nbytes
    paths: dict[str, Callable[[], object]] = {
        f"ours, `{method}`": lambda m=method: freq2clean.fuse(raw, denoised, method=m, memory="4GB")
        for method in METHODS
    }
    paths["study's `fft`, PyTorch"] = lambda: study_path(raw, denoised)
    found = {name: meter(path) for name, path in paths.items()}
    if torch.device(device).type == "cuda" and (cupy := _cupy()):
        there = (
            cupy.from_dlpack(raw.view(torch.int16)).view(cupy.uint16),
            cupy.from_dlpack(denoised),
        )
        found["study's `fft`, CuPy"] = meter(lambda: study_path(*there))
    return {
        "bytes_per_second": bytes_per_second,
        "bytes_moved": moved,
        "floor_seconds": moved / bytes_per_second,
        "paths": found,
    }


def _cupy() -> Any:
    try:
        import cupy
    except ImportError:
        return None
    return cupy


def file_to_file(device: str, n_frames: int, size: int) -> dict[str, float]:
    """Seconds from two uncompressed files to a third, by device."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        names = write_pair_like(Path(folder), n_frames, size, suffix="npy")
        out = str(Path(folder) / "fused.npy")
        for method in METHODS:
            for where in dict.fromkeys(("cpu", device)):
                result = freq2clean.fuse(*names, out=out, method=method, device=where)
                found[f"`{method}`, {where}"] = result.seconds
    return found


def name_of(device: str) -> str:
    if torch.device(device).type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{device}, {torch.get_num_threads()} threads"


def report(found: dict[str, Any]) -> str:
    """The figures as Markdown."""
    memory, floor = found["in_memory"], found["in_memory"]["floor_seconds"]
    shape = " x ".join(map(str, found["shape"]))
    rows = [
        [
            name,
            f"{1e3 * path['seconds']:.1f}",
            f"{path['seconds'] / floor:.2f}",
            "" if path["peak_bytes"] is None else f"{path['peak_bytes'] / 1e9:.2f}",
        ]
        for name, path in memory["paths"].items()
    ]
    files = [[name, f"{seconds:.2f}"] for name, seconds in found["file_to_file"].items()]
    return "\n\n".join(
        [
            f"## {shape} on {found['device']}",
            "uint16 raw, float32 denoised, both in the device's memory, and so is the result. A "
            f"copy moves {memory['bytes_per_second'] / 1e9:.0f} GB/s; at that rate, reading the "
            "raw recording once, the denoised one twice and writing the result takes "
            f"{1e3 * floor:.1f} ms, the floor.",
            table(("path", "ms", "x floor", "GB beside the inputs"), rows),
            "File to file (`.npy`, uncompressed), reading and writing included:",
            table(("method, device", "seconds"), files),
        ]
    )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--frames", type=int, default=6000)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args(arguments)
    if given.device.startswith("cuda") and not torch.cuda.is_available():
        print("left out: PyTorch sees no CUDA device; --device cpu tries it", file=sys.stderr)
        return
    found = {
        "device": name_of(given.device),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "shape": [given.frames, given.size, given.size],
        "in_memory": in_memory(
            given.device, given.frames, given.size, Meter(given.device, given.repeats)
        ),
        "file_to_file": file_to_file(given.device, given.frames, given.size),
    }
    if given.json:
        given.json.write_text(json.dumps(found, indent=1), encoding="utf-8")
    print(report(found))


if __name__ == "__main__":
    main()

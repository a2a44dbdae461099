"""Fusion while a recording is acquired: what a frame takes, and what is lost against waiting.

python benchmarks/bench_live.py [frames] [size] [frames_of_loss] [size_of_loss]
"""

from __future__ import annotations

import math
import os
import sys
import time

os.environ.update(
    dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
)

import numpy as np
from recording import SEED, make_pair
from timing import table

from freq2clean import StreamingFuser, Wiener, simulate
from freq2clean.simulation import imitate_denoiser

HALF_LIVES = (math.inf, 1000.0, 300.0, 100.0, 30.0)
LAGS = (0, 100)
DRIFTS_PX = (0.0, 6.0)
_RING_FRAMES = 64


def milliseconds_per_frame(n_frames: int, size: int, half_life: float) -> tuple[list, list]:
    """CPU and wall time of each push; frames repeat, to and fro."""
    raw, denoised = make_pair(_RING_FRAMES, size)
    fuser = StreamingFuser((size, size), half_life_frames=half_life)
    out = np.empty((size, size), np.float32)
    order = [*range(_RING_FRAMES), *reversed(range(_RING_FRAMES))]
    cpu, wall = [], []
    for frame in range(n_frames):
        x, y = (frames[order[frame % len(order)]] for frames in (raw, denoised))
        began = time.perf_counter(), time.process_time()
        fuser.push(x, y, out=out)
        ended = time.perf_counter(), time.process_time()
        wall.append(1e3 * (ended[0] - began[0]))
        cpu.append(1e3 * (ended[1] - began[1]))
    return cpu, wall


def live(raw, denoised, **options):
    fuser = StreamingFuser(raw.shape[1:], **options)
    given = (fuser.push(x, y) for x, y in zip(raw, denoised, strict=True))
    return np.stack([frame for frame in given if frame is not None] + fuser.flush())


def losses(n_frames: int, size: int, drift_px: float) -> list[list[str]]:
    """PSNR gained over the denoised recording, of all frames and of the second half."""
    simulated = simulate((n_frames, size, size), seed=SEED, drift_px=drift_px)
    raw, truth = simulated.raw[:], simulated.truth[:]
    denoised = imitate_denoiser(truth, raw)

    def gains(fused):
        return [
            10 * math.log10(np.square(denoised[part] - truth[part]).mean()
                            / np.square(fused[part] - truth[part]).mean())
            for part in (slice(None), slice(n_frames // 2, None))
        ]  # fmt: skip

    offline = {
        "offline, `wiener`": Wiener(),
        "offline, `wiener`, mean image alone": Wiener(n_bins=1),
    }
    found = {name: gains(method.fit(raw, denoised).apply(denoised))
             for name, method in offline.items()}  # fmt: skip
    reference = found["offline, `wiener`, mean image alone"]
    for half_life in HALF_LIVES:
        for lag in LAGS:
            name = f"live, half-life {'infinite' if half_life == math.inf else f'{half_life:.0f}'}"
            fused = live(raw, denoised, half_life_frames=half_life, lag_frames=lag)
            found[f"{name}, lag {lag}"] = gains(fused)
    motion = f"drift of {drift_px:g} px" if drift_px else "still"
    return [
        [motion, name, *(f"{gain:.2f}" for gain in gain_db),
         *(f"{whole - gain:+.2f}" for whole, gain in zip(reference, gain_db, strict=True))]
        for name, gain_db in found.items()
    ]  # fmt: skip


def main(n_frames: int, size: int, loss_frames: int, loss_size: int) -> None:
    rows = []
    for half_life in (math.inf, 1000.0):
        cpu, wall = milliseconds_per_frame(n_frames, size, half_life)
        for name, spent in (("CPU", cpu), ("wall", wall)):
            p99, most = np.quantile(spent, 0.99), max(spent)
            figures = np.mean(spent), np.median(spent), p99, most
            label = "infinite" if half_life == math.inf else f"{half_life:.0f} frames"
            rows.append([label, name, *(f"{figure:.2f}" for figure in figures)])
    print(f"## Live: `StreamingFuser`, {size} x {size} pixels\n")
    print(
        f"Milliseconds per `push`, one thread, {n_frames} frames, uint16 and float32; the solution "
        "of the correction\nis spread over them. Wall time has in it what else the machine does; "
        f"load {os.getloadavg()[0]:.1f}.\n"
    )
    print(table(("half-life", "time", "mean", "median", "99 %", "worst"), rows))
    print(
        "\nWhat is lost by not waiting: PSNR gained over the denoised recording in dB, of "
        f"{loss_frames} x {loss_size} x {loss_size}\nat -5.5 dB, `imitated`; and by how much that "
        "is less than the mean image of the whole recording\ngains. Live, the first frames are "
        "fused by few.\n"
    )
    rows = [row for drift in DRIFTS_PX for row in losses(loss_frames, loss_size, drift)]
    head = "recording", "fusion", "gain", "of the second half", "loss", "of the second half"
    print(table(head, rows))


if __name__ == "__main__":
    sizes = [int(argument) for argument in sys.argv[1:]]
    main(*(sizes + [1500, 512, 1500, 128][len(sizes) :]))

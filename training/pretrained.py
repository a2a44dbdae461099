"""Train the network that ships with freq2clean, on simulated recordings whose truth is known.

    python -m training.pretrained checkpoint.pth --minutes 90

Each recording has its own anatomy, SNR, cell size, frame rate, motion and length. The network
sees noisy frames and two images of the whole recording (`freq2clean.denoisers.pretrained.views`)
and learns, by least squares, what the truth differs by from the mean image. The checkpoint is
written every few minutes; the same command goes on with it until the minutes are spent.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from freq2clean import simulate
from freq2clean.denoisers.deepcad.network import SIDE_MULTIPLE, Network
from freq2clean.denoisers.pretrained.views import N_CHANNELS, as_channels, look
from freq2clean.recordings.small_files import whole_file

FIRST_SEED = 100_000
SNR_DB = -12.0, 6.0
CELL_DIAMETER_PX = 6.0, 20.0
N_FRAMES = 32, 600, 1500  # least, most often, most
SIDE = 96
PATCH = 48, 40, 40
BATCH = 2
PATCHES_PER_RECORDING = 16
BUFFER = 96
LEARNING_RATE = 2e-3
WARM_UP_STEPS = 50
WRITE_EVERY_S = 180.0


@dataclass(frozen=True)
class Example:
    """Inputs (channels, T, Y, X), the target (T, Y, X), and how much the example counts."""

    inputs: NDArray[np.float32]
    target: NDArray[np.float32]
    weight: float


def random_recording(seed: int) -> tuple[dict[str, Any], int]:
    """Options of `simulate`, and the number of frames, drawn for a seed."""
    rng = np.random.default_rng(seed)
    snr_db = float(rng.uniform(*SNR_DB))
    diameter_px = float(np.exp(rng.uniform(*np.log(CELL_DIAMETER_PX))))
    pixel_size_um = 12.0 / diameter_px
    n_frames = int(np.exp(rng.triangular(*np.log(N_FRAMES))))
    options: dict[str, Any] = {
        "snr_db": snr_db,
        "pixel_size_um": pixel_size_um,
        "cell_density_per_mm2": float(rng.uniform(300, 1500)),
        "frame_rate_hz": float(rng.uniform(10, 40)),
        "decay_s": float(np.exp(rng.uniform(*np.log((0.4, 1.5))))),
        "bleaching": float(rng.uniform(0, 0.4)),
        "gain": 25.0,
        "offset": 40.0,
        "read_noise": float(rng.uniform(0, 6)),
    }
    if rng.random() < 0.2:
        options["drift_px"] = float(rng.uniform(0, 4))
    if rng.random() < 0.15:
        options["jitter_px"] = float(rng.uniform(0, 1))
    if rng.random() < 0.15:
        options["bleed"] = float(rng.uniform(0, 0.6))
    return options, n_frames


def examples_of(seed: int) -> Iterator[Example]:
    """Patches of the recording of a seed, turned at random."""
    options, n_frames = random_recording(seed)
    recording = simulate((n_frames, SIDE, SIDE), seed=seed, **options)
    raw = recording.raw[:]
    views = look(raw)
    weight = 10 ** (-options["snr_db"] / 20)
    rng = np.random.default_rng([seed, 1])
    length, height, width = PATCH
    length = min(length, n_frames // SIDE_MULTIPLE * SIDE_MULTIPLE)
    n_places = max(1, min(PATCHES_PER_RECORDING // 4, 2 * n_frames // length))
    for start in rng.integers(0, n_frames - length + 1, n_places):
        frames = slice(int(start), int(start) + length)
        (inputs,) = as_channels(views.inputs(raw[frames].astype(np.float32), length)[None])
        target = (recording.truth[frames] - views.mean) / np.float32(views.noise_sd)
        for _ in range(PATCHES_PER_RECORDING // n_places):
            row, column = rng.integers(0, (SIDE - height + 1, SIDE - width + 1))
            place = (..., slice(row, row + height), slice(column, column + width))
            yield Example(*_turned(inputs[place], target[place], rng), weight)


def _turned(
    inputs: NDArray[np.float32], target: NDArray[np.float32], rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    quarters, mirrored = int(rng.integers(4)), bool(rng.integers(2))
    both = [np.rot90(a, quarters, axes=(-2, -1)) for a in (inputs, target)]
    both = [np.ascontiguousarray(a[..., ::-1] if mirrored else a) for a in both]
    return both[0], both[1]


def batches(first_seed: int) -> Iterator[tuple[int, list[Example]]]:
    """Examples of seed after seed, drawn at random from a buffer, and the seed reached.

    Those of a batch have the same shape.
    """
    rng = np.random.default_rng([first_seed, 2])
    buffer: list[Example] = []
    seed = first_seed
    while True:
        while len(buffer) < BUFFER:
            buffer += examples_of(seed)
            seed += 1
        shape = buffer[int(rng.integers(len(buffer)))].target.shape
        alike = [i for i, example in enumerate(buffer) if example.target.shape == shape]
        chosen = rng.permutation(alike)[:BATCH]
        yield seed, [buffer.pop(i) for i in sorted(chosen.tolist(), reverse=True)]


def train(path: Path, *, minutes: float, base_channels: int) -> None:
    """Train until the minutes are spent, those of earlier runs included."""
    torch.manual_seed(0)
    network = Network(base_channels, N_CHANNELS).to(memory_format=torch.channels_last_3d)
    torch.nn.init.zeros_(network.Generator.final_conv.weight)
    torch.nn.init.zeros_(network.Generator.final_conv.bias)
    optimizer = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE)
    step, spent_s, first_seed = 0, 0.0, FIRST_SEED
    if path.is_file():
        held = torch.load(path, weights_only=True)
        network.load_state_dict(held["network"])
        optimizer.load_state_dict(held["optimizer"])
        step, spent_s, first_seed = held["step"], held["spent_s"], held["seed"]
    began, written = time.perf_counter(), time.perf_counter()
    before_s = spent_s
    losses: list[float] = []
    for seed, batch in batches(first_seed):
        spent_s = before_s + time.perf_counter() - began
        share = min(1.0, spent_s / (60 * minutes))
        rate = LEARNING_RATE * 0.5 * (1 + math.cos(math.pi * share))
        for group in optimizer.param_groups:
            group["lr"] = rate * min(1.0, (step + 1) / WARM_UP_STEPS)
        losses.append(_step(network, optimizer, batch))
        step += 1
        if share == 1 or time.perf_counter() - written > WRITE_EVERY_S:
            _write(path, network, optimizer, step=step, spent_s=spent_s, seed=seed)
            written = time.perf_counter()
            loss = sum(losses) / len(losses)
            print(f"{spent_s / 60:6.1f} min  step {step}  loss {loss:.4f}", flush=True)
            losses.clear()
        if share == 1:
            return


def _step(network: Network, optimizer: torch.optim.Optimizer, batch: list[Example]) -> float:
    inputs = torch.from_numpy(np.stack([example.inputs for example in batch]))
    targets = torch.from_numpy(np.stack([example.target for example in batch]))
    weights = torch.tensor([example.weight for example in batch])
    out = network(inputs.contiguous(memory_format=torch.channels_last_3d))[:, 0]
    loss = (weights * (out - targets).square().mean(dim=(1, 2, 3))).mean()
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    optimizer.step()
    return float(loss.detach())


def _write(path: Path, network: Network, optimizer: torch.optim.Optimizer, **state: Any) -> None:
    held = {"network": network.state_dict(), "optimizer": optimizer.state_dict(), **state}
    with whole_file(path) as file, file.open("wb") as opened:
        torch.save(held, opened)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--minutes", type=float, default=90.0)
    parser.add_argument("--base-channels", type=int, default=8)
    options = parser.parse_args()
    torch.set_num_threads(1)
    train(options.checkpoint, minutes=options.minutes, base_channels=options.base_channels)


if __name__ == "__main__":
    main()

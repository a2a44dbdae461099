"""DeepCAD-RT: training and inference beside the procedure of the authors' package, on the CPU,
and the peak memory of the command for a short and a long recording.

The package runs on GPUs only, so its network and its loops are written down here as they are:
the layers one after the other, patches one by one; for inference, patches that overlap by half,
the network recording gradients, and the results stitched into float64 stacks. A
test holds that this gives what the package gives.

python benchmarks/bench_deepcad.py [frames] [size] [patch]
"""

from __future__ import annotations

import itertools
import math
import statistics
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import torch
from recording import make_pair, write_pair_like
from timing import cost_of, table
from torch import nn
from torch.nn import functional

from freq2clean.denoisers.deepcad import DeepCAD
from freq2clean.denoisers.deepcad.checkpoint import Checkpoint
from freq2clean.denoisers.deepcad.denoiser import DeepCADModel
from freq2clean.denoisers.deepcad.training import new_network

ROUNDS = 3
N_PATCHES = 2
LENGTHS = 300, 3000
CHANNELS = (1, 8, 16, 16, 32, 32, 64, 64, 128)  # down, in pairs
BACK = ((192, 64, 64), (96, 32, 32), (48, 16, 16))  # up


class PublicNetwork(nn.Module):
    """The network as the package builds it; weights of either come in the same order."""

    def __init__(self, weights) -> None:
        super().__init__()
        down = itertools.pairwise(CHANNELS)
        up = itertools.chain(*(itertools.pairwise(widths) for widths in BACK))
        self.convolutions = nn.ModuleList(
            nn.Conv3d(n_in, n_out, 3, padding=1) for n_in, n_out in (*down, *up)
        )
        self.last = nn.Conv3d(16, 1, 1)
        self.load_state_dict(dict(zip(self.state_dict(), weights.values(), strict=True)))

    def forward(self, x):
        convolutions = iter(self.convolutions)

        def block(x):
            for convolution in itertools.islice(convolutions, 2):
                x = functional.relu(convolution(x), inplace=True)
            return x

        levels = [block(x)]
        for _ in range(3):
            levels.append(block(functional.max_pool3d(levels[-1], 2)))
        x = levels.pop()
        while levels:
            skip = levels.pop()
            x = functional.interpolate(x, size=skip.shape[2:], mode="nearest")
            x = block(torch.cat((skip, x), dim=1))
        return self.last(x)


def public_training(raw, patch: int) -> None:
    """The steps of one epoch over some patches."""
    network = PublicNetwork(new_network(16, 0).state_dict())
    optimizer = torch.optim.Adam(network.parameters(), lr=5e-5, betas=(0.5, 0.999))
    stack = raw.astype(np.float32)
    stack = stack - stack.mean()
    for _ in range(N_PATCHES):
        part = stack[: 2 * patch, :patch, :patch]
        source, target = (torch.from_numpy(part[i::2][None, None].copy()) for i in (0, 1))
        out = network(source)
        loss = 0.5 * functional.l1_loss(out, target) + 0.5 * functional.mse_loss(out, target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def public_spans(n: int, patch: int):
    """Where patches begin, which part of them is kept, and where it goes."""
    gap = patch // 2
    cut = (patch - gap) // 2
    count = math.ceil((n - patch + gap) / gap)
    for i in range(count):
        start = gap * i if i < count - 1 else n - patch
        first, last = (cut if i else 0), (patch if i == count - 1 else patch - cut)
        yield start, slice(first, last), slice(start + first, start + last)


def public_inference(raw, patch: int, network: PublicNetwork):
    """Overlapping patches, each rescaled by a ratio of sums."""
    mean = raw.mean()
    stack = raw.astype(np.float32) - mean
    denoised, inputs = np.zeros(raw.shape), np.zeros(raw.shape)
    for spans in itertools.product(*(public_spans(n, patch) for n in raw.shape)):
        starts, kept, places = zip(*spans, strict=True)
        part = stack[tuple(slice(s, s + patch) for s in starts)].astype(np.float32)
        out = network(torch.from_numpy(part[None, None])).detach().numpy()[0, 0]
        inner, outer = out[kept] + mean, part[kept] + mean
        denoised[places] = inner * abs(np.sum(outer) / np.sum(inner)) ** 0.5
        inputs[places] = outer
    return denoised.astype(np.float32)


def main(n_frames: int, size: int, patch: int) -> None:
    raw, _ = make_pair(n_frames, size)
    sides = dict.fromkeys(("patch_t", "patch_y", "patch_x"), patch)
    trained = DeepCAD(**sides, patches_per_epoch=N_PATCHES, n_epochs=1, device="cpu")
    public = PublicNetwork(new_network(16, 0).state_dict())
    calibrated, plain = (
        DeepCADModel(DeepCAD(calibrate=flag, device="cpu"), Checkpoint(new_network(16, 0), {}, 1.0))
        for flag in (True, False)
    )
    tasks = {
        f"{N_PATCHES} training steps": {
            "package": lambda: public_training(raw, patch),
            "ours": lambda: trained.fit(raw),
        },
        "inference": {
            "package": lambda: public_inference(raw, patch, public),
            "ours": lambda: calibrated.predict(raw)[:],
            "ours, not calibrated": lambda: plain.predict(raw)[:],
        },
    }
    rows = []
    for task, ways in tasks.items():
        seconds: dict[str, list[float]] = {way: [] for way in ways}
        for _ in range(ROUNDS):
            for way, run in ways.items():
                began = time.perf_counter()
                run()
                seconds[way].append(time.perf_counter() - began)
        for way, values in seconds.items():
            ratios = [p / v for p, v in zip(seconds["package"], values, strict=True)]
            median = statistics.median(values)
            rows.append((task, way, f"{median:.1f}", f"{statistics.median(ratios):.1f}"))
    print(f"## DeepCAD-RT on the CPU, {n_frames} x {size} x {size}, patches of {patch}\n")
    print(
        f"Threads: {torch.get_num_threads()}. PyTorch {torch.__version__}. Training steps include "
        "reading and cutting the patches.\n"
    )
    print(table(("task", "way", "seconds", "times as fast as the package"), rows))


def print_memory(size: int) -> None:
    """Peak memory of `denoise --model deepcad`, from file to file."""
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = str(folder / "model.pth")
        DeepCADModel(DeepCAD(), Checkpoint(new_network(16, 0), {}, 1.0)).save(model)
        how = ["--model", "deepcad", "--checkpoint", model, "--device", "cpu", "--json"]
        for n_frames in LENGTHS:
            with ProcessPoolExecutor(1) as elsewhere:  # a child's peak starts from its parent's
                raw, _ = elsewhere.submit(write_pair_like, folder, n_frames, size).result()
            cost = cost_of(["denoise", raw, "-o", str(folder / "out.tif"), *how])
            rows.append((str(n_frames), f"{cost.seconds:.1f}", f"{cost.peak_bytes / 1e6:.0f}"))
    print(f"\n`freq2clean denoise --model deepcad`, {size} x {size} pixels, TIFF to TIFF.\n")
    print(table(("frames", "seconds", "peak, MB"), rows))


if __name__ == "__main__":
    given = [int(argument) for argument in sys.argv[1:]]
    n_frames, size, patch = given or (160, 96, 64)
    main(n_frames, size, patch)
    print_memory(size)

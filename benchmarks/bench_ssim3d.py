"""SSIM3D: speed beside a dense 11 x 11 x 11 convolution, and peak memory on a long recording.

python benchmarks/bench_ssim3d.py [frames of the long recording]
"""

from __future__ import annotations

import resource
import sys
import time

import numpy as np
from scipy.ndimage import convolve

from freq2clean.metrics import ssim3d

SMALL = (16, 96, 96)
LONG = (6000, 490, 490)
OPTIONS = {"normalisation": None, "data_range": 1.0, "stride": 1}


def dense_ssim3d(x, y):
    """The definition: five dense convolutions."""
    line = np.exp(-((np.arange(11) - 5.0) ** 2) / (2 * 1.5**2))
    window = np.einsum("i,j,k", line, line, line)
    window = (window / window.sum()).astype(np.float32)

    def mean(image):
        return convolve(image, window, mode="constant")

    mx, my = mean(x), mean(y)
    vx, vy, covariance = mean(x * x) - mx**2, mean(y * y) - my**2, mean(x * y) - mx * my
    luminance = (2 * mx * my + 0.01**2) / (mx**2 + my**2 + 0.01**2)
    return (luminance * (2 * covariance + 0.03**2) / (vx + vy + 0.03**2)).mean(dtype=np.float64)


class LongRecording:
    """Frames made when asked for: `LONG` pixels that are never in memory at once."""

    dtype = np.dtype(np.uint16)

    def __init__(self, shape, seed):
        self.shape = shape
        self._frames = np.random.default_rng(seed).poisson(80, (16, *shape[1:])).astype(np.uint16)

    def __getitem__(self, key):
        return self._frames[np.arange(*key.indices(self.shape[0])) % len(self._frames)]


def seconds(call):
    start = time.perf_counter()
    value = float(call())
    return time.perf_counter() - start, value


def main():
    rng = np.random.default_rng(0)
    x = rng.random(SMALL, np.float32)
    y = (0.7 * x + 0.3 * rng.random(SMALL, np.float32)).astype(np.float32)
    dense, expected = seconds(lambda: dense_ssim3d(x, y))
    ours, value = min(seconds(lambda: ssim3d(x, y, **OPTIONS)) for _ in range(3))
    print("## SSIM3D\n")
    print(
        f"{' x '.join(map(str, SMALL))}: dense 11 x 11 x 11 convolutions {dense:.2f} s, ours "
        f"{ours:.3f} s, {dense / ours:.0f} times faster; values {expected:.6f} and {value:.6f}."
    )

    frames = int(sys.argv[1]) if len(sys.argv) > 1 else LONG[0]
    shape = (frames, *LONG[1:])
    elapsed, _ = seconds(lambda: ssim3d(LongRecording(shape, 1), LongRecording(shape, 2)))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"{' x '.join(map(str, shape))} uint16 with the study's options: {elapsed:.1f} s, peak "
        f"memory {peak:.2f} GB."
    )


if __name__ == "__main__":
    main()

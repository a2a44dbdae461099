"""One window in memory: the study's full transforms, the same threaded, and ours.

python benchmarks/bench_fusion.py [frames] [size]
"""

from __future__ import annotations

import sys

import numpy as np
import scipy.fft
from recording import make_pair
from skimage.exposure import match_histograms
from timing import median_seconds, table

from freq2clean import Dct, Fft, Subspace, Wiener
from freq2clean.fusion.method import Method

ALPHA = 0.85
BLOCK_FRAMES = 128


def study_fft(raw, denoised, rfft, irfft):
    """Full transform, magnitude of the mean blended with the matched raw one, full inverse."""
    spectrum = rfft(denoised)
    magnitude = np.abs(spectrum[0])
    matched = match_histograms(raw.mean(axis=0, dtype=np.float64), magnitude)
    blend = ALPHA * matched + (1 - ALPHA) * magnitude
    spectrum[0] *= np.where(magnitude > 1e-12, blend / np.maximum(magnitude, 1e-12), 0)
    return irfft(spectrum)


def numpy_path(raw, denoised):
    return study_fft(
        raw,
        denoised,
        lambda y: np.fft.rfft(y, axis=0),
        lambda s: np.fft.irfft(s, n=len(denoised), axis=0),
    )


def scipy_path(raw, denoised):
    return study_fft(
        raw,
        denoised,
        lambda y: scipy.fft.rfft(y, axis=0, workers=-1),
        lambda s: scipy.fft.irfft(s, n=len(denoised), axis=0, workers=-1),
    )


def study_dct(raw, denoised, workers):
    """Three full 3-D transforms; the raw mean stands for the moving average of 6000 frames."""
    method = Dct()
    temporal = np.zeros(len(denoised), np.float32)
    weights = method.temporal_weights(len(denoised))
    temporal[: len(weights)] = weights
    mean = np.broadcast_to(raw.mean(axis=0, dtype=np.float32), denoised.shape)
    difference = scipy.fft.dctn(mean, norm="ortho", workers=workers)
    fused = scipy.fft.dctn(denoised, norm="ortho", workers=workers)
    difference -= fused
    difference *= method.spatial_weights(denoised.shape[1:]).astype(np.float32)
    difference *= temporal[:, None, None]
    fused += difference
    return scipy.fft.idctn(fused, norm="ortho", workers=workers, overwrite_x=True)


def ours(method: Method, raw, denoised, out):
    fusion = method.fit(raw, denoised, block_frames=BLOCK_FRAMES)
    for start in range(0, len(raw), BLOCK_FRAMES):
        part = slice(start, start + BLOCK_FRAMES)
        for _ in fusion.stream(denoised[part], first_frame=start, room=lambda a, b: out[a:b]):
            pass
    return fusion


def main(n_frames: int, size: int) -> None:
    raw, denoised = make_pair(n_frames, size)
    out = np.zeros_like(denoised)
    copy = median_seconds(lambda: np.copyto(out, denoised), repeats=5)
    bytes_per_second = 2 * denoised.nbytes / copy
    floor = (raw.nbytes + 3 * denoised.nbytes) / bytes_per_second
    methods = {
        "ours, `fft` (matching histogram)": Fft(matching="histogram"),
        "ours, `fft`": Fft(),
        "ours, `dct`": Dct(),
        "ours, `wiener`": Wiener(),
        "ours, `subspace`": Subspace(),
    }
    seconds = {
        name: median_seconds(lambda m=method: ours(m, raw, denoised, out))
        for name, method in methods.items()
    }
    bins = ours(Wiener(), raw, denoised, out).findings["n_bins"]
    seconds["study's `fft`, SciPy, all cores"] = median_seconds(
        lambda: scipy_path(raw, denoised), repeats=1
    )
    seconds["study's `dct`, SciPy, all cores"] = median_seconds(
        lambda: study_dct(raw, denoised, -1), repeats=1
    )
    seconds["study's `dct`, SciPy, one core"] = median_seconds(
        lambda: study_dct(raw, denoised, 1), repeats=1
    )
    seconds["study's `fft`, NumPy"] = median_seconds(lambda: numpy_path(raw, denoised), repeats=1)
    print(f"## One window of {n_frames} x {size} x {size} in memory\n")
    print(
        f"uint16 raw, float32 denoised. A copy of the denoised array takes {copy:.2f} s, "
        f"{bytes_per_second / 1e9:.1f} GB/s; at that rate, reading the raw recording once, the "
        f"denoised one twice and writing the result takes {floor:.2f} s, the floor. "
        f"`wiener` found {bins} temporal bins of use.\n"
    )
    references = [
        floor,
        seconds["study's `fft`, NumPy"],
        seconds["study's `fft`, SciPy, all cores"],
        seconds["study's `dct`, SciPy, all cores"],
        seconds["study's `dct`, SciPy, one core"],
    ]
    rows = [
        [name, f"{value:.2f}", f"{value / references[0]:.1f}"]
        + [f"{reference / value:.1f}" for reference in references[1:]]
        for name, value in seconds.items()
    ]
    head = ("path", "seconds", "x floor", "faster than NumPy `fft`", "than SciPy `fft`")
    print(table((*head, "than full `dct`, all cores", "than full `dct`, one core"), rows))


if __name__ == "__main__":
    sizes = [int(argument) for argument in sys.argv[1:]]
    main(*(sizes + [3000, 512][len(sizes) :]))

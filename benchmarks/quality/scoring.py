"""Every fusion of a pair of recordings, those that know the truth included, and their scores."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dctn, idctn

from freq2clean import Fft
from freq2clean.fusion import METHODS, get_method
from freq2clean.fusion.bases import temporal_bands
from freq2clean.fusion.rings import ring_index, ring_sums
from freq2clean.fusion.scale import Scale
from freq2clean.metrics.psnr import psnr_of_sums
from freq2clean.metrics.quantiles import QuantileSketch
from freq2clean.metrics.snr import stsnr_of_sums
from freq2clean.metrics.ssim3d import ssim3d
from freq2clean.metrics.sums import SquaredSums
from freq2clean.metrics.traces import PixelTraces, active_pixels, correlation_of_pixels
from freq2clean.pipeline.probing import Probed, probed_gain
from freq2clean.recordings.memory import ArrayRecording

__all__ = [
    "METRICS",
    "NAMES",
    "ORACLES",
    "PROBED",
    "gain_by_probe",
    "with_best_alpha",
    "with_true_weights",
]

Frames = NDArray[np.float32]
Fused = tuple[Frames, float]

PROBED = ("probed_gain_db", "probed_low_db", "probed_high_db")
METRICS = ("psnr_db", "psnr_active_db", "ssim3d_own", "ssim3d_truth", "trace_corr", "stsnr_db")
DENOISED = "denoised"
BEST_ALPHA = "fft, best alpha"
ORACLES = ("oracle: true mean image", "oracle: true weights")
NAMES = (
    DENOISED,
    "fft",
    BEST_ALPHA,
    *(name for name in reversed(METHODS) if name != "fft"),
    *ORACLES,
)


def fusion_by(name: str) -> Callable[[Frames, NDArray[np.uint16], Frames], Fused]:
    """What makes a recording, and the fall of squared error that it foretells, from three."""
    known: dict[str, Callable[..., Frames]] = {
        DENOISED: lambda truth, raw, denoised: denoised,
        BEST_ALPHA: with_best_alpha,
        ORACLES[0]: lambda truth, raw, denoised: denoised - denoised.mean(0) + truth.mean(0),
        ORACLES[1]: with_true_weights,
    }

    def fuse(truth: Frames, raw: NDArray[np.uint16], denoised: Frames) -> Fused:
        if name in known:
            return known[name](truth, raw, denoised), np.nan
        method = Fft(matching="histogram") if name == "fft" else get_method(name)
        fusion = method.fit(raw, denoised)
        expected = fusion.findings.get("expected_mse_reduction", np.nan)
        return fusion.apply(denoised), expected

    return fuse


def gain_by_probe(
    raw: NDArray[np.uint16],
    denoised: Frames,
    fused: Frames,
    denoise: Callable[[Frames], Frames],
    method: str,
) -> dict[str, float]:
    """The gain in dB that a probe measures without the truth, and its bounds; NaN if unknown."""
    source = ArrayRecording(raw)
    probed = Probed(source)
    frames = probed[:]
    again = denoise(frames)
    fused_again = get_method(method).fit(frames, again).apply(again)
    pairs = [tuple(map(ArrayRecording, pair)) for pair in ((denoised, fused), (again, fused_again))]
    gain = probed_gain(source, pairs[0], probed, pairs[1], scale=Scale())
    found = zip(PROBED, (gain.db, *gain.interval_db), strict=True)
    return {name: np.nan if value is None else value for name, value in found}


def with_best_alpha(truth: Frames, raw: NDArray[np.uint16], denoised: Frames) -> Frames:
    """The study's fusion at the alpha that leaves the least squared error, which is quadratic."""
    none, full = (
        Fft(alpha=alpha, matching="histogram").fit(raw, denoised).apply(denoised)
        for alpha in (0.0, 1.0)
    )
    change, wanted = full - none, truth - none
    energy = np.sum(change**2, dtype=np.float64)
    alpha = np.sum(change * wanted, dtype=np.float64) / energy if energy else 0.0
    best: Frames = none + np.float32(np.clip(alpha, 0, 1)) * change
    return best


def with_true_weights(truth: Frames, raw: NDArray[np.uint16], denoised: Frames) -> Frames:
    """The residual, each band of time and space weighted as the truth likes best."""
    residual = dctn(np.subtract(raw, denoised, dtype=np.float32), norm="ortho", workers=-1)
    wanted = dctn(truth - denoised, norm="ortho", workers=-1)
    index = ring_index(truth.shape[1:])
    for start, stop in pairwise([*temporal_bands(len(truth)), len(truth)]):
        band = residual[start:stop]
        products, squares = (
            ring_sums(np.einsum("tyx,tyx->yx", band, other), index)
            for other in (wanted[start:stop], band)
        )
        weights = products / np.maximum(squares, np.finfo(np.float32).tiny)
        band *= weights.astype(np.float32)[index]
    correction = idctn(residual, norm="ortho", workers=-1, overwrite_x=True)
    return np.asarray(denoised + correction, np.float32)


def score(truth: Frames, recording: Frames) -> dict[str, float]:
    """The mean squared error and all `METRICS`."""
    sketch, sums, traces = (
        QuantileSketch(),
        SquaredSums(truth.shape[1:]),
        PixelTraces(truth.shape[1:]),
    )
    sketch.add(truth)
    sums.add(truth, recording)
    traces.add(truth, recording)
    data_range = sketch.quantiles([0.999])[0]
    active = active_pixels(traces)
    return {
        "mse": float(sums.error.sum() / truth.size),
        "psnr_db": psnr_of_sums(sums, data_range=data_range),
        "psnr_active_db": psnr_of_sums(sums, data_range=data_range, where=active),
        "ssim3d_own": ssim3d(truth, recording).value,
        "ssim3d_truth": ssim3d(truth, recording, normalisation="truth").value,
        "trace_corr": correlation_of_pixels(traces, active).mean,
        "stsnr_db": stsnr_of_sums(sums).stsnr_db,
    }

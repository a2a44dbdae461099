"""What fusion gains on simulated recordings, and where it gains nothing.

    python benchmarks/quality.py [frames] [size]    # rewrites docs/quality.md

Seeds differ from those that methods were tried on. The alpha of `fft` is the one that the truth
likes best, which no user could know.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from timing import table

from freq2clean import Dct, Fft, Wiener, denoise, evaluate, simulate
from freq2clean.metrics import Scores
from freq2clean.simulation import imitate_denoiser

SEEDS = (31_001, 31_002)
ALPHAS = (0.25, 0.5, 0.7, 0.85, 1.0)
MATCHINGS = ("histogram", "affine", "none")
FAINT_SHARE_OF_RANGE = 0.02
TARGET = Path(__file__).parent.parent / "docs" / "quality.md"


def inputs(n_frames: int, size: int, seed: int) -> Iterator[tuple[str, tuple]]:
    """Pairs to fuse: name, and truth, raw and denoised recording."""
    still = simulate((n_frames, size, size), seed=seed)
    truth, raw = still.truth[:], still.raw[:]
    yield "imitated network", (truth, raw, imitate_denoiser(truth, raw))
    yield "gaussian", (truth, raw, denoise(raw, model="gaussian"))
    yield "pca", (truth, raw, denoise(raw, model="pca"))
    faint = FAINT_SHARE_OF_RANGE * np.quantile(truth[::10], 0.999)
    noise = np.random.default_rng(seed).normal(0, faint, truth.shape).astype(np.float32)
    yield "truth + faint noise", (truth, raw, truth + noise)
    drifting = simulate((n_frames, size, size), seed=seed, drift_px=8.0)
    truth, raw = drifting.truth[:], drifting.raw[:]
    yield "imitated network, drift 8 px", (truth, raw, imitate_denoiser(truth, raw))
    bright = simulate((n_frames, size, size), seed=seed, snr_db=6.0)
    truth, raw = bright.truth[:], bright.raw[:]
    yield "imitated network, +6 dB", (truth, raw, imitate_denoiser(truth, raw))


def best_alpha(truth, raw, denoised, matching: str):
    """The study's fusion at the alpha that leaves the least squared error."""
    fusions = (Fft(alpha=a, matching=matching).fit(raw, denoised).apply(denoised) for a in ALPHAS)
    return min(fusions, key=lambda fused: np.square(fused - truth).mean(dtype=np.float64))


def scored(truth, raw, denoised) -> dict[str, Scores]:
    """Scores of the denoised recording and of every fusion."""

    def score(recording) -> Scores:
        return evaluate(truth, recording, data_range="q99.9")

    scores = {"denoised": score(denoised)}
    for matching in MATCHINGS:
        fused = best_alpha(truth, raw, denoised, matching)
        scores[f"fft, {matching}, best alpha"] = score(fused)
    for name, method in {"dct, study's weights": Dct(), "wiener": Wiener()}.items():
        scores[name] = score(method.fit(raw, denoised).apply(denoised))
    return scores


def main(n_frames: int, size: int) -> None:
    found: dict[str, dict[str, list[Scores]]] = {}
    for seed in SEEDS:
        for name, pair in inputs(n_frames, size, seed):
            print(name, seed, file=sys.stderr, flush=True)
            for method, scores in scored(*pair).items():
                found.setdefault(name, {}).setdefault(method, []).append(scores)
    sections = [
        "# Quality on simulated recordings\n\n"
        f"{n_frames} x {size} x {size} at -5.5 dB unless said otherwise, means over seeds "
        f"{', '.join(map(str, SEEDS))}; PSNR with the\n99.9 % quantile of the truth as data range, "
        "in brackets on the 5 % of pixels that vary most; SSIM3D by the\nstudy's convention. The "
        "study's `fft` matches by histogram. Written by "
        f"`python benchmarks/quality.py {n_frames} {size}`."
    ]
    for name, methods in found.items():
        rows = [
            (
                method,
                f"{np.mean([s.psnr_db for s in scores]):.2f} "
                f"({np.mean([s.psnr_active_db for s in scores]):.2f})",
                f"{np.mean([s.ssim3d.value for s in scores]):.3f}",
                f"{np.mean([s.active_correlation.mean for s in scores]):.3f}",
            )
            for method, scores in methods.items()
        ]
        sections.append(f"## {name}\n\n{table(('', 'PSNR, dB', 'SSIM3D', 'trace corr.'), rows)}")
    TARGET.write_text("\n\n".join(sections) + "\n", encoding="utf-8")
    print(TARGET.read_text(encoding="utf-8"))


if __name__ == "__main__":
    sizes = [int(argument) for argument in sys.argv[1:]]
    main(*(sizes + [1500, 192][len(sizes) :]))

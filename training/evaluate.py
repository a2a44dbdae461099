"""Set the network that ships beside the other denoisers, on recordings that nobody tuned on.

    python -m training.evaluate > scores.md

Prints the table of docs/model-card.md, the mean over seeds. Some ten minutes on one core.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

from freq2clean import denoise, evaluate, simulate

MODELS = "gaussian", "pca", "pretrained"
SEEDS = 31_001, 31_002, 1101, 1102
SHAPE = 300, 96, 96
BASE: dict[str, Any] = {"gain": 25.0, "read_noise": 1.25}
CONDITIONS: dict[str, dict[str, Any]] = {
    "-5.5 dB": {},
    "-5.5 dB, 1000 frames": {"n_frames": 1000},
    "-5.5 dB, 64 frames": {"n_frames": 64},
    "-12 dB": {"snr_db": -12.0},
    "0 dB": {"snr_db": 0.0},
    "+6 dB": {"snr_db": 6.0},
    "-5.5 dB, cells of 6 px": {"pixel_size_um": 2.0},
    "-5.5 dB, cells of 20 px": {"pixel_size_um": 0.6},
    "-5.5 dB, drift of 4 px": {"drift_px": 4.0},
    "-5.5 dB, jitter of 1 px": {"jitter_px": 1.0},
    "-5.5 dB, noise bleeds (0.5)": {"bleed": 0.5},
    "-18 dB (outside)": {"snr_db": -18.0},
    "+12 dB (outside)": {"snr_db": 12.0},
    "-5.5 dB, cells of 30 px (outside)": {"pixel_size_um": 0.4},
}


def scores_of(seed: int, n_frames: int = SHAPE[0], **options: Any) -> dict[str, Any]:
    """PSNR, PSNR of active pixels and SSIM3D of each model."""
    recording = simulate((n_frames, *SHAPE[1:]), seed=seed, **BASE | options)
    raw, truth = recording.raw[:], recording.truth[:]
    found = {}
    for model in MODELS:
        score = evaluate(truth, denoise(raw, model=model), data_range="q99.9")
        found[model] = score.psnr_db, score.psnr_active_db, score.ssim3d.value
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    seeds = parser.parse_args().seeds
    print(f"| condition | {' | '.join(MODELS)} |")
    print("| --- " * (1 + len(MODELS)) + "|")
    for name, options in CONDITIONS.items():
        of_seeds = [scores_of(seed, **options) for seed in seeds]
        cells = []
        for key in of_seeds[0]:
            psnr, active, ssim3d = np.mean([found[key] for found in of_seeds], axis=0)
            cells.append(f"{psnr:.2f} / {active:.2f} / {ssim3d:.3f}")
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()

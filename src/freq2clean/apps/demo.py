"""The main job from end to end, on an example that comes with the package."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from freq2clean.metrics import Scores
from freq2clean.pipeline import denoise, evaluate, fuse, simulate
from freq2clean.pipeline.saving import whole_file
from freq2clean.report.picture import side_by_side

__all__ = ["DemoResult", "run_demo"]

_SHAPE = (900, 160, 160)
_FUSIONS: dict[str, dict[str, Any]] = {
    "fused-by-study": {"method": "fft", "alpha": 0.85, "matching": "histogram"},
    "fused": {},
}


@dataclass(frozen=True)
class DemoResult:
    """Scores of raw, denoised and fused recordings, and the files that were written."""

    shape: tuple[int, int, int]
    scores: dict[str, Scores]
    files: dict[str, Path]

    def as_dict(self) -> dict[str, Any]:
        """The same, JSON-serialisable."""
        return {
            "shape": list(self.shape),
            "scores": {name: scores.as_dict() for name, scores in self.scores.items()},
            "files": {name: str(path) for name, path in self.files.items()},
        }


def run_demo(
    folder: Path,
    *,
    seed: int,
    shape: tuple[int, int, int] = _SHAPE,
    progress: Callable[[int, int], None] | None = None,
) -> DemoResult:
    """Simulate a recording, denoise it, fuse it by the study's method and ours, and score all."""
    n_steps = 4 + 2 * len(_FUSIONS)
    step = 0

    def done(of_step: int, total: int) -> None:
        if progress:
            progress(1000 * step + 1000 * of_step // total, 1000 * n_steps)

    simulate(shape, seed=seed, out=folder, progress=done)
    raw, truth, denoised = (folder / f"{name}.tif" for name in ("raw", "truth", "denoised"))
    step += 1
    denoise(raw, out=denoised, progress=done)
    recordings = {"raw": raw, "denoised": denoised}
    for name, options in _FUSIONS.items():
        recordings[name] = folder / f"{name}.tif"
        step += 1
        fuse(raw, denoised, out=recordings[name], progress=done, **options)
    scores = {}
    for name, path in recordings.items():
        step += 1
        scores[name] = evaluate(
            truth, path, data_range="q99.9", masks=folder / "labels.tif", progress=done
        )
    files = {
        "fused": recordings["fused"],
        "metrics": _write_table(folder / "metrics.csv", scores),
        "picture": side_by_side(
            {**recordings, "truth": truth}, folder / "side-by-side.png", frame=shape[0] // 2
        ),
    }
    return DemoResult(shape, scores, files)


def _write_table(path: Path, scores: dict[str, Scores]) -> Path:
    with whole_file(path) as unfinished, unfinished.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(
            ["recording", "psnr_db", "psnr_active_db", "ssim3d", "ssim_frames", "stsnr_db"]
        )
        for name, score in scores.items():
            values = (
                score.psnr_db,
                score.psnr_active_db,
                score.ssim3d.value,
                score.ssim_frames,
                score.snr.stsnr_db,
            )
            table.writerow([name, *(f"{value:.4f}" for value in values)])
    return path

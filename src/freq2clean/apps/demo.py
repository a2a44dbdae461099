"""``freq2clean demo``: the main job from end to end, on an example that comes with the package."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from freq2clean.apps import show
from freq2clean.apps.options import Json
from freq2clean.apps.terminal import print_json, progress_bar

if TYPE_CHECKING:
    from freq2clean.metrics import Scores

__all__ = ["DemoResult", "demo", "run_demo"]

_SHAPE = (900, 160, 160)
_FUSIONS: dict[str, dict[str, Any]] = {
    "fused-by-study": {"method": "fft", "alpha": 0.85, "matching": "histogram"},
    "fused": {},
}


def demo(
    folder: Annotated[
        Path, typer.Argument(help="A folder for the results, made if need be.")
    ] = Path("freq2clean-demo"),
    seed: Annotated[int, typer.Option(help="Of the simulated recording.")] = 0,
    json: Json = False,
) -> None:
    """Run the main job on an embedded example: simulate, denoise, fuse, evaluate, picture.

    Example: `freq2clean demo results`

    Takes less than a minute, and ends with a table of scores and the names of the fused file, the
    metrics and a side-by-side picture.
    """
    with progress_bar("demo") as progress:
        result = run_demo(folder, seed=seed, progress=progress)
    print_json(result.as_dict()) if json else show.demo(result)


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
    from freq2clean.pipeline import denoise, evaluate, fuse, simulate
    from freq2clean.report.picture import side_by_side

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
    from freq2clean.pipeline.saving import whole_file

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

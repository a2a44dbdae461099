"""Measure quality on simulated recordings and rewrite docs/quality.md.

python -m benchmarks.quality            conditions around a base, minutes
python -m benchmarks.quality --full     all conditions crossed, a night

Scores are kept as they come: a run that was stopped goes on where it was. Remove the file of
scores after a method changed.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

from benchmarks.quality.conditions import DENOISERS, SEEDS, around_base, by_recording, cross
from benchmarks.quality.measuring import measure
from benchmarks.quality.page import write_page
from benchmarks.quality.plots import draw_plots
from benchmarks.quality.results import Rows, Table
from benchmarks.quality.scoring import NAMES

ROOT = Path(__file__).parents[2]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.quality",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--full", action="store_true", help="cross all conditions")
    parser.add_argument("--size", type=int, default=64, help="rows and columns")
    parser.add_argument("--seeds", type=int, nargs="+", help="default: one, with --full two")
    parser.add_argument(
        "--scores",
        type=Path,
        default=ROOT / "build" / "quality.csv",
        help="the CSV file that keeps them",
    )
    parser.add_argument("--docs", type=Path, default=ROOT / "docs", help="where the page goes")
    parser.add_argument(
        "--checkpoint",
        action="append",
        default=[],
        metavar="DENOISER=FILE",
        help="also a trained denoiser, as deepcad=model.pt; may be repeated",
    )
    return parser.parse_args()


def main() -> None:
    options = arguments()
    seeds = options.seeds or (SEEDS if options.full else SEEDS[:1])
    checkpoints = dict(entry.split("=", 1) for entry in options.checkpoint)
    conditions = (cross if options.full else around_base)((*DENOISERS, *checkpoints))
    rows = Rows(options.scores)
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        jobs = [
            pool.submit(
                measure,
                group,
                size=options.size,
                seed=seed,
                known=frozenset(rows.keys),
                checkpoints=checkpoints,
            )
            for group in by_recording(conditions)
            for seed in seeds
        ]
        for job in as_completed(jobs):
            for row in job.result():
                rows.add(row)
    wanted = set(conditions)
    scores = Table(
        row
        for row in rows.all
        if row.condition in wanted
        and row.size == options.size
        and row.seed in seeds
        and row.method in NAMES
    )
    images = draw_plots(scores, options.docs / "images")
    command = "python -m benchmarks.quality" + (" --full" if options.full else "")
    page = write_page(scores, command=command, images=images)
    (options.docs / "quality.md").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()

"""``freq2clean study``: the study's claims, measured again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from freq2clean.apps import show
from freq2clean.apps.datasets import Home
from freq2clean.apps.model_options import BestModel
from freq2clean.apps.options import Json
from freq2clean.apps.terminal import out, print_json, progress_bar
from freq2clean.errors import InputError

__all__ = ["study"]

study = typer.Typer(
    no_args_is_help=True,
    help="Measure the study's claims again: tables, figures, and what came of them.\n\n"
    "Every step is kept in the folder: stopped in between, the same command goes on, and what is "
    "there is not done again.",
)

_Number = TypeVar("_Number", int, float)

Preset = StrEnum("Preset", ["tiny", "small", "middle", "paper", "noise2noise", "noise2void"])
RoiPreset = StrEnum("RoiPreset", ["tiny", "small", "paper"])

_SHOWN_OF_ONE = "patch_t", "method", "psnr_db", "ssim3d", "training_seconds"
_SHOWN = (
    "patch_t", "method", "psnr_db", "psnr_db_lowest", "psnr_db_highest",
    "ssim3d", "ssim3d_lowest", "ssim3d_highest",
)  # fmt: skip

Folder = Annotated[Path, typer.Option("--output", "-o", help="The folder, made if need be.")]
Seed = Annotated[int, typer.Option(min=0, help="Of the simulation and of trainings.")]
Clean = Annotated[
    str | None, typer.Option("--recording", metavar="CLEAN", help="Your recording without noise.")
]
Noisy = Annotated[str | None, typer.Option(help="The same recording with noise.")]
Denoised = Annotated[str | None, typer.Option(help="The same recording, denoised.")]
Drift = Annotated[float, typer.Option(help="Of the second simulated recording, in pixels.")]
Frames = Annotated[int, typer.Option(min=44, help="Of the simulated recordings.")]
Side = Annotated[int, typer.Option(min=11, help="Rows and columns of them.")]


@study.callback(invoke_without_command=True)
def dataset(
    context: typer.Context,
    name: Annotated[
        str | None,
        typer.Option(
            "--dataset",
            help="Instead of a study below: fetch a public recording with a truth, denoise it, "
            "fuse it by the study's settings and by auto, and score all.",
        ),
    ] = None,
    denoised: Annotated[
        str | None, typer.Option(help="The dataset's raw recording, denoised by you.")
    ] = None,
    model: BestModel = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", show_default="study-NAME", help="A folder."),
    ] = None,
    folder: Home = None,
    json: Json = False,
) -> None:
    given = {"--denoised": denoised, "--model": model, "--output": output, "--dir": folder}
    if name is None or context.invoked_subcommand:
        stray = [option for option, value in {**given, "--dataset": name}.items() if value]
        if stray:
            raise InputError(
                f"{stray[0]} is an option of freq2clean study --dataset NAME alone; options of "
                "another study come after its name"
            )
        return
    _dataset(
        name,
        output or Path(f"study-{name}"),
        folder,
        denoised=denoised,
        model=model and str(model),
        json=json,
    )


@study.command("patch-t")
def patch_t(
    preset: Annotated[
        Preset,
        typer.Option(
            help="tiny: seconds, to see that it works; small: half an hour of a CPU; middle: for a "
            "GPU; paper: the study's own, for one too; noise2noise, noise2void: as small, by those."
        ),
    ] = Preset.small,
    output: Folder = Path("study-patch-t"),
    recording: Clean = None,
    noisy: Noisy = None,
    lengths: Annotated[
        str | None, typer.Option("--patch-t", help="Instead of the preset's: 15,30,75 or so.")
    ] = None,
    seeds: Annotated[
        str,
        typer.Option(
            "--seeds",
            "--seed",
            help="Of the simulation and of trainings; with 0,1,2 all is done three times, and "
            "tables and figures give means and ranges.",
        ),
    ] = "0",
    device: Annotated[
        str | None, typer.Option(help="auto (a GPU if there is one), cpu, cuda, cuda:1 ...")
    ] = None,
    json: Json = False,
) -> None:
    """Does fusion replace training? Train on short and on long patches, fuse, compare.

    Example: `freq2clean study patch-t --preset small -o study`

    The study's claim is that a network trained with patch_t = 30 and fused beats one that was
    trained five times longer, with patch_t = 300. With `--preset paper --recording CLEAN --noisy
    NOISY` its own recording and settings are used.
    """
    from freq2clean.report.figures import check_installed
    from freq2clean.report.study import draw_gains, draw_training_time
    from freq2clean.studies import (
        COLUMNS,
        SUMMARY,
        study_patch_t,
        summarised,
        verdicts,
        write_table,
    )

    check_installed()
    if (recording is None) != (noisy is None):
        raise InputError("one of --recording and --noisy is given; give both, or none")
    with progress_bar("training") as progress:
        rows = study_patch_t(
            output,
            preset=str(preset),
            patch_t=_numbers(lengths, "--patch-t", int),
            truth=recording,
            raw=noisy,
            seeds=_numbers(seeds, "--seeds", int),
            device=device,
            progress=progress,
        )
    found, summary = verdicts(rows), summarised(rows)
    files = {
        "table": write_table(output / "patch-t.csv", COLUMNS, rows),
        "summary": write_table(output / "patch-t-summary.csv", SUMMARY, summary),
        "figure": draw_gains(rows, output / "patch-t.png"),
        "time": draw_training_time(rows, output / "training-time.png"),
    }
    if json:
        claims = [verdict.as_dict() for verdict in found]
        print_json({"rows": rows, "summary": summary, "verdicts": claims, "files": _texts(files)})
    else:
        show.table(summary, _SHOWN_OF_ONE if summary[0]["n_seeds"] == 1 else _SHOWN)
        show.verdicts(found)
        show.files(files)


@study.command()
def window(
    output: Folder = Path("study-window"),
    recording: Clean = None,
    noisy: Noisy = None,
    denoised: Denoised = None,
    windows: Annotated[
        str | None, typer.Option(help="Frames, instead of 100 to 3000: 300,1000,3000 or so.")
    ] = None,
    frames: Frames = 3000,
    size: Side = 64,
    drift_px: Drift = 4.0,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """How long should the study's windows be? Where the recording stands still, and drifts.

    Example: `freq2clean study window -o study`

    The study's fusion for every window length, with wiener, subspace and auto as lines across.
    Without recordings of yours, two are simulated, and a denoiser is imitated.
    """
    values = _numbers(windows, "--windows", int)
    _parameter(
        "window", output, (recording, noisy, denoised), values, (frames, size, size),
        drift_px=drift_px, seed=seed, json=json,
    )  # fmt: skip


@study.command()
def alpha(
    output: Folder = Path("study-alpha"),
    recording: Clean = None,
    noisy: Noisy = None,
    denoised: Denoised = None,
    alphas: Annotated[
        str | None, typer.Option(help="Instead of 0 to 1 in tenths: 0.5,0.85,1 or so.")
    ] = None,
    frames: Frames = 3000,
    size: Side = 64,
    drift_px: Drift = 4.0,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """How much of the raw mean image should the study's fusion take?

    Example: `freq2clean study alpha -o study`

    The study's fusion for every alpha, with wiener, subspace and auto as lines across. Without
    recordings of yours, two are simulated, and a denoiser is imitated.
    """
    _parameter(
        "alpha", output, (recording, noisy, denoised), _numbers(alphas, "--alphas", float),
        (frames, size, size), drift_px=drift_px, seed=seed, json=json,
    )  # fmt: skip


@study.command()
def rois(
    preset: Annotated[
        RoiPreset,
        typer.Option(
            help="tiny: a minute, to see that it works; small: half an hour of a CPU; paper: the "
            "study's size, for a GPU or a night."
        ),
    ] = RoiPreset.small,
    output: Folder = Path("study-rois"),
    recording: Clean = None,
    noisy: Noisy = None,
    denoised: Annotated[
        list[str] | None,
        typer.Option(help="The same recording, denoised; give it once for each denoiser."),
    ] = None,
    labels: Annotated[
        Path | None, typer.Option(help="True ROIs of your recording, as a label image.")
    ] = None,
    denoisers: Annotated[
        str | None,
        typer.Option(help="Instead of the preset's: imitated,pretrained,pca,gaussian or fewer."),
    ] = None,
    tools: Annotated[str, typer.Option(help="What finds ROIs.")] = "cellpose,suite2p",
    cell_model: Annotated[
        str | None,
        typer.Option(
            help="Weights of Cellpose, or 'simulated' to train a small model on simulated images, "
            "as for simulated recordings; for yours, Cellpose's own, from the internet, if not "
            "given.",
        ),
    ] = None,
    diameter_px: Annotated[
        float | None, typer.Option(help="Of a typical cell, for Cellpose.")
    ] = None,
    tau_s: Annotated[float, typer.Option(help="Decay time of the indicator, for Suite2p.")] = 0.7,
    frame_rate_hz: Annotated[
        float | None, typer.Option(help="Of your recording, if it does not say.")
    ] = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """What is fusion worth downstream? Cells that Cellpose and Suite2p find, and their traces.

    Example: `freq2clean study rois --preset small -o study`

    Simulated recordings have the study's noise and density of cells. Yours: `--noisy RAW` with
    `--labels FILE`, or with `--recording CLEAN`, or with both.
    """
    from freq2clean.report.figures import check_installed
    from freq2clean.report.rois import draw_roi_study
    from freq2clean.studies import ROI_COLUMNS, ROI_PRESETS, finders_of, study_rois, write_table

    check_installed()
    if noisy is None and cell_model is None:
        cell_model = "simulated"
    with progress_bar("finding ROIs") as progress:
        finders = finders_of(
            _words(tools),
            output,
            cell_model=cell_model,
            diameter_px=diameter_px,
            tau_s=tau_s,
            frame_rate_hz=frame_rate_hz,
            n_frames=ROI_PRESETS[str(preset)].cellpose_frames,
        )
        found = study_rois(
            output,
            finders,
            preset=str(preset),
            truth=recording,
            raw=noisy,
            denoised=denoised or (),
            labels=labels,
            denoisers=_words(denoisers),
            seed=seed,
            progress=progress,
        )
    table = write_table(output / "rois.csv", ROI_COLUMNS, found.rows)
    files = {"table": table, **draw_roi_study(found, output)}
    if json:
        print_json({"rows": found.rows, "files": _texts(files)})
    else:
        _show_rois(found.rows)
        show.files(files)


def _dataset(
    name: str,
    output: Path,
    folder: Path | None,
    *,
    denoised: str | None,
    model: str | None,
    json: bool,
) -> None:
    from freq2clean.datasets import fetch, get_dataset
    from freq2clean.studies import DATASET_COLUMNS, study_dataset, write_table

    dataset = get_dataset(name)
    _ = dataset.pair  # refused before gigabytes are fetched
    with progress_bar(f"downloading {name}") as progress:
        files = fetch(dataset, folder=folder, progress=progress)
    with progress_bar("fusing and scoring") as progress:
        rows = study_dataset(
            output, dataset, files, denoised=denoised, model=model, progress=progress
        )
    written = {"table": write_table(output / f"{name}.csv", DATASET_COLUMNS, rows)}
    if json:
        print_json({"rows": rows, "files": _texts(written)})
        return
    show.table(rows, ("denoiser", "method", *DATASET_COLUMNS[3:6]))
    out.print(
        f"data range {rows[0]['data_range']}; the truth: {dataset.truth_is}",
        markup=False,
        style="dim",
    )
    show.files(written)


def _parameter(
    name: Any,
    output: Path,
    recordings: tuple[str | None, str | None, str | None],
    values: Sequence[float],
    shape: tuple[int, int, int],
    *,
    drift_px: float,
    seed: int,
    json: bool,
) -> None:
    from freq2clean.report.figures import check_installed
    from freq2clean.report.study import draw_sweep
    from freq2clean.studies import columns_of, study_parameter, write_table

    check_installed()
    truth, raw, denoised = recordings
    with progress_bar("fusing and scoring") as progress:
        rows = study_parameter(
            output,
            name,
            values=values,
            truth=truth,
            raw=raw,
            denoised=denoised,
            shape=shape,
            drift_px=drift_px,
            seed=seed,
            progress=progress,
        )
    files = {
        "table": write_table(output / f"{name}.csv", columns_of(name), rows),
        "figure": draw_sweep(rows, name, output / f"{name}.png"),
    }
    if json:
        print_json({"rows": rows, "files": _texts(files)})
    else:
        show.table(rows, ("recording", "method", name, "psnr_db", "ssim3d"))
        show.files(files)


def _show_rois(rows: Sequence[Mapping[str, Any]]) -> None:
    """Scores against the true ROIs, if they are known; and what went wrong."""
    best = rows[0]["against"]
    shown = [
        {**row, "found_in": ", ".join(filter(None, (row["tool"], row["image"])))}
        for row in rows
        if row["against"] == best
    ]
    show.table(
        shown,
        ("denoiser", "method", "found_in", "rois", "union_iou", "f1", "trace_correlation"),
    )
    out.print(f"against {best}", markup=False)
    for problem in dict.fromkeys(row["problem"] for row in rows if row["problem"]):
        out.print(f"  {problem}", markup=False)


def _texts(files: Mapping[str, Path]) -> dict[str, str]:
    return {what: str(path) for what, path in files.items()}


def _words(text: str | None) -> list[str]:
    return [word.strip() for word in text.split(",")] if text else []


def _numbers(text: str | None, option: str, kind: Callable[[str], _Number]) -> list[_Number]:
    try:
        return [kind(part) for part in text.split(",")] if text is not None else []
    except ValueError as error:
        what = "whole numbers" if kind is int else "numbers"
        raise InputError(f"{option} = {text!r}; give {what} with commas between") from error

"""The command ``freq2clean``: parse, call, show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from freq2clean.apps import show
from freq2clean.apps.datasets import datasets, fetch
from freq2clean.apps.deepcad_run import to_fuse
from freq2clean.apps.options import (
    AlignTo,
    Baseline,
    BestModel,
    Channel,
    Checkpoint,
    Compress,
    DeepcadFolder,
    Device,
    Dtype,
    Json,
    Memory,
    Method,
    MethodName,
    ModelName,
    OptionalModel,
    Output,
    OutputOrUrl,
    Plane,
    Predicting,
    Program,
    Raw,
    Register,
    Scheduler,
    TrainFirst,
    Training,
    Window,
    Workers,
    given,
    option_of,
    with_groups,
)
from freq2clean.apps.render import render
from freq2clean.apps.report import ReportFile, planned_report, report
from freq2clean.apps.rois import rois
from freq2clean.apps.study import study
from freq2clean.apps.terminal import out, print_json, progress_bar
from freq2clean.denoisers import kind_of
from freq2clean.errors import InputError
from freq2clean.version import __version__

if TYPE_CHECKING:
    from freq2clean.pipeline import RunResult
    from freq2clean.recordings import Recording

__all__ = ["app"]

app = typer.Typer(
    name="freq2clean",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    help="Give the spatial detail back that a denoiser took from a fluorescence recording.\n\n"
    "Start with `freq2clean demo`, then `freq2clean fuse raw.tif denoised.tif -o fused.tif`, or "
    "`freq2clean run raw.tif -o fused.tif` where nothing is denoised yet.",
    epilog="Recordings are TIFF files (or a folder or glob of them), .zarr, .h5, .npy, .nwb ...; "
    "'file.h5::/path' and 'store.zarr/path' name an array inside.",
)
app.add_typer(study, name="study")
app.add_typer(rois, name="rois")
app.add_typer(datasets, name="datasets")
app.command()(fetch)
app.command()(render)
app.command()(report)


Matching = StrEnum("Matching", ["affine", "histogram", "none"])


class RawMean(StrEnum):
    """Which raw frames are averaged."""

    whole = "global"
    window = "window"


_FFT, _DCT, _SUBSPACE = (f"--method {name}" for name in ("fft", "dct", "auto and subspace"))
_MEASURING = "--method auto, subspace and wiener"
PerUm = Annotated[float | None, option_of(_DCT, "The same, in cycles per micrometre.")]
Hz = Annotated[float | None, option_of(_DCT, "The same, in hertz.")]
Unit = Annotated[float | None, option_of(_DCT, "Where the raw file does not say.")]
_HALF_WIDTH = "Half-width of that edge, in indices."


def _version(wanted: bool) -> None:
    if wanted:
        out.print(f"freq2clean {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


@app.command()
def fuse(
    output: OutputOrUrl,
    raw: Annotated[str | None, typer.Argument(help="The raw recording.")] = None,
    denoised: Annotated[str | None, typer.Argument(help="The same recording, denoised.")] = None,
    deepcad_run: DeepcadFolder = None,
    method: MethodName = Method.auto,
    window: Window = None,
    overlap: Annotated[
        float | None, typer.Option(help="Share of a window that fades into the next, 0 to 0.9.")
    ] = None,
    n_bins: Annotated[
        int | None, option_of(_MEASURING, "Temporal bins to correct.", "--bins")
    ] = None,
    keep_fixed_pattern: Annotated[
        bool | None,
        option_of(_MEASURING, "Take offsets of lines and hot pixels for signal."),
    ] = None,
    limit: Annotated[
        bool | None,
        option_of(_SUBSPACE, "Keep no more power than the raw recording supports, band by band."),
    ] = None,
    alpha: Annotated[
        str | None, option_of(_FFT, "Weight of the raw magnitude, 0 to 1; 1,0.5 for two bins.")
    ] = None,
    matching: Annotated[Matching | None, option_of(_FFT, "Of raw to denoised magnitudes.")] = None,
    raw_mean: Annotated[
        RawMean | None, option_of(_FFT, "Over the recording, or each window.")
    ] = None,
    raw_average: Annotated[int | None, option_of(_DCT, "Frames of the raw moving average.")] = None,
    spatial_cutoff: Annotated[
        float | None, option_of(_DCT, "Spatial coefficient index where detail begins.")
    ] = None,
    spatial_width: Annotated[float | None, option_of(_DCT, _HALF_WIDTH)] = None,
    temporal_cutoff: Annotated[
        float | None, option_of(_DCT, "Temporal coefficient index where slow ends.")
    ] = None,
    temporal_width: Annotated[float | None, option_of(_DCT, _HALF_WIDTH)] = None,
    spatial_cutoff_per_um: PerUm = None,
    spatial_width_per_um: PerUm = None,
    temporal_cutoff_hz: Hz = None,
    temporal_width_hz: Hz = None,
    frame_rate_hz: Unit = None,
    pixel_size_um: Unit = None,
    rescale: Annotated[
        bool,
        typer.Option(help="Bring a denoised recording on another scale to the raw one's."),
    ] = True,
    register: Register = False,
    dtype: Dtype = "float32",
    compression: Compress = None,
    align: AlignTo = None,
    channel: Channel = None,
    plane: Plane = None,
    memory: Memory = "1GB",
    workers: Workers = None,
    scheduler: Scheduler = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Keep what is done when stopped, even by kill -9 or a power cut, and go on with "
            "it; for .zarr targets.",
        ),
    ] = False,
    device: Device = None,
    report: ReportFile = None,
    json: Json = False,
) -> None:
    """Fuse a raw recording with its denoised version.

    Example: `freq2clean fuse raw.tif denoised.tif -o fused.tif`

    The default method, auto, needs no tuning: it measures noise and lost detail, adds what the raw
    recording supports, in the mean image and in what is active, and takes noise away that the
    denoiser left. `--method wiener` does the first of these, several times faster. The study's
    fusion is `--method fft --alpha 0.85 --matching histogram --window 3000`.
    """
    from freq2clean.pipeline import fuse as run
    from freq2clean.report.html import Known, write_report

    options = given(
        window=window,
        overlap=overlap,
        n_bins=n_bins,
        keep_fixed_pattern=keep_fixed_pattern,
        limit=limit,
        alpha=_numbers(alpha),
        matching=matching and str(matching),
        raw_mean=raw_mean and str(raw_mean),
        raw_average=raw_average,
        spatial_cutoff=spatial_cutoff,
        spatial_width=spatial_width,
        temporal_cutoff=temporal_cutoff,
        temporal_width=temporal_width,
        spatial_cutoff_per_um=spatial_cutoff_per_um,
        spatial_width_per_um=spatial_width_per_um,
        temporal_cutoff_hz=temporal_cutoff_hz,
        temporal_width_hz=temporal_width_hz,
        frame_rate_hz=frame_rate_hz,
        pixel_size_um=pixel_size_um and (pixel_size_um, pixel_size_um),
    )
    where: dict[str, Any] = {
        "align": align and str(align), "channel": channel, "plane": plane, "memory": memory,
    }  # fmt: skip
    raw, denoised, notes = to_fuse(raw, denoised, deepcad_run)
    target = planned_report(report, inputs=[raw, denoised, output])
    with progress_bar("fusing") as progress:
        result = run(
            raw,
            denoised,
            out=output,
            method=str(method),
            rescale=rescale,
            register=register,
            dtype=dtype,
            compression=compression and str(compression),
            workers=workers,
            scheduler=scheduler,
            resume=resume,
            device=device,
            progress=progress,
            **where,
            **options,
        )
    result = replace(result, notes=(*notes, *result.notes))
    written = None
    if target:
        with progress_bar("writing the report") as progress:
            known = Known(fusion=result)
            written = write_report(
                raw, denoised, output, out=target, known=known, progress=progress, **where
            )
    if json:
        print_json({**result.as_dict(), "report": written and written.path})
        return
    show.fusion(result)
    if written:
        show.report(written)


@app.command()
def inspect(
    raw: Raw,
    denoised: Annotated[str | None, typer.Argument(help="The same recording, denoised.")] = None,
    window: Annotated[
        int | None, typer.Option(help="Frames that the fusion is to average.")
    ] = None,
    channel: Channel = None,
    plane: Plane = None,
    json: Json = False,
) -> None:
    """Say whether fusion will help, and what is wrong with the recordings.

    Example: `freq2clean inspect raw.tif denoised.tif`

    Measures the noise, the SNR and the drift of the raw recording, and what the denoised one
    lacks. No ground truth is needed.
    """
    from freq2clean.pipeline import inspect as run

    with progress_bar("inspecting") as progress:
        inspection = run(
            raw, denoised, window=window, channel=channel, plane=plane, progress=progress
        )
    print_json(inspection.as_dict()) if json else show.inspection(inspection)


@app.command()
def evaluate(
    truth: Annotated[str, typer.Argument(help="The ground truth.")],
    recordings: Annotated[list[str], typer.Argument(help="One or more recordings to score.")],
    data_range: Annotated[
        str,
        typer.Option(
            help="For PSNR and SSIM: a number in the units of the pixels, or a percentile of the "
            "truth such as q99.9, as in the study."
        ),
    ],
    normalisation: Annotated[
        str,
        typer.Option(
            help="Of SSIM3D: own (each recording by its own percentiles, as in the study), truth "
            "(both by the truth's), or none (needs a number as data range)."
        ),
    ] = "own",
    stride: Annotated[int, typer.Option(help="Of SSIM3D: every so many frames are taken.")] = 4,
    masks: Annotated[
        Path | None, typer.Option(help="A label image of ROIs whose traces are compared.")
    ] = None,
    align: AlignTo = None,
    channel: Channel = None,
    plane: Plane = None,
    memory: Memory = "1GB",
    workers: Workers = None,
    json: Json = False,
) -> None:
    """Score recordings against a ground truth.

    Example: `freq2clean evaluate truth.tif denoised.tif fused.tif --data-range q99.9`

    PSNR, SSIM3D (with the convention it was computed under, for the same movies score very
    differently under others), SSIM per frame, stSNR, and correlation of traces.
    """
    from freq2clean.metrics import SSIM3DOptions
    from freq2clean.pipeline import evaluate as run

    range_ = _data_range(data_range)
    kind: Any = None if normalisation == "none" else normalisation
    options = SSIM3DOptions(
        normalisation=kind,
        stride=stride,
        data_range=range_ if kind is None and isinstance(range_, float) else None,
    )
    scores = {}
    for recording in recordings:
        with progress_bar(f"scoring {recording}") as progress:
            scores[recording] = run(
                truth,
                recording,
                data_range=range_,
                ssim3d=options,
                masks=masks,
                align=align and str(align),
                channel=channel,
                plane=plane,
                memory=memory,
                workers=workers,
                progress=progress,
            )
    if json:
        print_json({name: score.as_dict() for name, score in scores.items()})
    else:
        show.scores(scores)


@app.command()
@with_groups
def denoise(
    raw: Raw,
    output: Output,
    *,
    model: OptionalModel = None,
    command: Program = None,
    checkpoint: Checkpoint = None,
    train: TrainFirst = False,
    baseline: Baseline,
    training: Training,
    predicting: Predicting,
    dtype: Dtype = "float32",
    compression: Compress = None,
    channel: Channel = None,
    plane: Plane = None,
    memory: Memory = "1GB",
    workers: Workers = None,
    json: Json = False,
) -> None:
    """Denoise a recording.

    Example: `freq2clean denoise raw.tif -o denoised.tif`

    gaussian and pca are fitted to the recording in a moment. A Gaussian blurs detail away that
    fusion brings back; a PCA keeps the raw mean image, so that fusion has little to add to it.

    deepcad takes a model: `--model deepcad --checkpoint model.pth`, or `--train`, which has the
    options of `freq2clean train` and takes long.

    Any program will do: `--command "prog {input} {output}"`.
    """
    from freq2clean.pipeline import denoise as run

    chosen = _chosen(model, command)
    _check_trained(chosen, checkpoint, train=train)
    with progress_bar("denoising") as progress:
        result = run(
            raw,
            out=output,
            model=str(chosen or "gaussian"),
            checkpoint=checkpoint,
            train=train,
            dtype=dtype,
            compression=compression and str(compression),
            channel=channel,
            plane=plane,
            memory=memory,
            workers=workers,
            progress=progress,
            **given(command=command, **baseline.given()),
            **training.given(),
            **predicting.given(),
        )
    print_json(result.as_dict()) if json else show.denoising(result)


@app.command()
@with_groups
def train(
    raws: Annotated[
        list[str],
        typer.Argument(
            metavar="RAW", help="Raw recordings; for noise2noise one, or two of each scene."
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The model: a file, as in model.pth.")
    ],
    *,
    model: ModelName = "deepcad",
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the model that stands there.")
    ] = False,
    training: Training,
    predicting: Predicting,
    channel: Channel = None,
    plane: Plane = None,
    json: Json = False,
) -> None:
    """Train a denoiser on raw recordings, without ground truth.

    Example: `freq2clean train raw.tif -o model.pth --patch-t 30 --patch-xy 64 --patches 500`

    Then `freq2clean denoise raw.tif -o denoised.tif --model deepcad --checkpoint model.pth`, or
    `freq2clean run` with the same options.

    noise2noise learns one acquisition of a scene from another, frame by frame, as in
    `freq2clean train one.tif other.tif -o model.pth --model noise2noise`.

    Without options, patches are 150 frames of 150 x 150 pixels, 6000 in each of 10 epochs: work
    for a GPU. The model is written after every epoch; stopped in between, `--resume` goes on.
    """
    from freq2clean.pipeline import train as run

    with progress_bar("training") as progress:
        result = run(
            *raws,
            out=output,
            model=str(model),
            resume=resume,
            channel=channel,
            plane=plane,
            progress=progress,
            **training.given(),
            **predicting.given(),
        )
    print_json(result.as_dict()) if json else show.training(result)


@app.command()
@with_groups
def run(
    raw: Raw,
    output: Output,
    *,
    model: BestModel = None,
    command: Program = None,
    checkpoint: Checkpoint = None,
    train: TrainFirst = False,
    baseline: Baseline,
    training: Training,
    predicting: Predicting,
    method: MethodName = Method.auto,
    window: Window = None,
    register: Register = False,
    probe: Annotated[
        bool,
        typer.Option(
            "--probe",
            help="Measure what was gained, by doing it all once more with faint noise added.",
        ),
    ] = False,
    keep_denoised: Annotated[
        Path | None, typer.Option(help="Where to keep the denoised recording.", metavar="FILE")
    ] = None,
    dtype: Dtype = "float32",
    compression: Compress = None,
    channel: Channel = None,
    plane: Plane = None,
    memory: Memory = "1GB",
    workers: Workers = None,
    report: ReportFile = None,
    no_report: Annotated[
        bool, typer.Option("--no-report", help="Write the recording only.")
    ] = False,
    json: Json = False,
) -> None:
    """Denoise a recording, fuse it, and report what came of it.

    Example: `freq2clean run raw.tif -o fused.tif`

    The model is pretrained, or gaussian where neither ONNX Runtime nor PyTorch is installed. With
    a network of your own: `--model deepcad --checkpoint model.pth`, or `--train` for one that is
    trained now; with any program: `--command "prog {input} {output}"`. A report goes beside the
    output, as in fused-report.html: one file with pictures, a movie, and what was gained. For all
    options of each step there are `freq2clean denoise` and `freq2clean fuse`.
    """
    from freq2clean.pipeline import run as denoise_and_fuse
    from freq2clean.pipeline.denoising import shares
    from freq2clean.report.html import Known, Report, write_report

    def write(recordings: Mapping[str, Recording], result: RunResult | None) -> None:
        assert result
        assert target
        known = Known(result.fused, result.denoised, result.gain)
        three = recordings.values()
        written.append(
            write_report(*three, out=target, known=known, memory=memory, progress=reporting)
        )

    written: list[Report] = []
    beside = None if no_report else output
    target = planned_report(report, beside=beside, inputs=[raw, output])
    chosen = _chosen(model, command)
    _check_trained(chosen, checkpoint, train=train)
    with progress_bar("denoising and fusing") as progress:
        working, reporting = shares(progress, 5, 1) if target else (progress, None)
        result = denoise_and_fuse(
            raw,
            out=output,
            model=chosen and str(chosen),
            checkpoint=checkpoint,
            train=train,
            model_options={
                **given(command=command, **baseline.given()),
                **training.given(),
                **predicting.given(),
            },
            method=str(method),
            register=register,
            probe=probe,
            keep_denoised=keep_denoised,
            dtype=dtype,
            compression=compression and str(compression),
            channel=channel,
            plane=plane,
            memory=memory,
            workers=workers,
            progress=working,
            look=write if target else None,
            **given(window=window),
        )
    if json:
        print_json({**result.as_dict(), "report": target and str(target)})
    else:
        show.run(result)
        for one in written:
            show.report(one)


@app.command()
def simulate(
    folder: Annotated[Path, typer.Argument(help="A folder, made if need be.")],
    frames: Annotated[int, typer.Option(min=1)] = 1500,
    height: Annotated[int, typer.Option(min=1)] = 192,
    width: Annotated[int, typer.Option(min=1)] = 192,
    seed: Annotated[int, typer.Option(help="The same seed gives the same recording.")] = 0,
    snr_db: Annotated[
        float, typer.Option(help="10 log10(sum of squared signal / sum of squared noise).")
    ] = -5.5,
    frame_rate_hz: Annotated[float, typer.Option()] = 30.0,
    pixel_size_um: Annotated[float, typer.Option()] = 1.0,
    drift_px: Annotated[float, typer.Option(help="From the first frame to the last.")] = 0.0,
    jitter_px: Annotated[float, typer.Option(help="Standard deviation, frame to frame.")] = 0.0,
    bleaching: Annotated[float, typer.Option(help="Share of the light lost at the end.")] = 0.1,
    gain: Annotated[float, typer.Option(help="Counts per photon.")] = 100.0,
    offset: Annotated[float, typer.Option(help="Counts without light.")] = 20.0,
    read_noise: Annotated[float, typer.Option(help="In counts.")] = 5.0,
    bleed: Annotated[float, typer.Option(help="Share of noise passed to the next pixel.")] = 0.0,
    json: Json = False,
) -> None:
    """Simulate a recording with ground truth.

    Example: `freq2clean simulate simulated --frames 1500 --seed 7`

    Writes raw.tif, truth.tif, labels.tif, traces.npy and spikes.npy.
    """
    from freq2clean.pipeline import simulate as run

    with progress_bar("simulating") as progress:
        simulated = run(
            (frames, height, width),
            seed=seed,
            out=folder,
            progress=progress,
            snr_db=snr_db,
            frame_rate_hz=frame_rate_hz,
            pixel_size_um=pixel_size_um,
            drift_px=drift_px,
            jitter_px=jitter_px,
            bleaching=bleaching,
            gain=gain,
            offset=offset,
            read_noise=read_noise,
            bleed=bleed,
        )
    facts = {
        "folder": str(folder),
        "shape": list(simulated.raw.shape),
        "n_cells": len(simulated.traces),
        "photons_per_pixel": simulated.photons_per_pixel,
    }
    print_json(facts) if json else show.simulation(facts)


@app.command()
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
    from freq2clean.apps.demo import run_demo

    with progress_bar("demo") as progress:
        result = run_demo(folder, seed=seed, progress=progress)
    print_json(result.as_dict()) if json else show.demo(result)


def _chosen(model: str | None, command: str | None) -> str | None:
    """The model, which a command names by itself."""
    if command is None:
        return model
    if model not in (None, "command"):
        raise InputError(f"--command and --model {model} are both given; leave one of them away")
    return "command"


def _check_trained(model: str | None, checkpoint: Path | None, *, train: bool = False) -> None:
    if model and kind_of(model).trains_long and not (checkpoint or train):
        raise InputError(
            f"{model} needs a trained model: make one with freq2clean train, and give it with "
            "--checkpoint"
        )
    if train and model is None:
        raise InputError("--train: name what is to be trained, as in --model deepcad")


def _numbers(text: str | None) -> float | tuple[float, ...] | None:
    if text is None:
        return None
    try:
        values = tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise InputError(f"alpha = {text!r}; give a number such as 0.85, or 1,0.5,0.25") from error
    return values if len(values) > 1 else values[0]


def _data_range(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text

"""The command ``freq2clean``: parse, call, show."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from freq2clean.apps import show
from freq2clean.apps.terminal import out, print_json, progress_bar
from freq2clean.errors import InputError
from freq2clean.version import __version__

__all__ = ["app"]

app = typer.Typer(
    name="freq2clean",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    help="Give the spatial detail back that a denoiser took from a fluorescence recording.\n\n"
    "Start with `freq2clean demo`, then `freq2clean fuse raw.tif denoised.tif -o fused.tif`.",
    epilog="Recordings are TIFF files (or a folder or glob of them), .zarr, .h5 and .npy; "
    "'file.h5::/path' and 'store.zarr/path' name an array inside.",
)


Method = StrEnum("Method", ["wiener", "fft", "dct"])
Matching = StrEnum("Matching", ["affine", "histogram", "none"])


class RawMean(StrEnum):
    """Which raw frames are averaged."""

    whole = "global"
    window = "window"


Align = StrEnum("Align", ["start", "end", "center"])


Compression = StrEnum("Compression", ["deflate", "zstd"])
Model = StrEnum("Model", ["gaussian", "pca"])


Json = Annotated[bool, typer.Option("--json", help="Print machine-readable results.")]
Channel = Annotated[int | None, typer.Option(help="Channel, where there are several.")]
Plane = Annotated[int | None, typer.Option(help="Plane, where there are several.")]
Memory = Annotated[str, typer.Option(help="Bound on the working memory, such as 500MB or 4GB.")]
Dtype = Annotated[
    str,
    typer.Option(
        help="Of the file: float32, same (as the raw recording), uint16 ... Integers are rounded "
        "and clipped, and clipped values are counted."
    ),
]
Compress = Annotated[
    Compression | None, typer.Option("--compression", help="TIFF and Zarr: both; HDF5: deflate.")
]
AlignTo = Annotated[
    Align | None,
    typer.Option(help="Where the frames of a recording with fewer of them lie in the other."),
]
Output = Annotated[
    Path,
    typer.Option("--output", "-o", help="Where to write; format by suffix: .tif .zarr .h5 .npy"),
]

_WIENER, _FFT, _DCT = (f"Options of --method {method}" for method in Method)


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
    raw: Annotated[str, typer.Argument(help="The raw recording.")],
    denoised: Annotated[str, typer.Argument(help="The same recording, denoised.")],
    output: Output,
    method: Annotated[
        Method, typer.Option(help="wiener measures its weights; fft and dct are the study's.")
    ] = Method.wiener,
    window: Annotated[int | None, typer.Option(help="Frames per window.")] = None,
    overlap: Annotated[
        float | None, typer.Option(help="Share of a window that fades into the next, 0 to 0.9.")
    ] = None,
    n_bins: Annotated[
        int | None,
        typer.Option("--bins", help="Temporal bins to correct.", rich_help_panel=_WIENER),
    ] = None,
    alpha: Annotated[
        str | None,
        typer.Option(
            help="Weight of the raw magnitude, 0 to 1; 1,0.5 for two bins.", rich_help_panel=_FFT
        ),
    ] = None,
    matching: Annotated[
        Matching | None, typer.Option(help="Of raw to denoised magnitudes.", rich_help_panel=_FFT)
    ] = None,
    raw_mean: Annotated[
        RawMean | None,
        typer.Option(help="Over the recording, or each window.", rich_help_panel=_FFT),
    ] = None,
    raw_average: Annotated[
        int | None, typer.Option(help="Frames of the raw moving average.", rich_help_panel=_DCT)
    ] = None,
    spatial_cutoff: Annotated[
        float | None,
        typer.Option(help="Spatial coefficient index where detail begins.", rich_help_panel=_DCT),
    ] = None,
    spatial_width: Annotated[
        float | None,
        typer.Option(help="Half-width of that edge, in indices.", rich_help_panel=_DCT),
    ] = None,
    temporal_cutoff: Annotated[
        float | None,
        typer.Option(help="Temporal coefficient index where slow ends.", rich_help_panel=_DCT),
    ] = None,
    temporal_width: Annotated[
        float | None,
        typer.Option(help="Half-width of that edge, in indices.", rich_help_panel=_DCT),
    ] = None,
    spatial_cutoff_per_um: Annotated[
        float | None, typer.Option(help="The same, in cycles per micrometre.", rich_help_panel=_DCT)
    ] = None,
    spatial_width_per_um: Annotated[
        float | None, typer.Option(help="The same, in cycles per micrometre.", rich_help_panel=_DCT)
    ] = None,
    temporal_cutoff_hz: Annotated[
        float | None, typer.Option(help="The same, in hertz.", rich_help_panel=_DCT)
    ] = None,
    temporal_width_hz: Annotated[
        float | None, typer.Option(help="The same, in hertz.", rich_help_panel=_DCT)
    ] = None,
    frame_rate_hz: Annotated[
        float | None, typer.Option(help="Where the raw file does not say.", rich_help_panel=_DCT)
    ] = None,
    pixel_size_um: Annotated[
        float | None, typer.Option(help="Where the raw file does not say.", rich_help_panel=_DCT)
    ] = None,
    rescale: Annotated[
        bool,
        typer.Option(help="Bring a denoised recording on another scale to the raw one's."),
    ] = True,
    dtype: Dtype = "float32",
    compression: Compress = None,
    align: AlignTo = None,
    channel: Channel = None,
    plane: Plane = None,
    memory: Memory = "1GB",
    json: Json = False,
) -> None:
    """Fuse a raw recording with its denoised version.

    Example: `freq2clean fuse raw.tif denoised.tif -o fused.tif`

    The default method, wiener, needs no tuning: it measures noise and lost detail and adds what
    the raw recording supports. The study's fusion is
    `--method fft --alpha 0.85 --matching histogram --window 3000`.
    """
    from freq2clean.pipeline import fuse as run

    options = _given(
        window=window,
        overlap=overlap,
        n_bins=n_bins,
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
    with progress_bar("fusing") as progress:
        result = run(
            raw,
            denoised,
            out=output,
            method=str(method),
            rescale=rescale,
            dtype=dtype,
            compression=compression and str(compression),
            align=align and str(align),
            channel=channel,
            plane=plane,
            memory=memory,
            progress=progress,
            **options,
        )
    print_json(result.as_dict()) if json else show.fusion(result)


@app.command()
def inspect(
    raw: Annotated[str, typer.Argument(help="The raw recording.")],
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
                progress=progress,
            )
    if json:
        print_json({name: score.as_dict() for name, score in scores.items()})
    else:
        show.scores(scores)


@app.command()
def denoise(
    raw: Annotated[str, typer.Argument(help="The raw recording.")],
    output: Output,
    model: Annotated[
        Model, typer.Option(help="gaussian: widths chosen from the data; pca: local, by patch.")
    ] = Model.gaussian,
    dtype: Dtype = "float32",
    compression: Compress = None,
    channel: Channel = None,
    plane: Plane = None,
    memory: Memory = "1GB",
    json: Json = False,
) -> None:
    """Denoise a recording without training.

    Example: `freq2clean denoise raw.tif -o denoised.tif`

    For when no trained denoiser is at hand. A Gaussian blurs detail away that fusion brings back;
    a PCA keeps the raw mean image, so that fusion has little to add to it.
    """
    from freq2clean.pipeline import denoise as run

    with progress_bar("denoising") as progress:
        result = run(
            raw,
            out=output,
            model=str(model),
            dtype=dtype,
            compression=compression and str(compression),
            channel=channel,
            plane=plane,
            memory=memory,
            progress=progress,
        )
    print_json(result.as_dict()) if json else show.denoising(result)


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


def _given(**options: Any) -> dict[str, Any]:
    """The options that were given on the command line."""
    return {name: value for name, value in options.items() if value is not None}


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

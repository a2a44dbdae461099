"""``freq2clean fuse``."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from freq2clean.apps import show
from freq2clean.apps.deepcad_run import to_fuse
from freq2clean.apps.options import (
    AlignTo,
    DeepcadFolder,
    Device,
    Files,
    Json,
    MethodName,
    OutputOrUrl,
    Register,
    Scheduler,
    Window,
    given,
    with_groups,
)
from freq2clean.apps.report import ReportFile, planned_report
from freq2clean.apps.terminal import print_json, progress_bar
from freq2clean.fusion import DEFAULT_METHOD

__all__ = ["fuse"]


@with_groups
def fuse(
    context: typer.Context,
    output: OutputOrUrl,
    raw: Annotated[str | None, typer.Argument(help="The raw recording.")] = None,
    denoised: Annotated[str | None, typer.Argument(help="The same recording, denoised.")] = None,
    *,
    deepcad_run: DeepcadFolder = None,
    method: MethodName = DEFAULT_METHOD,
    window: Window = None,
    overlap: Annotated[
        float | None, typer.Option(help="Share of a window that fades into the next, 0 to 0.9.")
    ] = None,
    rescale: Annotated[
        bool,
        typer.Option(help="Bring a denoised recording on another scale to the raw one's."),
    ] = True,
    register: Register = False,
    align: AlignTo = None,
    files: Files,
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

    aligned = align and str(align)
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
            scheduler=scheduler,
            resume=resume,
            device=device,
            progress=progress,
            align=aligned,
            **files.given(),
            **given(window=window, overlap=overlap),
            **context.obj,
        )
    result = replace(result, notes=(*notes, *result.notes))
    written = None
    if target:
        with progress_bar("writing the report") as progress:
            written = write_report(
                raw,
                denoised,
                output,
                out=target,
                known=Known(fusion=result),
                align=aligned,
                channel=files.channel,
                plane=files.plane,
                memory=files.memory,
                progress=progress,
            )
    if json:
        print_json({**result.as_dict(), "report": written and written.path})
        return
    show.fusion(result)
    if written:
        show.report(written)

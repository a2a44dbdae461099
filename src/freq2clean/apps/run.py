"""``freq2clean run``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from freq2clean.apps import show
from freq2clean.apps.model_options import (
    Baseline,
    BestModel,
    Checkpoint,
    Predicting,
    Program,
    TrainFirst,
    Training,
    check_trained,
    chosen_model,
)
from freq2clean.apps.options import (
    Files,
    Json,
    MethodName,
    Output,
    Raw,
    Register,
    Window,
    given,
    with_groups,
)
from freq2clean.apps.report import ReportFile, planned_report
from freq2clean.apps.terminal import print_json, progress_bar
from freq2clean.fusion import DEFAULT_METHOD

if TYPE_CHECKING:
    from freq2clean.pipeline import RunResult
    from freq2clean.recordings import Recording

__all__ = ["run"]


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
    method: MethodName = DEFAULT_METHOD,
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
    files: Files,
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
            write_report(*three, out=target, known=known, memory=files.memory, progress=reporting)
        )

    written: list[Report] = []
    beside = None if no_report else output
    target = planned_report(report, beside=beside, inputs=[raw, output])
    chosen = chosen_model(model, command)
    check_trained(chosen, checkpoint, train=train)
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
            progress=working,
            look=write if target else None,
            **files.given(),
            **given(window=window),
        )
    if json:
        print_json({**result.as_dict(), "report": target and str(target)})
    else:
        show.run(result)
        for one in written:
            show.report(one)

"""``freq2clean report``, and the report that other commands write."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from freq2clean.apps import show
from freq2clean.apps.options import AlignTo, Channel, Json, Memory, Plane, Raw
from freq2clean.apps.terminal import print_json, progress_bar

if TYPE_CHECKING:
    from freq2clean.rois import Rois

__all__ = ["ReportFile", "planned_report", "report"]

ReportFile = Annotated[
    Path | None,
    typer.Option("--report", metavar="FILE", help="Write a report, one HTML file with pictures."),
]


def report(
    raw: Raw,
    denoised: Annotated[str, typer.Argument(help="The same recording, denoised.")],
    fused: Annotated[str, typer.Argument(help="What fusion made of both.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The report, as in report.html.")
    ] = Path("report.html"),
    truth: Annotated[str | None, typer.Option(help="The ground truth, to score by.")] = None,
    rois: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[NAME=]FILE",
            help="ROIs that were found on raw, denoised or fused, or those of the truth, as in "
            "denoised=rois.npz; .npz, or a label image. Without a name, on fused.",
        ),
    ] = None,
    align: AlignTo = None,
    channel: Channel = None,
    plane: Plane = None,
    memory: Memory = "1GB",
    json: Json = False,
) -> None:
    """Say in one HTML file what a fusion did and what it gained, with pictures.

    Example: `freq2clean report raw.tif denoised.tif fused.tif -o report.html`

    The file takes nothing from the network: it can be mailed, and works from a USB stick.
    Weights and the expected gain are found by fitting once more, if the fused file says how it was
    made; `freq2clean fuse --report FILE` and `freq2clean run` know them already.
    """
    from freq2clean.report.html import Known, write_report

    known = Known(rois=_rois(rois or []))
    with progress_bar("writing the report") as progress:
        written = write_report(
            raw,
            denoised,
            fused,
            out=output,
            truth=truth,
            known=known,
            align=align and str(align),
            channel=channel,
            plane=plane,
            memory=memory,
            progress=progress,
        )
    print_json(written.as_dict()) if json else show.report(written)


def planned_report(
    given: Path | None, *, beside: Path | None = None, inputs: Sequence[str | Path]
) -> Path | None:
    """Where a report is to go: where it was said, else beside a recording, if one is named."""
    from freq2clean.recordings.formats import locate
    from freq2clean.report.html import check_report

    if given:
        return check_report(given, inputs=inputs)
    if beside is None:
        return None
    file, _ = locate(beside)
    return file.with_name(f"{file.stem}-report.html")


def _rois(words: Sequence[str]) -> dict[str, Rois]:
    """From NAME=FILE, or FILE for those of the fused recording."""
    from freq2clean.report.html import KINDS, read_rois

    found = {}
    for word in words:
        kind, _, path = word.partition("=")
        kind, path = (kind, path) if kind in KINDS else ("fused", word)
        found[kind] = read_rois(path)
    return found

"""``freq2clean datasets`` and ``freq2clean fetch``: public recordings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from freq2clean.apps.options import Json
from freq2clean.apps.terminal import out, print_json, progress_bar

if TYPE_CHECKING:
    from freq2clean.datasets import Dataset

__all__ = ["Home", "datasets", "fetch"]

datasets = typer.Typer(
    no_args_is_help=True,
    help="Public recordings to try things on: the study's, and others.\n\n"
    "They are kept in your cache folder, or in the one that `--dir` names.",
)

Name = Annotated[str, typer.Argument(help="As `freq2clean datasets list` has it.")]
Home = Annotated[
    Path | None,
    typer.Option("--dir", help="The folder of all datasets, instead of your cache folder."),
]
_UNKNOWN = "unknown"


@datasets.command("list")
def list_(folder: Home = None, json: Json = False) -> None:
    """What there is, and what of it is here."""
    from freq2clean.datasets import read_registry

    found = {name: _facts(one, folder) for name, one in read_registry().items()}
    if json:
        print_json(list(found.values()))
        return
    table = Table(box=None, pad_edge=False)
    for head in ("name", "frames", "size px", "Hz", "µm/px", "truth", "here", "what"):
        table.add_column(head)
    for name, facts in found.items():
        size = " x ".join(map(str, facts["size_px"])) if facts["size_px"] else None
        shown = (facts["frames"], size, facts["frame_rate_hz"], facts["pixel_size_um"])
        table.add_row(
            name,
            *("?" if value is None else f"{value}" for value in shown),
            "yes" if facts["truth"] else "?" if facts["record"] and not facts["raw"] else "no",
            "yes" if facts["here"] else "no",
            escape(facts["title"]),
        )
    out.print(table)


@datasets.command()
def info(
    name: Name,
    folder: Home = None,
    online: Annotated[
        bool, typer.Option("--online", help="Ask the archive for files, sizes and licence.")
    ] = False,
    json: Json = False,
) -> None:
    """What is known of one: shape, rate, pixel size, truth, size on disk, licence, DOI."""
    from freq2clean.datasets import get_dataset, read_record

    dataset = get_dataset(name)
    facts = _facts(dataset, folder)
    if online and dataset.record:
        record = read_record(dataset.record)
        facts["licence"] = record.licence
        facts["size_on_disk_bytes"] = sum(
            file.n_bytes for file in record.files if file.name in (dataset.wanted or [file.name])
        )
        facts["archive_files"] = {file.name: file.n_bytes for file in record.files}
    if json:
        print_json(facts)
        return
    for key, value in facts.items():
        if isinstance(value, dict):
            value = ", ".join(f"{file} ({size / 1e6:.1f} MB)" for file, size in value.items())
        shown = _UNKNOWN if value is None else f"{value}"
        out.print(f"{key.replace('_', ' ') + ':':<20}{shown}", markup=False)
    if dataset.record and not online and not facts["here"]:
        out.print("with --online, the archive is asked for sizes and licence", style="dim")


@datasets.command("fetch")
def fetch(name: Name, folder: Home = None, json: Json = False) -> None:
    """Download a recording; what was interrupted goes on where it stopped.

    Example: `freq2clean fetch synthetic`

    Checked against the archive's checksums. Recordings without a public address are looked for,
    and if they are not there it is said where to put them.
    """
    from freq2clean.datasets import fetch as fetch_files
    from freq2clean.datasets import get_dataset

    dataset = get_dataset(name)
    with progress_bar(f"downloading {name}") as progress:
        files = fetch_files(dataset, folder=folder, progress=progress)
    if json:
        print_json({"name": name, "files": {file: str(path) for file, path in files.items()}})
        return
    for file, path in files.items():
        what = {dataset.raw: "raw: ", dataset.truth: "truth: "}.get(file, "")
        out.print(f"{what}{path}", markup=False)


def _facts(dataset: Dataset, folder: Path | None) -> dict[str, Any]:
    """What is known without asking anyone, and what of it is on this machine."""
    from freq2clean.datasets import found_files, home_of

    home = home_of(dataset, folder)
    here = found_files(dataset, home) or {}
    return {
        **dataset.as_dict(),
        "licence": None,
        "size_on_disk_bytes": sum(path.stat().st_size for path in here.values()) or None,
        "folder": str(home),
        "here": bool(here),
    }

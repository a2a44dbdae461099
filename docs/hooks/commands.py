"""The page of commands, from the program itself: what `--help` says, no more and no less."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mkdocs.structure.files import File
from typer.main import get_command

from freq2clean.apps.cli import app

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the page."""
    files.append(File.generated(config, "commands.md", content=page()))
    return files


def page() -> str:
    """All commands, in Markdown."""
    program = get_command(app)
    parts = [f"# Command line\n\n{program.help}\n\n{program.epilog}"]
    return "\n\n".join([*parts, *_commands(program, "freq2clean", level=2)]) + "\n"


def _commands(group: Any, name: str, *, level: int) -> Iterator[str]:
    for word, command in sorted(group.commands.items()):
        full = f"{name} {word}"
        yield f"{'#' * level} `{full}`"
        yield command.help or ""
        if hasattr(command, "commands"):
            yield from _commands(command, full, level=level + 1)
        else:
            yield from _usage(command, full)


def _usage(command: Any, full: str) -> Iterator[str]:
    with command.make_context(full, [], resilient_parsing=True) as context:
        pieces = " ".join(command.collect_usage_pieces(context)).replace("{", "").replace("}", "")
        yield f"```text\n{full} {pieces}\n```"
        panels: dict[str, list[str]] = {}
        for parameter in command.get_params(context):
            if parameter.name == "help":
                continue
            words, about = parameter.get_help_record(context)
            panel = getattr(parameter, "rich_help_panel", None) or "Arguments and options"
            panels.setdefault(panel, []).append(f"| `{_cell(words)}` | {_cell(about)} |")
    for panel, rows in panels.items():
        yield "\n".join([f"| {panel} | |", "| --- | --- |", *rows])


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("[", "\\[").replace("\n", " ").strip()

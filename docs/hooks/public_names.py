"""The page of the Python interface: every public name, from its own docstring."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

from mkdocs.structure.files import File

import freq2clean
from freq2clean.denoisers.contract import Denoiser
from freq2clean.fusion.method import Method

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

_GROUPS = (
    "Functions",
    "Methods of fusion",
    "Denoisers",
    "Errors",
    "What is given back, and the rest",
)


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the page."""
    groups: dict[str, list[str]] = {group: [] for group in _GROUPS}
    for name in sorted(freq2clean.__all__, key=str.lower):
        if name != "__version__":
            groups[_group(getattr(freq2clean, name))].append(name)
    parts = [f"# Python\n\n{_INTRODUCTION}"]
    for group, names in groups.items():
        parts += [f"## {group}", *(f"::: freq2clean.{name}" for name in names)]
    files.append(File.generated(config, "python.md", content="\n\n".join(parts) + "\n"))
    return files


_INTRODUCTION = (
    "Everything in `freq2clean` itself. A recording is anything with a shape (T, Y, X) that gives "
    "frames by slice, or the path of one. Arrays come first and by position, options by name."
)


def _group(value: object) -> str:
    if inspect.isfunction(value):
        return _GROUPS[0]
    assert isinstance(value, type)
    kinds = (Method, Denoiser, Exception)
    return next(
        (group for group, kind in zip(_GROUPS[1:], kinds, strict=False) if issubclass(value, kind)),
        _GROUPS[-1],
    )

"""Folders in the navigation become their pages: the index first, then in order of their names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Runs last, when all pages are known."""
    config.nav = [_unfolded(entry, files) for entry in config.nav or []]
    return files


def _unfolded(entry: Any, files: Files) -> Any:
    ((title, value),) = entry.items()
    if isinstance(value, str) and value.endswith("/"):
        uris = sorted((page.src_uri for page in files.documentation_pages()), key=_place)
        return {title: [uri for uri in uris if uri.startswith(value)]}
    return entry


def _place(uri: str) -> tuple[bool, str]:
    return not uri.endswith("/index.md"), uri

"""What the navigation says in short: a folder is its pages, and "*" the pages of no other place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Runs last, when all pages are known."""
    uris = sorted((page.src_uri for page in files.documentation_pages()), key=_place)
    placed = set(_named(config.nav))
    rest = [uri for uri in uris if "/" not in uri and uri not in placed]
    config.nav = [_unfolded(entry, uris, rest) for entry in config.nav or []]
    return files


def _place(uri: str) -> tuple[bool, str]:
    """The index of a folder comes first."""
    return not uri.endswith("/index.md"), uri


def _named(entry: Any) -> Iterator[str]:
    """All pages that an entry names."""
    if isinstance(entry, str):
        yield entry
    else:
        for part in entry.values() if isinstance(entry, dict) else entry:
            yield from _named(part)


def _unfolded(entry: dict[str, Any], uris: list[str], rest: list[str]) -> dict[str, Any]:
    ((title, value),) = entry.items()
    if isinstance(value, str) and value.endswith("/"):
        return {title: [uri for uri in uris if uri.startswith(value)]}
    if isinstance(value, list) and "*" in value:
        star = value.index("*")
        return {title: [*value[:star], *rest, *value[star + 1 :]]}
    return entry

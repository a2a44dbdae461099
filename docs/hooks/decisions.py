"""A page that lists the decisions, by the titles that they give themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mkdocs.structure.files import File

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the page."""
    found = [page for page in files.documentation_pages() if page.src_uri.startswith("decisions/")]
    lines = [
        "# Decisions",
        "",
        "Why things are as they are, what was tried, and what was not taken up.",
        "",
    ]
    for page in sorted(found, key=lambda page: page.src_uri):
        title = page.content_string.partition("\n")[0].removeprefix("# ")
        lines.append(f"- [{title}]({page.src_uri.removeprefix('decisions/')})")
    files.append(File.generated(config, "decisions/index.md", content="\n".join(lines) + "\n"))
    return files

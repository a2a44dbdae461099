"""Each script of docs/gallery/ is run, and becomes a page: its words, its code, what it shows."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

_MOST_SECONDS = 300


class Shown(NamedTuple):
    """What a script printed, and the pictures that it wrote."""

    printed: str
    pictures: dict[str, bytes]


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add a page for each script, its pictures, and one page of all."""
    cards = ["# Gallery", _INTRODUCTION]
    for script in sorted(Path(config.docs_dir, "gallery").glob("[0-9]*.py")):
        code = script.read_text()
        title, words, body = _parts(code)
        shown = run(script, code)
        stem = script.stem
        for name, picture in shown.pictures.items():
            uri = f"gallery/{stem}-{name}"
            files.append(File.generated(config, uri, content=picture))
        images = [f"![{Path(name).stem}]({stem}-{name})" for name in shown.pictures]
        parts = [f"# {title}", words, *images, f"```python\n{body}\n```"]
        if shown.printed:
            parts += ["It prints:", f"```text\n{shown.printed}\n```"]
        page = "\n\n".join(parts) + "\n"
        files.append(File.generated(config, f"gallery/{stem}.md", content=page))
        cards += [f"## [{title}]({stem}.md)", words.split("\n\n")[0], *images[:1]]
    index = "\n\n".join(cards) + "\n"
    files.append(File.generated(config, "gallery/index.md", content=index))
    return files


_INTRODUCTION = (
    "Short scripts, each of which runs as it stands, in seconds. They were run when this page was "
    "made: what they print and the pictures are their own."
)


def _parts(code: str) -> tuple[str, str, str]:
    """Title and words of the docstring, and the code after it."""
    tree = ast.parse(code)
    title, _, words = (ast.get_docstring(tree) or "").partition("\n\n")
    body = "\n".join(code.splitlines()[tree.body[0].end_lineno :])
    return title, words, body.strip()


@cache
def run(script: Path, code: str) -> Shown:
    """Run a script in a folder of its own; ``code`` is what is in it."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-W", "error", script],
            check=False,
            cwd=folder,
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            timeout=_MOST_SECONDS,
        )
        if done.returncode:
            raise PluginError(f"{script.name} failed:\n{done.stderr}")
        pictures = {path.name: path.read_bytes() for path in sorted(Path(folder).glob("*.png"))}
    return Shown(done.stdout.strip(), pictures)

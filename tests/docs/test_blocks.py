"""Every code block of the documentation is run, or says why not; every command is one."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from tests.docs.blocks import Block, blocks_of, commands_of
from tests.docs.conftest import ROOT
from typer.main import get_command

from freq2clean.apps.cli import app

PAGES = {
    str(page.relative_to(ROOT)): blocks_of(page)
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/**/*.md"))]
}
PAGES = {name: blocks for name, blocks in PAGES.items() if blocks}
LONGEST_S = 600


def parts(name):
    return [pytest.param(block, id=f"{name}:{block.line}") for block in PAGES[name]]


BLOCKS = [one for name in PAGES for one in parts(name)]


def is_slow(blocks):
    return any("slow" in block.remarks for block in blocks)


def run_lines(block: Block) -> list[str]:
    """All but installing, which would change what is tested."""
    return [line for line in commands_of(block) if not line.startswith("pip install")]


def run_page(blocks: list[Block], folder: Path) -> None:
    """All blocks of a page, one after the other, in one folder; Python ones share their names."""
    names: dict[str, object] = {"__name__": "__page__"}
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    for block in blocks:
        if "not run" in block.remarks or block.language == "other":
            continue
        if block.language == "python":
            exec(compile(block.code, f"line {block.line}", "exec"), names)
            continue
        code = "\n".join([block.remarks.get("first", ""), *run_lines(block)])
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", code], cwd=folder, env=environment,
            capture_output=True, text=True, timeout=LONGEST_S, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"line {block.line}: {done.stderr}"


@pytest.mark.parametrize("name", [name for name, blocks in PAGES.items() if not is_slow(blocks)])
def test_blocks_run(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run_page(PAGES[name], tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, blocks in PAGES.items() if is_slow(blocks)])
def test_slow_blocks_run(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run_page(PAGES[name], tmp_path)


@pytest.mark.parametrize("block", [one for one in BLOCKS if one.values[0].language == "shell"])
def test_commands_are_understood(block):
    """Also of blocks that are not run: commands, options and their values are those of today."""
    for line in commands_of(block):
        for words in _pipeline(line):
            if words[0] == "freq2clean":
                _parse(get_command(app), words[1:])


def _pipeline(line):
    words, parts = shlex.split(line.replace("{raw,denoised,fused}", "raw")), [[]]
    for word in words:
        if word in ("|", "&&", ";"):
            parts.append([])
        else:
            parts[-1].append(word)
    return [part for part in parts if part]


def _parse(command, words):
    """As the program would, without running anything."""
    if hasattr(command, "commands"):
        if words[0].startswith("-"):
            return
        assert words[0] in command.commands, f"there is no command {words[0]}"
        _parse(command.commands[words[0]], words[1:])
    else:
        command.make_context(command.name, list(words)).close()


@pytest.mark.parametrize("block", [one for one in BLOCKS if one.values[0].language == "python"])
def test_python_is_python(block):
    compile(block.code, "block", "exec")

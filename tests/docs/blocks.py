"""The code blocks of a page, in order, and what a comment above one says of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

__all__ = ["Block", "blocks_of", "commands_of"]

SHELL, PYTHON, OTHER = "shell", "python", "other"
_LANGUAGES = {"": SHELL, "sh": SHELL, "bash": SHELL, "python": PYTHON}
_REMARK = re.compile(r"<!-- (?P<kind>not run|slow|first): (?P<text>.+?) -->", re.DOTALL)


@dataclass(frozen=True)
class Block:
    """One block.

    Attributes
    ----------
    code : str
    language : "shell", "python" or "other"
    line : int
        Of the page, from 1.
    remarks : dict of str
        "not run" or "slow", and why; what the shell does "first", which readers need not see.
    """

    code: str
    language: str
    line: int
    remarks: dict[str, str]


def blocks_of(page: Path) -> list[Block]:
    """Fenced and indented blocks; one with no language is the shell's.

    A comment such as ``<!-- slow: minutes -->`` is of the next block.
    """
    found: list[Block] = []
    remarks: dict[str, str] = {}
    for token in MarkdownIt("commonmark").enable("table").parse(page.read_text()):
        if token.type == "html_block":
            remarks |= {match["kind"]: match["text"] for match in _REMARK.finditer(token.content)}
        elif token.type in ("fence", "code_block"):
            language = _LANGUAGES.get(token.info.strip(), OTHER)
            assert token.map
            found.append(Block(token.content, language, token.map[0] + 1, remarks))
            remarks = {}
    return found


def commands_of(block: Block) -> list[str]:
    """The lines of a shell block, joined where they go on, without comments."""
    whole = re.sub(r"\\\n\s*", " ", block.code)
    lines = (re.sub(r"(^|\s)#.*$", "", line).strip() for line in whole.splitlines())
    return [line for line in lines if line]

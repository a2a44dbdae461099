"""The page on formats says what the registry says."""

from __future__ import annotations

from pathlib import Path

from freq2clean.recordings.formats import FORMATS
from freq2clean.recordings.vendors import VENDORS

PAGE = Path(__file__).parents[2] / "docs" / "formats.md"


def row(one):
    cells = [
        one.name,
        " ".join(one.suffixes),
        " ".join(one.written) or "no",
        ", ".join(one.compressions) or "no",
        "yes" if one.parallel else "no",
        one.metadata,
        one.extra,
    ]
    return f"| {' | '.join(cells)} |".replace("|  |", "| |")


def test_the_table_is_the_registry():
    head = "| format | read | written | compression | parallel | metadata | extra |"
    table = [head, "| --- " * 7 + "|", *map(row, FORMATS)]
    _, _, rest = PAGE.read_text().partition("test_formats_page.py -->\n")
    assert rest.partition("<!-- end -->")[0].strip().splitlines() == table


def test_every_maker_is_on_the_page():
    text = PAGE.read_text()
    for name, vendor in VENDORS.items():
        assert f"`{name}:" in text
        assert vendor.suffix in text

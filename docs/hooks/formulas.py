"""Formulas become MathML as the site is built: no script, and nothing from the network."""

from __future__ import annotations

import re
from html import unescape

from latex2mathml.converter import convert

_FORMULA = re.compile(
    r'<(?:span|div) class="arithmatex">\\(?P<kind>[(\[])(?P<latex>.*?)\\[)\]]</(?:span|div)>',
    re.DOTALL,
)


def on_page_content(html: str, **_: object) -> str:
    """The page with its formulas as MathML."""
    return _FORMULA.sub(_mathml, html)


def _mathml(found: re.Match[str]) -> str:
    display = "block" if found["kind"] == "[" else "inline"
    return convert(unescape(found["latex"]).strip(), display=display)

"""HTML from Python: whatever is not known to be markup is escaped."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

__all__ = ["Safe", "joined", "prose", "tag"]

_VOID = {"img", "input", "br", "hr"}

Value = str | float | bool | None


class Safe(str):
    """Markup, as `tag` makes it; any other text is escaped where it is put in."""

    __slots__ = ()


def tag(name: str, /, *children: str | None, **attributes: Value) -> Safe:
    """An element, with its children and attributes escaped.

    Parameters
    ----------
    name : str
    *children : str or None
        Text, or `Safe` markup; None is left out.
    **attributes
        A trailing underscore is dropped, others become hyphens. True stands for the name alone;
        None and False leave the attribute away.

    Examples
    --------
    >>> tag("p", "a < b", tag("b", "!"), class_="note", data_x=0.5, hidden=True, id=None)
    '<p class="note" data-x="0.5" hidden>a &lt; b<b>!</b></p>'
    """
    words = [name, *(_attribute(*item) for item in attributes.items() if _is_there(item[1]))]
    opened = f"<{' '.join(words)}>"
    return Safe(opened if name in _VOID else f"{opened}{joined(children)}</{name}>")


def joined(parts: Iterable[str | None]) -> Safe:
    """Parts one after the other, escaped where they are not `Safe`.

    Examples
    --------
    >>> joined(["<", tag("br"), None])
    '&lt;<br>'
    """
    return Safe(
        "".join(
            part if isinstance(part, Safe) else escape(part) for part in parts if part is not None
        )
    )


def prose(text: str) -> list[str]:
    """Text with what stands between backticks as code.

    Examples
    --------
    >>> joined(prose("take `fft` < 1"))
    'take <code>fft</code> &lt; 1'
    """
    parts = text.split("`")
    if len(parts) % 2 == 0:
        return [text]
    return [tag("code", part) if i % 2 else part for i, part in enumerate(parts)]


def _is_there(value: Value) -> bool:
    return value is not None and value is not False


def _attribute(name: str, value: Value) -> str:
    name = name.rstrip("_").replace("_", "-")
    if value is True:
        return name
    if isinstance(value, float):
        value = f"{round(value, 2):g}"
    return f'{name}="{escape(str(value))}"'

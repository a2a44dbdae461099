"""Tables whose first column names the row."""

from __future__ import annotations

from collections.abc import Sequence

from freq2clean.report.html.markup import Safe, tag

__all__ = ["table"]


def table(
    heads: Sequence[str], rows: Sequence[Sequence[str]], *, caption: str | None = None
) -> Safe:
    """A table that scrolls sideways where the window is narrow.

    Examples
    --------
    >>> "<th scope=\\"row\\">fused</th>" in table(("recording", "dB"), [("fused", "3")])
    True
    """
    head = tag("thead", tag("tr", *(tag("th", text, scope="col") for text in heads)))
    body = tag(
        "tbody",
        *(
            tag("tr", tag("th", first, scope="row"), *(tag("td", text) for text in rest))
            for first, *rest in rows
        ),
    )
    said = tag("caption", caption) if caption else None
    return tag("div", tag("table", said, head, body), class_="table", tabindex=0, role="group",
               aria_label=caption or ", ".join(heads))  # fmt: skip

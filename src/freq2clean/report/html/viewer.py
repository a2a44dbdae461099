"""Before and after: pairs of images with a slider between them, zoomed and moved together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from freq2clean.report.contrast import PERCENTILES, Limits, limits_of
from freq2clean.report.html.contents import Contents
from freq2clean.report.html.images import GAMMA, MOST_PIXELS, Embedded, embed
from freq2clean.report.html.markup import Safe, joined, tag
from freq2clean.report.html.sentences import number

__all__ = ["viewers"]

_VIEWERS = 2
_HINT = (
    "Drag the divider, or use the slider below it. Zoom with the buttons, with + and −, or with "
    "Ctrl and the wheel; drag what is zoomed, or move it with the arrow keys; 0 shows the whole "
    "field. Both figures zoom and move together."
)


def viewers(contents: Contents) -> Safe:
    """The mean images, then a single frame."""
    n_frames = contents.sources["raw"].shape[0]
    means = {name: seen.mean for name, seen in contents.seen.items()}
    return joined(
        [
            tag("p", _HINT, class_="hint", id="how-to-look"),
            _viewer(contents, "mean", f"mean of all {n_frames} frames", means),
            _viewer(contents, "frame", f"frame {contents.frame}", contents.frames),
        ]
    )


def _viewer(contents: Contents, kind: str, what: str, images: Mapping[str, NDArray[Any]]) -> Safe:
    limits = limits_of([images[contents.reference]])
    most = MOST_PIXELS // (len(images) * _VIEWERS)
    embedded = {n: embed(image, limits, most_pixels=most) for n, image in images.items()}
    pixel = contents.sources["raw"].metadata.pixel_size_um
    width_um = pixel[1] * contents.sources["raw"].shape[2] if pixel else None
    return tag(
        "figure",
        _controls(kind, what, list(images)),
        tag(
            "div",
            class_="stage",
            tabindex=0,
            role="group",
            aria_describedby="how-to-look",
            aria_label=f"Two images of the {what}; arrow keys move, plus and minus zoom",
            data_um=width_um,
        ),
        _slider(kind),
        tag("div", *(_shot(name, what, image) for name, image in embedded.items()), class_="shots"),
        tag("figcaption", _caption(contents, what, limits, next(iter(embedded.values())))),
        class_="viewer",
        id=f"{kind}-viewer",
    )


def _controls(kind: str, what: str, names: list[str]) -> Safe:
    buttons = [
        tag("button", sign, type="button", data_zoom=do, aria_label=f"{label}, {what}")
        for do, sign, label in (("out", "−", "Zoom out"), ("in", "+", "Zoom in"))
    ]
    hidden = tag("span", f", {what}", class_="visually-hidden")
    whole = tag("button", "Whole field", hidden, type="button", data_zoom="whole")
    return tag(
        "div",
        _choice(kind, "left", what, names, "denoised"),
        tag("span", buttons[0], tag("output", "1×"), buttons[1], whole, class_="zoom"),
        _choice(kind, "right", what, names, "fused"),
        class_="controls",
    )


def _choice(kind: str, side: str, what: str, names: list[str], chosen: str) -> Safe:
    options = [tag("option", name, value=name, selected=name == chosen) for name in names]
    select = tag("select", *options, id=f"{kind}-{side}", data_side=side)
    hidden = tag("span", f" image, {what}", class_="visually-hidden")
    return tag("label", side.capitalize(), hidden, " ", select, for_=f"{kind}-{side}")


def _slider(kind: str) -> Safe:
    return tag(
        "label",
        tag("span", "Divider, from left to right", class_="visually-hidden"),
        tag(
            "input", type="range", min=0, max=100, step=1, value=50, id=f"{kind}-divider",
            aria_label="Divider between the left and the right image, in percent from the left",
        ),
        class_="slider",
        for_=f"{kind}-divider",
    )  # fmt: skip


def _shot(name: str, what: str, image: Embedded) -> Safe:
    picture = tag(
        "img", src=image.uri, width=image.width, height=image.height, data_name=name,
        alt=f"{name} recording, {what}, {image.height} by {image.width} pixels, in grey",
    )  # fmt: skip
    return tag("div", picture, tag("p", name), class_="shot")


def _caption(contents: Contents, what: str, limits: Limits, image: Embedded) -> str:
    low, high = (number(limit) for limit in limits)
    of = contents.reference
    said = (
        f"{what[:1].upper()}{what[1:]}. All on one grey scale, {low} to {high} counts "
        f"({PERCENTILES[0]:g} to {PERCENTILES[1]:g} % of the {of} image), gamma {GAMMA:g}."
    )
    if image.factor > 1:
        said += f" Means over {image.factor} × {image.factor} pixels are shown."
    if what.startswith("frame"):
        said += " The frame where the regions below are most active." if contents.regions else ""
    return said

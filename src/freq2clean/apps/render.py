"""``freq2clean render``: recordings as movies, pictures, kymographs and traces."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from freq2clean.apps.options import Channel, Json, Plane, given, option_of
from freq2clean.apps.terminal import out, print_json, progress_bar
from freq2clean.errors import InputError, OutputError

__all__ = ["render"]

_MOVIES, _GRIDS = "movies", "movies and pictures"
_KYMOGRAPHS, _TRACES = "kymographs (.png)", "traces (.png)"


def render(
    recordings: Annotated[
        list[str], typer.Argument(metavar="RECORDING", help="One recording, or several.")
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", help="By suffix: .gif; .mp4 or .webm (need the extra video); .png"
        ),
    ],
    titles: Annotated[
        str | None, typer.Option(help="One for each, with commas between; else the files' names.")
    ] = None,
    frames: Annotated[
        str | None,
        typer.Option(help="START:STOP or START:STOP:STEP, as in 100:400:2, or one; else all."),
    ] = None,
    difference: Annotated[
        bool,
        typer.Option("--difference", help="Each minus the last one, in blue and red around 0."),
    ] = False,
    contrast: Annotated[
        str,
        typer.Option(
            help="shared (limits from the last recording, for all), own (from each), or LOW:HIGH."
        ),
    ] = "shared",
    percentiles: Annotated[
        str | None, typer.Option(help="LOW:HIGH, drawn darkest and brightest; else 0.5:99.5.")
    ] = None,
    gamma: Annotated[
        float | None, typer.Option(help="Exponent of the shades, as 0.7; else none.")
    ] = None,
    colour_map: Annotated[
        str | None,
        typer.Option(
            "--colour-map",
            "--color-map",
            help="grey, viridis, magma, inferno or cividis (all but grey need the extra figures).",
        ),
    ] = None,
    frame_rate_hz: Annotated[
        float | None, typer.Option(help="For times, where the files do not say.")
    ] = None,
    pixel_size_um: Annotated[
        float | None, typer.Option(help="For the scale bar, where the files do not say.")
    ] = None,
    zoom: Annotated[
        str | None, option_of(_GRIDS, "Rows and columns: Y0:Y1,X0:X1, as in 40:140,0:100.")
    ] = None,
    magnify: Annotated[
        int | None, option_of(_GRIDS, "Screen pixels per pixel; else for panels of about 360.")
    ] = None,
    columns: Annotated[int | None, option_of(_GRIDS, "Panels in a row.")] = None,
    alternate: Annotated[
        bool | None,
        option_of(_MOVIES, "One panel, the recordings in turn, a second each.", "--alternate"),
    ] = None,
    speed: Annotated[
        float | None, option_of(_MOVIES, "2 is twice as fast as it was; else real time.")
    ] = None,
    fps: Annotated[
        float | None, option_of(_MOVIES, "Frames per second, instead of a speed.")
    ] = None,
    frame: Annotated[
        int | None,
        option_of("pictures (.png)", "To show below the mean image; else that in the middle."),
    ] = None,
    line: Annotated[
        str | None,
        option_of(
            _KYMOGRAPHS,
            "y=ROW, x=COLUMN, or a line Y0,X0:Y1,X1: what lies there, over time.",
            "--kymograph",
        ),
    ] = None,
    trace: Annotated[
        list[str] | None,
        option_of(_TRACES, "Y,X: the trace of a place; several times for several places."),
    ] = None,
    radius_px: Annotated[
        float | None, option_of(_TRACES, "Mean of the pixels that are no farther away.")
    ] = None,
    labels: Annotated[
        Path | None, option_of(_TRACES, "A label image: mean of the ROI that the place lies in.")
    ] = None,
    channel: Channel = None,
    plane: Plane = None,
    json: Json = False,
) -> None:
    """Show recordings: a movie, a picture, a kymograph, or traces.

    Example: `freq2clean render raw.tif denoised.tif fused.tif -o movie.mp4`

    Recordings stand side by side under their titles, with a scale bar, the time and the limits of
    contrast. A .png is a picture of the mean image and one frame; with --kymograph or --trace it
    is a figure (needs the extra figures). Give the best recording last: it sets the contrast.
    Pixels without a value are blue, or grey or purple where the colour map has a blue.
    """
    from freq2clean.report.scene import View

    view = View(
        contrast=_contrast(contrast),
        difference=difference,
        **given(
            zoom=_zoom(zoom),
            percentiles=_pair(percentiles, "--percentiles"),
            gamma=gamma,
            colour_map=colour_map,
            magnify=magnify,
            columns=columns,
            frame_rate_hz=frame_rate_hz,
            pixel_size_um=pixel_size_um,
            channel=channel,
            plane=plane,
        ),
    )
    special = given(
        zoom=zoom,
        magnify=magnify,
        columns=columns,
        alternate=alternate,
        speed=speed,
        fps=fps,
        frame=frame,
        kymograph=line,
        trace=trace or None,
        radius_px=radius_px,
        labels=labels,
    )
    draw = _drawing(output, special)
    named = _titled(recordings, titles)
    with progress_bar("rendering") as progress:
        made = draw(named, output, view=view, frames=_frames(frames), progress=progress).as_dict()
    print_json(made) if json else _show(made)


def _drawing(output: Path, special: Mapping[str, Any]) -> Callable[..., Any]:
    """The function that draws what is asked for, with the options that only it has."""
    is_png = output.suffix.lower() == ".png"
    for what in ("kymograph", "trace"):
        if what in special and not is_png:
            raise OutputError(f"{output}: --{what} makes a figure; give a name that ends in .png")
    if "kymograph" in special:
        from freq2clean.report.kymograph import kymograph

        _refuse_others(special, "a kymograph", "kymograph")
        return partial(kymograph, line=_line(special["kymograph"]))
    if "trace" in special:
        from freq2clean.pipeline.labels import read_labels
        from freq2clean.report.traces import traces

        _refuse_others(special, "traces", "trace", "radius_px", "labels")
        places = [_place(text, "--trace") for text in special["trace"]]
        options = given(radius_px=special.get("radius_px"))
        if "labels" in special:
            options["labels"] = read_labels(special["labels"])
        return partial(traces, places=places, **options)
    if is_png:
        from freq2clean.report.picture import picture

        _refuse_others(special, "a picture", "zoom", "magnify", "columns", "frame")
        return partial(picture, **given(frame=special.get("frame")))
    from freq2clean.report.movie import movie

    _refuse_others(special, "a movie", "zoom", "magnify", "columns", "alternate", "speed", "fps")
    own = ("alternate", "speed", "fps")
    return partial(movie, **{name: special[name] for name in own if name in special})


def _refuse_others(special: Mapping[str, Any], what: str, *takes: str) -> None:
    for name in special:
        if name not in takes:
            option = name.replace("_", "-")
            raise InputError(f"--{option} does not go with {what}; leave it away")


def _titled(recordings: Sequence[str], titles: str | None) -> dict[str, str]:
    """Recordings by their titles: those given, or the names of the files where these differ."""
    if titles is None:
        stems = [Path(recording).stem for recording in recordings]
        named = stems if len(set(stems)) == len(stems) else list(recordings)
    else:
        named = [title.strip() for title in titles.split(",")]
        if len(named) != len(recordings):
            raise InputError(
                f"--titles {titles!r} names {len(named)} recordings, and there are "
                f"{len(recordings)}; give one title for each, with commas between"
            )
    if len(set(named)) < len(named):
        raise InputError(
            f"two recordings have the same title, of {', '.join(named)}; tell them "
            "apart with --titles"
        )
    return dict(zip(named, recordings, strict=True))


def _frames(text: str | None) -> slice | None:
    if text is None:
        return None
    if text.strip().isdecimal():
        return slice(int(text), int(text) + 1)
    found = re.fullmatch(r"(\d*):(\d*)(?::(\d+))?", text.strip())
    if not found:
        raise InputError(
            f"--frames {text!r}; give START:STOP or START:STOP:STEP, as in 100:400:2, or one frame"
        )
    return slice(*(int(part) if part else None for part in found.groups()))


def _zoom(text: str | None) -> Any:
    if text is None:
        return None
    found = re.fullmatch(r"(\d+):(\d+),(\d+):(\d+)", text.strip())
    if not found:
        raise InputError(f"--zoom {text!r}; give rows and columns, Y0:Y1,X0:X1, as in 40:140,0:100")
    top, bottom, left, right = map(int, found.groups())
    return (top, bottom), (left, right)


def _line(text: str) -> Any:
    if found := re.fullmatch(r"([yx])=(\d+)", text.strip()):
        return (int(found[2]), None) if found[1] == "y" else (None, int(found[2]))
    first, _, last = text.partition(":")
    try:
        return _place(first, "--kymograph"), _place(last, "--kymograph")
    except InputError:
        raise InputError(
            f"--kymograph {text!r}; give y=ROW, x=COLUMN, or a line Y0,X0:Y1,X1"
        ) from None


def _place(text: str, option: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d+),(\d+)", text.strip())
    if not found:
        raise InputError(f"{option} {text!r}; give a row and a column, as in 80,120")
    return int(found[1]), int(found[2])


def _contrast(text: str) -> Any:
    return text if ":" not in text else _pair(text, "--contrast")


def _pair(text: str | None, option: str) -> tuple[float, float] | None:
    if text is None:
        return None
    try:
        low, high = (float(part) for part in text.split(":"))
    except ValueError as error:
        raise InputError(f"{option} {text!r}; give two numbers, LOW:HIGH") from error
    return low, high


def _show(made: Mapping[str, Any]) -> None:
    from freq2clean.report.contrast import in_words

    start, stop, step = made["frames"]
    pace = ""
    if made.get("fps"):
        pace = f", {made['fps']:.4g} per second"
        if made["speed"]:
            pace += f", {made['speed']:.3g} x real time"
    each = f" in steps of {step}" if step > 1 else ""
    out.print(f"{made['path']}: frames {start} to {stop - 1}{each}{pace}", markup=False)
    for title, limits in made.get("limits", {}).items():
        out.print(f"  {title}: {in_words(limits)}", markup=False)

"""Recordings side by side in one PNG: mean images above, one frame of each below."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freq2clean.errors import InputError
from freq2clean.recordings.small_files import whole_file
from freq2clean.report.contrast import Limits, shades
from freq2clean.report.drawn import Drawn, check_place, drawn
from freq2clean.report.palette import DIVERGING, Palette
from freq2clean.report.panels import Panel, Sheet, in_rows
from freq2clean.report.scene import Scene, View, open_scene
from freq2clean.streaming.mean_image import MeanImage

__all__ = ["mean_images", "picture", "png_bytes", "side_by_side"]

_DEFAULT = View()


def picture(
    recordings: Mapping[str, Any],
    path: str | Path,
    view: View = _DEFAULT,
    *,
    frames: slice | None = None,
    frame: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Drawn:
    """Draw the mean image and one frame of each recording, titled, on shared shades.

    Parameters
    ----------
    recordings : mapping of title to path, array-like or Recording
        All of one frame size. Unless the view says otherwise, the last one sets the limits of
        each row, so give the reference, such as the truth, last.
    path : str or Path
        The PNG to write.
    view : View
    frames : slice, optional
        What the mean is taken of; all if left out. Of a single one there is no mean.
    frame : int, optional
        Which frame to show below; that in the middle if left out.
    progress : callable, optional
        Called with frames read and frames to read.

    Raises
    ------
    InputError, OutputError
        Where recordings do not fit together; if the file cannot be written.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> rng = np.random.default_rng(0)
    >>> with TemporaryDirectory() as folder:
    ...     made = picture({"noise": rng.random((9, 32, 32))}, f"{folder}/noise.png")
    >>> made.format, made.n_frames
    ('png', 9)
    """
    path = check_place(path)
    palette = Palette(DIVERGING if view.difference else view.colour_map)
    with ExitStack() as stack:
        scene = open_scene(stack, recordings, view)
        chosen = scene.chosen(frames)
        frame = chosen[len(chosen) // 2] if frame is None else frame
        if not 0 <= frame < scene.n_frames:
            raise InputError(
                f"frame {frame} asked for; the recordings have frames 0:{scene.n_frames}"
            )
        shown: dict[str, dict[str, NDArray[Any]]] = {}
        if len(chosen) > 1:
            shown[f"mean of {len(chosen)} frames"] = mean_images(scene, chosen, progress=progress)
        shown[f"frame {frame}"] = {title: r[frame] for title, r in scene.recordings.items()}
    limits = {what: scene.limits_of(images) for what, images in shown.items()}
    sheet = Sheet(
        _rows(scene, limits), scene.shape, magnify=view.magnify, pixel_size_um=scene.pixel_size_um
    )
    images = [
        palette.indices(shades(image, limits[what][title], gamma=view.gamma))
        for what, row in shown.items()
        for title, image in row.items()
    ]
    with whole_file(path) as file:
        file.write_bytes(png_bytes(sheet.draw(images), palette))
    return drawn(
        path, scene, sheet, palette, frames=chosen,
        limits={f"{title}, {what}": p for what, row in limits.items() for title, p in row.items()},
    )  # fmt: skip


def side_by_side(recordings: Mapping[str, Any], path: Path, *, frame: int) -> Path:
    """The same with what is usual, of as many frames as all recordings have."""
    picture(recordings, path, frames=slice(0, None), frame=frame)
    return path


def mean_images(
    scene: Scene, frames: range, *, progress: Callable[[int, int], None] | None = None
) -> dict[str, NDArray[np.float64]]:
    """The mean of the frames (Y, X) of each recording; NaN where no frame has a value."""
    means = {title: MeanImage(scene.shape) for title in scene.recordings}
    for done, (_, images) in enumerate(scene.images(frames), start=1):
        for image, mean in zip(images, means.values(), strict=True):
            mean.add(image[None])
        if progress:
            progress(done, len(frames))
    return {title: mean.image() for title, mean in means.items()}


def png_bytes(indices: NDArray[np.uint8], palette: Palette) -> bytes:
    """A PNG of palette indices (Y, X).

    Examples
    --------
    >>> png_bytes(np.zeros((4, 4), np.uint8), Palette())[1:4]
    b'PNG'
    """
    from PIL import Image

    image = Image.fromarray(indices).convert("P")
    image.putpalette(palette.colours.tobytes())
    file = BytesIO()
    image.save(file, "PNG", optimize=True)
    return file.getvalue()


def _rows(scene: Scene, limits: Mapping[str, Mapping[str, Limits]]) -> list[list[Panel]]:
    """Titles above the first row only, unless a row is broken; its name below its first panel."""
    rows: list[list[Panel]] = []
    for what, found in limits.items():
        notes = scene.notes(found)
        notes[0] = f"{what}, {notes[0]}"
        panels = [Panel(*words) for words in zip(found, notes, strict=True)]
        broken = in_rows(panels, scene.view.columns)
        if rows and len(broken) == 1:
            broken = [[Panel(note=panel.note) for panel in panels]]
        rows += broken
    return rows

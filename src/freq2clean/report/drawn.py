"""The account of a picture or movie that was drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from freq2clean.errors import OutputError
from freq2clean.report.contrast import Limits
from freq2clean.report.palette import Palette
from freq2clean.report.panels import Sheet
from freq2clean.report.scene import Scene

__all__ = ["Drawn", "check_place", "drawn"]


@dataclass(frozen=True)
class Drawn:
    """What was written, and how values became colours.

    Attributes
    ----------
    path, format : str
    size : (int, int)
        Height and width in pixels.
    frames : (int, int, int)
        First, end and step.
    n_frames : int
    limits : dict
        Of each panel, in the recordings' units: the values drawn darkest and brightest.
    contrast : str
        ``"shared"``, ``"own"``, or ``"given"``.
    percentiles : (float, float) or None
        That the limits are; None where they were given.
    gamma : float
    colour_map, missing : str
        Of the values, and the colour of pixels without one.
    zoom : ((int, int), (int, int)) or None
        Rows and columns.
    scale_bar_um, frame_rate_hz : float or None
    fps, speed : float or None
        Of a movie: frames per second, and seconds of the recording in one of the movie.
    """

    path: str
    format: str
    size: tuple[int, int]
    frames: tuple[int, int, int]
    n_frames: int
    limits: dict[str, Limits]
    contrast: str
    percentiles: tuple[float, float] | None
    gamma: float
    colour_map: str
    missing: str
    zoom: Any
    scale_bar_um: float | None
    frame_rate_hz: float | None
    fps: float | None = None
    speed: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """The same, JSON-serialisable."""
        return asdict(self)


def drawn(
    path: Path,
    scene: Scene,
    sheet: Sheet,
    palette: Palette,
    *,
    frames: range,
    limits: Mapping[str, Limits],
    fps: float | None = None,
) -> Drawn:
    """The account of a sheet of a scene."""
    view = scene.view
    given = not isinstance(view.contrast, str)
    rate = scene.frame_rate_hz
    return Drawn(
        path=str(path),
        format=path.suffix.lower().removeprefix("."),
        size=sheet.size,
        frames=(frames.start, frames.stop, frames.step),
        n_frames=len(frames),
        limits=dict(limits),
        contrast="given" if given else str(view.contrast),
        percentiles=None if given else view.percentiles,
        gamma=view.gamma,
        colour_map=palette.name,
        missing=palette.missing,
        zoom=view.zoom,
        scale_bar_um=sheet.bar_um,
        frame_rate_hz=rate,
        fps=fps,
        speed=fps * frames.step / rate if fps and rate else None,
    )


def check_place(path: str | Path) -> Path:
    """The target, which is refused before any work is done if it cannot be written."""
    path = Path(path)
    if not path.parent.is_dir():
        raise OutputError(f"{path}: there is no folder {path.parent}; make it first")
    if path.is_dir():
        raise OutputError(f"{path} is a folder; give the name of a file")
    return path

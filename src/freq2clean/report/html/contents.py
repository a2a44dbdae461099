"""All that a page shows, gathered before a word of it is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freq2clean.inspection import Inspection
from freq2clean.metrics import Scores
from freq2clean.metrics.rois import ROIScores
from freq2clean.recordings import Metadata
from freq2clean.report.html.facts import Facts
from freq2clean.report.html.regions import Region
from freq2clean.report.html.watching import Seen

__all__ = ["Contents", "FoundRois", "Movie", "Source"]


@dataclass(frozen=True)
class Source:
    """What a page tells of a recording.

    Attributes
    ----------
    name : str
    shape : (int, int, int)
    dtype : str
    metadata : Metadata
    """

    name: str
    shape: tuple[int, int, int]
    dtype: str
    metadata: Metadata


@dataclass(frozen=True)
class Movie:
    """A short movie, as a file.

    Attributes
    ----------
    kind : str
        Of the content, as in "video/mp4".
    content : bytes
    caption : str
    """

    kind: str
    content: bytes
    caption: str


@dataclass(frozen=True)
class FoundRois:
    """ROIs that a tool found on one recording.

    Attributes
    ----------
    tool : str
    n_rois : int
    scores : ROIScores or None
        Against those of the truth, where there are any.
    """

    tool: str
    n_rois: int
    scores: ROIScores | None = None


@dataclass(frozen=True, eq=False)
class Contents:
    """What is shown. Mappings have "raw", "denoised", "fused", and perhaps "truth", in this order.

    Attributes
    ----------
    sources : mapping of str to Source
    seen : mapping of str to Seen
        Mean images and traces, all on the raw recording's scale.
    frame : int
        The frame that is shown.
    frames : mapping of str to ndarray (Y, X)
        That frame of each recording.
    regions : sequence of Region
    regions_from : str
        Where these come from, in words.
    inspection : Inspection
    facts : Facts
    scores : mapping of str to Scores
        Against the truth; empty without one.
    rois : mapping of str to FoundRois
    movie : Movie or None
    """

    sources: Mapping[str, Source]
    seen: Mapping[str, Seen]
    frame: int
    frames: Mapping[str, NDArray[Any]]
    regions: Sequence[Region]
    regions_from: str
    inspection: Inspection
    facts: Facts
    scores: Mapping[str, Scores] = field(default_factory=dict)
    rois: Mapping[str, FoundRois] = field(default_factory=dict)
    movie: Movie | None = None

    @property
    def reference(self) -> str:
        """The recording that sets the grey scale of all."""
        return "truth" if "truth" in self.seen else "fused"

    @property
    def times(self) -> tuple[NDArray[np.float64], str]:
        """Of the frames, in seconds where the frame rate is known, and what axes call them."""
        raw = self.sources["raw"]
        frames = np.arange(raw.shape[0], dtype=np.float64)
        rate = raw.metadata.frame_rate_hz
        return (frames / rate, "time, s") if rate else (frames, "frame")

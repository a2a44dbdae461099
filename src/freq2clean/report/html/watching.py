"""One pass over all recordings side by side: their mean images, and the traces of regions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freq2clean.fusion.scale import Scale
from freq2clean.pipeline.memory import block_frames
from freq2clean.recordings import Recording
from freq2clean.report.html.regions import Region
from freq2clean.streaming import blocks, read_ahead
from freq2clean.streaming.mean_image import MeanImage

__all__ = ["Seen", "watch"]


@dataclass(frozen=True, eq=False)
class Seen:
    """What one pass shows of a recording.

    Attributes
    ----------
    mean : ndarray (Y, X), float64
        NaN where no frame has a value.
    traces : ndarray (regions, T), float64
        Means over the pixels of each region; NaN where none has a value.
    """

    mean: NDArray[np.float64]
    traces: NDArray[np.float64]

    def on(self, scale: Scale) -> Seen:
        """The same on another scale."""
        return Seen(*(scale.gain * values + scale.offset for values in (self.mean, self.traces)))


def watch(
    recordings: Mapping[str, Recording],
    regions: Sequence[Region],
    *,
    memory_bytes: int,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Seen]:
    """Read recordings of one shape once, together, in blocks of frames."""
    n_frames, *shape = next(iter(recordings.values())).shape
    means = {name: MeanImage((shape[0], shape[1])) for name in recordings}
    traces = {name: np.empty((len(regions), n_frames)) for name in recordings}
    size = block_frames(*recordings.values(), memory_bytes=memory_bytes)

    def read(start: int, stop: int) -> dict[str, NDArray[Any]]:
        return {name: recording.read(start, stop) for name, recording in recordings.items()}

    pixels = [region.pixels for region in regions]
    for (start, stop), frames in read_ahead(read, blocks(0, n_frames, size)):
        for name, block in frames.items():
            means[name].add(block)
            flat = block.reshape(len(block), -1)
            for trace, inside in zip(traces[name], pixels, strict=True):
                trace[start:stop] = _mean_over_pixels(flat[:, inside])
        if progress:
            progress(stop, n_frames)
    return {name: Seen(means[name].image(), traces[name]) for name in recordings}


def _mean_over_pixels(values: NDArray[Any]) -> NDArray[np.float64]:
    """Of each frame, (frames, pixels); what is not finite is left out."""
    known = np.isfinite(values)
    total = np.where(known, values, 0).sum(axis=1, dtype=np.float64)
    number = known.sum(axis=1)
    mean: NDArray[np.float64] = np.where(number > 0, total / np.maximum(number, 1), np.nan)
    return mean

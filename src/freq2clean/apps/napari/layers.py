"""Layers as recordings, and which of them are compared."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from freq2clean.apps.napari.lazy import LazyFrames
from freq2clean.recordings import ArrayRecording, Metadata, Recording

if TYPE_CHECKING:
    from napari.layers import Image, Layer
    from napari.viewer import Viewer

__all__ = ["Comparison", "guess_pair", "is_recording", "layer_named", "recording_of", "source_of"]


def is_recording(layer: Layer) -> bool:
    """Whether a layer is a grey movie (T, Y, X)."""
    from napari.layers import Image

    return isinstance(layer, Image) and layer.ndim == 3 and not layer.rgb


def layer_named(viewer: Viewer, name: str) -> Layer:
    """The layer itself, where napari hands proxies to plugins: links between those are lost."""
    return next(layer for layer in viewer.layers if layer.name == name)


def recording_of(layer: Image) -> Recording:
    """The frames of a layer, at full resolution."""
    data = layer.data[0] if layer.multiscale else layer.data
    if isinstance(data, LazyFrames):
        return data.recording
    micrometres = [str(unit) for unit in layer.units[1:]] == ["micrometer"] * 2
    metadata = Metadata(
        frame_rate_hz=layer.metadata.get("frame_rate_hz"),
        pixel_size_um=(float(layer.scale[1]), float(layer.scale[2])) if micrometres else None,
    )
    return ArrayRecording(data, name=layer.name, metadata=metadata)


def source_of(layer: Image) -> tuple[str, Recording | str]:
    """A layer for a `Job`: its name, and the file it is read from, or else its frames."""
    data = layer.data
    if isinstance(data, LazyFrames) and data.source.keys() == {"path"}:
        return layer.name, data.source["path"]
    return layer.name, recording_of(layer)


def guess_pair(names: Sequence[str]) -> tuple[int, int]:
    """Which of some recordings is the raw one, and which the denoised, by their names.

    Examples
    --------
    >>> guess_pair(["truth", "raw", "denoised"]), guess_pair(["a_output", "a"]), guess_pair(["x"])
    ((1, 2), (1, 0), (0, 0))
    """
    numbers = range(len(names))
    named = [name.lower() for name in names]
    quiet = [i for i in numbers if any(word in named[i] for word in ("denois", "output"))]
    raw = [i for i in numbers if "raw" in named[i] and i not in quiet]
    denoised = quiet[0] if quiet else None
    others = [i for i in numbers if i != denoised]
    first = (raw or others or [0])[0]
    rest = [i for i in numbers if i != first] or [first]
    return first, rest[0] if denoised is None else denoised


class Comparison:
    """A fused layer over its denoised one, in the same contrast, and one of both in sight."""

    def __init__(self, viewer: Viewer, denoised: Image, fused: Image) -> None:
        self._viewer = viewer
        self.denoised, self.fused = denoised, fused
        self.show(fused)

    @property
    def is_whole(self) -> bool:
        """Whether both layers are still there."""
        return all(layer in self._viewer.layers for layer in (self.denoised, self.fused))

    def toggle(self) -> Image:
        """Show the other one; where something else is in sight, the fused one."""
        return self.show(self.denoised if self.fused.visible else self.fused)

    def show(self, chosen: Image) -> Image:
        """Show one recording alone; ROIs and the like stay."""
        for layer in self._viewer.layers:
            if is_recording(layer):
                layer.visible = layer is chosen
        return chosen

    def link_contrast(self, *others: Image) -> None:
        """One contrast for these layers and the fused one, whose it is."""
        for layer in others:
            layer.contrast_limits = self.fused.contrast_limits
        self._viewer.layers.link_layers([*others, self.fused], ("contrast_limits", "gamma"))

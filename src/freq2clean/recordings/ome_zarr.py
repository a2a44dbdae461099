"""OME-Zarr [1]_, versions 0.4 and 0.5: an image in several resolutions, with axes and units.

References
----------
.. [1] J. Moore et al., Histochemistry and Cell Biology 2023, doi:10.1007/s00418-023-02209-1
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freq2clean.errors import InputError
from freq2clean.recordings.casting import cast
from freq2clean.recordings.contract import Layout, Metadata, Sink
from freq2clean.recordings.provenance import metadata_from, metadata_items, positive
from freq2clean.recordings.stored import StoredArray, opener
from freq2clean.recordings.unbroken import Unbroken
from freq2clean.recordings.units import MICROMETRES, SECONDS
from freq2clean.recordings.zarr import ZarrSink, opened_array

__all__ = ["OmeZarrSink", "is_lone_image", "open_ome_zarr"]

_VERSION = "0.5"
_VIEWED_PIXELS = 256
"""The coarsest resolution has no side longer than this."""


@opener
def open_ome_zarr(path: Path, inside: str) -> StoredArray:
    """The finest resolution of the image in a store, or of the image or level ``inside`` it."""
    name = str(path / inside)
    group, level = _group(path, inside)
    image = _image(group)
    if image is None:
        raise InputError(f"{name} holds no OME-Zarr image: name one inside, as in {path}/0")
    try:
        axes = [one if isinstance(one, Mapping) else {"name": one} for one in image["axes"]]
        datasets = {one["path"]: one for one in image["datasets"]}
        dataset = datasets[level] if level else image["datasets"][0]
        scale = _scale(image, len(axes)) * _scale(dataset, len(axes))
        letters = "".join(str(axis["name"])[:1].upper() for axis in axes)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{name}: its description as an OME-Zarr image is damaged") from error
    array = opened_array(group[dataset["path"]])
    return StoredArray(
        array,
        name=str(path / group.path / dataset["path"]),
        metadata=_metadata(group.attrs, axes, scale),
        axes=letters if len(letters) == len(array.shape) else None,
    )


def is_lone_image(store: Path) -> bool:
    """Whether a store is an image and nothing else: no labels, no tables, no other image."""
    import zarr

    try:
        group = zarr.open_group(store, mode="r")
        image = _image(group)
        levels = {one["path"] for one in image["datasets"]} if image else set()
        return bool(levels) and {name for name, _ in group.members()} <= levels
    except Exception:  # damaged in whatever way: not ours to replace
        return False


class OmeZarrSink(Sink):
    """Writes an image of version 0.5: all pixels, and means of 2 x 2, 4 x 4 ... for viewers."""

    def __init__(self, path: Path, layout: Layout) -> None:
        import zarr

        shapes, metadata = _level_shapes(layout.shape), layout.metadata
        attributes = {"ome": _described(len(shapes), metadata), **metadata_items(metadata)}
        call = Unbroken()
        call(zarr.create_group, path, attributes=attributes, zarr_format=3)
        call.end()
        self._levels = [
            ZarrSink(path / str(level), replace(layout, shape=one, metadata=Metadata()))
            for level, one in enumerate(shapes)
        ]

    def append(self, block: NDArray[Any]) -> None:
        self._levels[0].append(block)
        means = block
        for level in self._levels[1:]:
            means = _halved(means)
            level.append(cast(means, block.dtype)[0])

    def close(self) -> None:
        with ExitStack() as stack:
            for level in self._levels:
                stack.callback(level.close)

    def finished_files(self) -> list[Path]:
        return [file for level in self._levels for file in level.finished_files()]


def _group(path: Path, inside: str) -> tuple[Any, str]:
    """The group of an image, and the name of a level of it if that is what is inside."""
    import zarr

    try:
        node = zarr.open(path / inside, mode="r")
        if isinstance(node, zarr.Group):
            return node, ""
        parent = (path / inside).parent
        return zarr.open_group(parent, mode="r"), (path / inside).name
    except Exception as error:  # zarr raises its own, OSError, ValueError, KeyError by version
        raise InputError(f"{path / inside} cannot be read as OME-Zarr: {error}") from error


def _image(group: Any) -> Any:
    """The description of a group's image; version 0.5 keeps it one step deeper."""
    attributes = group.attrs.asdict()
    held = attributes.get("ome", attributes)
    images = held.get("multiscales") if isinstance(held, Mapping) else None
    return images[0] if images else None


def _scale(described: Mapping[str, Any], n_axes: int) -> NDArray[np.float64]:
    """The product of the scales among the transformations of an image or a level."""
    scale = np.ones(n_axes)
    for one in described.get("coordinateTransformations") or ():
        if one.get("type") == "scale" and "scale" in one:
            scale = scale * np.asarray(one["scale"], np.float64)
    return scale


def _metadata(attributes: Any, axes: list[Any], scale: NDArray[np.float64]) -> Metadata:
    """From our own attributes if they are there, else from scales of axes that have a unit."""

    def size(name: str, units: Mapping[str, float]) -> float | None:
        for axis, one in zip(axes, scale, strict=True):
            if axis["name"] == name:
                unit = units.get(str(axis.get("unit", "")).lower())
                return positive(one * unit) if unit else None
        return None

    interval = size("t", SECONDS)
    known = {
        "frame_rate_hz": 1 / interval if interval else None,
        "pixel_size_um": [size(name, MICROMETRES) for name in "yx"],
    }
    return metadata_from(known | dict(attributes))


def _level_shapes(shape: tuple[int, int, int]) -> list[tuple[int, int, int]]:
    n_frames, height, width = shape
    shapes = [shape]
    while max(height, width) > _VIEWED_PIXELS and min(height, width) > 1:
        height, width = height // 2, width // 2
        shapes.append((n_frames, height, width))
    return shapes


def _halved(frames: NDArray[Any]) -> NDArray[np.float32]:
    """Means of 2 x 2 pixels; an odd row or column at the end is left out."""
    n_frames, height, width = frames.shape[0], frames.shape[1] // 2, frames.shape[2] // 2
    even = frames[:, : 2 * height, : 2 * width]
    pixels = even.reshape(n_frames, height, 2, width, 2)
    means: NDArray[np.float32] = pixels.mean(axis=(2, 4), dtype=np.float32)
    return means


def _described(n_levels: int, metadata: Metadata) -> dict[str, Any]:
    """What version 0.5 says of an image."""
    interval = 1 / metadata.frame_rate_hz if metadata.frame_rate_hz else 1.0
    height, width = metadata.pixel_size_um or (1.0, 1.0)
    axes: list[dict[str, str]] = [
        {"name": "t", "type": "time"},
        {"name": "y", "type": "space"},
        {"name": "x", "type": "space"},
    ]
    if metadata.frame_rate_hz:
        axes[0]["unit"] = "second"
    if metadata.pixel_size_um:
        axes[1]["unit"] = axes[2]["unit"] = "micrometer"
    datasets = []
    for level in range(n_levels):
        step = 2**level
        scale = [interval, height * step, width * step]
        shift = [0.0, height * (step - 1) / 2, width * (step - 1) / 2]
        datasets.append(
            {
                "path": str(level),
                "coordinateTransformations": [
                    {"type": "scale", "scale": scale},
                    {"type": "translation", "translation": shift},
                ],
            }
        )
    image = {"name": "recording", "axes": axes, "datasets": datasets, "type": "mean"}
    return {"version": _VERSION, "multiscales": [image]}

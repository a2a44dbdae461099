"""Frame rate, pixel size and provenance in the dialects of TIFF: ImageJ, OME, our own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree

import numpy as np

from freq2clean.recordings.contract import Metadata
from freq2clean.recordings.provenance import metadata_from, metadata_items, positive, to_json
from freq2clean.recordings.units import MICROMETRES, SECONDS

__all__ = ["claimed_frames", "imagej_tags", "plain_tags", "read_metadata"]


def claimed_frames(tif: Any) -> int:
    """Pages that the description of an ImageJ or tifffile file promises; 0 if it does not say.

    Where tifffile appended page by page, each promises itself only: that is no promise either.
    """
    if tif.is_imagej:
        described = tif.imagej_metadata or {}
        named = [int(described.get(key, 1)) for key in ("frames", "slices", "channels")]
        product = int(np.prod(named, dtype=object))
        claimed = product if product > 1 else int(described.get("images", 1))
    elif tif.is_shaped:
        claimed = int(np.prod(_shaped(tif)["shape"][:-2], dtype=object))
    else:
        claimed = 0
    return claimed if claimed > 1 else 0


def read_metadata(tif: Any) -> Metadata:
    """What a TIFF tells of its frame rate, pixel size and provenance."""
    if tif.is_shaped:
        return metadata_from(_shaped(tif))
    if tif.is_ome:
        return _ome(tif.ome_metadata)
    if tif.is_imagej:
        return _imagej(tif.imagej_metadata or {}, tif.pages.first.tags)
    return Metadata()


def plain_tags(shape: tuple[int, int, int], metadata: Metadata) -> dict[str, Any]:
    """Arguments of tifffile's write that describe a recording as tifffile itself would."""
    return {
        "description": to_json({"shape": shape, "axes": "TYX", **metadata_items(metadata)}),
    }


def imagej_tags(shape: tuple[int, int, int], metadata: Metadata, byteorder: Any) -> dict[str, Any]:
    """Arguments of tifffile's write that make it a hyperstack with calibration for ImageJ."""
    import tifffile

    calibration: dict[str, Any] = {}
    tags: dict[str, Any] = {}
    if metadata.frame_rate_hz:
        calibration |= {"finterval": 1 / metadata.frame_rate_hz, "tunit": "sec"}
    if metadata.pixel_size_um:
        height, width = metadata.pixel_size_um
        calibration |= {"unit": "micron"}
        tags |= {"resolution": (1 / width, 1 / height), "resolutionunit": 1}
    if metadata.provenance:
        info = to_json({"freq2clean": dict(metadata.provenance)})
        tags["extratags"] = tifffile.imagej_metadata_tag({"Info": info}, byteorder)
    description = tifffile.imagej_description(shape, axes="TYX", **calibration)
    if shape[0] == 1:
        description += "frames=1\n"
    return tags | {"description": description}


def _shaped(tif: Any) -> dict[str, Any]:
    """tifffile's own description. Its `shaped_metadata` would look for all series first."""
    described: dict[str, Any] = json.loads(tif.pages.first.shaped_description)
    return described


def _imagej(described: Mapping[str, Any], tags: Any) -> Metadata:
    interval = positive(described.get("finterval"))
    rate = 1 / interval if interval else described.get("fps")
    try:
        info = json.loads(described.get("Info", ""))
    except (TypeError, ValueError):
        info = {}
    return metadata_from(
        {
            "frame_rate_hz": rate,
            "pixel_size_um": _imagej_pixel_size(described, tags),
            "provenance": info.get("freq2clean") if isinstance(info, dict) else None,
        }
    )


def _imagej_pixel_size(described: Mapping[str, Any], tags: Any) -> tuple[float, float] | None:
    unit = MICROMETRES.get(str(described.get("unit", "")).lower())
    fractions = [tags.valueof(name) for name in ("YResolution", "XResolution")]
    if unit is None or not all(fractions) or not all(pixels for pixels, _ in fractions):
        return None
    (y_pixels, y_units), (x_pixels, x_units) = fractions
    return unit * y_units / y_pixels, unit * x_units / x_pixels


def _ome(xml: str) -> Metadata:
    pixels = next(
        (e for e in ElementTree.fromstring(xml).iter() if e.tag.endswith("}Pixels")), None
    )
    if pixels is None:
        return Metadata()

    def value(name: str, units: Mapping[str, float], default: str) -> float | None:
        unit = units.get(pixels.get(f"{name}Unit", default))
        given = positive(pixels.get(name))
        return given * unit if given and unit else None

    interval = value("TimeIncrement", SECONDS, "s")
    sizes = [value(f"PhysicalSize{axis}", MICROMETRES, "µm") for axis in "YX"]
    return metadata_from(
        {"frame_rate_hz": 1 / interval if interval else None, "pixel_size_um": sizes}
    )

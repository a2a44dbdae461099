"""Checksums of inputs, and metadata as names and values."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from freq2clean.recordings import Metadata, fingerprint, open_recording
from freq2clean.recordings.provenance import metadata_from, metadata_items, to_json


def test_fingerprint_is_defined_by_shape_dtype_first_and_last_frame(movie):
    pixels = movie("int16")
    expected = hashlib.sha256(
        b"(9, 33, 47) int16"
        + pixels[0].astype("<i2").tobytes()
        + pixels[-1].astype("<i2").tobytes()
    ).hexdigest()
    assert fingerprint(open_recording(pixels)) == expected
    assert fingerprint(open_recording(pixels.astype(">i2"))) == expected
    assert fingerprint(open_recording(np.asfortranarray(pixels))) == expected


def test_fingerprint_sees_every_part(movie):
    pixels = movie("int16")
    first, last, middle = pixels.copy(), pixels.copy(), pixels.copy()
    first[0, 0, 0] += 1
    last[-1, -1, -1] += 1
    middle[4] += 1
    seen = [pixels, first, last, pixels[1:], pixels.astype("int32"), pixels.reshape(9, 47, 33)]
    assert len({fingerprint(open_recording(one)) for one in seen}) == len(seen)
    assert fingerprint(open_recording(middle)) == fingerprint(open_recording(pixels))


def test_metadata_survives_as_names_and_values():
    metadata = Metadata(30.0, (1.0, 0.5), {"alpha": 0.85, "window": None})
    assert metadata_from(metadata_items(metadata)) == metadata
    assert metadata_items(Metadata()) == {}


@pytest.mark.parametrize("rate", ["x", None, 0, -1, float("nan"), float("inf"), [1, 2]])
def test_senseless_frame_rates_are_unknown(rate):
    assert metadata_from({"frame_rate_hz": rate}).frame_rate_hz is None


@pytest.mark.parametrize(
    ("given", "found"),
    [(0.5, (0.5, 0.5)), ([1, 2], (1.0, 2.0)), (np.array([1, 0]), None), ("x", None), (None, None)],
)
def test_pixel_sizes(given, found):
    assert metadata_from({"pixel_size_um": given}).pixel_size_um == found


@pytest.mark.parametrize("text", ["no json", b"\xff", "[1]", 3, None])
def test_strange_provenance_is_none(text):
    assert metadata_from({"provenance": text}).provenance == {}


def test_what_json_cannot_express_is_refused():
    with pytest.raises(TypeError, match="provenance holds a set"):
        to_json({"a": {1}})

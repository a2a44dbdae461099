"""Damaged recordings are read or refused in words; those that once were not stay in the corpus."""

from __future__ import annotations

import io
import json
import struct
import sys

import numpy as np
import pytest
import tifffile
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.reliability.damage import attempt
from tests.reliability.fuzz import campaign
from tests.reliability.seeds import SEEDS

from freq2clean.errors import InputError
from freq2clean.recordings import open_recording

SOME = ["tiff-folder", "zarr-lone-in-group", "hdf5-lone", "our-npy"]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits memory as Linux does")


def test_some_of_every_kind(tmp_path):
    found = campaign(SOME, tmp_path, count=25)
    assert found.kept == []
    assert found.done == dict.fromkeys(SOME, 25)
    assert 0 < sum(found.opened.values()) < 25 * len(SOME)


@pytest.mark.slow
def test_many_of_every_format(tmp_path):
    found = campaign(list(SEEDS), tmp_path, count=1000)
    assert found.kept == []


def test_a_npy_header_as_long_as_it_claims(tmp_path):
    """4 GB of header in a file of 20 bytes, and in what follows the pixels."""
    claim = b"\x93NUMPY\x02\x00" + struct.pack("<I", 2**32 - 1) + b"{'descr'"
    (tmp_path / "a.npy").write_bytes(claim)
    with pytest.raises(InputError, match=r"is no \.npy file that NumPy can read"):
        open_recording(tmp_path / "a.npy")
    pixels = np.zeros((2, 3, 4), np.uint8)
    kept = io.BytesIO()
    np.lib.format.write_array_header_2_0(
        kept, {"descr": "|u1", "fortran_order": False, "shape": (2**40,)}
    )
    for after in (claim, kept.getvalue()):
        np.save(tmp_path / "a.npy", pixels)
        with (tmp_path / "a.npy").open("ab") as file:
            file.write(after)
        with open_recording(tmp_path / "a.npy") as recording:
            np.testing.assert_array_equal(recording[:], pixels)


def test_a_tiff_page_without_strips(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.ones((20, 30), np.uint16), metadata=None)
    content = path.read_bytes()
    with tifffile.TiffFile(path) as tif:
        tags = [tif.pages[0].tags[code].offset for code in (273, 279)]
    for tag in tags:
        content = content[: tag + 4] + struct.pack("<I", 0) + content[tag + 8 :]
    path.write_bytes(content)
    with pytest.raises(InputError):
        open_recording(tmp_path)[:]


@pytest.mark.parametrize("shape", [[2**70, 4, 4], [2**63, 4, 4], [4, 4, -1]])
def test_a_zarr_array_without_end(tmp_path, shape):
    zarr.create_array(tmp_path / "a.zarr", shape=(3, 4, 4), dtype="u2")
    described = json.loads((tmp_path / "a.zarr" / "zarr.json").read_text())
    described["shape"] = shape
    (tmp_path / "a.zarr" / "zarr.json").write_text(json.dumps(described))
    with pytest.raises(InputError):
        open_recording(tmp_path / "a.zarr")


def test_a_damaged_array_beside_the_movie(tmp_path):
    group = zarr.open_group(tmp_path / "a.zarr", mode="w")
    for name in ("movie", "mean"):
        group.create_array(name, shape=(3, 4, 4), dtype="u2")
    (tmp_path / "a.zarr" / "mean" / "zarr.json").write_bytes(b"\xff{")
    with pytest.raises(InputError, match=r"a.zarr cannot be read as Zarr"):
        open_recording(tmp_path / "a.zarr")


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    descr=st.sampled_from(["<u2", "|u1", ">f4", "<f8", "|O", "<c8", "<M8[s]", "|V3", "?", "x"]),
    order=st.sampled_from([True, False, None, 7]),
    shape=st.one_of(st.lists(st.integers(-3, 2**70), max_size=6).map(tuple), st.none()),
    held=st.integers(0, 300),
)
def test_any_npy_header(tmp_path, descr, order, shape, held):
    header = repr({"descr": descr, "fortran_order": order, "shape": shape}).encode() + b"\n"
    start = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header))
    (tmp_path / "a.npy").write_bytes(start + header + bytes(held))
    attempt(str(tmp_path / "a.npy"))


_SIZES = st.one_of(st.integers(0, 40), st.integers(2**30, 2**64))


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(height=_SIZES, width=_SIZES, depth=_SIZES, n_frames=_SIZES, order=st.sampled_from("CFX"))
def test_any_name_of_a_memory_map(tmp_path, height, width, depth, n_frames, order):
    name = f"a_d1_{height}_d2_{width}_d3_{depth}_order_{order}_frames_{n_frames}.mmap"
    (tmp_path / name).write_bytes(bytes(4 * 120))
    attempt(str(tmp_path / name))


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(shape=st.text("0123456789,x /-", max_size=40))
def test_any_shape_of_a_binary(tmp_path, shape):
    (tmp_path / "data.bin").write_bytes(bytes(480))
    attempt(f"{tmp_path / 'data.bin'}::{shape}")

"""Casts against a naive reference in exact arithmetic."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from freq2clean.errors import InputError
from freq2clean.recordings import cast, target_dtype

INTEGERS = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64")
FLOATS = ("float16", "float32", "float64")


def naive(value, dtype):
    """One value cast, and whether the dtype cannot hold it."""
    value = value.item()
    if np.dtype(dtype).kind == "f":
        largest = float(np.finfo(dtype).max)
        if isinstance(value, float) and not math.isfinite(value):
            return value, False
        with np.errstate(over="ignore"):
            rounded = float(np.array(value).astype(dtype))
        return (rounded, False) if math.isfinite(rounded) else (math.copysign(largest, value), True)
    limits = np.iinfo(dtype)
    if isinstance(value, float) and math.isnan(value):
        return 0, True
    if isinstance(value, float) and math.isinf(value):
        return (limits.max if value > 0 else limits.min), True
    rounded = round(value)
    clipped = min(max(rounded, int(limits.min)), int(limits.max))
    return clipped, clipped != rounded


@st.composite
def blocks(draw):
    dtype = draw(st.sampled_from(INTEGERS + FLOATS))
    elements = None
    if dtype in FLOATS:
        width = np.dtype(dtype).itemsize * 8
        edges = [
            edge
            for target in INTEGERS
            for edge in (np.iinfo(target).min - 0.5, np.iinfo(target).max + 0.5)
            if float(np.array(edge, dtype)) == edge
        ]
        elements = st.one_of(st.floats(width=width), st.sampled_from([0.5, 1.5, -0.5, *edges]))
    return draw(hnp.arrays(dtype, hnp.array_shapes(max_dims=3), elements=elements))


@pytest.mark.filterwarnings("ignore:overflow encountered in cast:RuntimeWarning")
@given(blocks(), st.sampled_from(INTEGERS + FLOATS))
def test_equals_the_naive_cast(block, dtype):
    before = block.copy()
    out, n_clipped = cast(block, dtype)
    expected = [naive(value, dtype) for value in block.ravel()]
    assert out.dtype == np.dtype(dtype)
    assert out.shape == block.shape
    np.testing.assert_array_equal(block, before)
    if block.dtype == np.dtype(dtype):
        assert out is block
        assert n_clipped == 0
        return
    wanted = np.array([value for value, _ in expected], dtype).reshape(block.shape)
    np.testing.assert_array_equal(out, wanted)
    assert n_clipped == sum(lost for _, lost in expected)


def test_rounds_half_to_even():
    out, n_clipped = cast(np.array([0.5, 1.5, 2.5, 254.5, -0.5]), "uint8")
    assert out.tolist() == [0, 2, 2, 254, 0]
    assert n_clipped == 0


def test_clips_and_never_wraps():
    values = np.array([-1, 65536, 70000, np.inf, -np.inf, np.nan, 65535.4], np.float32)
    out, n_clipped = cast(values, "uint16")
    assert out.tolist() == [0, 65535, 65535, 65535, 0, 0, 65535]
    assert n_clipped == 6


def test_largest_int32_that_float32_cannot_express():
    out, n_clipped = cast(
        np.array([2**31, 2**31 - 128, -(2**31), -(2**31) - 256], np.float32), "i4"
    )
    assert out.tolist() == [2**31 - 1, 2**31 - 128, -(2**31), -(2**31)]
    assert n_clipped == 2


def test_half_floats_clip():
    out, n_clipped = cast(np.array([1e6, -1e6, np.inf, np.nan, 65504], np.float32), "float16")
    np.testing.assert_array_equal(out, np.array([65504, -65504, np.inf, np.nan, 65504], "f2"))
    assert n_clipped == 2


def test_read_only_blocks():
    block = np.arange(-3, 9, dtype=np.float32)
    block.flags.writeable = False
    assert cast(block, "uint8")[1] == 3


def test_empty_block():
    out, n_clipped = cast(np.empty((0, 4, 5), np.float32), "uint8")
    assert out.shape == (0, 4, 5)
    assert out.dtype == np.uint8
    assert n_clipped == 0


def test_names():
    assert target_dtype("same", np.int16) == np.int16
    assert target_dtype("float32", np.int16) == np.float32
    with pytest.raises(InputError, match="dtype 'flaot32' is unknown; allowed are same, uint8"):
        target_dtype("flaot32", np.int16)

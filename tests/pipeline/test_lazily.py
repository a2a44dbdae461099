"""Dask arrays give a Dask array, whose values are those of arrays, however they are chunked."""

from __future__ import annotations

from collections import Counter

import dask
import dask.array as da
import numpy as np
import pytest

from freq2clean import InputError, fuse

METHODS = {
    "fft": {"window": 100, "overlap": 0.2},
    "dct": {"window": 120, "raw_average": 60},
    "wiener": {"window": 130, "n_bins": 12},
    "subspace": {"window": 150},
    "auto": {},
}
CHUNKS = {
    "ragged": (((7, 90, 1, 102, 200), 40, 44), ((150, 250), 40, 44)),
    "split in space": ((64, 15, 44), (60, 40, 20)),
    "one": ((400, 40, 44), (400, 40, 44)),
}


@pytest.fixture(scope="module", params=METHODS)
def expected(request, active):
    return request.param, fuse(*active, method=request.param, **METHODS[request.param])


@pytest.fixture(autouse=True)
def one_task_at_a_time(monkeypatch):
    """And parts that are short."""
    monkeypatch.setattr("freq2clean.pipeline.lazily._SHARE_OF_PART", 1000)
    with dask.config.set(scheduler="sync"):
        yield


@pytest.mark.parametrize("chunks", CHUNKS)
def test_any_chunks_give_what_arrays_give(active, expected, chunks):
    method, whole = expected
    raw, denoised = (
        da.from_array(x, chunks=c) for x, c in zip(active, CHUNKS[chunks], strict=True)
    )
    fused = fuse(raw, denoised, method=method, **METHODS[method])
    assert isinstance(fused, da.Array)
    assert (fused.shape, fused.dtype) == (whole.shape, np.float32)
    assert fused.numblocks[1:] == (1, 1)
    assert len(fused.chunks[0]) > 1 or method in ("subspace", "auto")
    values = fused.compute()
    assert values.dtype == np.float32
    np.testing.assert_allclose(values, whole, atol=1e-4 * np.nanmax(whole))


def test_any_frames_can_be_asked_for(active):
    raw, denoised = (da.from_array(x, chunks=(30, 40, 44)) for x in active)
    fused = fuse(raw, denoised, method="wiener", window=130)
    whole = fuse(*active, method="wiener", window=130)
    np.testing.assert_allclose(fused[217:223, 5:9].compute(), whole[217:223, 5:9], atol=0.02)


def test_one_lazy_array_is_enough(active):
    raw, denoised = active
    fused = fuse(da.from_array(raw, chunks=(64, 40, 44)), denoised, method="fft")
    np.testing.assert_allclose(fused.compute(), fuse(raw, denoised, method="fft"), atol=0.02)


def counted(array, chunk, loads):
    """A lazy array that notes which of its chunks are loaded."""

    def load(start):
        loads[start] += 1
        return array[start : start + chunk]

    return da.concatenate(
        [
            da.from_delayed(
                dask.delayed(load, pure=False)(start),
                array[start : start + chunk].shape,
                array.dtype,
            )
            for start in range(0, len(array), chunk)
        ]
    )


@pytest.mark.parametrize("method", ["fft", "wiener"])
def test_nothing_but_the_survey_is_read_before_it_is_asked_for(make_pair, method):
    made = make_pair((3000, 12, 12))
    loads = Counter(), Counter()
    raw, denoised = (
        counted(x, 25, n) for x, n in zip((made.raw, made.denoised), loads, strict=True)
    )
    fused = fuse(raw, denoised, method=method)
    n_runs, length = (8, 8) if method == "fft" else (4, 128)
    assert all(sum(n.values()) <= n_runs * (length // 25 + 2) for n in loads)
    for n in loads:
        n.clear()
    fused.compute()
    assert [set(n.values()) for n in loads] == [{1}, {2}], "raw once; denoised read anew, not kept"


def test_the_graph_is_small(make_pair):
    made = make_pair((3000, 12, 12))
    raw, denoised = (da.from_array(x, chunks=(100, 12, 12)) for x in (made.raw, made.denoised))
    fused = fuse(raw, denoised, method="subspace", window=1000)
    ours = [key for key in fused.__dask_graph__() if str(key).startswith("_")]
    assert 30 < len(ours) < 6 * 30


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"align": "start"}, "align: Dask arrays are taken as they are"),
        ({"plane": 1}, "plane: Dask arrays"),
        ({"workers": 2}, "workers: say it where"),
        ({"register": True}, "register measures the whole recording"),
    ],
)
def test_options_that_need_more_are_refused(active, options, message):
    raw, denoised = (da.from_array(x, chunks=(100, 40, 44)) for x in active)
    with pytest.raises(InputError, match=message):
        fuse(raw, denoised, **options)


def test_what_does_not_fit_is_refused(active):
    raw, denoised = (da.from_array(x, chunks=(100, 40, 44)) for x in active)
    with pytest.raises(InputError, match="they must be equal"):
        fuse(raw, denoised[:300])
    with pytest.raises(InputError, match="compute_chunk_sizes"):
        fuse(raw[raw[:, 0, 0] > 0], denoised)
    with pytest.raises(InputError, match="complex64"):
        fuse(raw.astype("complex64"), denoised)


def test_a_swapped_pair_is_refused(make_pair):
    made = make_pair((400, 40, 44))
    raw, denoised = (da.from_array(x, chunks=(100, 40, 44)) for x in (made.raw, made.denoised))
    with pytest.raises(InputError, match="were they swapped"):
        fuse(denoised, raw)

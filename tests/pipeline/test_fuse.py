"""Arrays and files in, the same fused recording out."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest
import zarr

from freq2clean import Dct, Fft, InputError, OutputError, Wiener, fuse, open_recording

SUFFIXES = (".tif", ".zarr", ".h5", ".npy")
METHODS = {
    "wiener": (Wiener, {}),
    "fft": (Fft, {"alpha": 0.85, "matching": "histogram", "window": 3000}),
    "dct": (Dct, {"window": 40, "overlap": 0.2}),
}


@pytest.mark.parametrize("method", METHODS)
def test_arrays_give_what_fit_and_apply_give(pair, method):
    cls, options = METHODS[method]
    fused = fuse(pair.raw, pair.denoised, method=method, **options)
    expected = cls(**options).fit(pair.raw, pair.denoised).apply(pair.denoised)
    assert fused.dtype == np.float32
    assert fused.shape == pair.raw.shape
    np.testing.assert_allclose(fused, expected, atol=1e-5 * np.ptp(pair.raw))
    assert np.abs(fused - pair.truth).mean() < 0.95 * np.abs(pair.denoised - pair.truth).mean()


@pytest.mark.parametrize("suffix_in", SUFFIXES)
def test_every_input_format_gives_what_arrays_give(pair, save, suffix_in, tmp_path):
    raw = save(tmp_path / f"raw{suffix_in}", pair.raw)
    denoised = save(tmp_path / f"denoised{suffix_in}", pair.denoised)
    np.testing.assert_array_equal(fuse(raw, str(denoised)), fuse(pair.raw, pair.denoised))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_output_format_holds_what_arrays_give(pair, save, suffix, tmp_path):
    raw = save(tmp_path / "raw.tif", pair.raw)
    denoised = save(tmp_path / "denoised.tif", pair.denoised)
    result = fuse(raw, denoised, out=tmp_path / f"fused{suffix}", n_bins=4)
    assert result.path == str(tmp_path / f"fused{suffix}")
    assert (result.shape, result.dtype, result.n_clipped) == (pair.raw.shape, "float32", 0)
    with open_recording(result.path) as fused:
        np.testing.assert_array_equal(fused[:], fuse(pair.raw, pair.denoised, n_bins=4))
        assert fused.metadata.frame_rate_hz == pytest.approx(12.5)
        assert fused.metadata.pixel_size_um == pytest.approx((0.5, 0.25))
        made = fused.metadata.provenance
    assert made["method"] == "auto"
    assert made["n_bins"] == 4
    assert set(made["versions"]) == {"freq2clean", "numpy", "scipy", "python"}
    assert [entry["name"] for entry in made["inputs"]] == [str(raw), str(denoised)]
    assert [entry["dtype"] for entry in made["inputs"]] == ["uint16", "float32"]
    assert all(entry["shape"] == list(pair.raw.shape) for entry in made["inputs"])
    digests = {e["sha256_of_shape_dtype_first_and_last_frame"] for e in made["inputs"]}
    assert len(digests) == 2
    assert {len(digest) for digest in digests} == {64}


def test_lazily_sliced_arrays_are_taken(pair, tmp_path):
    store = zarr.create_array(tmp_path / "a.zarr", data=np.asarray(pair.raw), chunks=(7, 26, 30))
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["denoised"] = pair.denoised
        fused = fuse(store, file["denoised"])
    np.testing.assert_array_equal(fused, fuse(pair.raw, pair.denoised))


def test_open_recordings_stay_open(pair):
    with open_recording(pair.raw) as raw, open_recording(pair.denoised) as denoised:
        fuse(raw, denoised)
        assert raw.read(0, 1).shape == (1, 26, 30)


@pytest.mark.parametrize("memory", ["100MB", "1GB"])
@pytest.mark.parametrize("method", METHODS)
def test_the_size_of_blocks_changes_nothing(make_pair, monkeypatch, method, memory):
    """Blocks of a few frames and windows far shorter than the recording, both passes entwined."""
    raw, denoised, _ = make_pair((130, 20, 22))
    options = {"window": 30}
    whole = fuse(raw, denoised, method=method, **options)
    monkeypatch.setattr("freq2clean.pipeline.streamed.block_frames", lambda *_, memory_bytes: 7)
    tiled = fuse(raw, denoised, method=method, memory=memory, **options)
    np.testing.assert_allclose(tiled, whole, atol=1e-5 * np.ptp(raw))


@pytest.mark.parametrize(
    ("dtype", "expected"), [("same", "uint16"), ("uint8", "uint8"), ("float32", "float32")]
)
def test_dtype_rounds_clips_and_counts(pair, tmp_path, dtype, expected):
    result = fuse(pair.raw, pair.denoised, out=tmp_path / "fused.npy", dtype=dtype)
    floats = fuse(pair.raw, pair.denoised)
    fused = np.load(result.path)
    assert result.dtype == expected == fused.dtype.name
    if expected == "float32":
        np.testing.assert_array_equal(fused, floats)
        return
    high = np.iinfo(expected).max
    np.testing.assert_array_equal(fused, np.rint(floats).clip(0, high).astype(expected))
    n_clipped = np.count_nonzero((np.rint(floats) > high) | (np.rint(floats) < 0))
    assert result.n_clipped == n_clipped
    assert (n_clipped > 0) == (expected == "uint8")
    clipped = [note for note in result.notes if "clipped" in note]
    assert len(clipped) == (n_clipped > 0)
    assert all(str(n_clipped) in note for note in clipped)


def test_negative_values_are_clipped_not_wrapped(make_pair, tmp_path):
    raw, denoised, _ = make_pair()
    denoised = denoised - 190
    result = fuse(raw, denoised, out=tmp_path / "o.npy", dtype="same", rescale=False, n_bins=1)
    floats = fuse(raw, denoised, rescale=False, n_bins=1)
    assert result.n_clipped == np.count_nonzero(np.rint(floats) < 0)
    np.testing.assert_array_equal(np.load(result.path), np.rint(floats).clip(0).astype(np.uint16))


@pytest.mark.parametrize(("align", "first"), [("start", 0), ("end", 6), ("center", 3)])
def test_align_says_where_fewer_frames_lie(pair, tmp_path, align, first):
    short = pair.denoised[first : first + 64]
    result = fuse(pair.raw, short, align=align, out=tmp_path / "fused.npy")
    expected = fuse(pair.raw[first : first + 64], short)
    np.testing.assert_array_equal(np.load(result.path), expected)
    assert result.shape == (64, 26, 30)
    assert f"64 of 70 frames: it was set against frames {first} to {first + 63}" in result.notes[0]


def test_fewer_frames_need_align(pair):
    with pytest.raises(InputError, match=r"has 70 frames .* has 64; .*start, end or center"):
        fuse(pair.raw, pair.denoised[:64])
    with pytest.raises(InputError, match="'middle'; give one of start, end, center"):
        fuse(pair.raw, pair.denoised[:64], align="middle")


def test_more_frames_than_raw_are_refused(pair):
    with pytest.raises(InputError, match="70 frames, more than the 64"):
        fuse(pair.raw[:64], pair.denoised, align="start")


def test_channel_and_plane_choose(pair, tmp_path):
    five = np.zeros((70, 2, 3, 26, 30), np.uint16)
    five[:, 1, 2] = pair.raw
    both = np.zeros((70, 2, 3, 26, 30), np.float32)
    both[:, 1, 2] = pair.denoised
    fused = fuse(five, both, plane=1, channel=2)
    np.testing.assert_array_equal(fused, fuse(pair.raw, pair.denoised))
    with pytest.raises(InputError, match=r"give --plane 0\.\.1 and --channel 0\.\.2"):
        fuse(five, both)


def test_nan_in_gives_nan_out_at_that_pixel_only(make_pair, tmp_path):
    raw, denoised, _ = make_pair()
    raw, denoised = raw.astype(np.float32), denoised.copy()
    raw[5, 3, 4] = np.nan
    denoised[9, 8, 7] = np.nan
    result = fuse(raw, denoised, out=tmp_path / "fused.tif")
    with open_recording(result.path) as fused:
        missing = np.argwhere(np.isnan(fused[:]))
    assert missing.tolist() == [[5, 3, 4], [9, 8, 7]]
    json.dumps(result.as_dict(), allow_nan=False)


@pytest.mark.parametrize("nothing", [(0,), (1,), (0, 1)])
def test_a_recording_without_a_number_is_refused(make_pair, tmp_path, nothing):
    recordings = [frames.astype(np.float32) for frames in make_pair()[:2]]
    for i in nothing:
        recordings[i][:] = np.nan
    with pytest.raises(InputError, match="is a finite number; give another"):
        fuse(*recordings, out=tmp_path / "fused.npy")
    assert not list(tmp_path.iterdir())
    for i in nothing:
        recordings[i][-1, 3, 4] = 1
    assert np.isfinite(fuse(*recordings)).any()


def test_another_scale_is_matched_and_said(pair, tmp_path):
    result = fuse(pair.raw, (pair.denoised - 200) / 1000, out=tmp_path / "fused.npy")
    assert any("another scale" in note for note in result.notes)
    assert 1000 < result.findings["scale"]["gain"] < 2000
    fused = np.load(result.path)
    assert np.abs(fused - pair.truth).mean() < 0.9 * np.abs(pair.denoised - pair.truth).mean()


def test_the_expected_gain_is_said(pair, tmp_path):
    result = fuse(pair.raw, pair.denoised, out=tmp_path / "fused.npy")
    (note,) = (note for note in result.notes if "expected gain, without ground truth" in note)
    assert f"{result.findings['expected_mse_reduction']:.4g}" in note
    true_gain = (
        np.square(pair.denoised - pair.truth).mean()
        - np.square(np.load(result.path) - pair.truth).mean()
    )
    assert result.findings["expected_mse_reduction"] == pytest.approx(true_gain, rel=0.2)


@pytest.mark.parametrize("shape", [(1, 16, 16), (2, 16, 16), (9, 1, 40), (9, 40, 1)])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("constant", [False, True])
def test_strange_shapes_and_constant_recordings_pass(tmp_path, shape, method, constant):
    rng = np.random.default_rng(0)
    raw = np.full(shape, 7, np.uint16) if constant else rng.poisson(50, shape).astype(np.uint16)
    denoised = np.full(shape, 7.0 if constant else 50.0, np.float32)
    result = fuse(raw, denoised, method=method, out=tmp_path / "fused.tif")
    with open_recording(result.path) as fused:
        assert fused.shape == shape
        assert np.isfinite(fused[:]).all()
        if constant:
            np.testing.assert_allclose(fused[:], 7, atol=1e-4)
    json.dumps(result.as_dict(), allow_nan=False)


def test_a_swapped_pair_is_refused(pair):
    quiet = np.broadcast_to(pair.denoised.mean(axis=0), pair.denoised.shape) + pair.denoised / 10
    with pytest.raises(InputError, match="swapped"):
        fuse(quiet, pair.raw)
    assert fuse(quiet, pair.raw, rescale=False).shape == pair.raw.shape


def test_a_denoised_recording_like_the_raw_one_is_not_called_swapped(pair):
    assert fuse(pair.raw, pair.raw).shape == pair.raw.shape


def test_progress_rises_to_the_end(pair):
    reported = []
    fuse(pair.raw, pair.denoised, progress=lambda done, total: reported.append((done, total)))
    done = [done for done, _ in reported]
    assert done == sorted(done)
    assert reported[-1] == (140, 140)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"method": "magic"}, "give one of"),
        ({"method": "fft", "n_bins": 2}, "no option n_bins"),
        ({"alpha": 0.5}, "no option alpha"),
        ({"memory": "1 parsec"}, "500MB"),
        ({"memory": "1MB"}, "100MB"),
        ({"dtype": "uint16"}, "give out"),
        ({"compression": "zstd"}, "give out"),
    ],
)
def test_what_is_not_used_is_refused(pair, options, says):
    with pytest.raises(InputError, match=says):
        fuse(pair.raw, pair.denoised, **options)


def test_the_target_may_not_be_an_input(pair, save, tmp_path):
    raw = save(tmp_path / "raw.npy", pair.raw)
    before = raw.read_bytes()
    with pytest.raises(OutputError, match="one of the inputs"):
        fuse(raw, pair.denoised, out=raw)
    with pytest.raises(OutputError, match="one of the inputs"):
        fuse(np.load(raw, mmap_mode="r"), pair.denoised, out=raw)
    assert raw.read_bytes() == before


def test_an_error_in_the_middle_leaves_the_old_target(pair, save, tmp_path):
    class Failing:
        shape, dtype = pair.denoised.shape, pair.denoised.dtype
        asked = 0

        def __getitem__(self, key):
            self.asked += 1
            if self.asked > 2:
                raise OSError("the disk has gone")
            return pair.denoised[key]

    old = save(tmp_path / "fused.tif", pair.raw[:3])
    before = old.read_bytes()
    with pytest.raises(InputError, match="disk has gone"):
        fuse(pair.raw, Failing(), out=old, memory="100MB", window=10)
    assert old.read_bytes() == before
    assert list(tmp_path.iterdir()) == [old]

"""What every method of fusion keeps to: a test class of each inherits `MethodSuite`."""

from __future__ import annotations

import inspect
import json
import pickle

import numpy as np
import pytest

from freq2clean import Fusion
from freq2clean.errors import InputError
from freq2clean.fusion import METHODS, get_method
from freq2clean.fusion.method import Method
from freq2clean.fusion.spaces import space_of, to_host

VOXEL = (33, 5, 9)


class Lazy:
    """Only a shape, and frames by slice."""

    def __init__(self, recording):
        self._recording = recording
        self.shape = recording.shape
        self.longest = 0

    def __getitem__(self, key):
        assert isinstance(key, slice)
        block = self._recording[key]
        self.longest = max(self.longest, len(block))
        return block


def holed(recording, where, value=np.nan):
    copy = recording.copy()
    copy[where] = value
    return copy


def check_finite(method, raw, denoised):
    fusion = method.fit(raw, denoised)
    fused = fusion.apply(denoised)
    assert fused.shape == raw.shape
    assert fused.dtype == np.float32
    assert np.isfinite(fused).all()
    json.dumps(fusion.findings, allow_nan=False)
    return fused


class MethodSuite:
    """Set ``method`` to one with its options.

    Whoever asks for less than these says why.
    """

    method: Method
    on_its_own = True  # whether any frames can be applied without those beside them
    shifts = True  # whether an offset of both recordings shifts the result, and no more
    least_frames = 1  # of a recording
    tolerance = 5e-4  # of sums in another order; recordings are about 100

    @pytest.fixture(name="method")
    def method_fixture(self):
        return self.method

    @pytest.fixture(scope="class")
    @classmethod
    def pair(cls, make_pair):
        return make_pair((100, 24, 24))

    @pytest.fixture(scope="class")
    @classmethod
    def fused(cls, pair):
        """The pair, fused."""
        return cls.method.fit(pair.raw, pair.denoised).apply(pair.denoised)

    @pytest.fixture(scope="class")
    @classmethod
    def gaps(cls, make_pair):
        """With a dropped line and a value that is not a number, which must not depend on blocks."""
        made = make_pair((100, 12, 16))
        made.raw[40, 3] = 0
        made.raw[17, 5, 6] = np.nan
        return made

    @pytest.fixture(scope="class")
    @classmethod
    def whole(cls, gaps):
        """Those with gaps, fused in one block."""
        fusion = cls.method.fit(gaps.raw, gaps.denoised, block_frames=100)
        return fusion.apply(gaps.denoised)

    def close(self, fused, expected):
        np.testing.assert_allclose(fused, expected, rtol=0, atol=self.tolerance)

    # Its name and parameters.

    def test_the_registry_has_it(self, method):
        assert METHODS[method.name].load() is type(method)
        assert METHODS[method.name].about

    def test_every_parameter_is_explained(self, method):
        said = "".join(inspect.getdoc(cls) or "" for cls in type(method).__mro__)
        for name in method.parameters():
            assert name == "method" or name in said

    def test_parameters_go_into_json_and_make_it_again(self, method):
        parameters = json.loads(json.dumps(method.parameters()))
        again = get_method(parameters.pop("method"), **parameters)
        assert type(again) is type(method)
        assert json.dumps(again.parameters()) == json.dumps(method.parameters())

    def test_it_can_be_sent_to_another_process(self, method):
        assert pickle.loads(pickle.dumps(method)) == method

    def test_an_option_that_it_does_not_have(self, method):
        with pytest.raises(InputError, match=f"method {method.name} has no option name; it has"):
            get_method(method.name, name="other")

    def test_findings_tell_windows_and_bins(self, method, pair):
        found = method.fit(pair.raw, pair.denoised).findings
        assert found["windows"][0][0] == 0
        assert found["windows"][-1][1] == len(pair.raw)
        assert found["n_bins"] >= 1

    # What cannot be fused.

    @pytest.mark.parametrize(
        ("raw", "denoised", "words"),
        [
            (
                (5, 4, 4),
                (5, 4, 5),
                r"shape \(5, 4, 4\) and the denoised one \(5, 4, 5\); they must",
            ),
            ((5, 4, 4), (4, 4, 4), r"shape \(5, 4, 4\) and the denoised one \(4, 4, 4\)"),
            ((4, 4), (4, 4), r"raw recording has shape \(4, 4\); \(T, Y, X\) is needed"),
            ((5, 4, 4), (5, 4, 4, 3), r"denoised recording has shape \(5, 4, 4, 3\)"),
            ((0, 4, 4), (0, 4, 4), r"raw recording has shape \(0, 4, 4\)"),
        ],
    )
    def test_shapes_that_cannot_be_fused(self, method, raw, denoised, words):
        with pytest.raises(InputError, match=words):
            method.fit(np.zeros(raw), np.zeros(denoised))

    @pytest.mark.parametrize("side", [0, 1])
    @pytest.mark.parametrize("dtype", ["complex64", "U3", "datetime64[s]"])
    def test_values_that_are_not_real_numbers(self, method, side, dtype):
        pair = [np.ones((6, 4, 4)), np.ones((6, 4, 4))]
        pair[side] = np.zeros((6, 4, 4), dtype)
        with pytest.raises(InputError, match="real numbers are needed"):
            method.fit(*pair)

    def test_frames_of_another_size_cannot_be_applied(self, method, pair):
        fusion = method.fit(pair.raw, pair.denoised)
        with pytest.raises(InputError, match=r"frames are \(24, 7\); the fusion was fit to \(24, "):
            fusion.apply(pair.denoised[:, :, :7])

    # Any blocks give the same.

    @pytest.mark.parametrize("block_frames", [1, 2, 7, 19, 33, 50, 64, 99, 130])
    def test_any_blocking_equals_the_whole(self, method, block_frames, gaps, whole):
        fusion = method.fit(gaps.raw, gaps.denoised, block_frames=block_frames)
        self.close(fusion.apply(gaps.denoised), whole)

    def test_any_range_equals_the_whole(self, method, gaps, whole):
        if not self.on_its_own:
            pytest.skip("frames are applied with those beside them")
        fusion = method.fit(gaps.raw, gaps.denoised)
        for start, stop in [(0, 1), (17, 18), (29, 31), (13, 77), (99, 100), (50, 50)]:
            fused = fusion.apply(gaps.denoised[start:stop], first_frame=start)
            self.close(fused, whole[start:stop])

    @pytest.mark.parametrize("block_frames", [1, 7, 32, 200])
    def test_a_stream_gives_what_is_settled_and_forgets_it(self, method, block_frames, gaps, whole):
        fusion = Fusion(method, gaps.raw.shape)
        fused = np.full(gaps.raw.shape, -1, np.float32)
        assert fusion.settled == 0
        for start, stop in fusion.survey_runs:
            fusion.look(gaps.raw[start:stop], gaps.denoised[start:stop])
        settled = [0]
        for start in range(0, 100, block_frames):
            block = slice(start, start + block_frames)
            fusion.add(start, gaps.raw[block], gaps.denoised[block])
            for first, last in fusion.review_runs:
                fusion.review(first, gaps.raw[first:last], gaps.denoised[first:last])
            done, ready = settled[-1], fusion.settled
            settled.append(ready)
            for first in range(done, ready, block_frames):
                last = min(first + block_frames, ready)
                frames = gaps.denoised[first:last]
                for _ in fusion.stream(frames, first_frame=first, room=lambda a, b: fused[a:b]):
                    pass
        assert settled == sorted(settled)
        assert settled[-1] == 100
        self.close(fused, whole)

    def test_what_is_not_solved_or_forgotten_cannot_be_applied(self, method, gaps):
        fusion = Fusion(method, gaps.raw.shape)
        with pytest.raises(InputError, match="frames 0:100 asked for; frames 0:0 are solved"):
            fusion.apply(gaps.denoised)
        fusion = method.fit(gaps.raw, gaps.denoised)
        for first_frame in (-1, 1):
            with pytest.raises(InputError, match="frames 0:100 are solved"):
                fusion.apply(gaps.denoised, first_frame=first_frame)
        fusion.forget(60)
        with pytest.raises(InputError, match="frames 50:60 asked for; frames 60:100 are solved"):
            fusion.apply(gaps.denoised[50:60], first_frame=50)

    def test_forgetting_changes_nothing_that_comes_after(self, method, gaps):
        if not self.on_its_own:
            pytest.skip("frames are applied with those beside them")
        fusion = method.fit(gaps.raw, gaps.denoised)
        before = fusion.apply(gaps.denoised[37:], first_frame=37)
        fusion.forget(37)
        np.testing.assert_array_equal(fusion.apply(gaps.denoised[37:], first_frame=37), before)

    def test_frames_by_slice_are_enough(self, method, make_pair, fuse):
        pair = make_pair((150, 12, 12))
        raw, denoised = Lazy(pair.raw), Lazy(pair.denoised)
        fused = method.fit(raw, denoised, block_frames=16).apply(pair.denoised)
        self.close(fused, fuse(method, pair.raw, pair.denoised))
        assert max(raw.longest, denoised.longest) <= 128

    # Any recording there is.

    @pytest.mark.parametrize(
        "shape",
        [
            (1, 8, 8),
            (2, 8, 8),
            (5, 1, 1),
            (1, 1, 1),
            (9, 1, 20),
            (9, 20, 1),
            (40, 2, 2),
            (40, 3, 7),
        ],
    )
    def test_any_shape(self, method, shape):
        if shape[0] < self.least_frames:
            pytest.skip(f"{shape[0]} frames are too few")
        rng = np.random.default_rng(0)
        check_finite(method, rng.poisson(9, shape).astype(np.uint16), rng.normal(9, 1, shape))

    @pytest.mark.parametrize(("raw", "denoised"), [(7, 5), (7, 7), (0, 0), (0, 5), (5, 0)])
    def test_constant_recordings(self, method, raw, denoised):
        shape = (30, 10, 12)
        fused = check_finite(
            method, np.full(shape, raw, np.uint16), np.full(shape, denoised, np.float32)
        )
        assert fused.min() >= min(raw, denoised) - 1e-4
        assert fused.max() <= max(raw, denoised) + 1e-4
        if raw == denoised:
            np.testing.assert_allclose(fused, denoised, rtol=0, atol=1e-6 * raw)

    @pytest.mark.parametrize("side", ["raw", "denoised"])
    def test_one_constant_recording(self, method, side, make_pair):
        pair = make_pair((30, 16, 16))
        constant = np.full(pair.raw.shape, 90, np.float32)
        raw, denoised = (constant, pair.denoised) if side == "raw" else (pair.raw, constant)
        check_finite(method, raw, denoised)

    def test_saturated_pixels(self, method, make_pair):
        pair = make_pair((40, 16, 16), dtype=np.uint8, level=230.0)
        assert np.mean(pair.raw == 255) > 0.1
        assert check_finite(method, pair.raw, pair.denoised).max() < 2 * 255

    def test_a_baseline_below_zero(self, method, make_pair, fuse):
        pair = make_pair((60, 20, 20), dtype=np.int16, level=-400.0)
        shifted = fuse(method, (pair.raw + 1000).astype(np.int16), pair.denoised + 1000)
        fused = check_finite(method, pair.raw, pair.denoised)
        assert np.mean((fused - pair.truth) ** 2) < np.mean((pair.denoised - pair.truth) ** 2)
        if self.shifts:
            np.testing.assert_allclose(fused, shifted - 1000, atol=0.02)

    @pytest.mark.parametrize(
        "dtype", ["u1", "i1", "u4", "i4", "i8", "f2", "f4", "f8", "?", ">u2", ">f4"]
    )
    def test_any_real_type(self, method, dtype, make_pair, fuse):
        pair = make_pair((30, 16, 16), level=60.0)
        values = np.clip(np.rint(pair.raw), 0, 1 if dtype == "?" else 127)
        expected = fuse(method, values.astype(np.float32), pair.denoised)
        self.close(fuse(method, values.astype(dtype), pair.denoised), expected)

    @pytest.mark.parametrize("dtype", ["u2", "f2", "f8"])
    def test_any_real_type_of_the_denoised(self, method, dtype, make_pair, fuse):
        pair = make_pair((30, 16, 16))
        denoised = np.rint(pair.denoised).astype(dtype)
        expected = fuse(method, pair.raw, denoised.astype(np.float32))
        self.close(fuse(method, pair.raw, denoised), expected)

    @pytest.mark.parametrize("layout", ["read-only", "reversed", "transposed", "strided"])
    def test_any_memory_layout(self, method, layout, make_pair, fuse):
        pair = make_pair((30, 16, 16))

        def lay_out(values):
            if layout == "read-only":
                values = values.copy()
                values.setflags(write=False)
                return values
            if layout == "reversed":
                return values[::-1].copy()[::-1]
            if layout == "transposed":
                return np.asfortranarray(values)
            return np.repeat(values, 2, axis=2)[:, :, ::2]

        fused = fuse(method, lay_out(pair.raw), lay_out(pair.denoised))
        np.testing.assert_array_equal(fused, fuse(method, pair.raw, pair.denoised))

    def test_inputs_are_left_as_they_were(self, method, make_pair, fuse):
        pair = make_pair((30, 16, 16))
        raw, denoised = pair.raw.copy(), pair.denoised.copy()
        fuse(method, raw, denoised)
        np.testing.assert_array_equal(raw, pair.raw)
        np.testing.assert_array_equal(denoised, pair.denoised)

    def test_arrays_of_another_library(self, method, send, pair, fused, fuse):
        raw, denoised = send(pair.raw), send(pair.denoised)
        given = fuse(method, raw, denoised)
        assert space_of(given) is space_of(denoised)
        np.testing.assert_allclose(to_host(given), fused, rtol=0, atol=2e-4 * np.ptp(fused))

    # What is missing.

    def test_a_recording_of_zeros_leaves_the_denoised_one_as_it_is(self, method, make_pair):
        """But for what a moving average changes."""
        denoised = make_pair((70, 16, 16)).denoised
        fusion = method.fit(np.zeros(denoised.shape, np.uint16), denoised)
        np.testing.assert_allclose(fusion.apply(denoised), denoised, rtol=0.01)
        assert fusion.findings

    @pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
    @pytest.mark.parametrize("side", ["raw", "denoised"])
    def test_one_value_costs_one_voxel(self, method, value, side, pair, fused, fuse):
        sides = {"raw": pair.raw, "denoised": pair.denoised}
        sides[side] = holed(sides[side], VOXEL, value)
        found = fuse(method, sides["raw"], sides["denoised"])
        lost = ~np.isfinite(found)
        assert np.argwhere(lost).tolist() == [list(VOXEL)]
        # One value stands for a hundredth of its pixel's mean; with several bins, for some more.
        assert np.abs(found - fused)[~lost].max() < 0.05 * np.ptp(pair.raw)
        others = ~lost
        others[:, VOXEL[1], VOXEL[2]] = False
        assert np.abs(found - fused)[others].max() < 0.02 * np.ptp(pair.raw)
        assert np.sqrt(np.mean((found - fused)[others] ** 2)) < 1e-3 * np.ptp(pair.raw)

    def test_a_pixel_without_values(self, method, pair, fused, fuse):
        found = fuse(method, holed(pair.raw, (slice(None), 5, 9)), pair.denoised)
        lost = np.isnan(found)
        assert lost[:, 5, 9].all()
        assert lost.sum() == 100
        assert np.sqrt(np.mean((found - fused)[~lost] ** 2)) < 0.02 * np.ptp(pair.raw)

    @pytest.mark.parametrize("side", ["raw", "both"])
    def test_a_border_without_values_is_left_out(self, method, side, pair, fuse):
        border = np.ones((24, 24), bool)
        border[3:-3, 3:-3] = False
        raw = holed(pair.raw, (slice(None), border))
        denoised = holed(pair.denoised, (slice(None), border)) if side == "both" else pair.denoised
        fused = fuse(method, raw, denoised)
        assert np.array_equal(np.isnan(fused), np.broadcast_to(border, fused.shape))
        error, before = (np.mean((x - pair.truth)[:, ~border] ** 2) for x in (fused, pair.denoised))
        assert error < 0.9 * before

    def test_frames_without_values_keep_the_others(self, method, pair, fused, fuse):
        found = fuse(method, holed(pair.raw, slice(10, 20)), pair.denoised)
        assert np.isnan(found[10:20]).all()
        rest = np.r_[0:10, 20:100]
        assert np.sqrt(np.mean((found - fused)[rest] ** 2)) < 0.02 * np.ptp(pair.raw)

    def test_nothing_but_nan(self, method, pair):
        raw = np.full(pair.raw.shape, np.nan, np.float32)
        fusion = method.fit(raw, pair.denoised)
        assert np.isnan(fusion.apply(pair.denoised)).all()
        assert fusion.findings

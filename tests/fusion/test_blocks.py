from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freq2clean.errors import InputError
from freq2clean.fusion import Dct, Fft, Fusion, Subspace, Wiener

METHODS = [
    Fft(window=30, matching="none", overlap=0.2),
    Fft(window=30, alpha=(0.8, 0.5), raw_mean="window"),
    Dct(window=30, raw_average=20, overlap=0.1),
    Dct(window=30, raw_average=6000),
    Wiener(window=30, n_bins=12),
    Wiener(),
    Subspace(window=40, limit=False),
]
IDS = ["fft-global", "fft-window", "dct-short", "dct-long", "wiener-windows", "wiener", "subspace"]
methods = pytest.mark.parametrize("method", METHODS, ids=IDS)


@pytest.fixture(scope="module")
def pair(make_pair):
    """With a dropped line and a value that is not a number, which must not depend on blocks."""
    made = make_pair((100, 12, 16))
    made.raw[40, 3] = 0
    made.raw[17, 5, 6] = np.nan
    return made


@pytest.fixture(scope="module")
def whole(pair):
    return [m.fit(pair.raw, pair.denoised, block_frames=100).apply(pair.denoised) for m in METHODS]


@pytest.mark.parametrize("case", range(len(METHODS)), ids=IDS)
@settings(max_examples=15)
@given(block_frames=st.one_of(st.just(1), st.integers(1, 130)))
def test_any_blocking_equals_the_whole(case, block_frames, pair, whole):
    fusion = METHODS[case].fit(pair.raw, pair.denoised, block_frames=block_frames)
    np.testing.assert_allclose(fusion.apply(pair.denoised), whole[case], rtol=0, atol=5e-4)


@pytest.mark.parametrize("case", range(len(METHODS)), ids=IDS)
def test_any_range_equals_the_whole(case, pair, whole):
    fusion = METHODS[case].fit(pair.raw, pair.denoised)
    for start, stop in [(0, 1), (17, 18), (29, 31), (13, 77), (99, 100), (50, 50)]:
        fused = fusion.apply(pair.denoised[start:stop], first_frame=start)
        np.testing.assert_allclose(fused, whole[case][start:stop], rtol=0, atol=1e-4)


@pytest.mark.parametrize("case", range(len(METHODS)), ids=IDS)
@pytest.mark.parametrize("block_frames", [1, 7, 32, 200])
def test_a_stream_gives_what_is_settled_and_forgets_it(case, block_frames, pair, whole):
    fusion = Fusion(METHODS[case], pair.raw.shape)
    assert fusion.settled == 0
    for start, stop in fusion.survey_runs:
        fusion.look(pair.raw[start:stop], pair.denoised[start:stop])
    fused, done, settled = [], 0, [0]
    for start in range(0, 100, block_frames):
        block = slice(start, start + block_frames)
        fusion.add(start, pair.raw[block], pair.denoised[block])
        settled.append(fusion.settled)
        fused.append(fusion.apply(pair.denoised[done : fusion.settled], first_frame=done))
        done = fusion.settled
        fusion.forget(done)
    assert settled == sorted(settled)
    assert settled[-1] == 100
    np.testing.assert_allclose(np.concatenate(fused), whole[case], rtol=0, atol=5e-4)


def test_windows_settle_as_they_end(pair):
    fusion = Fusion(Fft(window=30, raw_mean="window"), pair.raw.shape)
    seen = []
    for start in range(0, 100, 10):
        fusion.add(start, pair.raw[start : start + 10], pair.denoised[start : start + 10])
        seen.append(fusion.settled)
        fusion.forget(fusion.settled)
        assert len(fusion.corrections) <= 2
    # Windows of 30 frames on 100 start at 0, 23, 47 and 70; each settles what lies before the next.
    assert seen == [0, 0, 23, 23, 23, 47, 47, 70, 70, 100]


@methods
def test_what_is_not_solved_or_forgotten_cannot_be_applied(method, pair):
    fusion = Fusion(method, pair.raw.shape)
    with pytest.raises(InputError, match="frames 0:100 asked for; frames 0:0 are solved"):
        fusion.apply(pair.denoised)
    fusion = method.fit(pair.raw, pair.denoised)
    for first_frame in (-1, 1):
        with pytest.raises(InputError, match="frames 0:100 are solved"):
            fusion.apply(pair.denoised, first_frame=first_frame)
    fusion.forget(60)
    with pytest.raises(InputError, match="frames 50:60 asked for; frames 60:100 are solved"):
        fusion.apply(pair.denoised[50:60], first_frame=50)


@methods
def test_forgetting_changes_nothing_that_comes_after(method, pair):
    fusion = method.fit(pair.raw, pair.denoised)
    before = fusion.apply(pair.denoised[37:], first_frame=37)
    fusion.forget(37)
    np.testing.assert_array_equal(fusion.apply(pair.denoised[37:], first_frame=37), before)


def test_large_images_are_split_over_threads(make_pair, fuse):
    pair = make_pair((12, 120, 150))
    fused = fuse(Fft(alpha=1.0, matching="none"), pair.raw, pair.denoised)
    expected = pair.denoised + (pair.raw - pair.denoised).mean(axis=0, dtype=np.float64)
    np.testing.assert_allclose(fused, expected, atol=1e-3)

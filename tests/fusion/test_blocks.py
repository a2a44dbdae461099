from __future__ import annotations

import numpy as np

from freq2clean import Fft, Fusion


def test_windows_settle_as_they_end(make_pair):
    pair = make_pair((100, 12, 16))
    fusion = Fusion(Fft(window=30, raw_mean="window"), pair.raw.shape)
    seen = []
    for start in range(0, 100, 10):
        fusion.add(start, pair.raw[start : start + 10], pair.denoised[start : start + 10])
        seen.append(fusion.settled)
        fusion.forget(fusion.settled)
        assert len(fusion.corrections) <= 2
    # Windows of 30 frames on 100 start at 0, 23, 47 and 70; each settles what lies before the next.
    assert seen == [0, 0, 23, 23, 23, 47, 47, 70, 70, 100]


def test_large_images_are_split_over_threads(make_pair, fuse):
    pair = make_pair((12, 120, 150))
    fused = fuse(Fft(alpha=1.0, matching="none"), pair.raw, pair.denoised)
    expected = pair.denoised + (pair.raw - pair.denoised).mean(axis=0, dtype=np.float64)
    np.testing.assert_allclose(fused, expected, atol=1e-3)

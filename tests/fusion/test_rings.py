from __future__ import annotations

import numpy as np
import pytest

from freq2clean.fusion.rings import (
    radius_cycles_per_pixel,
    ring_index,
    ring_sizes,
    ring_sums,
)


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (2, 2), (12, 7), (48, 64)])
def test_rings_equal_a_naive_count(shape):
    index, values = ring_index(shape), np.random.default_rng(0).random((3, *shape))
    sums, sizes = ring_sums(values, index), ring_sizes(index)
    radius = np.hypot(
        np.arange(shape[0])[:, None] / (2 * shape[0]), np.arange(shape[1]) / (2 * shape[1])
    )
    for ring in range(1, sums.shape[1]):
        inside = np.floor(radius * 24) == ring - 1
        inside[0, 0] = False
        np.testing.assert_allclose(sums[:, ring], values[:, inside].sum(axis=1), rtol=1e-12)
        assert sizes[ring] == max(1, inside.sum())
    np.testing.assert_array_equal(sums[:, 0], values[:, 0, 0])


def test_radius_in_physical_units():
    radius = radius_cycles_per_pixel((10, 20), pixel_size=(2.0, 0.5))
    assert radius[1, 0] == pytest.approx(1 / (2 * 10 * 2.0))
    assert radius[0, 1] == pytest.approx(1 / (2 * 20 * 0.5))

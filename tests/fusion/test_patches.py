from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from freq2clean.fusion.patches import PatchGrid

shapes = st.tuples(st.integers(1, 70), st.integers(1, 70))


@given(shapes)
def test_tapers_add_up_to_one(shape):
    grid = PatchGrid(shape)
    total = np.zeros(grid.padded)
    tapers = grid.tapers()
    height, width = grid.size
    for i, row in enumerate(grid.starts[0]):
        for j, column in enumerate(grid.starts[1]):
            total[row : row + height, column : column + width] += tapers[i, j]
    np.testing.assert_allclose(total, 1, atol=1e-5)


@given(shapes)
def test_patches_lie_in_the_padded_image_where_cells_begin(shape):
    grid = PatchGrid(shape)
    for starts, size, padded, n in zip(grid.starts, grid.size, grid.padded, shape, strict=True):
        assert starts[0] == 0
        assert starts[-1] + size == padded
        assert not (starts % grid.cell).any()
        assert 0 <= padded - n < grid.cell


@pytest.mark.parametrize("shape", [(24, 40), (19, 33), (1, 5), (2000, 530)])
def test_strips_and_cells_are_what_slices_and_sums_give(shape):
    grid = PatchGrid(shape)
    assert grid.cell == (4 if shape[0] * shape[1] > 1 << 20 else 2)
    frames = grid.pad(np.random.default_rng(0).normal(size=(3, *shape)).astype(np.float32))
    assert frames.shape[1:] == grid.padded
    row = len(grid.starts[0]) - 1
    columns = np.arange(len(grid.starts[1]))[::2]
    strip, cells = grid.strip(frames, row, columns), grid.cells(frames, row, columns)
    (height, width), cell, first = grid.size, grid.cell, grid.starts[0][row]
    for index, column in enumerate(grid.starts[1][columns]):
        patch = frames[:, first : first + height, column : column + width]
        np.testing.assert_array_equal(strip[index], patch.reshape(3, -1))
        boxes = patch.reshape(3, height // cell, cell, width // cell, cell)
        expected = boxes.sum(axis=(2, 4)).reshape(3, -1) / cell
        np.testing.assert_allclose(cells[index], expected, atol=1e-5)

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


@pytest.fixture(params=[(24, 40), (19, 33), (1, 5), (40, 300), (2000, 530)])
def grid(request):
    return PatchGrid(request.param)


def chosen_groups(grid):
    """Every other patch, and none in the first row."""
    every_other = np.arange(len(grid.starts[1]))[::2]
    none = every_other[:0]
    return grid.groups([none, *[every_other] * (len(grid.starts[0]) - 1)])


def every_patch(grid, groups):
    """Each group with each of its patches: first row and column."""
    for group in groups:
        for index, column in enumerate(grid.starts[1][group.columns]):
            yield group, index, grid.starts[0][group.row], column


def test_groups_hold_the_chosen_patches(grid):
    groups = chosen_groups(grid)
    found = [(row, column) for _, _, row, column in every_patch(grid, groups)]
    expected = [(row, column) for row in grid.starts[0][1:] for column in grid.starts[1][::2]]
    assert found == expected


def test_patches_of_a_group_are_what_slices_give(grid):
    frames = np.random.default_rng(0).normal(size=(3, *grid.padded)).astype(np.float32)
    height, width = grid.size
    for group, index, row, column in every_patch(grid, chosen_groups(grid)):
        expected = frames[:, row : row + height, column : column + width]
        np.testing.assert_array_equal(group.pixels.patches(frames)[index], expected.reshape(3, -1))


def test_spreading_is_the_adjoint_of_gathering(grid):
    rng = np.random.default_rng(0)
    for group in chosen_groups(grid)[:20]:
        shape = len(group.columns), 2
        box = rng.normal(size=(*shape, np.prod(group.pixels.size)))
        images = rng.normal(size=(*shape, np.prod(grid.size)))
        gathered, spread = group.pixels.gather(box), group.pixels.spread(images)
        assert np.vdot(gathered, images) == pytest.approx(np.vdot(box, spread), abs=1e-3)


def test_deviations_are_sums_over_cells_where_values_are_known(grid):
    assert grid.cell == (4 if grid.shape[0] * grid.shape[1] > 1 << 20 else 2)
    frames = np.random.default_rng(0).normal(size=(3, *grid.shape)).astype(np.float32)
    frames[1, 0, :2] = np.nan, np.inf
    reference = np.ones(grid.padded, np.float32)
    deviations = grid.deviations(frames, reference)
    padded = np.nan_to_num(grid.pad(frames) - 1, nan=0, posinf=0)
    assert padded.shape[1:] == grid.padded
    rows, columns = (n // grid.cell for n in grid.padded)
    expected = padded.reshape(3, rows, grid.cell, columns, grid.cell).sum(axis=(2, 4)) / grid.cell
    np.testing.assert_allclose(deviations, expected, atol=1e-5)
    for group, index, row, column in every_patch(grid, chosen_groups(grid)[:20]):
        height, width = (n // grid.cell for n in grid.size)
        row, column = row // grid.cell, column // grid.cell
        cells = deviations[:, row : row + height, column : column + width]
        found = group.cells.patches(deviations)[index]
        np.testing.assert_array_equal(found, cells.reshape(3, -1))

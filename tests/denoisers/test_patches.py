import numpy as np
import pytest

from freq2clean.denoisers.patches import PatchGrid, PatchMoments

SHAPES = [(16, 16), (20, 27), (3, 5), (8, 41)]


@pytest.mark.parametrize("shape", SHAPES)
def test_cells_and_back(shape):
    frames = np.random.default_rng(0).normal(size=(4, *shape)).astype(np.float32)
    grid = PatchGrid(shape, 8)
    np.testing.assert_array_equal(grid.frames(grid.cells(frames)), frames)


@pytest.mark.parametrize("shape", SHAPES)
def test_windows_add_up_to_one(shape):
    grid = PatchGrid(shape, 8)
    total = np.zeros((*grid.n_cells, 16))
    for (row, column), window in np.ndenumerate(grid.windows()[..., 0]):
        del window
        patch = grid.windows()[row, column].reshape(2, 2, 16)
        total[row : row + 2, column : column + 2] += patch
    np.testing.assert_allclose(total, 1, rtol=1e-6)


@pytest.mark.parametrize("shape", SHAPES)
def test_covariances_equal_those_of_the_patches(shape):
    frames = np.random.default_rng(1).normal(size=(11, *shape)).astype(np.float32) + 2
    grid = PatchGrid(shape, 8)
    moments = PatchMoments(grid)
    moments.add(frames[:5])
    moments.add(frames[5:])
    padded = np.pad(frames, [(0, 0), (0, 64), (0, 64)])
    rows, columns = grid.pixel_places()
    for (row, column), gram in moments.covariances():
        pixels = padded[:, 4 * row + rows, 4 * column + columns].astype(np.float64)
        pixels -= pixels.mean(axis=0)
        np.testing.assert_allclose(gram, pixels.T @ pixels, atol=1e-4)


def test_strips_hold_every_patch_once_and_keep_to_the_bytes():
    grid = PatchGrid((100, 60), 8)
    strips = grid.strips(200_000)
    assert len(strips) > 1
    assert [first for first, _ in strips] == list(
        np.cumsum([0] + [s.n_patches[0] for _, s in strips[:-1]])
    )
    assert sum(s.n_patches[0] for _, s in strips) == grid.n_patches[0]
    for _, strip in strips:
        moments = PatchMoments(strip)
        assert sum(p.nbytes for p in moments._products.values()) <= 200_000

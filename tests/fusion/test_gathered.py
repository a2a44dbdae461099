"""Patches and tiles on devices: what the host has, patch by patch and tile by tile."""

from __future__ import annotations

import numpy as np
import pytest

from freq2clean.fusion.bases import dct_basis
from freq2clean.fusion.components import ComponentSurvey
from freq2clean.fusion.limit import Limit, LimitMoments, Tiling
from freq2clean.fusion.noise import NoiseMoments
from freq2clean.fusion.patches import PatchGrid
from freq2clean.fusion.regression import CourseMoments, fit_detail
from freq2clean.fusion.scale import Scale
from freq2clean.fusion.spaces import space_of, to_host
from freq2clean.fusion.stacked import StackedTiling
from freq2clean.fusion.windows import Window

SHAPE = (60, 37, 62)


@pytest.fixture(scope="module")
def denoised():
    """Cells of several sizes, some with more than one course, in a dim and quiet scene."""
    rng = np.random.default_rng(3)
    frames = 50 + rng.normal(0, 0.5, SHAPE)
    for row, column, n_cells in ((3, 4, 1), (5, 30, 3), (20, 41, 2), (28, 14, 1)):
        for _ in range(n_cells):
            top, left = row + rng.integers(0, 8), column + rng.integers(0, 8)
            course = np.convolve(rng.random(SHAPE[0]) < 0.1, np.exp(-np.arange(9) / 4))
            frames[:, top : top + 5, left : left + 6] += 90 * course[: SHAPE[0], None, None]
    return frames.astype(np.float32)


def components_of(frames):
    survey = ComponentSurvey(SHAPE[1:])
    survey.add(frames)
    return survey.components(Scale())


@pytest.fixture(scope="module")
def here(denoised):
    return components_of(denoised)


@pytest.fixture
def there(denoised, send):
    return components_of(send(denoised))


def by_patch(components, values_of):
    """What each patch has: (row, column of the grid) to (K, ...), signs of components apart."""
    found = {}
    for index, group in enumerate(components.groups):
        rows, columns = np.broadcast_arrays(*group.where)
        values = to_host(values_of(index))
        for row, column, value in zip(rows, columns, values, strict=True):
            found[int(row), int(column)] = value
    return found


def assert_alike(found, expected, **tolerance):
    assert found.keys() == expected.keys()
    for place, value in found.items():
        np.testing.assert_allclose(np.abs(value), np.abs(expected[place]), **tolerance)


def test_the_same_patches_have_the_same_components(here, there):
    n_components = {loadings.shape[2] for loadings in here.loadings}
    assert len(n_components) > 1
    assert len(there.groups) == len(n_components) < len(here.groups)
    images = [by_patch(x, x.images) for x in (there, here)]
    assert_alike(*images, atol=1e-3)


def test_the_same_is_seen_in_frames(here, there, denoised, send):
    def courses(components, frames):
        cells = components.deviations(frames)

        def of_group(index):
            n_patches = components.loadings[index].shape[0]
            seen = to_host(components.courses(cells, index))
            return seen.reshape(len(seen), n_patches, -1).transpose(1, 2, 0)

        return by_patch(components, of_group)

    frames = denoised[:7].copy()
    frames[2, 3, 4], frames[3, 36, 61] = np.nan, np.inf
    seen = courses(there, send(frames)), courses(here, frames)
    assert_alike(*seen, atol=1e-2 * np.abs(frames[0]).max())


def test_products_with_frames_are_those_of_the_patches(here, there, denoised, send):
    grid, frames = here.grid, PatchGrid(SHAPE[1:]).pad(denoised[:5])

    def products(components, place):
        def of_group(index):
            turned = np.ones((components.loadings[index].shape[0], 2, 5), np.float32)
            turned[:, 1] = 0.5
            return components.correlated(place(turned), place(frames), index)

        return by_patch(components, of_group)

    found = products(there, send)
    assert_alike(found, products(here, np.asarray), rtol=1e-4)
    (height, width), ((row, column), value) = grid.size, next(iter(found.items()))
    top, left = grid.starts[0][row], grid.starts[1][column]
    expected = frames[:, top : top + height, left : left + width].sum(axis=0)
    np.testing.assert_allclose(value[1], expected.ravel() / 2, rtol=1e-4)


def test_patches_that_are_added_lie_where_they_belong(there, send):
    """Images of ones, times their tapers: 1 where every patch is, less where some are not."""
    grid, space = there.grid, there.space
    tapers = grid.tapers()
    images = [
        there.placed(
            space.array(tapers[group.where].reshape(group.where[1].size, 1, -1)), [], index
        )
        for index, group in enumerate(there.groups)
    ]
    out = send(np.zeros((3, *SHAPE[1:]), np.float32))
    ones = send(np.array([[1.0], [2.0], [0.0]], np.float32))
    there.add(lambda index: there.lined_up([ones], index), images, out)
    expected = np.zeros(grid.padded)
    height, width = grid.size
    for group in there.groups:
        for row, column in zip(*group.where, strict=True):
            top, left = grid.starts[0][row], grid.starts[1][column]
            expected[top : top + height, left : left + width] += tapers[row, column]
    expected = expected[: SHAPE[1], : SHAPE[2]]
    np.testing.assert_allclose(to_host(out), [expected, 2 * expected, 0 * expected], atol=1e-5)


def test_detail_is_fitted_and_added_as_on_the_host(here, there, denoised, send):
    """What neighbours show together counts for them, and for no others of their group."""
    noise = NoiseMoments(SHAPE[1:])
    raw = np.random.default_rng(4).poisson(1.2 * denoised.clip(0)).astype(np.float32)
    raw[7, 3] = 0
    noise.add(raw)
    basis, window = dct_basis(SHAPE[0], 2), Window(0, SHAPE[0], np.ones(SHAPE[0]))
    corrected = np.einsum("kt,tyx->kyx", basis, raw - denoised).astype(np.float32)
    found = []
    for components, place in ((here, np.asarray), (there, send)):
        moments = CourseMoments(window, components, basis, noise.photon_transfer())
        for first in range(0, SHAPE[0], 25):
            block = slice(first, min(first + 25, SHAPE[0]))
            moments.add(first, place(raw[block]), place(denoised[block]), Scale())
        detail, errors = fit_detail(moments, place(corrected), noise)
        added = place(np.zeros(SHAPE, np.float32))
        detail.add_to(0, place(denoised), added, components=False)
        detail.add_components(0, added)
        found.append((to_host(added), errors))
    (expected, errors), (added, others) = found
    assert np.abs(expected).max() > 10
    np.testing.assert_allclose(added, expected, atol=1e-4 * np.abs(expected).max())
    assert others == pytest.approx(errors, rel=1e-4)


def test_nothing_is_added_where_there_are_no_components(send):
    flat = np.full((40, 20, 20), 7.0, np.float32)
    survey = ComponentSurvey((20, 20))
    survey.add(send(flat))
    components, out = survey.components(Scale()), send(flat)
    assert not components.groups
    components.add(lambda index: None, [], out)
    np.testing.assert_array_equal(to_host(out), flat)


@pytest.fixture(params=[(150, 40), (31, 200)])
def tilings(request, send):
    shape = request.param
    space = space_of(send(np.zeros(1, np.float32)))
    space.values_at_once, before = 3 * 32 * shape[0] * 40, space.values_at_once
    yield Tiling(shape, 32), StackedTiling(shape, 32, space)
    space.values_at_once = before


def test_tiles_have_the_same_powers(tilings, send):
    here, there = tilings
    assert here.number.shape == there.number.shape
    frames = np.random.default_rng(0).normal(5, 1, (32, *here.shape)).astype(np.float32)
    expected = here.powers(frames, frames.mean(axis=0))
    found = there.powers(send(frames), send(frames.mean(axis=0)))
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4 * expected.max())


def test_the_same_is_taken_off(tilings, send):
    here, there = tilings
    rng = np.random.default_rng(1)
    frames = rng.normal(5, 1, (32, *here.shape)).astype(np.float32)
    n_tiles = [len(windows) for windows in here.axes]
    excess = rng.uniform(0, 1, (*n_tiles, *here.number.shape))
    excess[..., :2, :] = 0
    excess[0, -1] = 0
    n_apart = rng.integers(1, len(here.bands) + 1, n_tiles)
    reference = np.full(here.shape, 4.5, np.float32)
    limits = (Limit(0, x, excess, n_apart) for x in (reference, send(reference)))
    out, taper = frames.copy(), here.typical_taper
    here.take_off(frames, next(limits), taper, out)
    assert np.abs(out - frames).max() > 0.5
    found = send(frames)
    there.take_off(send(frames), next(limits), taper, found)
    np.testing.assert_allclose(to_host(found), out, atol=2e-5)


def test_the_limit_is_found_alike(tilings, send):
    here, there = tilings
    rng = np.random.default_rng(2)
    raw, fused = (rng.normal(0, sd, (32, *here.shape)).astype(np.float32) for sd in (1, 0.7))
    limits = []
    for tiling, place in ((here, np.asarray), (there, send)):
        moments = LimitMoments(tiling, 0)
        moments.add(place(raw), place(fused))
        limits.append(moments.solve())
    assert limits[0].excess.any()
    np.testing.assert_allclose(limits[1].excess, limits[0].excess, rtol=1e-3, atol=1e-4)
    np.testing.assert_array_equal(limits[1].n_apart, limits[0].n_apart)

from __future__ import annotations

import numpy as np
import pytest
from scipy.fft import dctn, idctn
from scipy.stats import chi2

from freq2clean.fusion.bases import dct_basis
from freq2clean.fusion.components import ComponentSurvey
from freq2clean.fusion.courses import common_support, mend
from freq2clean.fusion.noise import NoiseMoments
from freq2clean.fusion.regression import CourseMoments, fit_detail
from freq2clean.fusion.rings import ring_index
from freq2clean.fusion.scale import Scale
from freq2clean.fusion.windows import Window

SHAPE = (60, 40, 62)


@pytest.fixture(scope="module")
def scene(make_pair):
    """Two cells with courses of their own, on a flickering texture."""
    pair = make_pair(SHAPE, noise=12.0)
    rng = np.random.default_rng(3)
    truth = pair.truth.astype(np.float32)
    raw, denoised = pair.raw.copy(), pair.denoised.copy()
    for row, column in ((4, 5), (14, 18)):
        course = np.convolve(rng.random(SHAPE[0]) < 0.1, np.exp(-np.arange(9) / 4))[: SHAPE[0]]
        cell = np.zeros(SHAPE[1:])
        cell[row : row + 6, column : column + 6] = 120
        truth += course[:, None, None] * cell
        raw += course[:, None, None] * cell
        denoised += 0.8 * course[:, None, None] * cell
    return type(pair)(raw, denoised, truth)


@pytest.fixture(scope="module")
def noise(scene):
    moments = NoiseMoments(SHAPE[1:])
    moments.add(scene.raw)
    return moments


@pytest.fixture(scope="module")
def components(scene):
    survey = ComponentSurvey(SHAPE[1:])
    survey.add(scene.denoised)
    return survey.components(Scale())


def fitted(scene, components, noise, *, block_frames, window=(0, SHAPE[0]), n_bins=3):
    window = Window(*window, np.ones(window[1] - window[0]))
    basis = dct_basis(window.n_frames, n_bins)
    moments = CourseMoments(window, components, basis, noise.photon_transfer())
    for start in range(0, SHAPE[0], block_frames):
        block = slice(start, start + block_frames)
        moments.add(start, scene.raw[block], scene.denoised[block], Scale())
    inside = slice(window.start, window.stop)
    residual = scene.raw[inside] - scene.denoised[inside]
    corrected = np.einsum("kt,tyx->kyx", basis, residual).astype(np.float32)
    detail, errors = fit_detail(moments, corrected, noise)
    level = scene.denoised[inside].astype(np.float32)
    added = np.zeros((window.n_frames, *SHAPE[1:]), np.float32)
    detail.add_to(window.start, level, added)
    without = np.zeros_like(added)
    detail.add_to(window.start, level, without, components=False)
    detail.add_components(window.start, without)
    np.testing.assert_allclose(without, added, atol=1e-4 * np.abs(added).max())
    return added, errors, basis, corrected


def seen(patches, loadings):
    """What components show of patches (n, rows, columns) or (n, pixels), in cells of 2 x 2."""
    size = int(np.sqrt(4 * len(loadings)))
    cells = np.reshape(patches, (len(patches), size // 2, 2, size // 2, 2)).sum(axis=(2, 4)) / 2
    return cells.reshape(len(cells), -1) @ loadings


def naive(scene, components, noise, *, window, basis, corrected):
    """The same, patch by patch, from whole recordings in double precision."""
    grid, transfer = components.grid, noise.photon_transfer()
    inside = slice(*window)
    denoised = scene.denoised[inside].astype(np.float64)
    residual = scene.raw[inside] - denoised - np.einsum("kt,kyx->tyx", basis, corrected)
    n = len(denoised)
    (height, width), tapers = grid.size, grid.tapers()
    index = ring_index(grid.size)
    number = np.bincount(index.ravel())
    profile = noise.profile(number.size)
    found = []
    for group, loadings_of in zip(components.groups, components.loadings, strict=True):
        i, first = group.row, grid.starts[0][group.row]
        patches = []
        for j, loadings in zip(group.columns, loadings_of, strict=True):
            loadings = loadings[:, loadings.any(axis=0)].astype(np.float64)
            column = grid.starts[1][j]
            rows_columns = slice(first, first + height), slice(column, column + width)
            patch = denoised[:, *rows_columns] - components.reference[rows_columns]
            cells = patch.reshape(n, height // 2, 2, width // 2, 2).sum(axis=(2, 4)) / 2
            own = cells.reshape(n, -1) @ loadings
            near = np.clip(np.arange(n)[:, None] + [-2, -1, 1, 2], 0, n - 1)
            others = own[near].mean(axis=1)
            level = components.reference[rows_columns].mean()
            bright = level + own @ loadings.sum(axis=0) / (2 * grid.n_cells)
            least = 0.1 * (transfer.gain * level + transfer.offset)
            variance = np.maximum(transfer.gain * bright + transfer.offset, least)
            own, others = own - own.mean(axis=0), others - others.mean(axis=0)
            values = residual[:, *rows_columns].reshape(n, -1)
            inverse = np.linalg.inv(others.T @ others)
            images = inverse @ others.T @ values
            spread = inverse @ (others.T * variance) @ others @ inverse
            powers, vectors = np.linalg.eigh(spread)
            mix = vectors * np.sqrt(powers)
            mix = mix @ np.linalg.eigh(mix.T @ others.T @ others @ mix)[1]
            white = np.linalg.solve(mix, images).reshape(-1, height, width)
            spectra = dctn(white, axes=(1, 2), norm="ortho")
            patches.append((rows_columns, tapers[i, j], loadings, own, others, mix, spectra))
        finest = np.isin(index, np.unique(index)[-(number.size // 3) :])
        ratios = [x[-1][:, finest] ** 2 / profile[index[finest]] for x in patches]
        assumed = profile * max(1, np.concatenate(ratios).mean())
        courses, pieces = [], []
        for rows_columns, taper, loadings, own, others, mix, spectra in patches:
            for spectrum in spectra:
                power = np.bincount(index.ravel(), spectrum.ravel() ** 2) / number
                least = assumed * chi2.isf(0.05, number) / number
                spectrum *= np.where(power > least, 1 - assumed / power, 0)[index]
            white = idctn(spectra, axes=(1, 2), norm="ortho")
            kept = mix @ white.reshape(len(white), -1)
            predicted = np.linalg.lstsq(own, others @ kept, rcond=None)[0]
            fused = (
                own
                + own @ seen(predicted, loadings)
                + basis.T @ seen(corrected[:, *rows_columns], loadings)
            )
            raw = scene.raw[inside, *rows_columns] - components.reference[rows_columns]
            level = components.reference[rows_columns].reshape(height // 2, 2, -1, 2)
            level = level.mean(axis=(1, 3)).ravel()
            variance = loadings.T * (transfer.gain * level + transfer.offset) @ loadings
            whole = predicted + np.kron(
                loadings.T.reshape(-1, height // 2, width // 2), np.full((1, 2, 2), 0.5)
            ).reshape(len(predicted), -1)
            courses.append((fused, seen(raw, loadings) - fused, variance))
            pieces.append((rows_columns, taper, own @ predicted, whole))
        most = max(len(variance) for *_, variance in courses)
        stacks = [np.zeros((len(courses), rows, most)) for rows in (n, n, most)]
        for patch, parts in enumerate(courses):
            for stack, part in zip(stacks, parts, strict=True):
                stack[patch, : len(part), : part.shape[1]] = part
        fused, missing, variance = stacks
        mended = mend(fused.astype(np.float32), missing.astype(np.float32), variance)
        found.append((mended, pieces))
    added = np.zeros_like(denoised)
    common = common_support([mended for mended, _ in found])
    for mended, pieces in found:
        changes, *_ = mended.changes(common)
        for change, (rows_columns, taper, predicted, whole) in zip(changes, pieces, strict=True):
            detail = predicted + change[:, : len(whole)] @ whole
            added[:, *rows_columns] += detail.reshape(n, height, width) * taper
    return added


@pytest.mark.parametrize("window", [(0, 60), (7, 51)])
def test_it_is_a_regression_patch_by_patch(window, scene, components, noise):
    added, _, basis, corrected = fitted(scene, components, noise, block_frames=60, window=window)
    expected = naive(scene, components, noise, window=window, basis=basis, corrected=corrected)
    assert np.abs(expected).max() > 5
    np.testing.assert_allclose(added, expected, atol=2e-3 * np.abs(expected).max())


@pytest.mark.parametrize("block_frames", [1, 2, 3, 17, 59])
def test_any_blocking_equals_the_whole(block_frames, scene, components, noise):
    whole, errors, *_ = fitted(scene, components, noise, block_frames=60)
    blocks, others, *_ = fitted(scene, components, noise, block_frames=block_frames)
    np.testing.assert_allclose(blocks, whole, atol=1e-3)
    assert others == pytest.approx(errors, rel=1e-3)


def test_cells_are_brought_closer_to_the_truth_and_the_gain_is_foretold(scene, components, noise):
    added, (before, after), basis, corrected = fitted(scene, components, noise, block_frames=60)
    base = scene.denoised + np.einsum("kt,kyx->tyx", basis, corrected)
    was, now = (np.square(x - scene.truth).sum() for x in (base, base + added))
    assert now < 0.97 * was
    assert before - after == pytest.approx(was - now, rel=0.5)


def test_leaked_noise_is_not_taken_for_detail():
    """A denoised recording that holds half of the raw one's noise: its residual correlates."""
    rng = np.random.default_rng(5)
    noise = rng.normal(0, 10, (400, 32, 32))
    cell = (
        60
        * np.sin(np.arange(400) / 15)[:, None, None] ** 2
        * (np.indices((32, 32)) // 8 == 1).all(0)
    )
    raw, denoised = 100 + cell + noise, (100 + cell + 0.5 * noise).astype(np.float32)
    survey, moments = ComponentSurvey((32, 32)), NoiseMoments((32, 32))
    survey.add(denoised)
    moments.add(raw)
    window = Window(0, 400, np.ones(400))
    courses = CourseMoments(
        window, survey.components(Scale()), dct_basis(400, 1), moments.photon_transfer()
    )
    courses.add(0, raw, denoised, Scale())
    detail, _ = fit_detail(courses, np.zeros((1, 32, 32), np.float32), moments)
    added = np.zeros((400, 32, 32), np.float32)
    detail.add_to(0, denoised, added)
    was, now = (np.square(x - 100 - cell).mean() for x in (denoised, denoised + added))
    assert now < 1.01 * was

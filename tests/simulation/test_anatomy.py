"""The tissue: what lies where, and how it looks."""

from __future__ import annotations

import numpy as np
import pytest

from freq2clean.simulation.anatomy import draw_anatomy


@pytest.fixture(scope="module")
def anatomy():
    return draw_anatomy(
        np.random.default_rng(7),
        (320, 300),
        pixel_size_um=1.0,
        soma_diameter_um=12.0,
        cell_density_per_mm2=1100.0,
    )


def test_cells_come_at_the_density_asked_for(anatomy):
    assert len(anatomy.cells) == len(anatomy.somata)
    assert len(anatomy.cells) == pytest.approx(1100 * 0.096, rel=0.3)


def test_everything_lies_on_the_tissue_and_shines(anatomy):
    light = anatomy.light()
    n_parts = len(anatomy.cells) + len(anatomy.defocused) + len(anatomy.processes)
    assert light.shape == (n_parts, 320 * 300)
    assert light.dtype == np.float32
    assert light.data.min() > 0
    assert anatomy.neuropil.min() > 0
    assert 0.4 < np.median(anatomy.neuropil) < 1.3


def test_sparse_rows_are_the_patches(anatomy):
    rows = anatomy.light().toarray().reshape(-1, 320, 300)
    for patch, row in zip(anatomy.cells[:10], rows, strict=False):
        height, width = patch.image.shape
        found = row[patch.top : patch.top + height, patch.left : patch.left + width]
        np.testing.assert_array_equal(found, patch.image)
        assert row.sum() == pytest.approx(patch.image.sum(), rel=1e-5)


def test_most_nuclei_are_dark(anatomy):
    rows = anatomy.light()[: len(anatomy.cells)].toarray()
    masks = anatomy.soma_masks().toarray()
    darker = []
    for row, mask in zip(rows, masks, strict=True):
        y, x = np.divmod(np.flatnonzero(mask), 300)
        distance = np.hypot(y - y.mean(), x - x.mean()) if len(y) else np.zeros(1)
        if len(y) < 50:
            continue
        centre = row[mask][distance < 0.25 * distance.max()].mean()
        ring = row[mask][(distance > 0.5 * distance.max()) & (distance < 0.85 * distance.max())]
        darker.append(centre < 0.7 * ring.mean())
    assert 0.35 < np.mean(darker) < 0.95


def test_vessels_are_dark(anatomy):
    dark = anatomy.neuropil < 0.3 * np.median(anatomy.neuropil)
    assert 0.005 < dark.mean() < 0.4

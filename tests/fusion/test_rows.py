from __future__ import annotations

import numpy as np
import pytest

from freq2clean.fusion.bases import dct_basis
from freq2clean.fusion.rows import RUN_FRAMES, Rows

SLOW = dct_basis(3000, 24)[:, 700 : 700 + RUN_FRAMES]
ROUGH = np.random.default_rng(0).standard_normal((6, 40))
matrices = pytest.mark.parametrize(
    "weights",
    [SLOW, SLOW[:1], SLOW[:3, :1], dct_basis(30, 30), ROUGH, np.zeros((5, 9))],
    ids=["slow", "one row", "one frame", "whole window", "rough", "zero"],
)


@matrices
def test_products_are_those_of_the_matrix(weights):
    rng = np.random.default_rng(1)
    values = rng.standard_normal((weights.shape[1], 50)).astype(np.float32)
    images = rng.standard_normal((len(weights), 50)).astype(np.float32)
    rows, expanded = Rows.of(weights), np.full(values.shape, np.nan, np.float32)
    level = rng.standard_normal(values.shape).astype(np.float32)
    np.testing.assert_allclose(rows.project(values), weights @ values, rtol=0, atol=2e-5)
    rows.expand(images, level=level, out=expanded)
    np.testing.assert_allclose(expanded, level + weights.T @ images, rtol=0, atol=2e-5)


@matrices
def test_some_frames_of_them(weights):
    images = np.random.default_rng(2).standard_normal((len(weights), 7)).astype(np.float32)
    out = np.zeros((weights[:, 3:8].shape[1], 7), np.float32)
    Rows.of(weights)[3:8].expand(images, level=out, out=out)
    np.testing.assert_allclose(out, weights[:, 3:8].T @ images, rtol=0, atol=2e-5)


def test_slow_rows_cost_as_much_as_a_few():
    rows = Rows.of(SLOW)
    assert rows.mixing is not None
    assert rows.few.shape == (8, RUN_FRAMES)
    assert rows.mixing.shape == (24, 8)
    error = np.abs(rows.mixing.astype(np.float64) @ rows.few - SLOW).max()
    assert error < 2e-7 * np.abs(SLOW).max()


@pytest.mark.parametrize("weights", [SLOW[:3], ROUGH, dct_basis(30, 30)])
def test_others_stay_as_they_are(weights):
    rows = Rows.of(weights)
    assert rows.mixing is None
    np.testing.assert_array_equal(rows.few, weights.astype(np.float32))


def test_plain_rows_are_one_that_is_constant():
    assert Rows.of(np.full((1, 9), 0.1)).is_plain
    assert not Rows.of(np.full((2, 9), 0.1)).is_plain
    assert not Rows.of(np.arange(9.0)[None]).is_plain

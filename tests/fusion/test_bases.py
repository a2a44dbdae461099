from __future__ import annotations

import numpy as np
import pytest
from scipy.fft import dct

from freq2clean.errors import InputError
from freq2clean.fusion.bases import dct_basis, rfft_basis

LENGTHS = [1, 2, 3, 8, 15, 64, 301]


@pytest.mark.parametrize("n", LENGTHS)
def test_dct_rows_are_orthonormal_and_scipy_s(n):
    basis = dct_basis(n, n)
    np.testing.assert_allclose(basis @ basis.T, np.eye(n), atol=1e-11)
    np.testing.assert_allclose(basis, dct(np.eye(n), axis=0, norm="ortho"), atol=1e-11)


@pytest.mark.parametrize("n", LENGTHS)
def test_dft_rows_are_orthonormal_and_span_every_bin(n):
    basis = np.concatenate([rfft_basis(n, k) for k in range(n // 2 + 1)])
    np.testing.assert_allclose(basis @ basis.T, np.eye(n), atol=1e-11)


@pytest.mark.parametrize("n", [5, 8])
def test_dft_rows_are_real_and_imaginary_part(n):
    course = np.random.default_rng(0).standard_normal(n)
    spectrum = np.fft.rfft(course, norm="ortho")
    for k in range(n // 2 + 1):
        rows = rfft_basis(n, k) @ course
        parts = [spectrum[k].real, spectrum[k].imag] if len(rows) == 2 else [spectrum[k].real]
        np.testing.assert_allclose(rows, np.array(parts) * np.sqrt(len(rows)), atol=1e-12)


def test_the_phase_of_a_high_bin_of_a_long_window_is_exact():
    """Courses repeat after n / gcd(k, n) frames, to the last digits."""
    rows = rfft_basis(100_000, 40_000)
    assert np.array_equal(rows[:, :5], rows[:, -5:])


@pytest.mark.parametrize("n_bins", [0, 9])
def test_bins_that_a_window_has_not(n_bins):
    with pytest.raises(InputError, match=f"{n_bins} DCT bins asked for; a window of 8 frames"):
        dct_basis(8, n_bins)


@pytest.mark.parametrize("bin_", [-1, 5])
def test_dft_bins_that_a_window_has_not(bin_):
    with pytest.raises(InputError, match=f"DFT bin {bin_} asked for; .* bins 0 to 4"):
        rfft_basis(8, bin_)

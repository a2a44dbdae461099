import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from freq2clean.errors import InputError
from freq2clean.metrics import QuantileSketch
from freq2clean.metrics.quantiles import quantile_of_text

FRACTIONS = [0, 0.0025, 0.3, 0.5, 0.999, 1]


def sketched(blocks):
    sketch = QuantileSketch()
    for block in blocks:
        sketch.add(block)
    return sketch.quantiles(FRACTIONS)


@given(
    st.sampled_from(["u1", "u2", "i1", "i2", ">i2"]).flatmap(
        lambda dtype: hnp.arrays(dtype, st.tuples(st.integers(1, 9), st.just(3), st.just(4)))
    ),
    st.integers(1, 9),
)
def test_exact_for_integers(movie, step):
    blocks = [movie[start : start + step] for start in range(0, len(movie), step)]
    exact = np.quantile(movie.astype(float), FRACTIONS)
    np.testing.assert_allclose(sketched(blocks), exact, rtol=1e-14)


def test_exact_for_wide_integers_of_a_narrow_range():
    values = np.random.default_rng(1).integers(-(2**22), 2**22, (50, 8, 8), np.int32) + 2**30
    assert sketched(np.split(values, 5)) == pytest.approx(np.quantile(values, FRACTIONS), rel=1e-15)


def test_integers_of_a_wide_range_get_wider_bins():
    values = np.random.default_rng(1).integers(-(2**31), 2**31 - 1, (40, 16, 16), np.int32)
    found = sketched(np.split(values, 4))
    np.testing.assert_allclose(found, np.quantile(values, FRACTIONS), atol=2**9)


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
@pytest.mark.parametrize("offset", [0, -700, 3e4])
def test_floats_within_their_tolerance(dtype, offset):
    values = (np.random.default_rng(2).normal(0, 50, (60, 20, 20)) + offset).astype(dtype)
    exact = np.quantile(values.astype(float), FRACTIONS)
    tolerance = 2.0**-13 * np.abs(exact - np.median(values[0].astype(float))) + 1e-9
    for step in (60, 7):
        blocks = [values[start : start + step] for start in range(0, 60, step)]
        assert (np.abs(sketched(blocks) - exact) <= tolerance).all()


def test_an_outlier_does_not_coarsen_the_rest():
    values = np.random.default_rng(3).normal(100, 5, (30, 20, 20)).astype("f4")
    values[4, 3, 2] = 3e38
    values[5, 3, 2] = -3e38
    assert sketched([values])[1:-1] == pytest.approx(np.quantile(values, FRACTIONS)[1:-1], abs=3e-3)


def test_missing_pixels_are_left_out():
    values = np.arange(12, dtype="f4").reshape(3, 2, 2)
    values[0] = np.nan
    values[1, 0, 0] = np.inf
    sketch = QuantileSketch()
    sketch.add(values[:1])
    sketch.add(values)
    assert sketch.count == 7
    assert sketch.quantiles([0, 1]) == [5, 11]


def test_a_constant_is_its_own_quantile():
    assert sketched([np.full((3, 4, 4), 0.1)]) == [0.1] * len(FRACTIONS)


def test_errors():
    sketch = QuantileSketch()
    with pytest.raises(InputError, match="no finite pixel"):
        sketch.quantiles([0.5])
    sketch.add(np.ones((1, 2, 2), "u1"))
    with pytest.raises(InputError, match="between 0 and 1"):
        sketch.quantiles([99.9])
    with pytest.raises(InputError, match="one type"):
        sketch.add(np.ones((1, 2, 2)))


def test_quantile_of_text():
    assert quantile_of_text("q99.9") == pytest.approx(0.999)
    for wrong in ("99.9", "q", "q0", "q101", "qnan", "median"):
        with pytest.raises(InputError, match=r"q99\.9"):
            quantile_of_text(wrong)

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from skimage.exposure import match_histograms

from freq2clean.errors import InputError
from freq2clean.fusion.matching import match_affine, match_histogram, matcher

images = hnp.arrays(
    np.float64, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.integers(-50, 50)
)


@given(source=images, template=images)
def test_histogram_is_that_of_scikit_image(source, template):
    np.testing.assert_allclose(
        match_histogram(source, template), match_histograms(source, template), rtol=1e-12
    )


def test_affine_undoes_gain_and_offset_and_keeps_detail():
    rng = np.random.default_rng(0)
    template = rng.random((16, 16))
    np.testing.assert_allclose(match_affine(3 * template - 8, template), template, rtol=1e-9)
    source = 3 * template - 8 + rng.normal(0, 0.3, (16, 16))
    gain, offset = np.polyfit(template.ravel(), source.ravel(), 1)
    np.testing.assert_allclose(match_affine(source, template), (source - offset) / gain)


@pytest.mark.parametrize("kind", ["unrelated", "inverted", "constant"])
def test_affine_leaves_what_shows_something_else(kind):
    """The regression gain is next to 0 there, and undoing it would blow the source up."""
    rng = np.random.default_rng(1)
    source = rng.random((16, 16))
    template = {"unrelated": rng.random((16, 16)), "inverted": -source, "constant": source * 0 + 4}
    np.testing.assert_array_equal(match_affine(source, template[kind]), source)


def test_a_matching_that_does_not_exist():
    with pytest.raises(InputError, match="matching = 'exact'; give one of histogram, affine, none"):
        matcher("exact")

"""Results do not depend on the number of threads."""

from __future__ import annotations

import numpy as np
import pytest

from freq2clean import denoise, evaluate, fuse, run
from freq2clean.errors import InputError
from freq2clean.threads import n_threads


@pytest.fixture(scope="module")
def wide(make_pair):
    """More pixels than one thread takes at a time."""
    return make_pair((40, 130, 136))


@pytest.mark.parametrize(
    ("method", "register"),
    [("fft", False), ("dct", False), ("wiener", False), ("subspace", False), ("fft", True)],
)
def test_fusion_is_the_same_on_any_number_of_threads(method, register, wide):
    one, three = (
        fuse(wide.raw, wide.denoised, method=method, register=register, workers=workers)
        for workers in (1, 3)
    )
    np.testing.assert_array_equal(one, three)


def test_denoising_is_the_same_on_one_thread_but_for_rounding(pair):
    np.testing.assert_allclose(denoise(pair.raw, workers=1), denoise(pair.raw), rtol=2e-6)


def test_scores_are_the_same_on_one_thread(pair):
    scores = [
        evaluate(pair.truth, pair.raw, data_range=300.0, workers=workers) for workers in (1, None)
    ]
    assert scores[0].as_dict() == scores[1].as_dict()


def test_a_function_that_denoises_is_within_the_bound(pair):
    seen = []

    def model(frames):
        seen.append(n_threads())
        return frames

    run(pair.raw, model=model, method="fft", workers=1)
    assert seen == [1]


@pytest.mark.parametrize("job", [fuse, evaluate])
def test_no_threads_are_refused(job, pair):
    options = {"data_range": 300.0} if job is evaluate else {}
    with pytest.raises(InputError, match="workers = 0; give 1 or more"):
        job(pair.raw, pair.denoised, workers=0, **options)

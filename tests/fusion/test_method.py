from __future__ import annotations

import json

import numpy as np
import pytest

from freq2clean.errors import InputError
from freq2clean.fusion import METHODS, Dct, Fft, Wiener, get_method

METHOD = pytest.mark.parametrize("method", [Fft(), Dct(), Wiener()], ids=lambda m: m.name)


@METHOD
@pytest.mark.parametrize(
    ("raw", "denoised", "words"),
    [
        ((5, 4, 4), (5, 4, 5), r"shape \(5, 4, 4\) and the denoised one \(5, 4, 5\); they must be"),
        ((5, 4, 4), (4, 4, 4), r"shape \(5, 4, 4\) and the denoised one \(4, 4, 4\)"),
        ((4, 4), (4, 4), r"raw recording has shape \(4, 4\); \(T, Y, X\) is needed"),
        ((5, 4, 4), (5, 4, 4, 3), r"denoised recording has shape \(5, 4, 4, 3\)"),
        ((0, 4, 4), (0, 4, 4), r"raw recording has shape \(0, 4, 4\)"),
    ],
)
def test_shapes_that_cannot_be_fused(method, raw, denoised, words):
    with pytest.raises(InputError, match=words):
        method.fit(np.zeros(raw), np.zeros(denoised))


@METHOD
@pytest.mark.parametrize("side", [0, 1])
@pytest.mark.parametrize("dtype", ["complex64", "U3", "datetime64[s]"])
def test_values_that_are_not_real_numbers(method, side, dtype):
    pair = [np.ones((6, 4, 4)), np.ones((6, 4, 4))]
    pair[side] = np.zeros((6, 4, 4), dtype)
    with pytest.raises(InputError, match="real numbers are needed"):
        method.fit(*pair)


@METHOD
def test_frames_of_another_size_cannot_be_applied(method, make_pair):
    pair = make_pair((20, 8, 8))
    fusion = method.fit(pair.raw, pair.denoised)
    with pytest.raises(InputError, match=r"frames are \(8, 7\); the fusion was fit to \(8, 8\)"):
        fusion.apply(pair.denoised[:, :, :7])


def test_methods_by_name():
    assert get_method("fft", alpha=0.5) == Fft(alpha=0.5)
    assert {name: type(get_method(name)) for name in METHODS} == METHODS
    with pytest.raises(InputError, match="method = 'mean'; give one of fft, dct, wiener"):
        get_method("mean")


@pytest.mark.parametrize("option", ["alpha", "name"])
def test_options_that_a_method_does_not_have(option):
    with pytest.raises(
        InputError, match=f"method wiener has no option {option}; it has window, overlap, n_bins"
    ):
        get_method("wiener", **{option: 0.5})


@pytest.mark.parametrize("method", [Fft(alpha=(1.0, 0.5)), Dct(raw_average=7), Wiener()])
def test_parameters_name_the_method_and_go_into_json(method):
    parameters = json.loads(json.dumps(method.parameters()))
    name = parameters.pop("method")
    assert type(get_method(name, **parameters)) is type(method)

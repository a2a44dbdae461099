"""Denoisers by name."""

import numpy as np
import pytest

from freq2clean.denoisers import DENOISERS, get_denoiser, load_model
from freq2clean.errors import InputError


def test_registry():
    assert get_denoiser("pca", patch_pixels=12) == DENOISERS["pca"](patch_pixels=12)
    with pytest.raises(InputError, match="'nlm'; choose from gaussian, pca, pretrained, deepcad"):
        get_denoiser("nlm")
    with pytest.raises(InputError, match="gaussian has no option patch_pixels; its options are s"):
        get_denoiser("gaussian", patch_pixels=8)


def test_a_model_by_the_name_of_its_denoiser(noisy, tmp_path):
    path = tmp_path / "widths.npz"
    model = get_denoiser("gaussian").fit(noisy)
    model.save(path)
    np.testing.assert_array_equal(
        load_model("gaussian", path).predict(noisy)[:], model.predict(noisy)[:]
    )
    with pytest.raises(InputError, match="holds a model of gaussian, and pca is asked for"):
        load_model("pca", path)
    with pytest.raises(InputError, match="no denoiser is called 'nlm'"):
        load_model("nlm", path)

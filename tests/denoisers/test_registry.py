"""Denoisers by name."""

import subprocess
import sys

import numpy as np
import pytest

from freq2clean.denoisers import DENOISERS, get_denoiser, kind_of, load_model
from freq2clean.denoisers.contract import Denoiser
from freq2clean.denoisers.registry import Entry
from freq2clean.errors import InputError


def test_registry():
    assert get_denoiser("pca", patch_pixels=12) == kind_of("pca")(patch_pixels=12)
    with pytest.raises(InputError, match="'nlm'; choose from gaussian, pca, pretrained, deepcad"):
        get_denoiser("nlm")
    with pytest.raises(InputError, match="gaussian has no option patch_pixels; its options are s"):
        get_denoiser("gaussian", patch_pixels=8)


@pytest.mark.parametrize("name", DENOISERS)
def test_each_is_called_by_its_name(name):
    kind = kind_of(name)
    assert kind.name == name
    assert issubclass(kind, Denoiser)


def test_the_names_cost_no_import_of_libraries():
    code = (
        "import sys; from freq2clean.denoisers import DENOISERS; "
        "print(*{name.split('.')[0] for name in sys.modules} & {'numpy', 'scipy', 'torch'})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_one_line_of_the_registry_is_enough(monkeypatch):
    monkeypatch.setitem(DENOISERS, "blur", Entry("denoisers.gaussian:Gaussian", "a new one"))
    assert get_denoiser("blur", sigma_t_frames=1.0).sigma_t_frames == 1


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

from __future__ import annotations

import subprocess
import sys

import pytest

from freq2clean import Fft
from freq2clean.entries import Entry
from freq2clean.errors import InputError
from freq2clean.fusion import DEFAULT_METHOD, METHODS, get_method, method_kind
from freq2clean.fusion.method import Method


@pytest.mark.parametrize("name", METHODS)
def test_each_is_called_by_its_name(name):
    assert method_kind(name).name == name
    assert issubclass(method_kind(name), Method)
    assert type(get_method(name)) is method_kind(name)


def test_the_default_comes_first():
    assert next(iter(METHODS)) == DEFAULT_METHOD


def test_a_method_with_options():
    assert get_method("fft", alpha=0.5) == Fft(alpha=0.5)


def test_a_method_that_is_not_there():
    with pytest.raises(InputError, match="method = 'mean'; give one of auto, subspace"):
        get_method("mean")


@pytest.mark.parametrize("option", ["alpha", "name"])
def test_options_that_a_method_does_not_have(option):
    with pytest.raises(
        InputError, match=f"method wiener has no option {option}; it has window, overlap, n_bins"
    ):
        get_method("wiener", **{option: 0.5})


def test_one_line_of_the_registry_is_enough(monkeypatch):
    monkeypatch.setitem(METHODS, "blend", Entry("fusion.fft:Fft", "a new one"))
    assert get_method("blend", alpha=0.5) == Fft(alpha=0.5)


def test_the_names_cost_no_import_of_libraries():
    code = (
        "import sys; from freq2clean.fusion import METHODS; "
        "print(*{name.split('.')[0] for name in sys.modules} & {'numpy', 'scipy'})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []

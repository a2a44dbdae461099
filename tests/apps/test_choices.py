"""What a form or a command can ask for is what the methods declare."""

from __future__ import annotations

from dataclasses import fields

import pytest

from freq2clean.apps.choices import choices_of
from freq2clean.fusion import METHODS, get_method, method_kind


@pytest.mark.parametrize("name", METHODS)
def test_every_option_is_there(name):
    choices = choices_of(name)
    assert [choice.name for choice in choices] == [
        field.name for field in fields(method_kind(name))
    ]
    assert get_method(name, **{c.name: c.default for c in choices}) == get_method(name)


@pytest.mark.parametrize("name", METHODS)
def test_every_option_is_explained(name):
    for choice in choices_of(name):
        assert len(choice.help) > 10, choice.name


def test_kinds_are_those_of_the_annotations():
    found = {c.name: c for method in ("auto", "fft", "dct") for c in choices_of(method)}
    assert (found["n_bins"].kind, found["n_bins"].default) == (int, None)
    assert (found["limit"].kind, found["limit"].default) == (bool, True)
    assert set(found["matching"].values) == {"affine", "histogram", "none"}
    assert [name for name, choice in found.items() if choice.many] == ["alpha"]
    assert [name for name, choice in found.items() if choice.pair] == ["pixel_size_um"]


def test_units_are_what_is_not_known_without_a_recording():
    assert {choice.name for choice in choices_of("dct") if not choice.is_known} == {
        "spatial_cutoff_per_um",
        "spatial_width_per_um",
        "temporal_cutoff_hz",
        "temporal_width_hz",
        "pixel_size_um",
        "frame_rate_hz",
    }
    assert all(choice.is_known for choice in choices_of("auto"))

"""The form's options are those of the methods."""

from __future__ import annotations

from dataclasses import fields

import pytest

from freq2clean.apps.napari.choices import choices_of
from freq2clean.fusion import METHODS, get_method

OF_UNITS = {
    "spatial_cutoff_per_um",
    "spatial_width_per_um",
    "temporal_cutoff_hz",
    "temporal_width_hz",
    "pixel_size_um",
    "frame_rate_hz",
}


@pytest.mark.parametrize("name", METHODS)
def test_every_option_is_there_but_units(name):
    choices = choices_of(name)
    assert {choice.name for choice in choices} == {
        field.name for field in fields(METHODS[name])
    } - OF_UNITS
    defaults = {choice.name: choice.default for choice in choices}
    assert get_method(name, **defaults) == get_method(name)


@pytest.mark.parametrize("name", METHODS)
def test_every_option_is_explained(name):
    for choice in choices_of(name):
        assert len(choice.help) > 10, choice.name


def test_kinds_are_those_of_the_annotations():
    kinds = {choice.name: (choice.kind, choice.default) for choice in choices_of("auto")}
    assert kinds["window"] == (int, None)
    assert kinds["limit"] == (bool, True)
    matching = next(choice for choice in choices_of("fft") if choice.name == "matching")
    assert set(matching.values) == {"affine", "histogram", "none"}

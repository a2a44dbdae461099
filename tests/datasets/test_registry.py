from __future__ import annotations

import pytest

from freq2clean.datasets import get_dataset, read_registry
from freq2clean.errors import InputError


def test_the_recordings_are_those_of_the_study_and_two_more():
    assert list(read_registry()) == [
        "synthetic", "zebrafish", "neutrophils", "astrocytes", "grin-neurons",
        "spines", "populations",
    ]  # fmt: skip


def test_what_is_known_of_the_synthetic_one():
    found = get_dataset("synthetic")
    assert found.pair == (
        "noise_1Q_-5.52dBSNR_490x490x6000.tif",
        "clean_30Hz_490x490x6000.tif",
    )
    assert (found.frames, found.size_px, found.data_range) == (6000, (490, 490), 1520)
    assert found.doi == "10.5281/zenodo.6254739"


def test_what_is_not_known_is_not_said():
    found = get_dataset("astrocytes")
    assert found.doi is found.frames is found.pixel_size_um is found.truth_is is None
    with pytest.raises(InputError, match="astrocytes has no truth to score against"):
        _ = found.pair


def test_an_unknown_name_gives_the_known_ones():
    with pytest.raises(InputError, match="no dataset is called 'cats'; there are synthetic, zebra"):
        get_dataset("cats")

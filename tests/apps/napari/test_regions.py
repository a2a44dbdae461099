"""Traces of places, against the plain mean."""

from __future__ import annotations

import numpy as np
import pytest

from freq2clean.apps.napari.regions import disc, label_at, trace_of


@pytest.mark.parametrize(("place", "radius"), [((10, 20), 3), ((0, 39), 4), ((31, 0), 0)])
def test_a_trace_is_the_mean_of_the_disc(counted, place, radius):
    region = disc((32, 40), place, radius)
    rows, columns = np.mgrid[:32, :40]
    inside = (rows - place[0]) ** 2 + (columns - place[1]) ** 2 <= radius**2
    np.testing.assert_array_equal(region.mask, inside)
    expected = counted._array[:, inside].mean(axis=1)
    np.testing.assert_allclose(trace_of(region, counted), expected, rtol=1e-6)


def test_a_label_is_a_region_and_nothing_is_none(counted):
    labels = np.zeros((32, 40), np.uint8)
    labels[4:8, 5:11] = 7
    region = label_at(labels, (5, 6), name="cells")
    assert region
    assert region.name == "cells 7, mean of 24 pixels"
    assert region.centre == (5.5, 7.5)
    assert region.diameter_px == pytest.approx(2 * np.sqrt(24 / np.pi))
    expected = counted._array[:, 4:8, 5:11].mean(axis=(1, 2))
    np.testing.assert_allclose(trace_of(region, counted), expected, rtol=1e-6)
    assert label_at(labels, (0, 0), name="cells") is None

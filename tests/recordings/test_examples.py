"""The examples in the docstrings run."""

from __future__ import annotations

import doctest
import importlib

import pytest


@pytest.mark.parametrize("module", ["casting", "opening", "provenance", "writing"])
def test_examples(module):
    found = importlib.import_module(f"freq2clean.recordings.{module}")
    failed, attempted = doctest.testmod(found)
    assert attempted
    assert not failed

"""An archive on this machine, whose answers can be spoilt."""

from __future__ import annotations

import pytest

from freq2clean.datasets import Dataset


@pytest.fixture
def archive(local_archive):
    """Its record number 7 has two files."""
    local_archive.files = {"raw.tif": bytes(range(256)) * 4000, "truth.tif": b"truth" * 1000}
    return local_archive


@pytest.fixture
def dataset():
    return Dataset(
        name="small", title="A small one", alpha=0.85, record=7, raw="raw.tif", truth="truth.tif"
    )

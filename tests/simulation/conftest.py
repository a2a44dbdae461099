"""One simulated recording, read once, for the tests that only look at it."""

from __future__ import annotations

import pytest

from freq2clean.simulation import SimulatedRecording, simulate


@pytest.fixture(scope="session")
def recording() -> SimulatedRecording:
    return simulate((400, 96, 112), seed=3)

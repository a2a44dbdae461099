"""Simulated recordings that several tests look at; each is made and surveyed once."""

from __future__ import annotations

from functools import cache, cached_property

import numpy as np
import pytest

from freq2clean.inspection.survey import survey_recording
from freq2clean.simulation import imitate_denoiser, simulate


class Scene:
    """A simulated recording in memory; what else a test asks for is made once, when it does."""

    def __init__(self, shape, seed, options):
        self.simulated = simulate(shape, seed=seed, **options)
        self.raw = read_only(self.simulated.raw.read(0, shape[0]))
        self.options = self.simulated.raw.metadata.provenance["simulated"]

    @cached_property
    def truth(self):
        return read_only(self.simulated.truth.read(0, len(self.raw)))

    @cached_property
    def denoised(self):
        return read_only(imitate_denoiser(self.truth, self.raw))

    @cached_property
    def survey(self):
        return survey_recording(self.raw)


def read_only(array):
    array.setflags(write=False)
    return array


@cache
def make_scene(shape, seed, options):
    return Scene(shape, seed, dict(options))


@pytest.fixture(scope="session")
def scene():
    """Scene of (T, Y, X), seed and options of the simulator; made once for equal arguments."""

    def make(shape=(240, 96, 96), seed=0, **options):
        return make_scene(shape, seed, tuple(sorted(options.items())))

    return make


@pytest.fixture(scope="session")
def codes():
    """The codes of an inspection's advice."""
    return lambda inspection: {finding.code for finding in inspection.advice}


@pytest.fixture
def rng():
    return np.random.default_rng(7)

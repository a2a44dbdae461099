from __future__ import annotations

import numpy as np
import pytest

from freq2clean.denoisers import DENOISERS, get_denoiser
from freq2clean.errors import InputError
from freq2clean.fusion import get_method
from freq2clean.studies.presets import PRESETS, fusions_of, get_preset

PRESENT = [name for name, preset in PRESETS.items() if preset.model in DENOISERS]


@pytest.mark.parametrize("name", PRESENT)
def test_its_denoiser_takes_its_options(name):
    preset = PRESETS[name]
    trainings = preset.trainings(3)
    assert len(trainings) == max(1, len(preset.patch_t))
    for length, options in trainings:
        denoiser = get_denoiser(preset.model, **options, **preset.prediction)
        assert length is None or denoiser.patch_t == length


def test_those_of_the_study():
    paper = PRESETS["paper"]
    assert paper.patch_t == (15, 30, 75, 150, 300)
    first = get_denoiser("deepcad", **paper.trainings(0)[0][1])
    assert (first.patch_y, first.patch_x, first.n_epochs, first.base_channels) == (150, 150, 10, 16)


@pytest.mark.parametrize("is_simulated", [False, True])
def test_fusions_can_be_made(is_simulated):
    for options in fusions_of(is_simulated=is_simulated).values():
        get_method(options["method"], **{k: v for k, v in options.items() if k != "method"})


def test_cut_offs_of_dct_in_units_are_those_of_the_study():
    of_study, in_units = (fusions_of(is_simulated=flag)["dct"] for flag in (False, True))
    shape, size = (490, 490), {"pixel_size_um": (1.02, 1.02), "frame_rate_hz": 30.0}
    weights = []
    for options in (of_study, {**in_units, **size}):
        method = get_method("dct", **{k: v for k, v in options.items() if k != "method"})
        weights.append((method.spatial_weights(shape), method.temporal_weights(3000)[:10]))
    for a, b in zip(*weights, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-9)


def test_other_lengths_replace_those_of_a_preset():
    assert get_preset("tiny", patch_t=(24, 8, 24)).patch_t == (8, 24)


def test_refused(monkeypatch):
    for arguments, says in {
        ("huge",): "tiny, small",
        ("paper",): "--recording CLEAN --noisy NOISY",
        ("tiny", (0,)): "from 1 up",
    }.items():
        with pytest.raises(InputError, match=says):
            get_preset(arguments[0], patch_t=arguments[1] if len(arguments) > 1 else ())
    monkeypatch.delitem(DENOISERS, "deepcad")
    with pytest.raises(InputError, match="needs the denoiser deepcad, which this version"):
        get_preset("tiny")

"""Functions of Python as denoisers."""

import json

import numpy as np
import pytest

from freq2clean import denoise, run
from freq2clean.denoisers import get_denoiser
from freq2clean.errors import InputError, OutputError
from freq2clean.recordings import open_recording


def averaged(frames):
    """Every frame the mean of all."""
    return np.broadcast_to(frames.mean(axis=0), frames.shape)


@pytest.fixture
def raw():
    return np.random.default_rng(0).poisson(5, (40, 24, 20)).astype(np.uint16)


def test_gives_what_the_function_gives(raw):
    np.testing.assert_array_equal(denoise(raw, model=averaged), averaged(raw).astype(np.float32))


def test_is_named_in_the_file_that_it_made(raw, tmp_path):
    result = denoise(raw, model=averaged, out=tmp_path / "denoised.h5")
    assert result.parameters == {"model": "function", "function": "averaged"}
    with open_recording(result.path) as denoised:
        assert "averaged" in json.dumps(dict(denoised.metadata.provenance))


def test_values_that_are_no_numbers_stay_so(raw):
    broken = raw.astype(np.float32)
    broken[3, 4, 5] = np.nan
    denoised = denoise(broken, model=lambda frames: np.nan_to_num(frames, nan=5.0))
    assert np.isnan(denoised[3, 4, 5])
    assert np.isnan(denoised).sum() == 1


def test_runs_before_fusion(raw, tmp_path):
    result = run(raw, model=averaged, out=tmp_path / "fused.tif")
    assert result.fused.shape == raw.shape
    with open_recording(result.fused.path) as fused:
        assert "averaged" in json.dumps(dict(fused.metadata.provenance))


@pytest.mark.parametrize("wrong", [lambda x: x[1:], lambda x: x + 1j, lambda x: "done"])
def test_what_is_no_recording_of_that_shape_is_refused(raw, wrong):
    with pytest.raises(InputError, match="has to give real numbers of the same shape"):
        denoise(raw, model=wrong)


def test_options_checkpoints_and_files_are_refused(raw, tmp_path):
    with pytest.raises(InputError, match="takes no options; rank given"):
        denoise(raw, model=averaged, rank=3)
    with pytest.raises(InputError, match="a function has none"):
        denoise(raw, model=averaged, checkpoint="model.pth")
    model = get_denoiser(averaged).fit(raw)
    with pytest.raises(OutputError, match="cannot be saved"):
        model.save(tmp_path / "model")
    with pytest.raises(InputError, match="not kept in a file"):
        type(model.denoiser)._load(tmp_path / "model")

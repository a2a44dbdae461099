"""Recordings that all denoisers are tried on."""

import numpy as np
import pytest

from freq2clean.simulation.simulator import simulate

pytest.register_assert_rewrite("tests.denoisers.suite")


def psnr(truth, recording):
    error = np.mean((np.asarray(recording, np.float64) - truth) ** 2)
    return 10 * np.log10(np.quantile(truth, 0.999) ** 2 / error)


@pytest.fixture(name="psnr", scope="session")
def psnr_fixture():
    return psnr


@pytest.fixture(scope="session", params=[-5.5, 6.0], ids=["dim", "bright"])
def simulated(request):
    """Raw and truth, 400 x 48 x 64, at an SNR in dB."""
    recording = simulate((400, 48, 64), seed=11, snr_db=request.param)
    return recording.raw[:], recording.truth[:]


@pytest.fixture
def noisy():
    """Photon noise on a gradient with a blinking square, 70 x 20 x 27 uint16."""
    rng = np.random.default_rng(5)
    light = np.tile(np.linspace(3, 9, 27), (70, 20, 1))
    light[:, 6:13, 8:16] *= 1.5 + np.sin(np.arange(70) / 7)[:, None, None]
    return (40 * rng.poisson(light) + 100).astype(np.uint16)


@pytest.fixture(autouse=True, scope="session")
def _one_thread(one_thread):
    """All of these tests."""

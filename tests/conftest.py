"""What the tests of several rooms need."""

import signal
from importlib.util import find_spec

import numpy as np
import pytest
from hypothesis import settings
from scipy.ndimage import gaussian_filter
from tests.local_archive import serving
from tests.report.chromium import Chromium, installed


def pytest_configure():
    """Let programs be interrupted that tests start: they inherit what a shell in the background
    or nohup said, which is to ignore it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    # How long an example takes is the machine's affair, which others use too.
    settings.register_profile("no deadline", deadline=None)
    settings.load_profile("no deadline")


@pytest.fixture(scope="session")
def one_thread():
    """PyTorch on one thread: tests run beside each other."""
    if find_spec("torch") is None:
        yield
        return
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def operators():
    """What torchvision needs to be imported where it was built for another PyTorch."""
    if find_spec("torchvision") is None:
        yield
        return
    import torch

    library = torch.library.Library("torchvision", "FRAGMENT")
    for name in ("nms", "qnms"):
        if not hasattr(torch.ops.torchvision, name):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    yield
    library._destroy()


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    program = installed()
    if program is None:
        pytest.skip("no chromium on the PATH")
    browser = Chromium(program, tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.fixture
def local_archive(monkeypatch):
    """An archive on this machine in the place of the public one."""
    with serving() as archive:
        monkeypatch.setattr("freq2clean.datasets.archive.ZENODO", archive.url)
        monkeypatch.setattr("freq2clean.datasets.downloading._WAIT_S", 0.0)
        yield archive


def _draw_cells(seed, side=64):
    """An image of round cells, 9 to 13 pixels wide, and its label image."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:side, :side]
    labels = np.zeros((side, side), np.int32)
    for _ in range(200):
        centre, radius = rng.uniform(3, side - 3, 2), rng.uniform(4.5, 6.5)
        distance = np.hypot(rows - centre[0], columns - centre[1])
        if labels.max() < 12 and not labels[distance < radius + 2].any():
            labels[distance < radius] = labels.max() + 1
    image = gaussian_filter((labels > 0).astype(np.float32), 0.7)
    return image + rng.normal(0, 0.05, image.shape).astype(np.float32), labels


@pytest.fixture(scope="session")
def draw_cells():
    return _draw_cells


@pytest.fixture(scope="session")
def cell_weights(request):
    """Weights of Cellpose that know such cells, trained once and kept with what pytest keeps."""
    from freq2clean.rois.tools import version_of
    from freq2clean.rois.training import train_cellpose

    version = version_of("cellpose")
    if not version.startswith("3."):
        pytest.skip("Cellpose 3, which can be trained here, is not installed")
    path = request.config.cache.mkdir("cellpose") / f"round-{version}.pth"
    if not path.exists():
        images, labels = zip(*map(_draw_cells, (0, 1)), strict=True)
        train_cellpose(images, labels, path, n_epochs=45, batch_size=2, crop_px=48)
    return path

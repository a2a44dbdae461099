"""What the tests of several rooms need."""

import signal
from importlib.util import find_spec

import pytest


def pytest_configure():
    """Let programs be interrupted that tests start: they inherit what a shell in the background
    or nohup said, which is to ignore it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


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

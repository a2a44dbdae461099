"""What the tests of several rooms need."""

from importlib.util import find_spec

import pytest


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

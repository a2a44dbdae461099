"""The authors' own package, made to run on the CPU: we load what it trains, and time it."""

import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import tifffile
import torch

from freq2clean.denoisers import load_model

pytest.importorskip("deepcad", reason="the authors' package (deepcad 1.2.0) is not installed")

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
SHAPE = 64, 24, 24
PATCH = 16
UNUSED = "gdown", "cv2", "csbdeep", "csbdeep.utils"
"""It imports these to download, and to show pictures."""

pytestmark = [
    pytest.mark.skipif(torch.cuda.is_available(), reason="it would take the GPU"),
    pytest.mark.filterwarnings("ignore"),
]


@pytest.fixture(autouse=True)
def on_the_cpu(monkeypatch, tmp_path):
    """Without GPUs and ONNX, and with float32 where NumPy 2 makes float64 of arrays."""
    for name in UNUSED:
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    sys.modules["csbdeep.utils"].normalize = None
    monkeypatch.setattr(torch.Tensor, "cuda", lambda self: self.float())
    monkeypatch.setattr(torch.nn.Module, "cuda", lambda self: self)
    monkeypatch.setattr(torch.nn.Module, "module", property(lambda self: self), raising=False)
    monkeypatch.setattr(torch.onnx, "export", lambda *arguments, **options: None)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def raw():
    light = np.linspace(3, 9, SHAPE[2]) * np.ones(SHAPE)
    return (40 * np.random.default_rng(5).poisson(light) + 100).astype(np.uint16)


@pytest.fixture
def checkpoint(raw):
    """What the package writes after an epoch of training on a folder."""
    from deepcad.train_collection import training_class

    Path("data").mkdir()
    tifffile.imwrite("data/raw.tif", raw)
    options = {"patch_x": PATCH, "patch_y": PATCH, "patch_t": 8, "lr": 1e-3, "n_epochs": 1}
    training_class({**options, "datasets_path": "data", "train_datasets_size": 8}).run()
    (path,) = Path("pth").glob("data_*/E_01_Iter_*.pth")
    assert path.with_name("para.yaml").is_file()
    return path


def test_what_it_trained_predicts_the_same_here(raw, checkpoint):
    from deepcad.network import Network_3D_Unet

    model = load_model("deepcad", checkpoint, calibrate=False)
    options = model.denoiser
    assert (options.patch_t, options.patch_y, options.patch_x) == (8, PATCH, PATCH)
    network = Network_3D_Unet(in_channels=1, out_channels=1, f_maps=16, final_sigmoid=True)
    network.load_state_dict(torch.load(checkpoint, weights_only=True))
    mean = raw.mean(dtype=np.float64)
    with torch.inference_mode():
        frames = torch.from_numpy((raw - mean).astype(np.float32))
        expected = network(frames[None, None])[0, 0].numpy() + mean
    np.testing.assert_allclose(model.predict(raw)[:], expected, rtol=1e-4)
    assert network.state_dict().keys() == model.state.network.state_dict().keys()


def test_the_benchmark_does_what_it_does(raw, checkpoint, monkeypatch):
    """Its results are in the recording's dtype, cut off."""
    from deepcad.test_collection import testing_class

    monkeypatch.syspath_prepend(BENCHMARKS)
    from bench_deepcad import PublicNetwork, public_inference

    sides = {"patch_x": PATCH, "patch_y": PATCH, "patch_t": PATCH}
    names = {"datasets_path": "data", "pth_dir": "pth", "denoise_model": checkpoint.parent.name}
    testing_class({**sides, **names}).run()
    (written,) = Path("results").rglob("*_output.tif")
    network = PublicNetwork(torch.load(checkpoint, weights_only=True))
    found = public_inference(raw, PATCH, network)
    assert np.abs(np.floor(found) - tifffile.imread(written)).max() <= 1

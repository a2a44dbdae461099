"""`fuse` takes arrays of other libraries, and computes on devices for those of NumPy."""

from __future__ import annotations

import numpy as np
import pytest

import freq2clean
from freq2clean.errors import InputError
from freq2clean.fusion.spaces import space_of, torch_devices, torch_space
from freq2clean.pipeline import devices
from freq2clean.recordings import open_recording

torch = pytest.importorskip("torch")
xp = pytest.importorskip("array_api_strict")

METHODS = ["fft", "dct", "wiener", "subspace", "auto"]


@pytest.fixture(scope="module")
def pair():
    rng = np.random.default_rng(0)
    texture = np.kron(rng.random((16, 16)), np.ones((2, 2))) * 60
    raw = rng.poisson(texture, (140, 32, 32)).astype(np.uint16)
    return raw, np.full(raw.shape, texture.mean(), np.float32)


@pytest.fixture
def on_torch(monkeypatch):
    """As if PyTorch saw a device: it computes, but in the host's memory."""
    monkeypatch.setattr(
        devices, "torch_space", lambda name, known: space_of(torch.empty(0)) if name else None
    )


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("library", [xp.asarray, torch.from_numpy], ids=["strict", "torch"])
def test_arrays_come_back_as_they_were(method, library, pair):
    there = [library(x.copy()) for x in pair]
    fused = freq2clean.fuse(*there, method=method)
    assert type(fused) is type(there[1])
    expected = freq2clean.fuse(*pair, method=method)
    np.testing.assert_allclose(np.asarray(fused), expected, atol=2e-4)


def test_registering_is_done_on_the_host_and_says_so(pair):
    there = [torch.from_numpy(x.copy()) for x in pair]
    with pytest.warns(UserWarning, match="register computes on the host"):
        fused = freq2clean.fuse(*there, method="fft", register=True)
    assert isinstance(fused, torch.Tensor)
    expected = freq2clean.fuse(*pair, method="fft", register=True)
    np.testing.assert_array_equal(fused.numpy(), expected)


def test_arrays_of_a_device_into_a_file(pair, tmp_path):
    there = [torch.from_numpy(x.copy()) for x in pair]
    result = freq2clean.fuse(*there, method="fft", out=tmp_path / "fused.tif")
    with open_recording(result.path) as written:
        expected = freq2clean.fuse(*pair, method="fft")
        np.testing.assert_allclose(written[:], expected, atol=1e-4)


def test_fewer_denoised_frames(pair):
    raw, denoised = pair[0], pair[1][10:-20]
    there = torch.from_numpy(raw.copy()), torch.from_numpy(denoised.copy())
    fused = freq2clean.fuse(*there, method="fft", align="end")
    expected = freq2clean.fuse(raw, denoised, method="fft", align="end")
    np.testing.assert_allclose(fused.numpy(), expected, atol=1e-4)


def test_gradients_are_not_followed(pair):
    raw, denoised = (torch.from_numpy(x.astype(np.float32)) for x in pair)
    fused = freq2clean.fuse(raw.requires_grad_(), denoised.requires_grad_(), method="fft")
    assert not fused.requires_grad


@pytest.mark.parametrize("out", [None, "fused.npy"])
@pytest.mark.parametrize("method", METHODS)
def test_numpy_through_a_device(method, out, pair, tmp_path, on_torch):
    target = None if out is None else tmp_path / out
    fused = freq2clean.fuse(*pair, method=method, device="cuda", out=target, memory="100MB")
    expected = freq2clean.fuse(*pair, method=method)
    if target:
        assert "computed on cpu" in fused.notes
        fused = np.load(target)
    np.testing.assert_allclose(fused, expected, atol=2e-4)


def test_registered_recordings_stay_on_the_cpu_and_it_says_so(pair, tmp_path, on_torch):
    how = {"method": "fft", "register": True, "out": tmp_path / "fused.npy"}
    result = freq2clean.fuse(*pair, device="cuda", **how)
    words = "registered recordings are not fused on cpu"
    assert result.notes[0] == f"computed on the CPU: {words}"


@pytest.mark.skipif(bool(torch_devices()), reason="PyTorch sees a device here")
def test_auto_without_a_device_falls_back_and_says_so(pair, tmp_path):
    result = freq2clean.fuse(*pair, method="fft", device="auto", out=tmp_path / "fused.npy")
    assert result.notes[0] == "computed on the CPU: device auto: PyTorch sees no CUDA or MPS device"


@pytest.mark.skipif(bool(torch_devices()), reason="PyTorch sees a device here")
@pytest.mark.parametrize("device", ["cuda", "cuda:1", "mps"])
def test_a_device_that_is_not_there(device, pair):
    with pytest.raises(
        InputError, match=f"device = '{device}': PyTorch sees no device but the CPU"
    ):
        freq2clean.fuse(*pair, method="fft", device=device)


@pytest.mark.parametrize("device", ["gpu", "cuda:", "cuda:x", ""])
def test_a_device_that_is_none(device, pair):
    with pytest.raises(InputError, match=f"device = '{device}'; give auto, cpu, cuda"):
        freq2clean.fuse(*pair, method="fft", device=device)


def test_without_pytorch_auto_is_the_cpu(monkeypatch):
    monkeypatch.setattr("freq2clean.fusion.spaces.find_spec", lambda name: None)
    assert torch_space("auto", known="") is None


@pytest.mark.parametrize("device", torch_devices() or [None])
def test_a_device_that_is_there(device, pair):
    if device is None:
        pytest.skip("PyTorch sees no device")
    fused = freq2clean.fuse(*pair, method="wiener", device=device)
    np.testing.assert_allclose(fused, freq2clean.fuse(*pair, method="wiener"), atol=1e-3)


def test_one_array_here_and_one_there(pair):
    with pytest.raises(InputError, match="one recording is an array of torch on cpu and the other"):
        freq2clean.fuse(torch.from_numpy(pair[0].copy()), pair[1])
    with pytest.raises(InputError, match=r"one array is .* and another .*; bring them to one"):
        freq2clean.fuse(torch.from_numpy(pair[0].copy()), xp.asarray(pair[1]))


def test_arrays_are_fused_where_they_are(pair):
    there = [torch.from_numpy(x.copy()) for x in pair]
    with pytest.raises(InputError, match="device = 'cuda', and the arrays are of torch on cpu"):
        freq2clean.fuse(*there, method="fft", device="cuda")


@pytest.mark.parametrize("shape", [(4, 4), (2, 3, 4, 4)])
def test_arrays_of_another_shape(shape):
    with pytest.raises(InputError, match=r"has shape .*; \(T, Y, X\) is needed"):
        freq2clean.fuse(torch.zeros(shape), torch.zeros(shape))


def test_dask_computes_on_the_cpu(pair):
    dask = pytest.importorskip("dask.array")
    with pytest.raises(InputError, match="device = 'cuda': Dask computes on the CPU"):
        freq2clean.fuse(*(dask.from_array(x) for x in pair), device="cuda")


@pytest.mark.parametrize("method", METHODS)
def test_many_blocks_through_a_device_into_a_file(method, pair, tmp_path, on_torch, monkeypatch):
    monkeypatch.setattr("freq2clean.pipeline.streamed.block_frames", lambda *_, **__: 3)
    path = freq2clean.fuse(*pair, method=method, device="cuda", out=tmp_path / "fused.zarr").path
    expected = freq2clean.fuse(*pair, method=method)
    np.testing.assert_allclose(open_recording(path)[:], expected, atol=2e-4)

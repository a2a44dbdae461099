"""The 3-D U-Net of DeepCAD-RT, with the tensor names of the public package."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from freq2clean.errors import InputError

__all__ = ["LEAST_SIDE", "SIDE_MULTIPLE", "Network", "network_of", "upsampling_kernel"]

N_LEVELS = 4
SIDE_MULTIPLE = 2 ** (N_LEVELS - 1)
"""Sides of inputs that are multiples of it are halved and doubled without a remainder."""
LEAST_SIDE = SIDE_MULTIPLE
_SMALL_ON_CPU = 20480  # channels x frames x rows, as in ConvParams::use_mkldnn


class Network(nn.Module):
    """Four levels of two 3 x 3 x 3 convolutions with ReLU, no normalisation, a linear end.

    Takes (N, C, T, Y, X) and gives (N, 1, T, Y, X), each side 8 at least. A tensor has the name
    that the public package gives it, beginning with ``Generator.``, so the weights of either load
    into the other.

    Parameters
    ----------
    base_channels : int
        Channels of the first level, doubled from level to level.
    n_inputs : int
        Channels that it takes; 1 in the public package.
    """

    def __init__(self, base_channels: int = 16, n_inputs: int = 1) -> None:
        super().__init__()
        self.Generator = _UNet(base_channels, n_inputs)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.Generator(x)
        return out


class _UNet(nn.Module):
    def __init__(self, base_channels: int, n_inputs: int) -> None:
        super().__init__()
        widths = [base_channels * 2**level for level in range(N_LEVELS)]
        self.encoders = nn.ModuleList(
            _Encoder(narrow, wide)
            for narrow, wide in zip([n_inputs, *widths], widths, strict=False)
        )
        self.decoders = nn.ModuleList(
            _Decoder(wide, narrow)
            for wide, narrow in zip(widths[:0:-1], widths[-2::-1], strict=True)
        )
        self.final_conv = nn.Conv3d(base_channels, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        skipped = []
        for level, encoder in enumerate(self.encoders):
            x = encoder(functional.max_pool3d(x, 2) if level else x)
            skipped.append(x)
        for decoder, skip in zip(self.decoders, skipped[-2::-1], strict=True):
            x = decoder(skip, x)
        out: Tensor = self.final_conv(x)
        return out


class _Encoder(nn.Module):
    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.basic_module = _DoubleConv(n_in, max(n_out // 2, n_in), n_out)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.basic_module(x)
        return out


class _Decoder(nn.Module):
    def __init__(self, n_below: int, n_skip: int) -> None:
        super().__init__()
        self.basic_module = _DoubleConv(n_below + n_skip, n_skip, n_skip)

    def forward(self, skip: Tensor, below: Tensor) -> Tensor:
        first = self.basic_module.SingleConv1.conv
        of_skip, of_below = torch.split(first.weight, [skip.shape[1], below.shape[1]], dim=1)
        x = _convolve(skip, of_skip, first.bias)
        x = x + _convolve_upsampled(below, of_below, skip.shape[2:])
        out: Tensor = self.basic_module.SingleConv2(functional.relu_(x))
        return out


class _DoubleConv(nn.Module):
    def __init__(self, n_in: int, n_between: int, n_out: int) -> None:
        super().__init__()
        self.SingleConv1 = _SingleConv(n_in, n_between)
        self.SingleConv2 = _SingleConv(n_between, n_out)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.SingleConv2(self.SingleConv1(x))
        return out


class _SingleConv(nn.Module):
    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.conv = nn.Conv3d(n_in, n_out, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu_(_convolve(x, self.conv.weight, self.conv.bias))


def _convolve(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """A 3 x 3 x 3 convolution of the same size.

    On CPUs PyTorch has a slow routine for single small inputs; beside an empty one they are
    spared it.
    """
    if x.device.type == "cpu" and len(x) == 1 and x[0, ..., 0].numel() <= _SMALL_ON_CPU:
        return functional.conv3d(torch.cat([x, torch.zeros_like(x)]), weight, bias, padding=1)[:1]
    return functional.conv3d(x, weight, bias, padding=1)


def _convolve_upsampled(x: Tensor, weight: Tensor, size: torch.Size) -> Tensor:
    """Nearest-neighbour upsampling to ``size``, then a 3 x 3 x 3 convolution.

    Of doubled sides two of three taps fall on one value, so a transposed convolution with sums of
    taps does the same in 8 / 27 of the work, and nothing upsampled is ever stored.
    """
    if [2 * side for side in x.shape[2:]] != list(size):
        return _convolve(functional.interpolate(x, size=size), weight)
    doubled = upsampling_kernel(weight).contiguous(memory_format=torch.channels_last_3d)
    return functional.conv_transpose3d(x, doubled, stride=2, padding=1)


def upsampling_kernel(weight: Tensor) -> Tensor:
    """What to convolve with, transposed and in steps of 2, instead of upsampling before."""
    sums = weight.new_tensor([[0, 0, 1], [0, 1, 1], [1, 1, 0], [1, 0, 0]])
    return torch.einsum("oityx,at,by,cx->ioabc", weight, sums, sums, sums)


def network_of(weights: Mapping[str, Any], *, name: str, n_inputs: int = 1) -> Network:
    """The network that has these weights, its width read off them.

    Parameters
    ----------
    weights : mapping
        Of the public package or of this one.
    name : str
        What messages call them.
    n_inputs : int
        Channels that the network has to take.

    Raises
    ------
    InputError
        If they are those of another network, or not finite.
    """
    weights = {key.removeprefix("module."): value for key, value in weights.items()}
    last = weights.get("Generator.final_conv.weight")
    if not isinstance(last, Tensor) or last.ndim != 5:
        raise InputError(
            f"{name} holds the weights of another network: it has {_some(weights)}, and "
            "DeepCAD-RT's end in Generator.final_conv.weight; give a checkpoint of DeepCAD-RT"
        )
    with torch.device("meta"):
        network = Network(last.shape[1], n_inputs)
    expected = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    given = {key: tuple(getattr(value, "shape", ())) for key, value in weights.items()}
    if given != expected:
        differing = {
            k: given.get(k) for k in {**expected, **given} if given.get(k) != expected.get(k)
        }
        raise InputError(
            f"{name} holds the weights of another network: {_some(differing)} differ from those of "
            f"DeepCAD-RT with {last.shape[1]} channels; give a checkpoint of DeepCAD-RT"
        )
    if not all(bool(torch.isfinite(value).all()) for value in weights.values()):
        raise InputError(f"{name} holds weights that are not finite; give an earlier checkpoint")
    network.load_state_dict({k: v.float() for k, v in weights.items()}, assign=True)
    return network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload,no-any-return]


def _some(names: Mapping[str, Any]) -> str:
    first = list(names)[:3]
    return ", ".join(map(str, first)) + (", ..." if len(names) > len(first) else "") or "nothing"

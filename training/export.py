"""Make the two files that ship from a checkpoint of `training.pretrained`: weights and ONNX.

    python -m training.export checkpoint.pth src/freq2clean/denoisers/pretrained

The graph is written node by node, so it holds what `freq2clean.denoisers.deepcad.network` computes
and nothing else. Upsampling and the convolution after it are one transposed convolution, as there.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor

from freq2clean.denoisers.deepcad.network import N_LEVELS, Network, network_of, upsampling_kernel
from freq2clean.denoisers.pretrained.views import N_CHANNELS
from freq2clean.recordings.small_files import whole_file

OPSET = 17
IR_VERSION = 8
SIDES = "frames", "rows", "columns"


def write_weights(network: Network, path: Path) -> None:
    """The state dict alone."""
    with whole_file(path) as file, file.open("wb") as opened:
        torch.save(network.state_dict(), opened)


def write_onnx(network: Network, path: Path) -> None:
    """The network as an ONNX file that takes volumes (N, C, T, Y, X) with sides multiples of 8."""
    with whole_file(path) as file:
        onnx.save(_Graph(network).model(), file)


class _Graph:
    def __init__(self, network: Network) -> None:
        self._weights = network.state_dict()
        self._nodes: list[Any] = []
        self._constants: list[Any] = []

    def model(self) -> Any:
        first = self._weights["Generator.encoders.0.basic_module.SingleConv1.conv.weight"]
        x, skipped = "inputs", []
        for level in range(N_LEVELS):
            if level:
                x = self._node("MaxPool", [x], kernel_shape=[2, 2, 2], strides=[2, 2, 2])
            for single in ("SingleConv1", "SingleConv2"):
                x = self._convolve(x, f"encoders.{level}.basic_module.{single}.conv")
            skipped.append(x)
        for level, skip in enumerate(skipped[-2::-1]):
            name = f"decoders.{level}.basic_module"
            x = self._join(skip, x, f"{name}.SingleConv1.conv")
            x = self._convolve(x, f"{name}.SingleConv2.conv")
        self._node("Conv", [x, *self._parameters("final_conv")], "outputs", kernel_shape=[1, 1, 1])
        given, made = (
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", channels, *SIDES])
            for name, channels in (("inputs", first.shape[1]), ("outputs", 1))
        )
        graph = helper.make_graph(self._nodes, "freq2clean", [given], [made], self._constants)
        opsets = [helper.make_opsetid("", OPSET)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)
        onnx.checker.check_model(model, full_check=True)
        return model

    def _join(self, skip: str, below: str, name: str) -> str:
        """The first convolution of a decoder: of what was skipped, and of what is upsampled."""
        weight, bias = (self._weights[f"Generator.{name}.{kind}"] for kind in ("weight", "bias"))
        n_skip = len(weight)
        of_skip, of_below = weight[:, :n_skip], weight[:, n_skip:]
        here = [skip, self._constant(of_skip), self._constant(bias)]
        one = self._node("Conv", here, pads=[1] * 6)
        doubled = [below, self._constant(upsampling_kernel(of_below))]
        other = self._node("ConvTranspose", doubled, strides=[2] * 3, pads=[1] * 6)
        return self._node("Relu", [self._node("Add", [one, other])])

    def _convolve(self, x: str, name: str) -> str:
        return self._node("Relu", [self._node("Conv", [x, *self._parameters(name)], pads=[1] * 6)])

    def _parameters(self, name: str) -> list[str]:
        return [self._constant(self._weights[f"Generator.{name}.{k}"]) for k in ("weight", "bias")]

    def _constant(self, value: Tensor) -> str:
        name = f"c{len(self._constants)}"
        array: NDArray[np.float32] = value.detach().contiguous().numpy()
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def _node(self, kind: str, inputs: list[str], output: str | None = None, **options: Any) -> str:
        output = output or f"x{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, inputs, [output], **options))
        return output


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    held = torch.load(options.checkpoint, map_location="cpu", weights_only=True)
    network = network_of(held["network"], name=str(options.checkpoint), n_inputs=N_CHANNELS)
    write_weights(network, options.folder / "network.pth")
    write_onnx(network, options.folder / "network.onnx")


if __name__ == "__main__":
    main()

"""What runs the network: PyTorch, or ONNX Runtime where that is not installed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from freq2clean.denoisers.contract import is_installed
from freq2clean.denoisers.pretrained.views import N_CHANNELS
from freq2clean.errors import InputError, MissingExtraError
from freq2clean.threads import n_threads

__all__ = ["RUNTIMES", "Forward", "open_network", "runtime_of"]

Forward = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""From volumes (N, 3, T, Y, X), with sides that are multiples of 8, to (N, T, Y, X).

It raises MemoryError where there is not enough memory, whatever the runtime raises.
"""

RUNTIMES = {"torch": "torch", "onnx": "onnxruntime"}
"""Names of runtimes, and of their modules; the first that is installed is taken."""


def runtime_of(name: str) -> str:
    """The runtime of that name, "auto" being the first that is installed.

    Raises
    ------
    MissingExtraError
        If it is not installed, or none is.
    """
    wanted = RUNTIMES if name == "auto" else {name: RUNTIMES[name]}
    for runtime, module in wanted.items():
        if is_installed(module):
            return runtime
    raise MissingExtraError(
        f"pretrained needs {' or '.join(wanted.values())}; install with "
        f'pip install "freq2clean[{list(wanted)[-1]}]"'
    )


def open_network(stem: Path, *, runtime: str, device: str) -> Forward:
    """The network in ``stem.pth`` or ``stem.onnx``.

    Raises
    ------
    InputError
        If the file is not there or holds another network, or there is no such device.
    MissingExtraError
        If the runtime is not installed.
    """
    kind = runtime_of(runtime)
    path = stem.with_name(f"{stem.name}{'.pth' if kind == 'torch' else '.onnx'}")
    if not path.is_file():
        raise InputError(f"{path}: there is no such file; give one that training.export wrote")
    return _with_torch(path, device) if kind == "torch" else _with_onnx(path)


def _with_torch(path: Path, device: str) -> Forward:
    import torch

    from freq2clean.denoisers.deepcad.checkpoint import load_plain
    from freq2clean.denoisers.deepcad.devices import computing, device_of
    from freq2clean.denoisers.deepcad.network import network_of

    there = device_of(device)
    network = network_of(load_plain(path), name=str(path), n_inputs=N_CHANNELS).to(there).eval()

    def forward(volumes: NDArray[np.float32]) -> NDArray[np.float32]:
        with computing(), torch.inference_mode():
            tensor = torch.from_numpy(volumes).to(there)
            out = network(tensor.contiguous(memory_format=torch.channels_last_3d))
            denoised: NDArray[np.float32] = out[:, 0].cpu().numpy()
        return denoised

    return forward


def _with_onnx(path: Path) -> Forward:
    import onnxruntime

    quiet = onnxruntime.SessionOptions()
    quiet.log_severity_level = 3
    quiet.intra_op_num_threads = n_threads()
    try:
        session = onnxruntime.InferenceSession(
            path.read_bytes(), quiet, providers=["CPUExecutionProvider"]
        )
        (given,), (made,) = session.get_inputs(), session.get_outputs()
    except Exception as error:  # its errors have no base of their own
        raise InputError(
            f"{path} could not be read as the network in ONNX; give one that training.export wrote"
        ) from error
    if len(given.shape) != 5 or given.shape[1] != N_CHANNELS:
        raise InputError(
            f"{path} holds a network that takes {given.shape}, and (n, {N_CHANNELS}, frames, rows, "
            "columns) is needed; give one that training.export wrote"
        )

    def forward(volumes: NDArray[np.float32]) -> NDArray[np.float32]:
        try:
            (out,) = session.run([made.name], {given.name: volumes})
        except Exception as error:
            if "alloc" in str(error):
                raise MemoryError from error
            raise
        denoised: NDArray[np.float32] = out[:, 0]
        return denoised

    return forward

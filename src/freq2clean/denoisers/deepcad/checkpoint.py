"""Checkpoints: our own, with all it takes to resume, and those of the public package."""

from __future__ import annotations

import pickle
import warnings
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from freq2clean.denoisers.deepcad.network import Network, network_of
from freq2clean.errors import InputError
from freq2clean.recordings.small_files import whole_file

__all__ = ["Checkpoint", "load_plain", "read_checkpoint", "write_checkpoint"]

_FORMAT = "freq2clean deepcad 1"
_PATCH_SIDES: tuple[str, ...] = "patch_t", "patch_y", "patch_x"
_READ_ERRORS = (
    pickle.UnpicklingError, RuntimeError, EOFError, zipfile.BadZipFile, ValueError, KeyError,
    TypeError, AttributeError, IndexError, OSError,
)  # fmt: skip


@dataclass
class Checkpoint:
    """What is known of a network.

    Parameters
    ----------
    network : Network
    options : dict
        Of the denoiser, as far as they are known.
    unit_size : float or None
        What the network takes for one; None for the noise of the recording.
    history : list of dict
        One per epoch: losses and learning rate.
    notes : list of str
        What a user should know of the training.
    training : dict
        What it takes to go on: the states of the optimizer and of the loss's scale.
    """

    network: Network
    options: dict[str, Any]
    unit_size: float | None = None
    history: list[dict[str, float]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    training: dict[str, Any] = field(default_factory=dict)


def write_checkpoint(checkpoint: Checkpoint, path: str | Path) -> None:
    """Write all of it, or nothing.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    held = {
        "format": _FORMAT,
        "network": checkpoint.network.state_dict(),
        "options": checkpoint.options,
        "unit_size": checkpoint.unit_size,
        "history": checkpoint.history,
        "notes": checkpoint.notes,
        "training": checkpoint.training,
    }
    with whole_file(Path(path)) as file, file.open("wb") as opened:
        torch.save(held, opened)


def load_plain(path: Path) -> dict[str, Any]:
    """What `torch.save` wrote, if it is a dict of tensors and plain values; nothing is executed.

    Raises
    ------
    InputError
        If the file is damaged, or holds anything else.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of pickles that are refused all the same
            held = torch.load(path, map_location="cpu", weights_only=True)
    except _READ_ERRORS as error:
        raise InputError(
            f"{path} could not be read as a checkpoint: it is damaged, or holds more than tensors "
            "and plain values, which is refused because it could run code; give another"
        ) from error
    if not isinstance(held, dict):
        raise InputError(f"{path} holds no weights but a {type(held).__name__}; give a checkpoint")
    return held


def read_checkpoint(path: Path) -> Checkpoint:
    """A checkpoint of ours or a ``.pth`` of the public package, with the yaml beside it.

    Nothing in the file is executed.

    Raises
    ------
    InputError
        If the file is damaged, holds more than tensors and plain values, or another network.
    """
    held = load_plain(path)
    if held.get("format") != _FORMAT:
        network = network_of(held, name=str(path))
        parameters = _parameters_beside(path)
        options = {key: parameters[key] for key in _PATCH_SIDES if key in parameters}
        return Checkpoint(network, options, float(parameters.get("scale_factor", 1)))
    try:
        return Checkpoint(
            network_of(held["network"], name=str(path)),
            **{key: held[key] for key in ("options", "unit_size", "history", "notes", "training")},
        )
    except KeyError as error:
        raise InputError(f"{path} is incomplete: it has no {error}; give another") from error


def _parameters_beside(path: Path) -> dict[str, Any]:
    """What the public package wrote of its training, if the file is there: numbers by name."""
    beside = next(
        (p for p in (path.with_suffix(".yaml"), path.with_name("para.yaml")) if p.is_file()), None
    )
    if beside is None:
        return {}
    import yaml

    try:
        held = yaml.safe_load(beside.read_text(encoding="utf-8"))
        numbers = {k: v for k, v in held.items() if isinstance(v, int | float) and v > 0}
    except (yaml.YAMLError, UnicodeDecodeError, AttributeError) as error:
        raise InputError(
            f"{beside} beside the checkpoint cannot be read; mend it, or move it away"
        ) from error
    return numbers

"""Checkpoints: our own, with all it takes to resume, and those of the public package."""

from __future__ import annotations

import pickle
import re
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from freq2clean.denoisers.deepcad.network import network_of
from freq2clean.errors import InputError
from freq2clean.recordings.small_files import whole_file

__all__ = ["Checkpoint", "load_plain", "read_checkpoint", "write_checkpoint"]

_FORMAT = "freq2clean {kind} 1"
_ANY_FORMAT = re.compile(_FORMAT.format(kind=r"(\w+)"))
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
    network : torch.nn.Module
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

    network: nn.Module
    options: dict[str, Any]
    unit_size: float | None = None
    history: list[dict[str, float]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    training: dict[str, Any] = field(default_factory=dict)


def write_checkpoint(checkpoint: Checkpoint, path: str | Path, *, kind: str = "deepcad") -> None:
    """Write all of it, or nothing, as a model of this kind of denoiser.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    held = {
        "format": _FORMAT.format(kind=kind),
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
        _check_sums(path)
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


def _check_sums(path: Path) -> None:
    """Raise BadZipFile if a part of the file is not what was written; `torch.load` does not look.

    Files of PyTorch before 1.6 are no archives and hold no sums.
    """
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
        if damaged is not None:
            raise zipfile.BadZipFile(damaged)


def read_checkpoint(
    path: Path, *, kind: str = "deepcad", network_of: Callable[..., nn.Module] = network_of
) -> Checkpoint:
    """A checkpoint of ours or a ``.pth`` of the public package, with the yaml beside it.

    Nothing in the file is executed.

    Parameters
    ----------
    path : Path
    kind : str
        The denoiser that it is to be a model of; the public package's are of deepcad.
    network_of : callable
        Gives the network that has some weights; ``name`` is what messages call them.

    Raises
    ------
    InputError
        If the file is damaged, holds more than tensors and plain values, or another network.
    """
    held = load_plain(path)
    found = _ANY_FORMAT.fullmatch(str(held.get("format")))
    if found and found[1] != kind:
        raise InputError(f"{path} holds a model of {found[1]}, and {kind} is asked for; name that")
    if not found:
        if kind != "deepcad":
            raise InputError(f"{path} holds no model of {kind}; give one that was saved")
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

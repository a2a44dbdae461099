"""Where a network runs, and what happens when there is no room for it."""

from __future__ import annotations

import torch

from freq2clean.errors import InputError

__all__ = ["device_of", "is_out_of_memory"]


def device_of(name: str) -> torch.device:
    """The device of that name; "auto" is a GPU if there is one.

    Raises
    ------
    InputError
        If there is no such device.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(
            f"device = {name!r} cannot be used ({reason}); give auto or cpu"
        ) from error
    return device


def is_out_of_memory(error: Exception) -> bool:
    """Whether an error says that memory has run out, on whatever device."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or (
        isinstance(error, RuntimeError) and "not enough memory" in str(error)
    )

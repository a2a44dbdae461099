"""Where a network runs, and what happens when there is no room for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from freq2clean.errors import InputError
from freq2clean.threads import n_threads

__all__ = ["computing", "device_of", "memory_errors"]

_NO_MEMORY = (
    "not enough memory",  # on Windows
    "can't allocate memory",  # on Linux
    "could not create a primitive",  # oneDNN, as what follows
    "could not create a memory",
    "ALLOC_FAILED",  # the libraries of a GPU
)


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


@contextmanager
def computing() -> Iterator[None]:
    """Keep PyTorch to the threads that may be used; see `memory_errors`, too."""
    before = torch.get_num_threads()
    torch.set_num_threads(min(before, n_threads()))
    try:
        with memory_errors():
            yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def memory_errors() -> Iterator[None]:
    """Raise MemoryError where PyTorch says that memory ran out, on whatever device."""
    try:
        yield
    except RuntimeError as error:
        if isinstance(error, torch.OutOfMemoryError) or any(s in str(error) for s in _NO_MEMORY):
            raise MemoryError(str(error)) from error
        raise

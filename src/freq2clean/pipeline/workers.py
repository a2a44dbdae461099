"""How many threads a job may compute with, and decode with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from freq2clean.recordings.zarr import decoding_at_most
from freq2clean.threads import at_most

__all__ = ["working"]


@contextmanager
def working(workers: int | None) -> Iterator[None]:
    """Bound the threads of everything within; None for every core that this process may use."""
    with at_most(workers):
        if workers is None:
            yield
            return
        with decoding_at_most(workers):
            yield

"""The mathematics of fusion: arrays in, arrays out. One module per method."""

from freq2clean.fusion.registry import (
    DEFAULT_METHOD,
    METHODS,
    get_method,
    method_kind,
)

__all__ = ["DEFAULT_METHOD", "METHODS", "get_method", "method_kind"]

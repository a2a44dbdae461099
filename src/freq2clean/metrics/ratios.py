"""Ratios of counts."""

from __future__ import annotations

__all__ = ["ratio"]


def ratio(part: float, whole: float) -> float:
    """Their ratio; nan of nothing to nothing."""
    return part / whole if whole else float("nan")

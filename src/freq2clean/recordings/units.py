"""Units of length and time, as the formats spell them."""

from __future__ import annotations

__all__ = ["MICROMETRES", "SECONDS"]

MICROMETRES = {
    "um": 1.0, "µm": 1.0, "μm": 1.0, "\\u00b5m": 1.0, "micron": 1.0, "microns": 1.0,
    "micrometer": 1.0, "micrometers": 1.0, "nm": 1e-3, "nanometer": 1e-3, "nanometers": 1e-3,
    "mm": 1e3, "millimeter": 1e3, "millimeters": 1e3, "cm": 1e4, "centimeter": 1e4,
    "m": 1e6, "meter": 1e6, "meters": 1e6, "inch": 25400.0,
}  # fmt: skip
"""Micrometres in a unit of length."""

SECONDS = {
    "s": 1.0, "sec": 1.0, "second": 1.0, "seconds": 1.0, "ms": 1e-3, "millisecond": 1e-3,
    "µs": 1e-6, "us": 1e-6, "microsecond": 1e-6, "min": 60.0, "minute": 60.0,
}  # fmt: skip
"""Seconds in a unit of time."""

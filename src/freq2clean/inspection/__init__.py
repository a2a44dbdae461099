"""What recordings are like, whether fusing them will help, and what it gained."""

from freq2clean.inspection.advice import Finding
from freq2clean.inspection.gain import Gain, GainMoments, gain_runs
from freq2clean.inspection.inspect import Inspection, Measurements, inspect_recordings

__all__ = [
    "Finding",
    "Gain",
    "GainMoments",
    "Inspection",
    "Measurements",
    "gain_runs",
    "inspect_recordings",
]

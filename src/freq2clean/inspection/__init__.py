"""What a raw and a denoised recording are like, and whether fusing them will help."""

from freq2clean.inspection.advice import Finding
from freq2clean.inspection.inspect import Inspection, Measurements, inspect_recordings

__all__ = ["Finding", "Inspection", "Measurements", "inspect_recordings"]

"""Regions of interest, and the tools that find them behind one small contract."""

from freq2clean.rois.contract import RoiFinder, Rois

__all__ = ["RoiFinder", "Rois"]

"""Regions of interest, and the tools that find them behind one small contract."""

from freq2clean.rois.cellpose import Cellpose
from freq2clean.rois.contract import RoiFinder, Rois
from freq2clean.rois.suite2p import Suite2p
from freq2clean.rois.traces import extract_traces

__all__ = ["Cellpose", "RoiFinder", "Rois", "Suite2p", "extract_traces"]

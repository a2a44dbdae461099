"""DeepCAD-RT. PyTorch is imported when it is first needed."""

from freq2clean.denoisers.deepcad.denoiser import DeepCAD, DeepCADModel

__all__ = ["DeepCAD", "DeepCADModel"]

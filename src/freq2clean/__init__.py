"""Give the spatial detail back that a denoiser took from a fluorescence recording."""

__version__ = "0.1.0"

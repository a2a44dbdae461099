"""The version, and nothing else: the rooms may import it without importing the package's face."""

__version__ = "0.1.0"

"""Public recordings: what is known of them, and how they come here, whole and checked."""

from freq2clean.datasets.archive import Record, read_record
from freq2clean.datasets.fetching import fetch, found_files, home_of
from freq2clean.datasets.registry import Dataset, get_dataset, read_registry

__all__ = [
    "Dataset",
    "Record",
    "fetch",
    "found_files",
    "get_dataset",
    "home_of",
    "read_record",
    "read_registry",
]

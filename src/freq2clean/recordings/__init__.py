"""Lazily read and atomically written (T, Y, X) recordings, one module per format."""

from freq2clean.recordings.casting import cast, target_dtype
from freq2clean.recordings.contract import Metadata, Recording, Writer
from freq2clean.recordings.memory import ArrayRecording
from freq2clean.recordings.opening import open_recording
from freq2clean.recordings.provenance import fingerprint
from freq2clean.recordings.writing import check_target, create

__all__ = [
    "ArrayRecording",
    "Metadata",
    "Recording",
    "Writer",
    "cast",
    "check_target",
    "create",
    "fingerprint",
    "open_recording",
    "target_dtype",
]

"""Studies that can be repeated: what fusion gains over training, over windows and weights."""

from freq2clean.studies.presets import PRESETS
from freq2clean.studies.sweeps import ALPHAS, WINDOWS, columns_of, study_parameter
from freq2clean.studies.table import write_table
from freq2clean.studies.training_length import (
    COLUMNS,
    SUMMARY,
    Verdict,
    study_patch_t,
    summarised,
    verdicts,
)

__all__ = [
    "ALPHAS",
    "COLUMNS",
    "PRESETS",
    "SUMMARY",
    "WINDOWS",
    "Verdict",
    "columns_of",
    "study_parameter",
    "study_patch_t",
    "summarised",
    "verdicts",
    "write_table",
]

"""Studies that can be repeated: what fusion gains over training, windows and weights, and for what
comes after."""

from freq2clean.studies.presets import PRESETS
from freq2clean.studies.public import DATASET_COLUMNS, study_dataset
from freq2clean.studies.rois import (
    ROI_COLUMNS,
    ROI_PRESETS,
    RoiStudy,
    finders_of,
    study_rois,
)
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
    "DATASET_COLUMNS",
    "PRESETS",
    "ROI_COLUMNS",
    "ROI_PRESETS",
    "SUMMARY",
    "WINDOWS",
    "RoiStudy",
    "Verdict",
    "columns_of",
    "finders_of",
    "study_dataset",
    "study_parameter",
    "study_patch_t",
    "study_rois",
    "summarised",
    "verdicts",
    "write_table",
]

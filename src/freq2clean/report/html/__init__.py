"""The report: one HTML file with what was done, what it gained, and how it looks."""

from freq2clean.report.html.gathering import KINDS, Known
from freq2clean.report.html.regions import read_rois
from freq2clean.report.html.writing import Report, check_report, write_report

__all__ = ["KINDS", "Known", "Report", "check_report", "read_rois", "write_report"]

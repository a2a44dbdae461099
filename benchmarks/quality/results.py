"""Scores on disk, row by row as they come, and what is read from them."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from benchmarks.quality.conditions import FIELDS, Condition
from benchmarks.quality.scoring import METRICS, PROBED

__all__ = ["Key", "Row", "Rows", "Table"]

VALUES = ("mse", *METRICS, "expected_mse_reduction", *PROBED)
HEAD = [*FIELDS, "size", "seed", "method", *VALUES]

Key = tuple[Condition, int, int, str]
"""Condition, size, seed and method."""


@dataclass(frozen=True)
class Row:
    """The scores of one method on one recording."""

    condition: Condition
    size: int
    seed: int
    method: str
    values: Mapping[str, float]

    @property
    def key(self) -> Key:
        """What it was measured on."""
        return self.condition, self.size, self.seed, self.method

    @classmethod
    def of(cls, texts: Mapping[str, str]) -> Row:
        values = {name: float(texts[name]) for name in VALUES if texts[name]}
        return cls(
            Condition.of(texts), int(texts["size"]), int(texts["seed"]), texts["method"], values
        )

    def texts(self) -> dict[str, object]:
        """For a CSV file."""
        place = {"size": self.size, "seed": self.seed, "method": self.method}
        return {**asdict(self.condition), **place, **self.values}


class Rows:
    """A CSV file of rows; a row that a stopped run left unfinished is dropped."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.all = _read(path)
        self.keys = {row.key for row in self.all}
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, HEAD, lineterminator="\n")
            writer.writeheader()
            writer.writerows(row.texts() for row in self.all)

    def add(self, row: Row) -> None:
        """Keep a row."""
        with self._path.open("a", newline="", encoding="utf-8") as file:
            csv.DictWriter(file, HEAD, lineterminator="\n").writerow(row.texts())
        self.all.append(row)
        self.keys.add(row.key)


def _read(path: Path) -> list[Row]:
    if not path.exists():
        return []
    *lines, _unfinished = path.read_text(encoding="utf-8").split("\n")
    return [Row.of(texts) for texts in csv.DictReader(lines)]


class Table:
    """Means over seeds of every condition and method."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self.rows = list(rows)
        cells: dict[tuple[Condition, str], list[Row]] = {}
        for row in self.rows:
            cells.setdefault((row.condition, row.method), []).append(row)
        self._cells = {
            place: {
                name: float(np.mean([row.values.get(name, np.nan) for row in found]))
                for name in VALUES
            }
            for place, found in cells.items()
        }
        self.conditions = list(dict.fromkeys(condition for condition, _ in cells))

    def value(self, condition: Condition, method: str, metric: str) -> float:
        """NaN where it was not measured."""
        return self._cells.get((condition, method), {}).get(metric, np.nan)

    def gain(self, condition: Condition, method: str, over: str, metric: str = "psnr_db") -> float:
        """How much more of a metric a method reaches than another."""
        return self.value(condition, method, metric) - self.value(condition, over, metric)

    def _errors_before(self) -> dict[tuple[Condition, int, int], float]:
        """Mean squared error of the denoised recording, for each recording."""
        return {row.key[:3]: row.values["mse"] for row in self.rows if row.method == "denoised"}

    def probed(self, method: str) -> np.ndarray:
        """Gains in dB of each recording, (recordings, 4): true, by a probe, and its bounds."""
        before = self._errors_before()
        found = [
            (
                10 * np.log10(before[row.key[:3]] / row.values["mse"]),
                *(row.values[name] for name in PROBED),
            )
            for row in self.rows
            if row.method == method and PROBED[0] in row.values
        ]
        return np.array(found).reshape(-1, 4)

    def foretold(self, method: str) -> np.ndarray:
        """Gains in dB of each recording, (recordings, 2): true and expected.

        What is expected counts from the true error of the denoised recording; where more is
        expected than there is error, the gain counts as 20 dB.
        """
        before = self._errors_before()
        pairs = [
            (before[row.key[:3]], row.values["mse"], row.values["expected_mse_reduction"])
            for row in self.rows
            if row.method == method and np.isfinite(row.values["expected_mse_reduction"])
        ]
        gains = [
            (10 * np.log10(old / new), 10 * np.log10(old / max(old - reduction, 0.01 * old)))
            for old, new, reduction in pairs
        ]
        return np.array(gains).reshape(-1, 2)

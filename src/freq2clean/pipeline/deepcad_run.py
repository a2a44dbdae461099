"""A run of the public DeepCAD-RT package: which raw recording, and what became of it.

For ``stack.tif`` and every checkpoint of a model, as ``E_05``, it writes
``results/DataFolderIs_A_(date)_ModelFolderIs_B/E_05/stack_E_05_output.tif``.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from freq2clean.errors import InputError
from freq2clean.recordings.folder import natural_order

__all__ = ["DeepcadRun", "find_deepcad_run"]

_OUTPUT = "_output.tif"
_RAW = (".tif", ".tiff")
_WITHOUT_RAW = ("results", "pth", "onnx")
"""Folders of the package that hold no raw recordings."""


@dataclass(frozen=True)
class DeepcadRun:
    """What was found in the folder of a run.

    Attributes
    ----------
    raw, denoised : Path
    notes : tuple of str
        What was chosen, in plain words.
    """

    raw: Path
    denoised: Path
    notes: tuple[str, ...]


def find_deepcad_run(folder: str | Path) -> DeepcadRun:
    """The raw recording of a DeepCAD-RT run and its denoised version by the last checkpoint.

    Parameters
    ----------
    folder : path
        What the package worked in; or, to choose among several, one of its results, a
        checkpoint's folder there, or the output itself.

    Raises
    ------
    InputError
        Where there is none, or several are as likely: names them.
    """
    folder = Path(folder)
    if not folder.exists():
        raise InputError(f"{folder} does not exist")
    found = [folder] if folder.is_file() else list(folder.rglob(f"*{_OUTPUT}"))
    outputs = [file for file in found if file.name.endswith(_ending(file))]
    if not outputs:
        raise InputError(
            f"{folder} is no run of DeepCAD-RT: it has no E_.../(recording)_E_...{_OUTPUT} in it"
        )
    by_stack: dict[tuple[Path, str], list[Path]] = defaultdict(list)
    for file in outputs:
        by_stack[file.parent.parent, _stack(file)].append(file)
    if len(by_stack) > 1:
        likely = [natural_order(files)[-1] for files in by_stack.values()]
        raise InputError(
            f"{folder} holds {len(by_stack)} denoised recordings: give one of them in its place, "
            f"{_listed(natural_order(likely))}"
        )
    (((_, stack), files),) = by_stack.items()
    denoised = natural_order(files)[-1]
    raw = _raw(folder, denoised, stack)
    notes = [f"of the DeepCAD-RT run, {raw} was taken as raw and {denoised} as denoised"]
    if len(files) > 1:
        notes.append(
            f"there are outputs of {len(files)} checkpoints: the last one, {denoised.parent.name}, "
            "was taken"
        )
    return DeepcadRun(raw, denoised, tuple(notes))


def _ending(output: Path) -> str:
    return f"_{output.parent.name}{_OUTPUT}"


def _stack(output: Path) -> str:
    """The name of the recording, without suffix, that an output was made from."""
    return output.name.removesuffix(_ending(output))


def _raw(folder: Path, denoised: Path, stack: str) -> Path:
    """The recording of that name, in the folder or else in one above the results."""
    results = denoised.resolve().parents[1]
    for root in (folder, *results.parents[:2]):
        found = natural_order([file for file in _recordings(root) if file.stem == stack])
        if len(found) > 1:
            raise InputError(
                f"{root} holds several recordings {stack}: give the raw and the denoised one by "
                f"name; raw may be {_listed(found)}"
            )
        if found:
            return found[0]
    raise InputError(
        f"{folder} has no {stack}.tif, the raw recording of {denoised}: put it there, or give the "
        "raw and the denoised recording by name"
    )


def _recordings(root: Path) -> Iterator[Path]:
    """TIFF files that may be raw recordings, in a folder and its folders."""
    for folder, inner, files in os.walk(root):
        inner[:] = [name for name in inner if name not in _WITHOUT_RAW]
        for name in files:
            if Path(name).suffix.lower() in _RAW and not name.endswith(_OUTPUT):
                yield Path(folder, name)


def _listed(files: list[Path]) -> str:
    return ", ".join(str(file) for file in files[:8]) + (" ..." if len(files) > 8 else "")

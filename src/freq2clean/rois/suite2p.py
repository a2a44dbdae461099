"""Suite2p: cells by their activity, with traces and deconvolved spikes."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from freq2clean.errors import InputError, MissingExtraError
from freq2clean.recordings.contract import Recording
from freq2clean.recordings.provenance import described
from freq2clean.recordings.small_files import whole_folder
from freq2clean.rois.binary import Scale, scale_of, write_binary
from freq2clean.rois.classifier import load_classifier
from freq2clean.rois.contract import Rois
from freq2clean.rois.reading import Progress, part_of
from freq2clean.rois.tools import check_installed, imported, quiet, version_of

__all__ = ["Suite2p"]

_STEPS = ("REGISTRATION", "ROI DETECTION", "EXTRACTION", "SPIKE DECONVOLUTION", "CLASSIFICATION")
_NONE_FOUND = "no ROIs"
_CLASSIFIER = "classifier.npy"
_RESULTS = ("stat", "F", "Fneu", "spks", "iscell")
_LEAST_FRAMES = 10
_NONRIGID_SIDE = 256


@dataclass(frozen=True)
class Suite2p:
    """Cells found by Suite2p [1]_ (extra ``suite2p``) from how pixels vary together.

    Parameters
    ----------
    frame_rate_hz : float, optional
        Frames per second; the recording's own if left out.
    tau_s : float
        Decay time of the indicator in seconds: about 0.7 for GCaMP6f, 1.0 for 6m, 1.3 for 6s.
    classifier : path, optional
        A classifier that Suite2p saved, instead of the one that comes with it.
    registration : bool
        Let Suite2p register the frames first.
    threshold_scaling : float
        Of Suite2p's threshold for ROIs; less finds more.

    Notes
    -----
    Frames are stored as Suite2p stores them, as int16: uint16 are halved, and floating-point
    numbers mapped so that the least is 0 and the greatest 32766. Traces of `find` are in units of
    the recording again, and hold the neuropil, of which Suite2p subtracts 0.7; spikes are found in
    what is left.

    References
    ----------
    .. [1] M. Pachitariu et al., bioRxiv 2017, doi:10.1101/061507
    """

    name: ClassVar[str] = "suite2p"

    frame_rate_hz: float | None = None
    tau_s: float = 1.0
    classifier: str | Path | None = None
    registration: bool = False
    threshold_scaling: float = 1.0

    def __post_init__(self) -> None:
        if self.frame_rate_hz is not None and not 0.01 <= self.frame_rate_hz < np.inf:
            raise InputError(f"frame_rate_hz = {self.frame_rate_hz}; give 0.01 or more")
        if not 0 < self.tau_s <= 10:
            raise InputError(f"tau_s = {self.tau_s}; give seconds above 0, 10 at most")
        if not 0 < self.threshold_scaling < np.inf:
            raise InputError(f"threshold_scaling = {self.threshold_scaling}; give a number above 0")

    def find(
        self,
        recording: Recording,
        /,
        *,
        folder: str | Path | None = None,
        keep_binary: bool = True,
        progress: Progress | None = None,
    ) -> Rois:
        """The ROIs of a recording, with traces, neuropil, spikes and what is a cell.

        Parameters
        ----------
        folder : path, optional
            A new or empty folder for what Suite2p writes, in its own layout (``suite2p/plane0``),
            and ``rois.npz``, for `Rois.load`. Without it, nothing is kept.
        keep_binary : bool
            Keep Suite2p's copy of the recording in the folder too: 2 bytes per pixel.
        progress : callable, optional

        Raises
        ------
        InputError
            If the frame rate is not known, or Suite2p fails.
        MissingExtraError
            If Suite2p is not installed, or is older than 1.0.
        OutputError
            If the folder cannot be written.
        """
        check_installed(self.name)
        frame_rate_hz = self._frame_rate_of(recording)
        if len(recording) < _LEAST_FRAMES:
            raise InputError(
                f"{recording.name} has {len(recording)} frames; Suite2p needs {_LEAST_FRAMES}"
            )
        classifier = None if self.classifier is None else load_classifier(self.classifier)
        with _working_in(folder) as work:
            plane = _plane(work)
            plane.mkdir(parents=True)
            scale = scale_of(recording, progress=part_of(progress, 0, 3))
            mean_image = write_binary(
                recording, plane / "data.bin", scale, progress=part_of(progress, 1, 3)
            )
            _save_db(work, recording.shape, mean_image)
            if classifier is not None:
                np.save(work / _CLASSIFIER, np.array(classifier))
            with _steps_of(progress, len(recording)) as hear, quiet(self.name, hear=hear):
                arrays = self._run(work, frame_rate_hz)
            rois = self._rois(recording, arrays, scale, frame_rate_hz)
            if folder is not None:
                _rename(plane, work, Path(folder).absolute())
                if not keep_binary:
                    (plane / "data.bin").unlink()
                rois.save(work / "rois.npz")
        return rois

    def _frame_rate_of(self, recording: Recording) -> float:
        known = self.frame_rate_hz or recording.metadata.frame_rate_hz
        if known is None:
            raise InputError(
                f"{recording.name} does not say its frame rate, which Suite2p needs; give "
                "frame_rate_hz (--frame-rate-hz)"
            )
        return known

    def _rois(
        self,
        recording: Recording,
        arrays: Mapping[str, NDArray[Any]],
        scale: Scale,
        frame_rate_hz: float,
    ) -> Rois:
        """What Suite2p wrote, in units of the recording."""
        n_frames, height, width = recording.shape
        stat = arrays.get("stat", ())
        none = np.empty((0, n_frames), np.float32)
        is_cell, probability = arrays.get("iscell", np.empty((0, 2))).T
        return Rois(
            (height, width),
            _footprints(stat, (height, width)),
            traces=scale.of_recording(arrays.get("F", none)),
            neuropil=scale.of_recording(arrays.get("Fneu", none)),
            spikes=(arrays.get("spks", none) / scale.factor).astype(np.float32),
            probability=probability.astype(np.float32),
            is_cell=is_cell.astype(bool),
            tool=f"{self.name} {version_of(self.name)}",
            options={
                **asdict(self),
                "frame_rate_hz": frame_rate_hz,
                "classifier": self.classifier and Path(self.classifier).name,
                "stored": {"factor": scale.factor, "offset": scale.offset},
                "recording": described(recording),
            },
        )

    def _run(self, work: Path, frame_rate_hz: float) -> dict[str, NDArray[Any]]:
        """Run Suite2p on the binary in its folder, and give what it wrote: nothing if it found
        nothing."""
        import torch

        suite2p = imported(self.name)
        if not hasattr(suite2p, "default_settings"):
            raise MissingExtraError(
                f"Suite2p {version_of(self.name)} is installed, and 1.0 or later is needed; "
                'install with pip install "freq2clean[suite2p]"'
            )
        db = np.load(_plane(work) / "db.npy", allow_pickle=True).item()  # written just now
        settings = suite2p.default_settings()
        settings["torch_device"] = "cuda" if torch.cuda.is_available() else "cpu"
        settings["fs"] = frame_rate_hz
        settings["tau"] = self.tau_s
        settings["run"]["do_registration"] = int(self.registration)
        settings["registration"]["nonrigid"] = min(db["Ly"], db["Lx"]) >= _NONRIGID_SIDE
        settings["detection"]["threshold_scaling"] = self.threshold_scaling
        settings["classification"]["use_builtin_classifier"] = self.classifier is None
        if self.classifier is not None:
            settings["classification"]["classifier_path"] = str(work / _CLASSIFIER)
        np.save(_plane(work) / "settings.npy", settings)
        try:
            suite2p.run_s2p(db=dict(db), settings=settings)
        except ValueError as error:
            if str(error).startswith(_NONE_FOUND):
                return {}
            raise
        files = [_plane(work) / f"{name}.npy" for name in _RESULTS]
        if not all(file.exists() for file in files):
            return {}
        return {file.stem: np.load(file, allow_pickle=True) for file in files}  # written just now


def _plane(work: Path) -> Path:
    """Where Suite2p has its only plane."""
    return work / "suite2p" / "plane0"


def _save_db(work: Path, shape: tuple[int, int, int], mean_image: Any) -> None:
    """Write what Suite2p needs to take the binary for one of its own."""
    plane = _plane(work)
    db = {
        "data_path": [str(work)],
        "save_path0": str(work),
        "save_folder": "suite2p",
        "save_path": str(plane),
        "fast_disk": str(plane),
        "db_path": str(plane / "db.npy"),
        "settings_path": str(plane / "settings.npy"),
        "reg_file": str(plane / "data.bin"),
        "nplanes": 1,
        "nrois": 1,
        "nchannels": 1,
        "functional_chan": 1,
        "iplane": 0,
        "keep_movie_raw": False,
        "nframes": shape[0],
        "Ly": shape[1],
        "Lx": shape[2],
        "meanImg": mean_image,
    }
    np.save(plane / "db.npy", np.array(db))


def _footprints(stat: Sequence[Any] | NDArray[Any], shape: tuple[int, int]) -> sparse.csr_array:
    """Weights of pixels in each ROI."""
    starts = np.cumsum([0, *(len(one["lam"]) for one in stat)])
    pixels = [np.empty(0, np.int64), *(one["ypix"] * shape[1] + one["xpix"] for one in stat)]
    weights = [np.empty(0, np.float32), *(np.maximum(one["lam"], 0) for one in stat)]
    return sparse.csr_array(
        (np.concatenate(weights), np.concatenate(pixels), starts),
        shape=(len(stat), shape[0] * shape[1]),
    )


@contextmanager
def _working_in(folder: str | Path | None) -> Iterator[Path]:
    """A folder that becomes the one that is wanted, or goes."""
    if folder is not None:
        with whole_folder(Path(folder).absolute()) as work:
            yield work
    else:
        with tempfile.TemporaryDirectory(prefix="freq2clean-") as temporary:
            yield Path(temporary)


def _rename(plane: Path, old: Path, new: Path) -> None:
    """In what Suite2p wrote just now, say where it will be."""

    def renamed(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: renamed(one) for key, one in value.items()}
        if isinstance(value, list):
            return [renamed(one) for one in value]
        return value.replace(str(old), str(new)) if isinstance(value, str) else value

    for name in ("db.npy", "settings.npy", "ops.npy"):
        if (plane / name).exists():
            held = np.load(plane / name, allow_pickle=True).item()
            np.save(plane / name, np.array(renamed(held)))


@contextmanager
def _steps_of(progress: Progress | None, n_frames: int) -> Iterator[Callable[[str], None]]:
    """A listener to Suite2p's log that reports the steps it comes to."""

    def hear(line: str) -> None:
        step = next((i for i, name in enumerate(_STEPS) if f"--- {name}" in f"--{line}"), None)
        if progress and step is not None:
            progress(2 * n_frames + step * n_frames // len(_STEPS), 3 * n_frames)

    yield hear
    if progress:
        progress(3 * n_frames, 3 * n_frames)

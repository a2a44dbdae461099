from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
import tifffile
from scipy import ndimage

from freq2clean import denoise, fuse, simulate
from freq2clean.errors import InputError
from freq2clean.metrics import match_rois, score_rois
from freq2clean.rois import Rois
from freq2clean.rois.tools import version_of
from freq2clean.rois.traces import extract_traces
from freq2clean.simulation import imitate_denoiser
from freq2clean.studies import ROI_COLUMNS, ROI_PRESETS, finders_of, study_rois
from freq2clean.studies.cell_model import CellModel
from freq2clean.studies.presets import fusions_of
from freq2clean.studies.roi_steps import read_pictures
from freq2clean.studies.rois import DENOISERS_AT_HAND, ROIS_OF_CLEAN, TRUE_ROIS

METHODS = ("denoised", "fft", "dct", "wiener", "auto")


def labels_of(image, share):
    smooth = ndimage.gaussian_filter(image.astype(np.float64), 1)
    return ndimage.label(smooth > np.quantile(smooth, share))[0].astype(np.uint32)


@dataclass(frozen=True)
class Bright:
    """Takes what is bright for cells, in frames, in the mean image and in the maximum."""

    name: ClassVar[str] = "bright"

    share: float = 0.9
    n_frames: int = 3
    least_frames: int = 0
    frame_rate_hz: float | None = None

    def find(self, recording, /, *, progress=None):
        if len(recording) < self.least_frames:
            raise InputError("bright failed: too few frames")
        frames = recording[:]
        mean = labels_of(frames.mean(axis=0), self.share)
        rois = {
            "frames": np.arange(self.n_frames),
            "frame_labels": np.array([labels_of(frames[i], self.share) for i in range(3)]),
            "mean_labels": mean,
            "max_labels": labels_of(frames.max(axis=0), self.share),
            "options": {"image": "mean", "frame_rate_hz": self.frame_rate_hz},
        }
        traces = extract_traces(Rois.from_label_image(mean), recording)
        return Rois.from_label_image(mean, traces=traces, **rois)


@dataclass(frozen=True)
class Movie:
    """The same from the movie as a whole, with neuropil."""

    name: ClassVar[str] = "movie"

    def find(self, recording, /, *, progress=None):
        rois = Rois.from_label_image(labels_of(recording[:].std(axis=0), 0.9))
        traces = extract_traces(rois, recording)
        is_cell = np.arange(len(rois)) % 2 == 0
        return Rois.from_label_image(
            rois.label_image(), traces=traces, neuropil=0 * traces + 3, is_cell=is_cell
        )


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    pytest.importorskip("oasis", reason="OASIS is not installed")
    folder = tmp_path_factory.mktemp("rois")
    return folder, study_rois(folder, [Bright(), Movie()], preset="tiny", seed=11)


@pytest.fixture(scope="module")
def recordings():
    """Those of the study, made without it."""
    options = {
        "snr_db": -5.52, "pixel_size_um": 1.02, "cell_density_per_mm2": 284 / 0.4998**2,
    }  # fmt: skip
    simulated = simulate(ROI_PRESETS["tiny"].shape, seed=11, **options)
    truth, raw = simulated.truth[:], simulated.raw[:]
    quiet = imitate_denoiser(truth, raw)
    wiener = fuse(raw, quiet, method="wiener")
    return simulated, {"raw": raw, "clean": truth, "denoised": quiet, "wiener": wiener}


def rows_of(study, **where):
    return [row for row in study.rows if all(row[key] == value for key, value in where.items())]


def test_every_recording_tool_and_image_has_its_rows(done):
    _, study = done
    assert all(tuple(row) == ROI_COLUMNS for row in study.rows)
    found = {(row["denoiser"], row["method"]) for row in study.rows}
    assert found == {(None, "raw"), (None, "clean")} | {
        (denoiser, method) for denoiser in ("imitated", "gaussian") for method in METHODS
    }
    images = {"bright": ["frames", "mean", "max"], "movie": ["movie", "cells"], TRUE_ROIS: [None]}
    for tool, expected in images.items():
        rows = rows_of(study, denoiser="gaussian", method="dct", tool=tool, against=TRUE_ROIS)
        assert [row["image"] for row in rows] == expected
    assert rows_of(study, method="clean", against=ROIS_OF_CLEAN) == []
    assert {row["problem"] for row in study.rows} == {None}


@pytest.mark.parametrize("method", ["raw", "clean", "denoised", "wiener"])
def test_scores_are_those_of_the_metrics(done, recordings, method):
    _, study = done
    simulated, versions = recordings
    denoiser = None if method in ("raw", "clean") else "imitated"
    rois, of_clean = (Bright().find(as_recording(versions[name])) for name in (method, "clean"))
    rows = {
        (row["image"], row["against"]): row
        for row in rows_of(study, denoiser=denoiser, method=method, tool="bright")
    }
    for image in ("mean", "max"):
        for against, truth in {TRUE_ROIS: simulated.labels, ROIS_OF_CLEAN: None}.items():
            if against == ROIS_OF_CLEAN and method == "clean":
                continue
            labels = getattr(of_clean, f"{image}_labels") if truth is None else truth
            expected = score_rois(getattr(rois, f"{image}_labels"), labels)
            row = rows[image, against]
            assert (row["rois"], row["f1"]) == (expected.rois, pytest.approx(expected.f1))
            assert row["union_iou"] == pytest.approx(expected.union_iou)
    frames = [score_rois(labels, simulated.labels) for labels in rois.frame_labels]
    row = rows["frames", TRUE_ROIS]
    assert row["rois"] == pytest.approx(np.mean([score.rois for score in frames]))
    assert row["most_rois"] == max(score.rois for score in frames)
    assert row["union_iou"] == pytest.approx(np.mean([score.union_iou for score in frames]))


def as_recording(frames):
    from freq2clean import open_recording

    return open_recording(frames)


def test_traces_are_compared_with_the_simulated_ones(done, recordings):
    _, study = done
    simulated, versions = recordings
    shown = np.unique(simulated.labels[simulated.labels > 0])
    r = {}
    for method in ("denoised", "wiener"):
        traces = [versions[method][:, simulated.labels == i].mean(axis=1) for i in shown]
        r[method] = [
            np.corrcoef(trace, simulated.traces[i - 1])[0, 1]
            for trace, i in zip(traces, shown, strict=True)
            if simulated.traces[i - 1].any()
        ]
    (row,) = rows_of(study, denoiser="imitated", method="wiener", tool=TRUE_ROIS)
    assert row["trace_correlation"] == pytest.approx(np.mean(r["wiener"]), abs=1e-5)
    gain = np.subtract(r["wiener"], r["denoised"]).mean()
    assert row["trace_gain"] == pytest.approx(gain, abs=1e-5)
    assert 0 < row["spike_f1"] <= 1
    with_traces = {row["image"] for row in rows_of(study, tool="bright", against=TRUE_ROIS)
                   if row["trace_correlation"] is not None}  # fmt: skip
    assert with_traces <= {"mean"}


def test_a_cell_counts_by_its_core_and_if_it_is_taken_for_one(done, recordings):
    _, study = done
    simulated, versions = recordings
    rois = Movie().find(as_recording(versions["raw"]))
    every, cells = rows_of(study, method="raw", tool="movie", against=TRUE_ROIS)
    assert (every["rois"], cells["rois"]) == (len(rois), len(rois.cells()))
    matches = match_rois(rois.cells().masks(at_least=0.2), simulated.labels)
    assert cells["recall"] == pytest.approx(
        len(matches.iou) / len(np.unique(simulated.labels[1:])[1:])
    )


def test_nothing_is_done_twice_and_no_fused_recording_is_kept(done):
    folder, study = done
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    again = study_rois(folder, [Bright(), Movie()], preset="tiny", seed=11)
    after = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    assert again.rows == study.rows
    assert after == before
    assert not [path for path in before if path.name == "fused.npy"]


def test_pictures_and_rois_are_at_hand(done, recordings):
    _, study = done
    pictures = read_pictures(study.pictures["imitated", "wiener"])
    frames = recordings[1]["wiener"]
    np.testing.assert_allclose(pictures["mean"], frames.mean(axis=0), rtol=1e-4)
    np.testing.assert_allclose(pictures["max"], frames.max(axis=0), rtol=1e-4)
    np.testing.assert_allclose(pictures["frame"], frames[60], rtol=1e-4)
    assert len(Rois.load(study.rois[(None, "raw"), "movie"].path())) > 0


def test_a_tool_that_fails_or_finds_nothing_leaves_a_message_and_the_rest_goes_on(tmp_path):
    finders = [Bright(least_frames=1000), Movie()]
    study = study_rois(tmp_path, finders, preset="tiny", seed=11, denoisers=["gaussian"])
    failed = rows_of(study, tool="bright")
    assert {row["problem"] for row in failed} == {"bright failed: too few frames"}
    assert {row["rois"] for row in failed} == {None}
    assert {row["problem"] for row in rows_of(study, tool="movie")} == {None}
    nothing = study_rois(
        tmp_path, [Bright(share=1.0)], preset="tiny", seed=11, denoisers=["gaussian"]
    )
    assert {row["problem"] for row in rows_of(nothing, tool="bright")} == {"bright found no ROI"}


def test_a_labelled_recording_of_the_user(tmp_path):
    simulated = simulate((60, 48, 48), seed=3)
    tifffile.imwrite(tmp_path / "labels.tif", simulated.labels.astype(np.uint16))
    np.save(tmp_path / "raw.npy", simulated.raw[:])
    np.save(tmp_path / "quiet.npy", denoise(simulated.raw[:]))
    given = {
        "raw": tmp_path / "raw.npy",
        "denoised": [tmp_path / "quiet.npy"],
        "labels": tmp_path / "labels.tif",
    }
    study = study_rois(tmp_path / "study", [Bright(), Movie()], **given)
    assert {(row["denoiser"], row["method"]) for row in study.rows} == {
        (None, "raw"), *(("quiet", method) for method in METHODS)
    }  # fmt: skip
    assert {(row["seed"], row["against"], row["trace_correlation"]) for row in study.rows} == {
        (None, TRUE_ROIS, None)
    }
    fused = fuse(given["raw"], given["denoised"][0], **fusions_of(is_simulated=False)["fft"])
    expected = score_rois(labels_of(fused.mean(axis=0), 0.9), simulated.labels)
    (row,) = rows_of(study, method="fft", image="mean")
    assert row["f1"] == pytest.approx(expected.f1)


def test_without_labels_the_clean_recording_is_the_reference(tmp_path):
    simulate((60, 48, 48), seed=3, out=tmp_path)
    study = study_rois(
        tmp_path / "study",
        [Movie()],
        truth=tmp_path / "truth.tif",
        raw=tmp_path / "raw.tif",
        denoisers=["imitated"],
    )
    assert {row["against"] for row in study.rows} == {ROIS_OF_CLEAN}
    assert study.labels is None


def test_tools_by_name(tmp_path, monkeypatch):
    monkeypatch.setattr("freq2clean.rois.tools.find_spec", lambda name: True)
    options = {"diameter_px": 9.0, "tau_s": 1.2, "frame_rate_hz": 7.0, "n_frames": 4}
    both = finders_of(["cellpose", "suite2p"], tmp_path, cell_model="weights", **options)
    assert [finder.name for finder in both] == ["cellpose", "suite2p"]
    assert (both[0].cell_model, both[0].diameter_px, both[0].n_frames) == ("weights", 9.0, 4)
    assert (both[1].tau_s, both[1].frame_rate_hz) == (1.2, 7.0)
    for names in (["caiman"], []):
        with pytest.raises(InputError, match="choose from cellpose,suite2p"):
            finders_of(names, tmp_path, cell_model=None, **options)


def test_refused(tmp_path):
    np.save(tmp_path / "raw.npy", np.ones((50, 8, 8), np.uint16))
    np.save(tmp_path / "labels.npy", np.ones((9, 9), int))
    raw = {"raw": tmp_path / "raw.npy"}
    for options, message in (
        ({"preset": "huge"}, "tiny, small, paper"),
        ({"denoisers": ["magic"]}, ", ".join(DENOISERS_AT_HAND)),
        ({"labels": "x.tif"}, "--noisy RAW"),
        (raw, "--labels FILE"),
        (raw | {"labels": tmp_path / "absent.tif"}, "absent.tif cannot be read"),
        (raw | {"labels": tmp_path / "labels.npy"}, "8 x 8 as the recording"),
        (raw | {"labels": tmp_path / "raw.npy"}, "give a label image"),
    ):
        with pytest.raises(InputError, match=message):
            study_rois(tmp_path / "study", [Movie()], **options)
    assert not (tmp_path / "study").exists()


@pytest.mark.slow
def test_the_tools_themselves(tmp_path, operators):
    for library in ("oasis", "suite2p", "cellpose"):
        pytest.importorskip(library, reason=f"{library} is not installed")
    if not version_of("cellpose").startswith("3."):
        pytest.skip("only Cellpose 3 can be trained here")
    weights = CellModel(n_images=2, size=64, n_epochs=1).train(tmp_path)
    tools = finders_of(
        ["cellpose", "suite2p"],
        tmp_path,
        cell_model=str(weights),
        diameter_px=None,
        tau_s=0.7,
        frame_rate_hz=None,
        n_frames=2,
    )
    study = study_rois(tmp_path, tools, preset="tiny", seed=11, denoisers=["gaussian"])
    nothing = {f"{tool} found no ROI" for tool in ("cellpose", "suite2p")}
    assert {row["problem"] for row in study.rows} <= {None, *nothing}
    clean = rows_of(study, method="clean", tool="suite2p", against=TRUE_ROIS)
    assert [row["image"] for row in clean] == ["movie", "cells"]
    assert min(row["rois"] for row in clean) > 0
    images = rows_of(study, method="auto", tool="cellpose", against=TRUE_ROIS)
    assert [row["image"] for row in images] == ["frames", "mean", "max"]

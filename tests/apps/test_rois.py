"""freq2clean rois: the commands, with the real tools, and with inputs they cannot use."""

import json

import numpy as np
import pytest
import tifffile

from freq2clean.recordings import open_recording
from freq2clean.rois import Rois

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def activity(tmp_path):
    """A file of six discs that blink, 200 x 64 x 64 at 10 Hz; ImageJ says the frame rate."""
    rng = np.random.default_rng(3)
    rows, columns = np.mgrid[:64, :64]
    light = np.full((200, 64, 64), 40.0)
    for centre in ((14, 14), (14, 46), (32, 30), (48, 12), (50, 34), (46, 54)):
        inside = np.hypot(rows - centre[0], columns - centre[1]) < 6
        spikes = rng.random(200) < 0.03
        light[:, inside] += 200 * np.convolve(spikes, np.exp(-np.arange(40) / 7))[:200, None]
    metadata = {"axes": "TYX", "finterval": 0.1}
    tifffile.imwrite(
        tmp_path / "active.tif", rng.poisson(light).astype(np.uint16), imagej=True,
        metadata=metadata,
    )  # fmt: skip
    return tmp_path / "active.tif"


@pytest.fixture
def cells(tmp_path, draw_cells):
    """A file of five frames with round cells in it, and their label image."""
    image, labels = draw_cells(50)
    frames = np.random.default_rng(0).poisson(200 * np.maximum(image, 0) + 20, (5, 64, 64))
    np.save(tmp_path / "cells.npy", frames.astype(np.uint16))
    return tmp_path / "cells.npy", labels


class TestSuite2p:
    @pytest.fixture(autouse=True)
    def installed(self):
        pytest.importorskip("suite2p", exc_type=ImportError)

    def test_results_are_in_the_folder_and_in_json(self, freq2clean_here, activity, tmp_path):
        done = freq2clean_here(
            "rois", "suite2p", activity, "-o", tmp_path / "found", "--tau-s", 0.7, "--json"
        )
        assert (done.returncode, done.stderr) == (0, "")
        said = json.loads(done.stdout)
        assert said["n_rois"] >= 5
        assert said["options"]["frame_rate_hz"] == pytest.approx(10.0)
        assert said["options"]["recording"]["name"] == str(activity)
        assert (tmp_path / "found" / "suite2p" / "plane0" / "stat.npy").is_file()
        rois = Rois.load(tmp_path / "found" / "rois.npz")
        assert (len(rois), int(rois.is_cell.sum())) == (said["n_rois"], said["n_cells"])

    def test_nothing_found_is_said(self, freq2clean_here, activity, tmp_path):
        done = freq2clean_here(
            "rois", "suite2p", activity, "-o", tmp_path / "found", "--threshold-scaling", 1000,
            "--no-keep-binary",
        )  # fmt: skip
        assert done.returncode == 0
        assert "no ROIs were found, by suite2p 1." in done.stdout
        assert not (tmp_path / "found" / "suite2p" / "plane0" / "data.bin").exists()

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (("--tau-s", -1), "tau_s = -1.0; give seconds above 0"),
            (("--classifier", "active.tif"), "active.tif is no classifier of Suite2p"),
            (("--classifier", "none.npy"), "none.npy: there is no such file"),
            (("-o", "active.tif"), "is no folder"),
            (("-o", "missing/found"), "there is no folder"),
        ],
    )
    def test_bad_options(self, freq2clean_here, activity, options, message):
        before = sorted(activity.parent.iterdir())
        done = freq2clean_here(
            "rois", "suite2p", activity, "-o", "found", *options, cwd=activity.parent
        )
        assert done.returncode == 2
        assert done.stderr.startswith("error: ")
        assert message in done.stderr
        assert sorted(activity.parent.iterdir()) == before

    def test_a_recording_without_a_frame_rate(self, freq2clean_here, cells, tmp_path):
        path, _ = cells
        done = freq2clean_here("rois", "suite2p", path, "-o", tmp_path / "found")
        assert done.returncode == 2
        assert "does not say its frame rate" in done.stderr
        assert not (tmp_path / "found").exists()

    def test_a_missing_recording(self, freq2clean_here, tmp_path):
        done = freq2clean_here("rois", "suite2p", tmp_path / "none.tif", "-o", tmp_path / "found")
        assert (done.returncode, done.stdout) == (2, "")
        assert "none.tif does not exist" in done.stderr


class TestCellpose:
    @pytest.fixture(autouse=True)
    def installed(self):
        pytest.importorskip("cellpose", exc_type=ImportError)

    def test_all_label_images_in_one_file(self, freq2clean_here, cells, cell_weights, tmp_path):
        path, labels = cells
        done = freq2clean_here(
            "rois", "cellpose", path, "-o", tmp_path / "found.npz", "--cell-model", cell_weights,
            "--n-frames", 2, "--diameter-px", 12,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, "")
        rois = Rois.load(tmp_path / "found.npz")
        assert f"{len(rois)} ROIs, by cellpose" in done.stdout
        assert abs(len(rois) - labels.max()) <= 1
        assert rois.frames.tolist() == [1, 3]

    def test_a_label_image(self, freq2clean_here, cells, cell_weights, tmp_path):
        path, labels = cells
        done = freq2clean_here(
            "rois", "cellpose", path, "-o", tmp_path / "found.tif", "--cell-model", cell_weights,
            "--n-frames", 0, "--diameter-px", 12, "--image", "max", "--json",
        )  # fmt: skip
        said = json.loads(done.stdout)
        assert said["n_cells"] is None
        with open_recording(tmp_path / "found.tif") as written:
            assert written.dtype == np.uint16
            assert written[0].max() == said["n_rois"]
            assert np.mean((written[0] > 0) == (labels > 0)) > 0.9
            assert written.metadata.provenance["options"]["image"] == "max"

    @pytest.mark.parametrize(
        ("output", "model", "message"),
        [
            ("found.npz", "none.pth", "none.pth: there is no such file; give weights"),
            ("found.npz", "cells.npy", "cells.npy holds no weights"),
            ("found.png", "none.pth", "ROIs go to .npz or .tif, .tiff; give such a name"),
            ("missing/found.npz", "none.pth", "there is no folder"),
            ("missing/found.tif", "none.pth", "there is no folder"),
            (".npz", "none.pth", "ROIs go to .npz"),
        ],
    )
    def test_bad_options(self, freq2clean_here, cells, output, model, message):
        path, _ = cells
        before = sorted(path.parent.iterdir())
        done = freq2clean_here(
            "rois", "cellpose", path, "-o", output, "--cell-model", model, cwd=path.parent
        )
        assert done.returncode == 2
        assert done.stderr.startswith("error: ")
        assert message in done.stderr
        assert sorted(path.parent.iterdir()) == before

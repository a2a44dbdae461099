"""Suite2p itself on a small simulated recording, and what is said where it cannot do it."""

from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from freq2clean.errors import InputError, MissingExtraError, OutputError
from freq2clean.rois import Rois, Suite2p, extract_traces
from freq2clean.rois.tools import quiet

needs_suite2p = pytest.mark.skipif(find_spec("suite2p") is None, reason="Suite2p is not installed")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("suite2p") / "found"


@pytest.fixture(scope="module")
def steps():
    """The progress that was reported."""
    return []


@pytest.fixture(scope="module")
def found(simulated, folder, steps):
    """What Suite2p finds in the raw recording."""
    pytest.importorskip("suite2p", reason="Suite2p is not installed", exc_type=ImportError)
    report = lambda done, total: steps.append((done, total))  # noqa: E731
    return Suite2p(tau_s=0.7).find(simulated.raw, folder=folder, progress=report)


@pytest.fixture(scope="module")
def pairs(found, simulated, matched):
    """True cells and the ROIs that are these, at an IoU of 0.5."""
    best, iou = matched(found, simulated.masks)
    return [(cell, best[cell]) for cell in np.flatnonzero(iou > 0.5)]


def correlations(one, other, pairs):
    return [np.corrcoef(one[i], other[j])[0, 1] for i, j in pairs]


@needs_suite2p
class TestFound:
    def test_most_cells_are_found(self, simulated, pairs):
        assert len(pairs) >= 0.7 * len(simulated.masks)

    def test_traces_and_spikes_are_those_of_the_cells(self, simulated, found, pairs):
        corrected = found.traces - 0.7 * found.neuropil
        assert np.median(correlations(simulated.traces, corrected, pairs)) > 0.8
        per_second = [s.reshape(len(s), -1, 10).sum(2) for s in (simulated.spikes, found.spikes)]
        assert np.median(correlations(*per_second, pairs)) > 0.5

    def test_traces_are_in_units_of_the_recording(self, simulated, found):
        alone = np.flatnonzero(np.bincount(overlapping(found), minlength=len(found)) == 0)
        assert len(alone)
        ours = extract_traces(found, simulated.raw)[alone]
        np.testing.assert_allclose(found.traces[alone], ours, atol=1.01)

    def test_what_it_says_of_itself(self, simulated, found):
        assert found.tool.startswith("suite2p 1.")
        assert found.shape == (96, 96)
        assert found.options["frame_rate_hz"] == 10.0
        assert found.options["stored"] == {"factor": 0.5, "offset": 0.0}
        assert found.traces.shape == found.spikes.shape == (len(found), 600)
        assert ((found.probability > 0.5) == found.is_cell).all()
        assert 0 < len(found.cells()) < len(found)

    def test_progress_goes_up_to_the_end(self, found, steps):
        shares = [done / total for done, total in steps]
        assert shares == sorted(shares)
        assert shares[-1] == 1
        assert len({share for share in shares if share > 2 / 3}) >= 4

    def test_the_folder_is_one_of_suite2p(self, simulated, found, folder):
        plane = folder / "suite2p" / "plane0"
        names = ("stat", "F", "Fneu", "spks", "iscell", "ops", "db", "settings")
        assert all((plane / f"{name}.npy").is_file() for name in names)
        stored = np.fromfile(plane / "data.bin", np.int16).reshape(600, 96, 96)
        np.testing.assert_array_equal(stored, simulated.raw[:] // 2)
        ops = np.load(plane / "ops.npy", allow_pickle=True).item()
        assert (ops["Ly"], ops["Lx"], ops["nframes"], ops["fs"]) == (96, 96, 600, 10.0)
        np.testing.assert_allclose(ops["meanImg"], stored.mean(axis=0), rtol=1e-5)
        assert Path(ops["reg_file"]) == plane / "data.bin"
        assert Path(ops["save_path"]) == plane
        for name in ("ops", "db", "settings"):
            assert ".partial" not in repr(np.load(plane / f"{name}.npy", allow_pickle=True).item())

    def test_the_folder_holds_the_rois_for_us_too(self, found, folder):
        loaded = Rois.load(folder / "rois.npz")
        np.testing.assert_array_equal(loaded.traces, found.traces)
        np.testing.assert_array_equal(loaded.masks(), found.masks())
        assert loaded.options == found.options

    def test_nothing_else_is_left(self, found, folder):
        assert [path.name for path in folder.parent.iterdir()] == [folder.name]

    def test_a_folder_with_something_in_it_stays_as_it_is(self, simulated, found, folder):
        before = (folder / "rois.npz").read_bytes()
        with pytest.raises(OutputError, match="is not empty: choose another folder"):
            Suite2p().find(simulated.raw, folder=folder)
        assert (folder / "rois.npz").read_bytes() == before


def overlapping(rois):
    """ROIs, as often as they have pixels in common with others."""
    masks = rois.masks()
    shared = masks.sum(axis=0) > 1
    return np.nonzero(masks & shared)[0]


@needs_suite2p
class TestRuns:
    def test_numbers_of_any_scale_give_the_same_rois(self, simulated, found, tmp_path, recording):
        scaled = simulated.raw[:].astype(np.float32) / 1000 - 3
        scaled[5, 7] = np.nan
        folder = tmp_path / "scaled"
        again = Suite2p(tau_s=0.7).find(recording(scaled), folder=folder, keep_binary=False)
        same = (again.masks()[:, None] & found.masks()).sum((2, 3)).max(axis=1)
        assert np.mean(same > 0.8 * again.masks().sum((1, 2))) > 0.8
        assert abs(again.traces.mean() - (found.traces.mean() / 1000 - 3)) < 0.02
        assert again.options["stored"]["offset"] == pytest.approx(np.nanmin(scaled))
        assert not (folder / "suite2p" / "plane0" / "data.bin").exists()

    def test_a_classifier_of_the_user_decides(self, simulated, found, tmp_path):
        builtin = Path(find_spec("suite2p").origin).parent / "classifiers" / "classifier.npy"
        held = np.load(builtin, allow_pickle=True).item()
        held["iscell"] = ~np.asarray(held["iscell"]).astype(bool)
        np.save(tmp_path / "inverted.npy", held)
        finder = Suite2p(tau_s=0.7, classifier=tmp_path / "inverted.npy")
        other = finder.find(simulated.raw, folder=tmp_path / "found")
        assert len(other) == len(found)
        assert (other.is_cell != found.is_cell).mean() > 0.9
        assert other.options["classifier"] == "inverted.npy"

    def test_it_can_register_first(self, simulated, tmp_path, recording):
        shaken = simulated.raw[:200].copy()
        shaken[::2] = np.roll(shaken[::2], 3, axis=2)
        Suite2p(registration=True).find(recording(shaken), folder=tmp_path / "found")
        moved = tmp_path / "found" / "suite2p" / "plane0" / "reg_outputs.npy"
        shifts = np.load(moved, allow_pickle=True).item()["xoff"]
        assert abs(abs(np.median(shifts[::2]) - np.median(shifts[1::2])) - 3) <= 1

    def test_nothing_found_is_no_failure(self, recording, tmp_path):
        noise = np.random.default_rng(0).poisson(50, (200, 48, 48)).astype(np.uint16)
        none = Suite2p(threshold_scaling=50.0).find(recording(noise), folder=tmp_path / "found")
        assert len(none) == 0
        assert none.traces.shape == (0, 200)
        assert len(Rois.load(tmp_path / "found" / "rois.npz")) == 0

    def test_its_failure_is_one_message_and_leaves_nothing(
        self, recording, tmp_path, monkeypatch, capfd
    ):
        def fail(**_):
            print("chatter")
            raise RuntimeError("the first line\nand another")

        with quiet("suite2p"):
            import suite2p
        monkeypatch.setattr(suite2p, "run_s2p", fail)
        frames = recording(np.zeros((20, 16, 16), np.uint16))
        for folder in (tmp_path / "found", None):
            with pytest.raises(InputError, match=r"^suite2p failed: RuntimeError: the first line$"):
                Suite2p().find(frames, folder=folder)
        assert list(tmp_path.iterdir()) == []
        assert capfd.readouterr() == ("", "")

    def test_older_versions_are_refused(self, recording, monkeypatch):
        with quiet("suite2p"):
            import suite2p
        monkeypatch.delattr(suite2p, "default_settings")
        with pytest.raises(MissingExtraError, match=r"is installed, and 1.0 or later is needed"):
            Suite2p().find(recording(np.zeros((20, 16, 16), np.uint16)))

    def test_a_recording_that_cannot_be_used(self, recording, tmp_path):
        short = recording(np.zeros((5, 16, 16), np.uint16))
        with pytest.raises(InputError, match="has 5 frames; Suite2p needs 10"):
            Suite2p().find(short, folder=tmp_path / "found")
        silent = recording(np.zeros((20, 16, 16), np.uint16), frame_rate_hz=None)
        with pytest.raises(InputError, match=r"does not say its frame rate.*--frame-rate-hz"):
            Suite2p().find(silent, folder=tmp_path / "found")
        assert list(tmp_path.iterdir()) == []

    def test_a_folder_that_cannot_be_made(self, recording, tmp_path):
        frames = recording(np.zeros((20, 16, 16), np.uint16))
        (tmp_path / "file").write_text("")
        for folder, message in (("missing/found", "there is no folder"), ("file", "is no folder")):
            with pytest.raises(OutputError, match=message):
                Suite2p().find(frames, folder=tmp_path / folder)


def test_without_suite2p_the_extra_is_named(recording, monkeypatch):
    monkeypatch.setattr("freq2clean.rois.tools.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r'pip install "freq2clean\[suite2p\]"'):
        Suite2p().find(recording(np.zeros((20, 16, 16), np.uint16)))


@pytest.mark.parametrize("error", [ImportError, RuntimeError])
def test_a_library_that_does_not_suit_is_explained(recording, monkeypatch, error):
    def fail(module):
        raise error("operator torchvision::nms does not exist")

    monkeypatch.setattr("freq2clean.rois.tools.find_spec", ModuleType)
    monkeypatch.setattr("freq2clean.rois.tools.import_module", fail)
    with pytest.raises(MissingExtraError, match=r"suite2p cannot be imported \(.*new environment"):
        Suite2p().find(recording(np.zeros((20, 16, 16), np.uint16)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"frame_rate_hz": 0.0}, "frame_rate_hz = 0.0; give 0.01 or more"),
        ({"frame_rate_hz": np.nan}, "frame_rate_hz = nan"),
        ({"tau_s": 0.0}, "tau_s = 0.0; give seconds above 0"),
        ({"threshold_scaling": -1.0}, "threshold_scaling = -1.0"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        Suite2p(**options)

"""Cellpose itself, trained here from scratch, and what is said where it cannot do it."""

import sys
from importlib.util import find_spec
from types import ModuleType, SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest

from freq2clean.errors import InputError, MissingExtraError
from freq2clean.recordings import ArrayRecording
from freq2clean.rois import Cellpose, Rois
from freq2clean.rois.tools import version_of
from freq2clean.rois.training import train_cellpose
from freq2clean.studies.cell_model import CellModel

needs_cellpose = pytest.mark.skipif(
    find_spec("cellpose") is None, reason="Cellpose is not installed"
)
needs_version_3 = pytest.mark.skipif(
    not version_of("cellpose").startswith("3."), reason="only Cellpose 3 can be trained here"
)


@pytest.fixture(scope="module")
def blinking(draw_cells):
    """Twelve cells or so that are lit in turn, 30 x 64 x 72 uint16, and their label image."""
    image, labels = draw_cells(50)
    light = np.stack([np.where(labels % 3 == t % 3, 1.15, 0.9) * image for t in range(30)])
    counts = np.random.default_rng(0).poisson(200 * np.maximum(light, 0) + 20)
    return np.pad(counts, ((0, 0), (0, 0), (0, 8)), mode="edge").astype(np.uint16), np.pad(
        labels, ((0, 0), (0, 8)), mode="edge"
    )


@pytest.fixture(scope="module")
def found(cell_weights, blinking):
    frames, _ = blinking
    steps = []
    rois = Cellpose(cell_model=cell_weights, n_frames=3, diameter_px=12.0).find(
        ArrayRecording(frames), progress=lambda done, total: steps.append(done / total)
    )
    return rois, steps


@needs_cellpose
class TestFound:
    def test_cells_are_found_where_they_are(self, found, blinking, matched):
        rois, _ = found
        _, labels = blinking
        masks = labels == np.arange(1, labels.max() + 1)[:, None, None]
        assert abs(len(rois) - len(masks)) <= 1
        assert np.mean(matched(rois, masks)[1] > 0.75) > 0.9

    def test_each_image_has_its_labels(self, found, blinking):
        rois, _ = found
        _, labels = blinking
        assert rois.frames.tolist() == [5, 15, 25]
        assert rois.frame_labels.shape == (3, *labels.shape)
        for one in (rois.frame_labels, rois.mean_labels, rois.max_labels):
            assert one.dtype == np.uint32
        np.testing.assert_array_equal(rois.label_image() > 0, rois.mean_labels > 0)
        for frame_labels in (*rois.frame_labels, rois.max_labels):
            assert np.mean((frame_labels > 0) == (labels > 0)) > 0.9

    def test_traces_are_those_of_the_pixels(self, found, blinking):
        rois, _ = found
        frames, _ = blinking
        expected = [frames[:, mask].mean(axis=1) for mask in rois.masks()]
        np.testing.assert_allclose(rois.traces, expected, rtol=1e-5)

    def test_what_it_says_of_itself(self, found, cell_weights):
        rois, steps = found
        assert rois.tool == f"cellpose {version_of('cellpose')}"
        assert rois.options["cell_model"] == cell_weights.name
        assert steps == sorted(steps)
        assert steps[-1] == 1

    def test_a_file_holds_it(self, found, tmp_path):
        rois, _ = found
        rois.save(tmp_path / "rois.npz")
        loaded = Rois.load(tmp_path / "rois.npz")
        np.testing.assert_array_equal(loaded.frame_labels, rois.frame_labels)


@needs_cellpose
class TestRuns:
    def test_the_maximum_projection_can_be_chosen(self, cell_weights, blinking):
        frames = ArrayRecording(blinking[0])
        rois = Cellpose(cell_model=cell_weights, n_frames=0, diameter_px=12.0, image="max").find(
            frames
        )
        np.testing.assert_array_equal(rois.label_image() > 0, rois.max_labels > 0)
        assert rois.frame_labels.shape == (0, 64, 72)

    @pytest.mark.parametrize("shape", [(4, 30, 31), (2, 1, 40)])
    def test_nothing_found_is_no_failure(self, cell_weights, shape):
        rois = Cellpose(cell_model=cell_weights, n_frames=1).find(
            ArrayRecording(np.full(shape, 7, np.uint16))
        )
        assert len(rois) == 0
        assert rois.traces.shape == (0, shape[0])
        assert not rois.frame_labels.any()

    def test_missing_values_do_not_matter(self, cell_weights, blinking):
        frames = blinking[0].astype(np.float32)
        whole = Cellpose(cell_model=cell_weights, n_frames=1, diameter_px=12.0)
        holed = frames.copy()
        holed[15, 10:12] = np.nan
        one, other = (whole.find(ArrayRecording(one)) for one in (frames, holed))
        assert abs(one.frame_labels.max() - other.frame_labels.max().astype(int)) <= 1
        assert len(one) == len(other)

    def test_training_is_the_same_for_the_same_seed(self, tmp_path, draw_cells):
        import torch

        state = np.random.get_state()[1].copy()  # noqa: NPY002
        images, labels = zip(*map(draw_cells, (0, 1)), strict=True)
        for name in ("one", "two"):
            train_cellpose(images, labels, tmp_path / name, n_epochs=1, batch_size=2, crop_px=32)
        one, two = (torch.load(tmp_path / name, weights_only=True) for name in ("one", "two"))
        assert all(torch.equal(value, two[name]) for name, value in one.items())
        np.testing.assert_array_equal(state, np.random.get_state()[1])  # noqa: NPY002


@needs_cellpose
class TestRefused:
    def test_weights_of_another_network(self, cell_weights, tmp_path, recording):
        import torch

        held = torch.load(cell_weights, weights_only=True)
        changed = {name: value for name, value in held.items() if "downsample" not in name}
        torch.save(changed, tmp_path / "half.pth")
        torch.save({"conv.weight": torch.zeros(3)}, tmp_path / "other.pth")
        frames = recording(np.zeros((4, 16, 16), np.uint16))
        with pytest.raises(InputError, match=r"half.pth holds the weights of another network \("):
            Cellpose(cell_model=tmp_path / "half.pth").find(frames)
        with pytest.raises(InputError, match=r"other.pth holds the weights of another network"):
            Cellpose(cell_model=tmp_path / "other.pth").find(frames)

    def test_files_without_weights(self, tmp_path, recording):
        import torch

        frames = recording(np.zeros((4, 16, 16), np.uint16))
        torch.save([1, 2], tmp_path / "list.pth")
        (tmp_path / "empty.pth").write_bytes(b"")
        (tmp_path / "text.pth").write_text("weights")
        torch.save({"run": print}, tmp_path / "pickle.pth")
        for name in ("list", "empty", "text", "pickle"):
            with pytest.raises(InputError, match=rf"{name}.pth holds no weights; give a file"):
                Cellpose(cell_model=tmp_path / f"{name}.pth").find(frames)
        with pytest.raises(InputError, match="there is no such file; give weights"):
            Cellpose(cell_model=tmp_path / "missing.pth").find(frames)

    def test_no_internet_and_no_model(self, recording, monkeypatch, tmp_path, capfd):
        def unreachable(*_, **__):
            raise OSError("no route to host")

        from cellpose import models

        monkeypatch.setattr(models, "MODEL_DIR", tmp_path)
        monkeypatch.setattr(models.utils, "download_url_to_file", unreachable)
        with pytest.raises(InputError, match=r"standard model \(no route to host\).*--cell-model"):
            Cellpose().find(recording(np.zeros((4, 16, 16), np.uint16)))
        assert capfd.readouterr() == ("", "")


class Four:
    """What Cellpose 4 offers of its class, as its signatures are."""

    calls: ClassVar[list] = []

    def __init__(
        self, gpu=False, pretrained_model="cpsam_v2", model_type=None, diam_mean=None,
        device=None, nchan=None, use_bfloat16=True,
    ):  # fmt: skip
        self.net = SimpleNamespace(state_dict=dict)
        self.calls.append(pretrained_model)

    def eval(
        self, x, batch_size=8, resample=True, channels=None, channel_axis=None, z_axis=None,
        normalize=True, rescale=None, diameter=None, flow_threshold=0.4, cellprob_threshold=0.0,
    ):  # fmt: skip
        assert channels is None
        self.calls.append((x.shape, diameter, flow_threshold, cellprob_threshold))
        return (x > x.mean()).astype(np.uint16), [], []


def test_version_4_is_called_by_its_own_signatures(recording, monkeypatch):
    package = ModuleType("cellpose")
    package.models = SimpleNamespace(CellposeModel=Four)
    monkeypatch.setitem(sys.modules, "cellpose", package)
    monkeypatch.setitem(sys.modules, "cellpose.models", package.models)
    monkeypatch.setattr("freq2clean.rois.tools.find_spec", ModuleType)
    monkeypatch.setattr("freq2clean.rois.cellpose.version_of", lambda tool: "4.2.1.1")
    frames = np.zeros((4, 8, 9), np.float32)
    frames[:, 2:4, 3:5] = 9
    finder = Cellpose(diameter_px=7.0, flow_threshold=0.6, cell_probability_threshold=-1.0)
    rois = finder.find(recording(frames))
    assert Four.calls[0] == "cpsam_v2"
    assert set(Four.calls[1:]) == {((8, 9), 7.0, 0.6, -1.0)}
    assert len(Four.calls) == 1 + 4 + 2
    assert rois.tool == "cellpose 4.2.1.1"
    np.testing.assert_array_equal(rois.masks()[0], frames[0] > 0)


def test_without_cellpose_the_extra_is_named(recording, monkeypatch):
    monkeypatch.setattr("freq2clean.rois.tools.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r'pip install "freq2clean\[cellpose\]"'):
        Cellpose().find(recording(np.zeros((4, 16, 16), np.uint16)))


def test_version_4_cannot_be_trained(monkeypatch, tmp_path):
    monkeypatch.setattr("freq2clean.rois.training.version_of", lambda tool: "4.2.1.1")
    monkeypatch.setattr("freq2clean.rois.tools.find_spec", ModuleType)
    with pytest.raises(InputError, match=r"Cellpose 4.2.1.1 cannot be trained from scratch"):
        CellModel().train(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"diameter_px": 0.0}, "diameter_px = 0.0; give 1 or more"),
        ({"n_frames": -1}, "n_frames = -1; give a number from 0 up"),
        ({"image": "median"}, "image = 'median'; give one of mean, max"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        Cellpose(**options)


@pytest.mark.slow
@needs_version_3
def test_a_model_trained_on_simulated_images_finds_simulated_cells(request, simulated, matched):
    """Minutes of training, kept with what pytest keeps."""
    weights = CellModel().train(request.config.cache.mkdir("cellpose"))
    rois = Cellpose(cell_model=weights, n_frames=5).find(simulated.truth)
    assert np.mean(matched(rois, simulated.masks)[1] > 0.5) > 0.6
    frames = [Rois.from_label_image(labels) for labels in rois.frame_labels]
    assert np.mean([np.mean(matched(one, simulated.masks)[1] > 0.5) for one in frames]) > 0.6

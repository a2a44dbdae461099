"""find_rois: paths and arrays in, ROIs out; what is wrong is said before any work."""

import numpy as np
import pytest
import tifffile

from freq2clean.errors import InputError, OutputError
from freq2clean.pipeline.finding_rois import find_rois
from freq2clean.recordings import open_recording
from freq2clean.rois import Cellpose, Rois

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def cells(draw_cells):
    """Four equal frames with round cells in them, and their label image."""
    image, labels = draw_cells(50)
    return np.tile(np.clip(200 * image + 20, 0, None), (4, 1, 1)).astype(np.uint16), labels


def test_a_path_in_and_a_file_out(cells, cell_weights, tmp_path):
    frames, labels = cells
    np.save(tmp_path / "cells.npy", frames)
    found = find_rois(
        tmp_path / "cells.npy",
        tool="cellpose",
        out=tmp_path / "found.npz",
        cell_model=cell_weights,
        n_frames=0,
        diameter_px=12.0,
    )
    assert abs(len(found) - labels.max()) <= 1
    np.testing.assert_array_equal(Rois.load(tmp_path / "found.npz").masks(), found.masks())
    assert found.options["recording"]["name"] == str(tmp_path / "cells.npy")


def test_a_label_image_holds_as_many_rois_as_there_are(tmp_path, monkeypatch):
    labels = np.arange(1, 70_001, dtype=np.uint32).reshape(200, 350)
    monkeypatch.setattr(Cellpose, "find", lambda *_, **__: Rois.from_label_image(labels))
    find_rois(np.zeros((2, 200, 350), np.uint8), tool="cellpose", out=tmp_path / "labels.tif")
    with open_recording(tmp_path / "labels.tif") as written:
        np.testing.assert_array_equal(written[0], labels)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"tool": "caiman"}, InputError, "tool = 'caiman'; give one of suite2p, cellpose"),
        ({"diameter_px": 12}, InputError, "suite2p has no option diameter_px; its options are"),
        ({"tool": "cellpose", "tau_s": 1}, InputError, "cellpose has no option tau_s"),
        ({"tool": "cellpose", "out": "found.txt"}, OutputError, "ROIs go to .npz or .tif"),
        ({"tool": "cellpose", "out": "/"}, OutputError, "ROIs go to .npz or .tif"),
    ],
)
def test_what_cannot_be_is_refused(options, error, message):
    with pytest.raises(error, match=message):
        find_rois(np.zeros((20, 16, 16), np.uint16), **options)


def test_an_input_is_never_replaced(tmp_path):
    frames = np.zeros((5, 8, 8), np.uint16)
    np.save(tmp_path / "frames.npy", frames)
    (tmp_path / "found.npz").mkdir()
    with pytest.raises(OutputError, match="is a folder: give the name of a file"):
        find_rois(tmp_path / "frames.npy", tool="cellpose", out=tmp_path / "found.npz")
    tifffile.imwrite(tmp_path / "frames.tif", frames)
    with pytest.raises(OutputError, match="is one of the inputs"):
        find_rois(tmp_path / "frames.tif", tool="cellpose", out=tmp_path / "frames.tif")

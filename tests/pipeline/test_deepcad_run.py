"""Folders as the public DeepCAD-RT package leaves them."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile

from freq2clean.errors import InputError
from freq2clean.pipeline.deepcad_run import find_deepcad_run

RESULTS = "results/DataFolderIs_mice_202601011200_ModelFolderIs_mice_202601011100"


@pytest.fixture
def run(tmp_path):
    """Two recordings, of which one was denoised by three checkpoints, as the package names them."""
    for name in ("datasets/mice/a_1.tif", "datasets/mice/a_2.tif", "pth/mice/a_2.tif"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    for epoch in (2, 9, 10):
        make_output(tmp_path, "a_2", f"E_{epoch}_Iter_0100")
    (tmp_path / RESULTS / "para.yaml").touch()
    return tmp_path


def make_output(root, stack, checkpoint, results=RESULTS):
    file = root / results / checkpoint / f"{stack}_{checkpoint}_output.tif"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()
    return file


def test_the_last_checkpoint_and_its_recording(run):
    found = find_deepcad_run(run)
    assert found.raw == run / "datasets/mice/a_2.tif"
    assert found.denoised == run / RESULTS / "E_10_Iter_0100/a_2_E_10_Iter_0100_output.tif"
    assert "a_2.tif was taken as raw" in found.notes[0]
    assert "3 checkpoints: the last one, E_10_Iter_0100, was taken" in found.notes[1]


@pytest.mark.parametrize(
    "part",
    [
        f"{RESULTS}/E_9_Iter_0100",
        f"{RESULTS}/E_9_Iter_0100/a_2_E_9_Iter_0100_output.tif",
    ],
)
def test_a_checkpoint_may_be_named(run, part):
    found = find_deepcad_run(run / part)
    assert found.denoised.parent.name == "E_9_Iter_0100"
    assert found.raw == run / "datasets/mice/a_2.tif"
    assert len(found.notes) == 1


def test_the_results_may_be_named(run):
    assert find_deepcad_run(run / RESULTS).raw == run / "datasets/mice/a_2.tif"
    assert find_deepcad_run(run / "results").raw == run / "datasets/mice/a_2.tif"


def test_several_recordings_are_named(run):
    make_output(run, "a_1", "E_2_Iter_0100")
    with pytest.raises(InputError, match=r"holds 2 denoised .*a_1_E_2_.*_output.tif, .*a_2_E_10"):
        find_deepcad_run(run)
    (run / RESULTS / "E_2_Iter_0100/a_1_E_2_Iter_0100_output.tif").unlink()
    make_output(run, "a_2", "E_3", "results/DataFolderIs_mice_202701011200_ModelFolderIs_other")
    with pytest.raises(InputError, match=r"holds 2 denoised .*DataFolderIs_mice_2026.*_2027"):
        find_deepcad_run(run)
    assert find_deepcad_run(run / RESULTS).denoised.parent.name == "E_10_Iter_0100"


def test_raw_that_is_missing_or_there_twice(run):
    (run / "copy").mkdir()
    (run / "copy/a_2.tif").touch()
    with pytest.raises(InputError, match=r"several recordings a_2: .* raw may be .*copy.*datasets"):
        find_deepcad_run(run)
    for folder in ("copy", "datasets/mice"):
        (run / folder / "a_2.tif").unlink()
    with pytest.raises(InputError, match=r"has no a_2\.tif, the raw recording of .*: put it there"):
        find_deepcad_run(run)


def test_no_run(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        find_deepcad_run(tmp_path / "none")
    with pytest.raises(InputError, match="is no run of DeepCAD-RT"):
        find_deepcad_run(tmp_path)
    (tmp_path / "a_output.tif").touch()
    with pytest.raises(InputError, match="is no run of DeepCAD-RT"):
        find_deepcad_run(tmp_path / "a_output.tif")


def test_one_command(tmp_path):
    """Fused as the two files are, with what was chosen in the notes."""
    from typer.testing import CliRunner

    from freq2clean.apps.cli import app

    raw = np.random.default_rng(0).poisson(5, (60, 32, 32)).astype(np.uint16)
    denoised = make_output(tmp_path, "mouse", "E_05_Iter_0100")
    tifffile.imwrite(tmp_path / "mouse.tif", raw)
    tifffile.imwrite(denoised, np.full(raw.shape, 5, np.uint16))
    outputs = {}
    for name, given in {
        "run": ["--deepcad-run", str(tmp_path)],
        "files": [str(tmp_path / "mouse.tif"), str(denoised)],
    }.items():
        out = tmp_path / f"{name}.npy"
        done = CliRunner().invoke(app, ["fuse", *given, "-o", str(out), "--method", "wiener"])
        assert done.exit_code == 0, done.output
        outputs[name] = np.load(out)
        (tmp_path / f"{name}.txt").write_text(" ".join(done.output.split()))
    np.testing.assert_array_equal(outputs["run"], outputs["files"])
    assert "was taken as raw" in (tmp_path / "run.txt").read_text()
    for strange in (["--deepcad-run", str(tmp_path), "raw.tif"], ["raw.tif"], []):
        done = CliRunner().invoke(app, ["fuse", *strange, "-o", str(tmp_path / "x.tif")])
        assert isinstance(done.exception, InputError)

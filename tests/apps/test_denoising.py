"""Denoise, train and run by the command line, with tiny trainings."""

from __future__ import annotations

import json
import pickle
import shlex
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import torch

from freq2clean import DeepCAD, denoise, fuse, open_recording
from freq2clean.denoisers import DENOISERS

TINY = "--patch-t 8 --patch-xy 8 --patches 1 --epochs 1"
DEEPCAD = "--model deepcad --checkpoint model.pth"


@pytest.fixture(scope="module")
def model(freq2clean, make_pair, tmp_path_factory) -> Path:
    """A network that a process has trained, and what it printed."""
    folder = tmp_path_factory.mktemp("trained")
    np.save(folder / "raw.npy", make_pair()[0])
    done = freq2clean("train", "raw.npy", "-o", "model.pth", *TINY.split(), "--json", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    (folder / "said.json").write_text(done.stdout)
    return folder / "model.pth"


@pytest.fixture
def folder(pair, model) -> Path:
    """The pair, and the model beside it."""
    (pair / "model.pth").write_bytes(model.read_bytes())
    return pair


@pytest.fixture
def succeeds(freq2clean_here, folder) -> Callable[..., str]:
    """Run a command that must succeed and be silent on standard error."""

    def run(words: str) -> str:
        done = freq2clean_here(*words.split(), cwd=folder)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    return run


@pytest.fixture
def refused(freq2clean_here, folder) -> Callable[..., None]:
    """Run a command that must be refused with one message, and write nothing."""

    def run(words: str, *says: str) -> None:
        before = {path: path.read_bytes() for path in folder.iterdir()}
        done = freq2clean_here(*words.split(), cwd=folder)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("error: ")
        assert done.stderr.count("\n") == 1, done.stderr
        for text in says:
            assert text in done.stderr
        assert {path: path.read_bytes() for path in folder.iterdir()} == before

    return run


def test_the_names_are_those_of_the_package(freq2clean_here):
    for command in ("denoise", "train", "run"):
        done = freq2clean_here(command, "raw.tif", "-o", "o.tif", "--model", "nlm")
        assert done.returncode == 2
        assert f"{', '.join(map(repr, DENOISERS))}." in " ".join(
            done.stderr.replace("│", " ").split()
        )


def test_training_says_what_was_learned(model):
    said = json.loads((model.parent / "said.json").read_text())
    assert said["path"] == "model.pth"
    assert said["recordings"] == ["raw.npy"]
    assert said["parameters"]["patches_per_epoch"] == 1
    assert said["findings"]["epochs"] == len(said["findings"]["history"]) == 1


def test_the_help_of_train_has_the_defaults_right(freq2clean_here):
    said = " ".join(freq2clean_here("train", "--help").stdout.split())
    default = {field.name: field.default for field in fields(DeepCAD)}
    assert default["patch_y"] == default["patch_x"]
    assert f"{default['patch_t']} frames of {default['patch_y']} x {default['patch_x']}" in said
    assert f"{default['patches_per_epoch']} in each of {default['n_epochs']} epochs" in said


def test_training_goes_on(succeeds):
    words = f"train raw.tif denoised.tif -o new.pth {TINY}"
    assert "epochs: 1" in succeeds(words)
    said = succeeds(words.replace("--epochs 1", "--epochs 2 --resume"))
    assert "epochs: 2" in said
    assert "loss: " in said


EVERY = (
    f"{TINY} --learning-rate 1e-4 --seed 3 --device cpu --patch-overlap 0.5 --batch-size 2 "
    "--schedule cosine --patience 1 --base-channels 4 --no-mixed-precision --tile-t 64 --tile-xy 56"
)
ARRIVES = {
    "patch_t": 8, "patch_y": 8, "patch_x": 8, "n_epochs": 1, "patches_per_epoch": 1,
    "learning_rate": 1e-4, "seed": 3, "device": "cpu", "overlap": 0.5, "batch_size": 2,
    "schedule": "cosine", "patience": 1, "base_channels": 4, "mixed_precision": False,
    "tile_t": 64, "tile_yx": 56,
}  # fmt: skip


@pytest.mark.parametrize(
    "words", ["train raw.tif -o new.pth", "denoise raw.tif --train -o o.npy", "run raw.tif --train"]
)
def test_every_option_of_networks_arrives(freq2clean, folder, words):
    words = f"{words} {EVERY} --json --model deepcad"
    words = words if "-o" in words.split() else f"{words} -o o.npy --checkpoint new.pth"
    done = freq2clean(*words.split(), cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    said = json.loads(done.stdout)
    said = said.get("denoised", said)
    parameters = {k: v for k, v in said["parameters"].items() if k not in ("model", "checkpoint")}
    assert parameters == ARRIVES
    (epoch,) = said["findings"]["history"]
    assert epoch["held_out_loss"] > 0
    assert said["findings"]["parameters"] < 70_000


def test_early_stopping_and_the_schedule(succeeds):
    words = f"train raw.tif -o new.pth {TINY} --learning-rate 1e-30 --json"
    once = json.loads(succeeds(f"{words.replace('--epochs 1', '--epochs 40')} --patience 2"))
    assert once["findings"]["epochs"] == 3
    assert any("the loss fell no more" in note for note in once["findings"]["notes"])
    words = words.replace("--epochs 1", "--epochs 4").replace("new.pth", "cosine.pth")
    history = json.loads(succeeds(f"{words} --schedule cosine"))["findings"]["history"]
    rates = [epoch["learning_rate"] / 1e-30 for epoch in history]
    assert rates == pytest.approx([1, 0.854, 0.5, 0.146], abs=1e-3)


def test_a_run_that_trains(succeeds, folder):
    words = f"run raw.tif --model deepcad --train {TINY} --tile-t 64 --method wiener"
    said = succeeds(f"{words} -o out.npy --checkpoint new.pth --keep-denoised kept.npy --probe")
    assert "Denoised by deepcad" in said
    assert "loss: " in said
    expected = denoise(
        folder / "raw.tif", model="deepcad", checkpoint=folder / "new.pth", tile_t=64
    )
    np.testing.assert_allclose(np.load(folder / "kept.npy"), expected, rtol=1e-5)


def test_denoising_with_a_checkpoint(succeeds, folder):
    said = json.loads(succeeds(f"denoise raw.tif -o out.npy {DEEPCAD} --json"))
    assert said["parameters"] == {"model": "deepcad", "checkpoint": "model.pth"}
    expected = denoise(folder / "raw.tif", model="deepcad", checkpoint=folder / "model.pth")
    np.testing.assert_allclose(np.load(folder / "out.npy"), expected, rtol=1e-5)


def test_training_and_denoising_at_once(succeeds, folder):
    words = f"denoise raw.tif --model deepcad --train {TINY}"
    assert "loss: " in succeeds(f"{words} -o unsaved.npy")
    assert "loss: " in succeeds(f"{words} -o saved.npy --checkpoint new.pth")
    succeeds("denoise raw.tif -o again.npy --model deepcad --checkpoint new.pth")
    expected = np.load(folder / "unsaved.npy")
    for name in ("saved", "again"):
        np.testing.assert_allclose(np.load(folder / f"{name}.npy"), expected, rtol=1e-5)


def test_two_acquisitions(succeeds):
    words = f"train raw.tif raw.tif -o new.pth --model noise2noise {TINY} --json"
    assert json.loads(succeeds(words))["recordings"] == ["raw.tif", "raw.tif"]
    succeeds("run raw.tif -o out.npy --model noise2noise --checkpoint new.pth")


def test_options_of_baselines(succeeds, folder):
    words = "denoise raw.tif -o out.npy --sigma-t-frames 3 --sigma-yx-pixels 0"
    succeeds(words)
    in_time = denoise(folder / "raw.tif", sigma_t_frames=3.0, sigma_yx_pixels=0.0)
    np.testing.assert_array_equal(np.load(folder / "out.npy"), in_time)
    words = "run raw.tif -o out.npy --model pca --patch-pixels 8 --keep-denoised kept.npy"
    succeeds(f"{words} --method wiener --no-report")
    local = denoise(folder / "raw.tif", model="pca", patch_pixels=8)
    np.testing.assert_array_equal(np.load(folder / "kept.npy"), local)


def test_other_models_are_trained_too(succeeds, folder):
    assert "sigma t frames" in succeeds("train raw.tif -o widths.npz --model gaussian")
    succeeds("denoise raw.tif -o out.npy --checkpoint widths.npz")
    np.testing.assert_array_equal(np.load(folder / "out.npy"), denoise(folder / "raw.tif"))


def test_a_run_in_a_process(freq2clean, folder):
    done = freq2clean("run", "raw.tif", "-o", "fused.tif", "--json", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    said = json.loads(done.stdout)
    assert said["denoised"]["path"] == ""
    assert said["denoised"]["parameters"] == {"model": "pretrained"}
    assert "dB that the network was trained on" in said["denoised"]["findings"]["domain"]
    assert said["fused"]["parameters"]["method"] == "auto"
    assert said["report"] == "fused-report.html"
    assert "denoised by pretrained" in (folder / said["report"]).read_text()
    left = {path.name for path in folder.iterdir()}
    assert left == {
        "raw.tif", "denoised.tif", "model.pth", "fused.tif", "fused-report.html",
    }  # fmt: skip
    with open_recording(folder / "fused.tif") as fused:
        raw = folder / "raw.tif"
        expected = fuse(raw, denoise(raw, model="pretrained"))
        np.testing.assert_allclose(fused[:], expected, rtol=1e-4)
        names = [recording["name"] for recording in fused.metadata.provenance["inputs"]]
        assert names == ["raw.tif", "raw.tif (pretrained)"]


def test_a_run_with_everything(succeeds, folder):
    words = "--method subspace --window 20 --keep-denoised kept.zarr --dtype same --device cpu"
    said = succeeds(f"run raw.tif -o fused.h5 {DEEPCAD} {words}")
    for text in (
        "Denoised by deepcad",
        "kept.zarr: 40",
        "fused.h5: 40",
        "subspace: ",
        "the report",
    ):
        assert text in said
    with open_recording(folder / "kept.zarr") as kept, open_recording(folder / "fused.h5") as fused:
        expected = fuse(folder / "raw.tif", kept, method="subspace", window=20)
        np.testing.assert_array_equal(fused[:], np.rint(expected))


def test_a_run_with_a_probe(succeeds):
    said = succeeds("run raw.tif -o out.npy --model gaussian --method wiener --probe")
    assert "probe: mean squared error" in said
    assert "finest detail that is right" in said
    words = "run raw.tif -o out.npy --model gaussian --method wiener --probe --json"
    assert json.loads(succeeds(words))["gain"]["frames"] == 40


HALVE = "import sys, numpy as n; n.save(sys.argv[2], n.load(sys.argv[1]) // 2)"


@pytest.mark.parametrize("verb", ["denoise", "run --keep-denoised kept.npy"])
def test_any_program(freq2clean_here, folder, verb):
    command = shlex.join([sys.executable, "-c", HALVE, "{input.npy}", "{output.npy}"])
    words = [*f"{verb} raw.tif -o out.npy --json --command".split(), command]
    done = freq2clean_here(*words, cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    said = json.loads(done.stdout)
    said = said.get("denoised", said)
    assert said["parameters"] == {"model": "command", "command": command}
    assert said["findings"] == {"program": sys.executable}
    with open_recording(folder / "raw.tif") as raw:
        np.testing.assert_array_equal(np.load(folder / said["path"]), raw[:] // 2)


def test_a_program_that_fails(freq2clean_here, folder):
    before = set(folder.iterdir())
    command = shlex.join([sys.executable, "-c", "raise KeyError('GPU')", "{input}", "{output}"])
    done = freq2clean_here("run", "raw.tif", "-o", "out.npy", "--command", command, cwd=folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: {sys.executable} failed with exit code 1; it said last:")
    assert done.stderr.endswith("KeyError: 'GPU'\n")
    assert set(folder.iterdir()) == before


@pytest.mark.parametrize(("option", "limit"), [("--no-limit", False), ("--limit", True)])
def test_subspace_with_and_without_its_limit(succeeds, option, limit):
    words = "fuse raw.tif denoised.tif -o fused.npy --method subspace --json"
    parameters = json.loads(succeeds(f"{words} {option}"))["parameters"]
    assert (parameters["method"], parameters["limit"]) == ("subspace", limit)


REFUSED = {
    "denoise raw.tif -o o.tif --model deepcad": "freq2clean train",
    "run raw.tif -o o.tif --model deepcad": "freq2clean train",
    "denoise raw.tif -o o.tif --model deepcad --checkpoint absent.pth": "no such file",
    "run raw.tif -o o.tif --model deepcad --checkpoint raw.tif": "raw.tif",
    "denoise raw.tif -o o.tif --model pca --checkpoint model.pth": "model.pth holds no model",
    "denoise raw.tif -o o.tif --model deepcad --checkpoint model.pth --train": "there already",
    "denoise raw.tif -o o.tif --model deepcad --checkpoint model.pth --epochs 3": "n_epochs",
    "denoise raw.tif -o o.xyz --model deepcad --checkpoint n.pth --train": ".xyz",
    "run raw.tif -o o.tif --model deepcad --checkpoint model.pth --train": "there already",
    "run raw.tif -o o.tif --model deepcad --checkpoint absent/m.pth --train": "no folder",
    "denoise raw.tif -o o.tif --train": "as in --model deepcad",
    "run raw.tif -o o.tif --train": "as in --model deepcad",
    "run raw.tif -o o.tif --patch-t 30": "pretrained has no option patch_t",
    "run raw.tif -o o.tif --model deepcad --checkpoint model.pth --seed 3": "seed: fixed when",
    "run raw.tif -o o.tif --tile-t 30": "tile_t = 30",
    "run raw.tif -o o.tif --no-mixed-precision": "pretrained has no option mixed_precision",
    "denoise raw.tif -o o.tif --sigma-t-frames -1": "sigma_t_frames = -1",
    "run raw.tif -o o.tif --patch-pixels 8": "pretrained has no option patch_pixels",
    "train raw.tif -o m.pth --batch-size 0": "batch_size = 0",
    "train raw.tif -o m.pth --patch-overlap 1": "overlap = 1",
    "train raw.tif -o m.pth --patience 0": "patience = 0",
    "train raw.tif -o m.pth --tile-xy 48": "tile_yx = 48",
    "train raw.tif -o model.pth --patch-t 8 --patch-xy 8 --patches 1 --patience 3 --resume": (
        "was trained with patience = None"
    ),
    "denoise raw.tif -o o.tif --patch-t 30": "gaussian has no option patch_t",
    "run raw.tif -o o.tif --device abacus": "abacus",
    "run raw.tif -o o.tif --model gaussian --device cpu": "gaussian has no option device",
    "denoise raw.tif -o o.tif --model noise2noise": "noise2noise needs a trained model",
    "run raw.tif -o o.tif --model noise2noise --checkpoint model.pth": "holds a model of deepcad",
    "train raw.tif raw.tif raw.tif -o m.pth --model noise2noise": "3 recordings are no pairs",
    "run raw.tif -o o.tif --model noise2void": "noise2void needs a trained model",
    "denoise raw.tif -o o.tif --command absent": 'as in "prog {input} {output}"',
    "denoise raw.tif -o o.tif --model command": 'as in "prog {input} {output}"',
    "run raw.tif -o o.tif --model pca --command x": "--command and --model pca are both given",
    "run raw.tif -o o.tif --model gaussian --command x": "--model gaussian are both given; leave",
    "denoise raw.tif -o o.tif --model gaussian --command x": "--model gaussian are both given",
    "run raw.tif -o o.tif --device cpu --command x": "command has no option device",
    "run raw.tif -o raw.tif": "one of the inputs",
    "run raw.tif -o o.tif --keep-denoised o.tif": "two different files",
    "run raw.tif -o o.tif --keep-denoised raw.tif": "one of the inputs",
    "run raw.tif -o o.tif --window 0": "window = 0",
    "train raw.tif -o raw.tif": "one of the recordings",
    "train raw.tif -o denoised.tif": "no model of deepcad",
    "train raw.tif -o absent/model.pth": "no folder",
    "train raw.tif -o m.pth --patch-t 0": "patch_t = 0",
    "train raw.tif -o m.pth --learning-rate 2": "learning_rate = 2",
    "train raw.tif -o m.pth --device abacus": "abacus",
    "train raw.tif -o model.pth --patch-t 9 --resume": "give the same to resume",
    "train raw.tif absent.tif -o m.pth": "absent.tif does not exist",
    "train raw.tif -o m.npz --model gaussian --epochs 3": "gaussian has no option n_epochs",
    "train raw.tif denoised.tif -o m.npz --model pca": "2 are given",
    "train raw.tif -o m.npz --model pca --resume": "resume",
    "fuse raw.tif denoised.tif -o o.tif --method wiener --no-limit": "wiener has no option limit",
}


@pytest.mark.parametrize("words", REFUSED)
def test_refused_with_one_message(refused, words):
    refused(words, REFUSED[words])


class Harmful:
    """Makes a file where it is unpickled."""

    def __reduce__(self):
        return open, ("trace", "w")


def changed(path: Path) -> bytes:
    """The file with one bit of a weight turned."""
    held = bytearray(path.read_bytes())
    held[len(held) // 2] ^= 0x40
    return bytes(held)


CHECKPOINTS = {
    "a pickle": lambda path: path.write_bytes(pickle.dumps(Harmful())),
    "code": lambda path: torch.save({"Generator.final_conv.weight": Harmful()}, path),
    "half of it": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "a bit": lambda path: path.write_bytes(changed(path)),
    "another network": lambda path: torch.save({"conv.weight": torch.zeros(3)}, path),
}


@pytest.mark.parametrize("verb", ["denoise", "run"])
@pytest.mark.parametrize("what", CHECKPOINTS)
def test_checkpoints_that_are_none(refused, folder, verb, what):
    """Nothing new in the folder means that no code was run either."""
    CHECKPOINTS[what](folder / "model.pth")
    says = "another network" if what == "another network" else "it is damaged, or holds more than"
    refused(f"{verb} raw.tif -o o.tif {DEEPCAD}", says)


@pytest.mark.parametrize(
    "words",
    [
        "denoise -o o.tif",
        "denoise -o o.tif --model pca",
        f"run -o o.tif {DEEPCAD}",
        "train -o m.pth",
        "fuse -o o.tif nothing.npy",
        "fuse -o o.tif numbers.npy",
        "fuse -o o.tif --method fft --register numbers.npy",
    ],
)
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_recordings_without_a_number(refused, folder, words, value):
    np.save(folder / "nothing.npy", np.full((12, 16, 16), value, np.float32))
    np.save(folder / "numbers.npy", np.arange(12 * 256).reshape(12, 16, 16))
    refused(f"{words} nothing.npy", "not a single value of nothing.npy is a finite number")


@pytest.mark.parametrize(
    "words",
    ["train raw.tif -o m.pth", "run raw.tif -o o.tif --model deepcad --checkpoint model.pth"],
)
def test_without_torch_the_extra_is_named(refused, words, monkeypatch):
    monkeypatch.setattr("freq2clean.denoisers.contract.find_spec", lambda name: None)
    refused(words, 'pip install "freq2clean[torch]"')

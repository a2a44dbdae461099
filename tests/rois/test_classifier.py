"""Classifiers of Suite2p: what it saves is taken, and nothing in a file is run."""

import pickle
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from freq2clean.errors import InputError
from freq2clean.rois.classifier import KEYS, load_classifier

HELD = {
    "stats": np.random.default_rng(0).random((9, 4)).astype(np.float32),
    "iscell": np.arange(9) % 2,
    "keys": [*KEYS, "std"],
}


def saved(folder, held):
    np.save(folder / "classifier.npy", np.array(held, dtype=object))
    return folder / "classifier.npy"


def test_what_suite2p_saves_is_read(tmp_path):
    found = load_classifier(saved(tmp_path, HELD))
    np.testing.assert_array_equal(found["stats"], HELD["stats"])
    np.testing.assert_array_equal(found["iscell"], HELD["iscell"].astype(bool))
    assert found["keys"] == HELD["keys"]


@pytest.mark.skipif(find_spec("suite2p") is None, reason="Suite2p is not installed")
def test_the_one_that_comes_with_suite2p_is_read():
    folder = Path(find_spec("suite2p").origin).parent
    found = load_classifier(folder / "classifiers" / "classifier.npy")
    assert set(KEYS) <= set(found["keys"])
    assert 0.1 < found["iscell"].mean() < 0.9


class Evil:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_nothing_in_a_file_is_run(tmp_path, protocol):
    trace = tmp_path / "was here"
    array = np.array({**HELD, "more": Evil(trace)}, dtype=object)
    path = tmp_path / "classifier.npy"
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(array))
        pickle.dump(array, file, protocol)
    with pytest.raises(InputError, match=r"is no classifier of Suite2p \(it wants to run"):
        load_classifier(path)
    assert not trace.exists()


@pytest.mark.parametrize(
    ("held", "message"),
    [
        ({}, "is no classifier"),
        ([1, 2], "is no classifier"),
        ({**HELD, "keys": ["skew"]}, "needs skew, npix_norm, compact, one column each"),
        ({**HELD, "keys": list("abcd")}, "has statistics a, b, c, d"),
        ({**HELD, "iscell": np.ones(9)}, "knows only one kind of ROI"),
        ({**HELD, "iscell": np.ones(8)}, "for 8 ROIs"),
    ],
)
def test_others_are_refused(tmp_path, held, message):
    with pytest.raises(InputError, match=message):
        load_classifier(saved(tmp_path, held))


def test_files_that_are_none_are_refused(tmp_path):
    with pytest.raises(InputError, match="there is no such file"):
        load_classifier(tmp_path / "classifier.npy")
    np.save(tmp_path / "numbers.npy", np.arange(4.0))
    with pytest.raises(InputError, match="it holds an array of numbers"):
        load_classifier(tmp_path / "numbers.npy")
    for contents in (b"", b"text", saved(tmp_path, HELD).read_bytes()[:200]):
        (tmp_path / "cut.npy").write_bytes(contents)
        with pytest.raises(InputError, match="is no classifier"):
            load_classifier(tmp_path / "cut.npy")

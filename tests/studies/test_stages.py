from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from freq2clean.errors import InputError, OutputError
from freq2clean.studies.stages import Given, GivenFile, Stage, run_all


class Line:
    """Two stages, the second of which needs a file of the first, and what they were asked to do."""

    def __init__(self, root, *, first=1, second=2):
        self.calls = []
        one = Stage(root, "one", {"value": first}, [], self.write)
        self.stages = one, Stage(root, "two", {"value": second}, [one.file("out")], self.read)

    def write(self, folder, *, progress):
        self.calls.append("one")
        (folder / "out").write_text("7")
        progress(1, 2) if progress else None
        return {}

    def read(self, folder, path, *, progress):
        self.calls.append("two")
        return {"read": Path(path).read_text()}


def test_what_is_needed_is_done_first_and_once(tmp_path):
    line = Line(tmp_path)
    assert line.stages[1].result() == {"read": "7"}
    again = Line(tmp_path)
    assert again.stages[1].result() == {"read": "7"}
    assert (line.calls, again.calls) == (["one", "two"], [])


def test_a_parameter_redoes_what_depends_on_it_only(tmp_path):
    Line(tmp_path).stages[1].result()
    later, sooner = Line(tmp_path, second=3), Line(tmp_path, first=4)
    later.stages[1].result()
    sooner.stages[1].result()
    assert (later.calls, sooner.calls) == (["two"], ["one", "two"])


def test_a_file_that_was_removed_is_made_again_when_it_is_needed(tmp_path):
    line = Line(tmp_path)
    line.stages[1].result()
    (line.stages[0].folder / "out").unlink()
    line.stages[1].result()
    assert line.calls == ["one", "two"]
    Line(tmp_path, second=3).stages[1].result()
    other = Line(tmp_path, second=5)
    (other.stages[0].folder / "out").unlink()
    other.stages[1].result()
    assert other.calls == ["one", "two"]


def test_work_that_fails_leaves_no_result(tmp_path):
    def fail(folder, *, progress):
        raise RuntimeError

    stage = Stage(tmp_path, "one", {}, [], fail)
    with pytest.raises(RuntimeError):
        stage.result()
    assert not stage.is_done


def test_the_record_says_what_was_done(tmp_path):
    stage = Line(tmp_path).stages[1]
    stage.result()
    record = json.loads((stage.folder / "stage.json").read_text())
    assert record == {"stage": "two", "parameters": {"value": 2}, "result": {"read": "7"}}


@pytest.mark.parametrize("text", ["", "[]", "{}", "{", "5"])
def test_a_damaged_record_is_named(tmp_path, text):
    stage = Line(tmp_path).stages[0]
    stage.result()
    (stage.folder / "stage.json").write_text(text)
    with pytest.raises(InputError, match=r"stage\.json is damaged; remove "):
        stage.result()


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="give another folder"):
        Line(tmp_path / "file").stages[0].result()


def test_progress_adds_up_over_stages_done_and_to_do(tmp_path):
    seen = []
    first, second = Line(tmp_path).stages
    run_all({first: 3.0, second: 1.0}, lambda done, total: seen.append(done / total))
    assert seen == [0.375, 0.75, 1.0]


def test_a_recording_that_changes_is_another(tmp_path):
    path = tmp_path / "raw.npy"
    frames = np.zeros((5, 4, 4), np.float32)
    np.save(path, frames)
    before, same = Given(path).digest, Given(path).digest
    assert before == same
    frames[2] = 1
    np.save(path, frames)
    os.utime(path, ns=(1, 1))
    assert Given(path).digest != before


def test_a_recording_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        Given(tmp_path / "raw.npy")


def test_where_a_stage_may_fail_the_others_go_on(tmp_path):
    def fail(folder, *, progress):
        raise InputError("no")

    bad, good = Stage(tmp_path, "bad", {}, [], fail), Line(tmp_path).stages[1]
    failed = run_all({bad: 1.0, good: 1.0}, may_fail=True)
    assert {stage: str(error) for stage, error in failed.items()} == {bad: "no"}
    assert good.is_done
    with pytest.raises(InputError, match="no"):
        run_all({bad: 1.0})


def test_a_small_file_counts_by_what_is_in_it(tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_bytes(b"same")
    other.write_bytes(b"same")
    assert GivenFile(one).digest == GivenFile(other).digest
    before = GivenFile(one).digest
    one.write_bytes(b"not")
    assert GivenFile(one).digest != before
    with pytest.raises(InputError, match="absent cannot be read"):
        GivenFile(tmp_path / "absent")

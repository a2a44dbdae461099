from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freq2clean.datasets import fetch, read_record
from freq2clean.datasets.archive import _record
from freq2clean.errors import InputError

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["files", "metadata", "license", "id", "key", "size", "checksum", "links"]
            ),
            inner,
        )
    ),
)


def test_files_sizes_and_licence_are_the_archives(archive):
    record = read_record(7)
    assert {file.name: file.n_bytes for file in record.files} == {
        "raw.tif": 1_024_000,
        "truth.tif": 5000,
    }
    assert record.licence == "cc-by-4.0"
    archive.record = {**archive.said(), "metadata": {}}
    assert read_record(7).licence is None


@pytest.mark.parametrize(
    "name",
    [
        "../evil", "..", ".", "/etc/passwd", "a/b.tif", "a\\b.tif", "C:evil", ".bashrc", "-rf",
        "", "a\nb", "a\0b", "x" * 300, "con ", "a.", "files.json", None, 3, ["a"],
    ],
)  # fmt: skip
def test_a_name_that_is_no_plain_file_name_is_refused(archive, dataset, tmp_path, name):
    archive.record = archive.said()
    archive.record["files"][1]["key"] = name
    with pytest.raises(InputError, match="cannot be used"):
        fetch(dataset, folder=tmp_path / "home")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("what", "value"),
    [
        ("size", -1), ("size", "12"), ("size", None), ("size", True), ("size", 1.5),
        ("checksum", "md5:123"), ("checksum", None), ("checksum", "crc:" + 32 * "0"),
        ("links", {"self": "file:///etc/passwd"}), ("links", {"self": "https://evil.example/x"}),
        ("links", {"self": None}), ("links", {}), ("links", None),
    ],
)  # fmt: skip
def test_a_value_that_makes_no_sense_is_refused(archive, dataset, tmp_path, what, value):
    archive.record = archive.said()
    archive.record["files"][0][what] = value
    with pytest.raises(InputError, match="cannot be used"):
        fetch(dataset, folder=tmp_path)
    assert archive.asked == []


@pytest.mark.parametrize(
    "said",
    [
        b"", b"<html>", b"[]", b"{}", b'{"files": 3}', b'{"files": {"entries": {}}}',
        b"[" * 100_000, b'{"files": [' + b" " * (1 << 22) + b"]}", b"\xff\xfe",
    ],
    ids=range(9),
)  # fmt: skip
def test_what_is_no_record_is_refused(archive, said):
    archive.record = said
    with pytest.raises(InputError, match="cannot be used"):
        read_record(7)


def test_two_files_of_one_name_are_refused(archive):
    archive.record = archive.said()
    archive.record["files"][1]["key"] = "RAW.tif"
    with pytest.raises(InputError, match="two files have one name"):
        read_record(7)


def test_a_record_that_is_not_there_is_said(archive):
    with pytest.raises(InputError, match="the archive answers 404"):
        read_record(8)


def test_an_answer_that_is_none_is_said(archive):
    archive.is_web = False
    with pytest.raises(InputError, match="cannot be reached"):
        read_record(7)


def test_an_archive_that_cannot_be_reached_is_said():
    with pytest.raises(InputError, match="cannot be reached"):
        read_record(7, archive="http://127.0.0.1:9")


@given(said=JSON)
def test_nothing_but_errors_that_are_explained_comes_of_any_json(said):
    try:
        record = _record(said, "https://archive.example")
    except (ValueError, KeyError, TypeError, AttributeError):
        return
    assert record.files == ()

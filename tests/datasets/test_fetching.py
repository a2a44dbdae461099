from __future__ import annotations

import hashlib
import os
import shutil
import stat
import sys
from dataclasses import replace
from types import SimpleNamespace

import pooch
import pytest

from freq2clean.datasets import Dataset, fetch, found_files, home_of
from freq2clean.errors import InputError, MissingExtraError, OutputError

BLOCK = 1 << 16


def names_in(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_both_files_come_whole(archive, dataset, tmp_path):
    said = []
    files = fetch(dataset, folder=tmp_path, progress=lambda *seen: said.append(seen))
    assert {name: path.read_bytes() for name, path in files.items()} == archive.files
    assert names_in(tmp_path) == ["files.json", "raw.tif", "truth.tif"]
    done, totals = zip(*said, strict=True)
    assert list(done) == sorted(done)
    assert {done[-1], *totals} == {sum(map(len, archive.files.values()))}


def test_what_is_here_is_not_asked_for_again(archive, dataset, tmp_path):
    first = fetch(dataset, folder=tmp_path)
    archive.status, archive.record = 500, b"gone"
    assert fetch(dataset, folder=tmp_path) == first == found_files(dataset, tmp_path / "small")
    first["raw.tif"].write_bytes(b"cut off")
    assert found_files(dataset, tmp_path / "small") is None


def test_what_was_damaged_here_comes_again(archive, dataset, tmp_path):
    fetch(dataset, folder=tmp_path)["raw.tif"].write_bytes(b"cut off")
    files = fetch(dataset, folder=tmp_path)
    assert files["raw.tif"].read_bytes() == archive.files["raw.tif"]
    assert archive.asked == ["bytes=0-"] * 3


@pytest.mark.parametrize("manifest", ["", "[]", "{}", "3", '{"../x": 1}', '{"raw.tif": 1}'])
def test_a_damaged_list_of_what_is_here_is_made_anew(archive, dataset, tmp_path, manifest):
    fetch(dataset, folder=tmp_path)
    (tmp_path / "small" / "files.json").write_text(manifest)
    assert list(fetch(dataset, folder=tmp_path)) == ["raw.tif", "truth.tif"]
    assert len(archive.asked) == 2


def test_files_of_a_record_that_are_not_needed_stay_there(archive, dataset, tmp_path):
    archive.files["another.tif"] = b"large"
    fetch(dataset, folder=tmp_path)
    assert "another.tif" not in names_in(tmp_path)


def test_all_files_come_where_none_are_known(archive, dataset, tmp_path):
    unknown = replace(dataset, raw=None, truth=None)
    assert list(fetch(unknown, folder=tmp_path)) == list(archive.files)


def test_a_cut_connection_is_taken_up_where_it_broke(archive, dataset, tmp_path):
    archive.cut_after = [5 * BLOCK, 3 * BLOCK]
    files = fetch(dataset, folder=tmp_path)
    assert files["raw.tif"].read_bytes() == archive.files["raw.tif"]
    assert archive.asked[:3] == ["bytes=0-", f"bytes={5 * BLOCK}-", f"bytes={8 * BLOCK}-"]


def test_the_next_run_goes_on_where_this_one_gave_up(archive, dataset, tmp_path):
    archive.cut_after = [2 * BLOCK] * 4
    with pytest.raises(InputError, match=r"broke\); 0\.5 of 1\.0 MB are there: the same"):
        fetch(dataset, folder=tmp_path)
    assert [name[-5:] for name in names_in(tmp_path)] == [".part"]
    archive.asked.clear()
    files = fetch(dataset, folder=tmp_path)
    assert archive.asked[0] == f"bytes={8 * BLOCK}-"
    assert files["raw.tif"].read_bytes() == archive.files["raw.tif"]
    assert names_in(tmp_path) == ["files.json", "raw.tif", "truth.tif"]


def test_a_server_that_knows_no_ranges_gives_the_whole(archive, dataset, tmp_path):
    archive.ranges = False
    archive.cut_after = [5 * BLOCK]
    files = fetch(dataset, folder=tmp_path)
    assert files["raw.tif"].read_bytes() == archive.files["raw.tif"]


def test_a_newer_version_is_not_glued_to_the_old_part(archive, dataset, tmp_path):
    archive.cut_after = [2 * BLOCK] * 4
    with pytest.raises(InputError):
        fetch(dataset, folder=tmp_path)
    archive.files["raw.tif"] = archive.files["raw.tif"][::-1]
    assert fetch(dataset, folder=tmp_path)["raw.tif"].read_bytes() == archive.files["raw.tif"]


def test_a_wrong_checksum_leaves_nothing(archive, dataset, tmp_path):
    said = archive.said()
    said["files"][0]["checksum"] = f"md5:{hashlib.md5(b'other').hexdigest()}"
    archive.record = said
    with pytest.raises(InputError, match=r"raw\.tif came with another checksum than the archive"):
        fetch(dataset, folder=tmp_path)
    assert names_in(tmp_path) == []


def test_more_than_was_said_is_not_taken(archive, dataset, tmp_path):
    said = archive.said()
    archive.record, archive.extra = said, b"x" * 1000
    with pytest.raises(InputError, match="more came than the 1024000 bytes"):
        fetch(dataset, folder=tmp_path)
    assert "raw.tif" not in names_in(tmp_path)


@pytest.mark.parametrize(("status", "times"), [(404, 1), (403, 1), (503, 4)])
def test_a_file_that_is_not_given_is_said(archive, dataset, tmp_path, status, times):
    archive.status = status
    with pytest.raises(InputError, match=rf"raw\.tif could not be downloaded .*{status}"):
        fetch(dataset, folder=tmp_path)
    assert len(archive.asked) == times
    assert "raw.tif" not in names_in(tmp_path)


def test_a_renamed_file_is_said(archive, dataset, tmp_path):
    archive.files["noisy.tif"] = archive.files.pop("raw.tif")
    with pytest.raises(InputError, match=r"no file raw\.tif; it has truth\.tif, noisy\.tif"):
        fetch(dataset, folder=tmp_path)


def test_room_is_looked_at_first(archive, dataset, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=500_000))
    with pytest.raises(OutputError, match=r"1\.0 MB are needed and 0\.5 MB are free; make room"):
        fetch(dataset, folder=tmp_path)
    assert archive.asked == []


def test_a_disk_that_fills_up_on_the_way_is_said(archive, dataset, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("freq2clean.datasets.downloading.Resumed._write", full)
    with pytest.raises(OutputError, match=r"raw\.tif cannot be written: No space left on device"):
        fetch(dataset, folder=tmp_path)
    assert "raw.tif" not in names_in(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes anywhere")
def test_a_folder_that_cannot_be_written_to_is_said(archive, dataset, tmp_path):
    home = tmp_path / "small"
    home.mkdir()
    home.chmod(stat.S_IRUSR | stat.S_IXUSR)
    with pytest.raises(OutputError, match="cannot be written to; give another folder with --dir"):
        fetch(dataset, folder=tmp_path)


def test_a_file_in_the_place_of_the_folder_is_said(archive, dataset, tmp_path):
    (tmp_path / "small").write_text("in the way")
    with pytest.raises(OutputError, match="cannot be made"):
        fetch(dataset, folder=tmp_path)


def test_what_has_no_address_is_explained_and_then_found(tmp_path):
    private = Dataset(name="mine", title="Mine", alpha=1.0, raw="raw.tif")
    where = tmp_path / "mine" / "raw.tif"
    with pytest.raises(InputError) as refused:
        fetch(private, folder=tmp_path)
    assert f"put it at {where}" in str(refused.value)
    where.parent.mkdir()
    where.write_bytes(b"a recording")
    assert fetch(private, folder=tmp_path) == {"raw.tif": where}


def test_the_cache_of_the_machine_is_the_place(dataset):
    assert home_of(dataset) == pooch.os_cache("freq2clean") / "small"


@pytest.mark.parametrize("given", [True, False])
def test_without_pooch_the_extra_is_named(archive, dataset, tmp_path, monkeypatch, given):
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(MissingExtraError, match=r"freq2clean\[datasets\]"):
        fetch(dataset, folder=tmp_path if given else None)

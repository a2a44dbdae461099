"""Benchmarks rewrite their own sections of the page and leave the others."""

import subprocess

import pytest
from benchmarks import run

PAGE = """# Performance

Written by `make bench`.

## Files

Fast.

`python benchmarks/bench_files.py`

## Networks

| a | b |

`freq2clean denoise`, 9 seconds.

`python benchmarks/bench_deepcad.py`
"""


@pytest.fixture
def page(tmp_path, monkeypatch):
    path = tmp_path / "performance.md"
    path.write_text(PAGE)
    monkeypatch.setattr(run, "PAGE", path)

    def prints(command, **options):
        return subprocess.CompletedProcess(command, 0, f"## New\n\n{command[1].stem}\n", "")

    monkeypatch.setattr(subprocess, "run", prints)
    return path


def test_a_page_comes_back(page):
    sections = run.sections_of(PAGE)
    assert list(sections) == ["bench_files", "bench_deepcad"]
    assert sections["bench_files"] == "## Files\n\nFast."
    assert run.page_of(sections).endswith(PAGE[PAGE.index("\n## ") :])


def test_the_benchmarks_named_are_run(page):
    run.main(["bench_deepcad"])
    sections = run.sections_of(page.read_text())
    assert sections == {
        "bench_files": "## Files\n\nFast.",
        "bench_deepcad": "## New\n\nbench_deepcad",
    }


def test_without_torch_its_section_stays(page, monkeypatch, capsys):
    monkeypatch.setattr(run, "find_spec", lambda name: None)
    run.main([])
    assert "bench_deepcad left out: it needs torch" in capsys.readouterr().err
    sections = run.sections_of(page.read_text())
    assert sections["bench_deepcad"] == run.sections_of(PAGE)["bench_deepcad"]
    assert sections["bench_files"] == "## New\n\nbench_files"
    assert list(sections) == [name for name in run.BENCHMARKS if name != "bench_cluster"]


def test_a_name_that_is_none_is_refused(page):
    with pytest.raises(SystemExit, match="no benchmark is called nothing; there are bench_fusion"):
        run.main(["nothing"])
    assert page.read_text() == PAGE

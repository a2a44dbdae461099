"""What has to agree before a release: the version, and the changes."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from freq2clean.version import __version__

ROOT = Path(__file__).parents[2]
KINDS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_the_citation_is_of_this_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == __version__
    assert citation["license"] == "BSD-3-Clause"


def test_changes_keep_their_form():
    """Versions with dates, newest first, unreleased above; known kinds; each one a list."""
    text = (ROOT / "CHANGELOG.md").read_text()
    versions = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert all(
        re.fullmatch(r"\[Unreleased\]|\[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d", v) for v in versions
    )
    assert versions == sorted(versions, reverse=True)
    kinds = re.findall(r"^### (.+)\n\n(.)", text, re.MULTILINE)
    assert kinds
    assert {kind for kind, _ in kinds} <= KINDS
    assert {first for _, first in kinds} == {"-"}


def test_no_requirement_has_an_upper_bound():
    """Until a test fails above one; see docs/decisions/030-release.md."""
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"].values()
    required = [*project["dependencies"], *(one for extra in extras for one in extra)]
    assert [one for one in required if re.search(r"<|==|~=", one)] == []

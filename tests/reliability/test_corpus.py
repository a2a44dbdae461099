"""What once broke a parser, and what reaches every branch that was reached, is read or refused."""

from __future__ import annotations

import pytest
from tests.reliability.parsers import PARSERS, known


@pytest.mark.parametrize("name", PARSERS)
def test_it_is_taken_or_refused(name, tmp_path):
    contents = known(name, tmp_path / "known")
    (tmp_path / "parsed").mkdir()
    parse = PARSERS[name](tmp_path / "parsed")
    taken = [parse(content) for content in contents]
    assert True in taken
    assert False in taken

"""Files of MATLAB 5 to 7: sound ones pass, and what would harm SciPy's reader is refused."""

from __future__ import annotations

import random
import struct
import zlib

import numpy as np
import pytest
import scipy.io
import scipy.sparse
from tests.reliability.damage import damaged

from freq2clean.errors import InputError
from freq2clean.recordings.mat5 import check_mat5

INFO = {
    "channels": 2,
    "config": {"lines": 10, "empty": np.zeros((0, 3)), "note": "naïve", "none": ""},
    "cells": np.array([1, "b", np.eye(3)], object),
    "complex": 1 + 2j,
    "many": np.arange(1000, dtype=np.uint16),
    "structs": np.array([(1, "a"), (2, "b")], dtype=[("n", "O"), ("text", "O")]),
}


def header(order: str = "<") -> bytes:
    return b"MATLAB 5.0".ljust(124) + struct.pack(f"{order}HH", 0x0100, 0x4D49)


def element(kind: int, values: bytes) -> bytes:
    return struct.pack("<II", kind, len(values)) + values + bytes(-len(values) % 8)


def array(kind: int, *parts: bytes, sizes: tuple[int, ...] = (1, 1)) -> bytes:
    start = element(6, struct.pack("<II", kind, 0))
    shape = element(5, struct.pack(f"<{len(sizes)}i", *sizes))
    return element(14, start + shape + element(1, b"info") + b"".join(parts))


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("info", [INFO, scipy.sparse.eye(5).tocsc()], ids=["struct", "sparse"])
def test_what_is_sound(tmp_path, info, compressed):
    path = tmp_path / "a.mat"
    scipy.io.savemat(path, {"info": info, "other": 1.0}, do_compression=compressed)
    check_mat5(path)


def nested(depth: int) -> bytes:
    inner = array(6, element(9, bytes(8)))
    for _ in range(depth):
        inner = array(1, inner)
    return inner


HARMFUL = {
    "a type that is none": (array(6, element(200, bytes(8))), "type 200"),
    "a length beyond the end": (array(6, struct.pack("<II", 9, 2**31)), "before the 2147483648"),
    "a cell without end": (array(1, sizes=(2**30, 2**30)), "an array of 1073741824 x"),
    "structures without fields": (
        array(2, element(5, struct.pack("<i", 8)), element(1, b""), sizes=(2**31 - 1, 1)),
        "an array of 2147483647 x 1",
    ),
    "names of no length": (
        array(2, element(5, bytes(4)), element(1, b"ab")), "names of 0 bytes"
    ),
    "negative sizes": (array(6, element(9, bytes(8)), sizes=(-1, 4)), "an array of -1 x 4"),
    "forty axes": (array(6, element(9, bytes(8)), sizes=(1,) * 40), "160 bytes of sizes"),
    "cells in cells": (nested(5000), "more than 32 deep"),
    "a class that is none": (array(99), "class 99"),
    "a variable beyond the end": (struct.pack("<II", 14, 1000), "1000 bytes of a variable"),
    "a bomb": (element(15, zlib.compress(bytes(2**27))), "more than 67108864 bytes"),
    "half of a tag": (b"\x0e\0\0", "requires a buffer"),
}  # fmt: skip


@pytest.mark.parametrize("name", HARMFUL)
def test_what_would_do_harm(tmp_path, name):
    content, told = HARMFUL[name]
    (tmp_path / "a.mat").write_bytes(header() + content)
    with pytest.raises(InputError, match=f"a.mat is damaged, or no file of MATLAB 5 to 7.*{told}"):
        check_mat5(tmp_path / "a.mat")


def test_other_files(tmp_path):
    with pytest.raises(InputError, match="cannot be read: No such file"):
        check_mat5(tmp_path / "a.mat")
    for content in (b"", b"MATLAB 7.3 MAT-file".ljust(124) + b"\0\2IM", bytes(200)):
        (tmp_path / "a.mat").write_bytes(content)
        with pytest.raises(InputError, match="its header is another one"):
            check_mat5(tmp_path / "a.mat")


def test_any_damage_is_passed_or_refused(tmp_path):
    """And what passes, SciPy reads, or refuses as well."""
    path = tmp_path / "a.mat"
    scipy.io.savemat(path, {"info": INFO})
    content = path.read_bytes()
    passed = refused = 0
    for number in range(400):
        path.write_bytes(damaged(content, random.Random(number)))
        try:
            check_mat5(path)
        except InputError:
            continue
        passed += 1
        try:
            scipy.io.loadmat(path, squeeze_me=True)
        except MemoryError:
            pytest.fail(f"{number} takes more memory than there is")
        except Exception:
            refused += 1
    assert 0 < refused < passed < 400

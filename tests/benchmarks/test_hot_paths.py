"""The check of hot paths fails where one has become slow, and only there."""

import time

import pytest
from benchmarks import hot_paths
from benchmarks.hot_paths import HotPath, is_slow, ratio_of

from freq2clean.fusion import moments
from freq2clean.threads import at_most


def busy(milliseconds):
    def work():
        end = time.thread_time() + milliseconds / 1000
        while time.thread_time() < end:
            pass

    return work


def test_the_ratio_is_that_of_the_times():
    assert 1.2 < ratio_of(HotPath("a path", busy(20), busy(10), 1.0)) < 3.5


@pytest.mark.parametrize(("milliseconds", "slow"), [(4, False), (40, True)])
def test_four_times_as_slow_is_slow(milliseconds, slow):
    assert is_slow(HotPath("a path", busy(milliseconds), busy(10), 1.0)) == slow


def test_one_bad_measurement_is_forgiven(monkeypatch):
    ratios = iter([9.0, 1.0])
    monkeypatch.setattr(hot_paths, "ratio_of", lambda path: next(ratios))
    assert not is_slow(HotPath("a path", busy(0), busy(0), 1.0))


def test_a_change_of_the_code_that_makes_it_slow_is_found(monkeypatch, tmp_path, capsys):
    """Here, a first pass that does everything many times over."""
    accumulate = moments.accumulate

    def slowly(*args, **options):
        for _ in range(12):
            accumulate(*args, **options)

    with at_most(1):
        before = ratio_of(path_of("fft", tmp_path))
    monkeypatch.setitem(hot_paths.RATIOS, "fft", before)
    with monkeypatch.context() as slower:
        slower.setattr("freq2clean.fusion.method.accumulate", slowly)
        with pytest.raises(SystemExit, match=r"^fft: over 2 times as slow as before"):
            hot_paths.main(["fft"])
    assert capsys.readouterr().out == ""
    hot_paths.main(["fft"])
    assert capsys.readouterr().out == "1 hot paths are as fast as they were\n"


def path_of(name, folder):
    return next(path for path in hot_paths.hot_paths(folder) if path.name == name)


def test_every_path_has_a_ratio(tmp_path):
    names = [path.name for path in hot_paths.hot_paths(tmp_path)]
    assert names == list(hot_paths.RATIOS)
    assert all(ratio > 0 for ratio in hot_paths.RATIOS.values())

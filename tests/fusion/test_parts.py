"""The three steps apart, on any frames, give what they give in one go."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from freq2clean.fusion import get_method
from freq2clean.fusion.parts import FusionInParts, merge, overlapping

METHODS = {
    "fft": {"window": 60, "alpha": (0.9, 0.5), "overlap": 0.2},
    "dct": {"window": 70, "raw_average": 40},
    "wiener": {"window": 90, "n_bins": 12},
    "subspace": {"window": 150},
    "auto": {},
}


@pytest.fixture(scope="module")
def active(make_pair):
    """Recordings of some length, with a cell that comes and goes."""

    def active(n_frames):
        pair = make_pair((n_frames, 36, 40))
        cell = np.zeros((36, 40), np.float32)
        cell[10:18, 12:20] = 120
        on = (np.sin(np.arange(n_frames, dtype=np.float32) / 9) > 0.5)[:, None, None]
        return pair.raw + on * cell, pair.denoised + on * gaussian_filter(cell, 1)

    return active


def decided(method, raw, denoised):
    fusion = FusionInParts(method, raw.shape)
    for start, stop in fusion.survey_runs:
        fusion.look(raw[start:stop], denoised[start:stop])
    fusion.decide()
    return pickle.loads(pickle.dumps(fusion))


def cut(start, stop, size):
    return [(first, min(first + size, stop)) for first in range(start, stop, size)]


def blocks(start, stop, size, *recordings):
    for first, last in cut(start, stop, size):
        yield first, *(recording[first:last] for recording in recordings)


def fused_in_parts(fusion, raw, denoised, *, part, block, piece):
    """Every step by itself, with what it is given frozen, and sent through pickle."""
    layout, n = fusion.layout, len(raw)
    parts = cut(0, n, part)
    sums = [fusion.add_up(*p, blocks(*layout.to_add(*p), block, raw, denoised)) for p in parts]
    sums = pickle.loads(pickle.dumps(sums))
    solved = []
    for window, terms in enumerate(layout.jobs):
        own = [{i: s.terms[i] for i in terms if i in s.terms} for s in sums]
        half = len(own) // 2 or 1
        halves = [merge(own[:half]), *own[half:]]
        solved.append(fusion.solve(window, halves))
        again = fusion.solve(window, halves).correction
        np.testing.assert_array_equal(again.images, solved[-1].correction.images)
    solved = pickle.loads(pickle.dumps(solved))

    def corrections(start, stop):
        return [solved[i].correction for i in overlapping(layout.windows, start, stop)]

    limited = []
    if layout.limited:
        reviews = [
            fusion.look_again(
                window,
                corrections(*layout.stretch(window)),
                lambda a, b: (raw[a:b], denoised[a:b]),
            )
            for window in range(len(layout.windows))
        ]
        limited = [
            fusion.limit([reviews[i] for i in layout.reviews(window)])
            for window in range(len(layout.windows))
        ]
    out = []
    for start, stop in cut(0, n, piece):
        first, last = layout.to_apply(start, stop)
        for frames in fusion.fuse(
            start,
            stop,
            corrections(first, last),
            blocks(first, last, block, denoised),
            limits=[limited[i].limit for i in layout.limits(start, stop)],
            masked=[sums[i].masked for i in overlapping(parts, first, last)],
        ):
            out.append(frames.copy())
    notes = [{**s.notes, **(limited[i].notes if limited else {})} for i, s in enumerate(solved)]
    return np.concatenate(out), fusion.findings_with(notes)


@pytest.mark.parametrize("sizes", [(64, 16, 100), (37, 11, 23)])
@pytest.mark.parametrize("name", METHODS)
def test_parts_give_what_the_whole_gives(active, name, sizes):
    raw, denoised = active(500 if name == "auto" else 310)
    raw[40, 3:9] = np.nan
    raw[200:203, 12] = 0
    method = get_method(name, **METHODS[name])
    whole = method.fit(raw, denoised)
    part, block, piece = sizes
    fusion = decided(method, raw, denoised)
    fused, findings = fused_in_parts(fusion, raw, denoised, part=part, block=block, piece=piece)
    expected = whole.apply(denoised)
    np.testing.assert_allclose(fused, expected, atol=1e-4 * np.nanmax(np.abs(expected)))
    assert np.isnan(fused).sum() == np.isnan(expected).sum() > 0
    assert findings.keys() == whole.findings.keys()
    assert findings["scale"] == pytest.approx(whole.findings["scale"], rel=1e-5)
    for key in ("windows", "n_bins"):
        assert findings[key] == whole.findings[key]
    if "weights" in findings:
        gained = "expected_mse_reduction"
        assert findings[gained] == pytest.approx(whole.findings[gained], rel=1e-3)
        np.testing.assert_allclose(findings["weights"], whole.findings["weights"], atol=1e-4)


def test_the_case_has_what_is_hard(active):
    """Several windows, components in them, and a limit over more windows than one."""
    fusion = decided(get_method("subspace", **METHODS["subspace"]), *active(310))
    assert len(fusion.layout.windows) > 2
    assert len(fusion.layout.limited) > 4
    assert any(loadings.any() for loadings in fusion._jobs[0].courses.components.loadings)

"""What a report says, and that it says it right, without a browser."""

from __future__ import annotations

import json
import warnings
from base64 import b64decode, b64encode
from dataclasses import replace
from hashlib import sha256
from html.parser import HTMLParser
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from freq2clean import create, fuse, open_recording
from freq2clean.errors import InputError, OutputError
from freq2clean.fusion.scale import Scale
from freq2clean.recordings import ArrayRecording, Metadata
from freq2clean.report.html import Known, check_report, read_rois, write_report
from freq2clean.report.html.charts import Series, line_chart, thinned
from freq2clean.report.html.contents import Contents
from freq2clean.report.html.facts import facts_of
from freq2clean.report.html.gathering import gather
from freq2clean.report.html.images import embed
from freq2clean.report.html.markup import joined, prose, tag
from freq2clean.report.html.movies import short_movie
from freq2clean.report.html.regions import (
    Region,
    activity_image,
    pick_regions,
    regions_of_rois,
)
from freq2clean.report.html.sections import sections
from freq2clean.report.html.sentences import caveats, headline, what_was_done
from freq2clean.report.html.watching import watch
from freq2clean.report.html.writing import page
from freq2clean.rois import Rois
from freq2clean.version import __version__

MEMORY = 10**9
NOTHING = {"fusion": None, "denoising": None, "gain": None, "memory_bytes": MEMORY}


class Reader(HTMLParser):
    """Collects text, and attributes by element."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text: list[str] = []
        self.cells: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, name, attributes):
        self.elements.append((name, dict(attributes)))

    def handle_data(self, data):
        self.text.append(data)
        if self.elements and self.elements[-1][0] in ("td", "th"):
            self.cells.append(data)

    def __str__(self) -> str:
        return " ".join(" ".join(self.text).split())

    def all(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for found, attributes in self.elements if found == name]


@pytest.fixture(scope="module")
def contents(fused_files) -> Contents:
    """Of the simulated recording, the fusion being known."""
    raw, denoised, fused = (open_recording(path) for path in fused_files[:3])
    recordings = {"raw": raw, "denoised": denoised, "fused": fused}
    return gather(recordings, Known(fusion=fused_files.result), memory_bytes=MEMORY)


def told(contents: Contents, **facts) -> Contents:
    return replace(contents, facts=replace(contents.facts, **facts))


@given(st.text(), st.text())
def test_any_text_comes_back_as_text(text, value):
    text, value = (words.replace("\r", "").replace("\0", "") for words in (text, value))
    made = Reader(tag("p", text, tag("b", *prose(value)), title=value))
    assert "".join(made.text) == text + value.replace("`", "" if value.count("`") % 2 == 0 else "`")
    assert made.elements[0] == ("p", {"title": value})
    assert {name for name, _ in made.elements} <= {"p", "b", "code"}


def test_joined_markup_is_not_escaped_twice():
    assert joined([tag("b", "<"), "<"]) == "<b>&lt;</b>&lt;"
    assert tag("p", tag("b", "<") + "") == "<p>&lt;b&gt;&amp;lt;&lt;/b&gt;</p>"


def test_thinned_lines_keep_every_extreme():
    rng = np.random.default_rng(1)
    y = rng.normal(size=5000)
    y[700:1400] = np.nan
    x = np.arange(5000.0)
    places, values = thinned(x, y, 100)
    assert len(values) <= 200
    assert (np.diff(places) > 0).all()
    for part in np.array_split(np.arange(5000), 100):
        inside = (places >= part[0]) & (places <= part[-1])
        if np.isfinite(y[part]).any():
            assert np.nanmin(y[part]) == values[inside].min()
            assert np.nanmax(y[part]) == values[inside].max()
        else:
            assert np.isnan(values[inside]).all()


def test_a_line_runs_through_its_values():
    x, y = np.arange(4.0), np.array([0.0, 1.0, np.nan, 0.5])
    chart = Reader(line_chart("t", [Series("raw", x, y)], x_label="x", y_label="y", height=144))
    (path,) = (p["d"] for p in chart.all("path"))
    assert path == "M68.0 100.0L282.0 10.0M708.0 55.0".replace("282.0", f"{68 + 640 / 3:.1f}")


def test_images_are_drawn_between_their_limits():
    image = np.linspace(-1, 3, 40 * 30).reshape(40, 30)
    image[0, 0] = np.nan
    drawn = embed(image, (0.0, 2.0), most_pixels=40 * 30)
    content = b64decode(drawn.uri.removeprefix("data:image/png;base64,"))
    grey = np.asarray(Image.open(BytesIO(content)))
    expected = 255 * (np.nan_to_num(image) / 2).clip(0, 1) ** 0.7
    np.testing.assert_allclose(grey, expected, atol=0.51)
    smaller = embed(image, (0.0, 2.0), most_pixels=310)
    assert (smaller.factor, smaller.height, smaller.width) == (2, 20, 15)


def test_active_places_are_picked_each_once():
    rng = np.random.default_rng(0)
    frames = rng.normal(10, 0.2, (120, 64, 80)).astype(np.float32)
    rows, columns = np.mgrid[:64, :80]
    places = {(20, 16): 4.0, (44, 60): 3.0}
    for (y, x), height in places.items():
        distance = np.hypot(rows - y, columns - x)
        ring = (distance > 2) & (distance < 6)  # a dark nucleus does not split a cell
        frames[:, ring] += height * (np.sin(np.arange(120) / 5)[:, None] > 0)
    frames += np.linspace(0, 3, 120)[:, None, None] * (columns < 8)  # slow changes count little
    found = pick_regions(activity_image(ArrayRecording(frames), memory_bytes=MEMORY), n_regions=2)
    centres = [tuple(np.argwhere(region.mask).mean(axis=0).round()) for region in found]
    np.testing.assert_allclose(centres, list(places), atol=1.5)
    assert [region.name for region in found] == ["1", "2"]
    assert all(60 < region.mask.sum() < 150 for region in found)


def test_no_places_are_picked_where_nothing_happens():
    assert pick_regions(np.zeros((20, 20))) == []
    assert pick_regions(np.ones((3, 3))) == []


def test_the_most_active_rois_keep_their_numbers():
    labels = np.zeros((10, 30), int)
    for number in range(1, 4):
        labels[2:5, 8 * number : 8 * number + 4] = number
    activity = np.where(labels == 3, 5.0, np.where(labels == 1, 2.0, 0.0))
    regions = regions_of_rois(Rois.from_label_image(labels), activity, n_regions=2)
    assert [region.name for region in regions] == ["3", "1"]
    np.testing.assert_array_equal(regions[0].mask, labels == 3)


@pytest.mark.parametrize("memory", [10**8, 10**9])
def test_means_and_traces_are_those_of_the_arrays(memory):
    rng = np.random.default_rng(2)
    whole = rng.normal(50, 5, (300, 9, 7)).astype(np.float32)
    broken = whole.copy()
    broken[10:20, 2] = np.nan
    broken[5, 0, 0] = np.inf
    broken[:, 8, 6] = np.nan
    mask = np.zeros((9, 7), bool)
    mask[1:4, 2:5] = True
    lost = np.zeros((9, 7), bool)
    lost[8, 6] = True
    arrays = {"raw": (whole * 3).astype(np.uint16), "fused": broken}
    recordings = {name: ArrayRecording(array) for name, array in arrays.items()}
    seen = watch(recordings, [Region(mask, "1"), Region(lost, "2")], memory_bytes=memory)
    np.testing.assert_allclose(seen["raw"].mean, arrays["raw"].mean(axis=0), rtol=1e-12)
    known = np.where(np.isfinite(broken), broken, np.nan).astype(np.float64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of means of nothing
        np.testing.assert_allclose(seen["fused"].mean, np.nanmean(known, axis=0), rtol=1e-12)
        traces = [np.nanmean(known[:, m], axis=1) for m in (mask, lost)]
    np.testing.assert_allclose(seen["fused"].traces, traces, rtol=1e-12)
    np.testing.assert_allclose(seen["raw"].on(Scale(2.0, 1.0)).mean, 2 * seen["raw"].mean + 1)


def test_fitting_once_more_finds_what_fuse_found(fused_files):
    raw, denoised, fused = (open_recording(path) for path in fused_files[:3])
    found = facts_of(raw, denoised, fused, **NOTHING)
    assert found.parameters == fused_files.result.parameters
    expected = json.loads(json.dumps(fused_files.result.findings))
    assert json.loads(json.dumps(found.findings)) == expected
    assert found.denoiser["model"] == "gaussian"
    assert "fitting once more" in found.notes[-1]
    assert len(found.notes) == 1


def test_another_version_is_named(fused_files, monkeypatch):
    monkeypatch.setattr("freq2clean.report.html.facts.__version__", "99.0")
    raw, denoised, fused = (open_recording(path) for path in fused_files[:3])
    (note,) = facts_of(raw, denoised, fused, **NOTHING).notes
    assert note.endswith(f"by freq2clean 99.0; the recording was fused by {__version__}")


def test_other_recordings_than_those_that_were_fused_are_noticed(fused_files):
    raw, denoised, fused = (open_recording(path) for path in fused_files[:3])
    notes = facts_of(ArrayRecording(raw[:] + 1), denoised, fused, **NOTHING).notes
    assert "is not the raw recording that the fused one was made from" in notes[0]
    assert len(notes) == 2


def test_what_is_not_known_is_said(fused_files, tmp_path):
    raw, denoised, fused = (open_recording(path) for path in fused_files[:3])
    without = facts_of(raw, denoised, ArrayRecording(fused[:]), **NOTHING)
    assert without.findings == {}
    assert "does not say how it was made" in without.notes[0]
    made = Metadata(provenance={**fused.metadata.provenance, "registration": {"range_px": 2.0}})
    with create(tmp_path / "moved.tif", fused.shape, "float32", metadata=made) as writer:
        writer.append(fused[:])
    moved = facts_of(raw, denoised, open_recording(tmp_path / "moved.tif"), **NOTHING)
    assert moved.findings == {}
    assert moved.parameters["method"] == "auto"
    assert "registered" in moved.notes[0]


def test_nonsense_in_provenance_does_no_harm(fused_files, contents):
    raw, denoised, fused = (open_recording(path) for path in fused_files[:3])
    for made in (
        {"method": ["auto"]},
        {"method": "wiener", "window": "<b>"},
        {"method": "wiener", "overlap": 7},
    ):
        recording = ArrayRecording(fused[:])
        recording.metadata = Metadata(
            provenance={**made, "inputs": [1, {"a": None}], "versions": 1}
        )
        facts = facts_of(raw, denoised, recording, **NOTHING)
        assert facts.parameters == {}
        assert "does not say how it was made" in facts.notes[-1]
        assert Reader(page(replace(contents, facts=facts))).all("b") == []


def test_the_denoised_recording_is_shown_on_the_scale_of_the_raw_one(fused_files):
    raw, denoised, _ = (open_recording(path) for path in fused_files[:3])
    other = ArrayRecording(denoised[:] / 40 - 3)
    result = fuse(raw, other)
    recordings = {"raw": raw, "denoised": other, "fused": ArrayRecording(result)}
    recordings["fused"].metadata = Metadata(provenance={"method": "wiener"})
    shown = gather(recordings, Known(), memory_bytes=MEMORY)
    level = shown.seen["raw"].mean.mean()
    assert shown.seen["denoised"].mean.mean() == pytest.approx(level, rel=0.05)
    assert shown.frames["denoised"].mean() == pytest.approx(level, rel=0.3)


def test_the_headline_says_what_a_probe_measured(contents, gain):
    for changed, said in (
        ({}, "fell by 4.2 dB (3.9 to 4.5)"),
        ({"interval_db": (3.9, None)}, "fell by 4.2 dB (3.9 to ?)"),
        ({"db": None}, "fell by 6.23 ± 0.3 counts²"),
        ({"db": -1.0, "mse_change": 2.0}, "rose by 1.0 dB"),
        ({"db": -1.0, "mse_change": 2.0}, "the denoised recording is the better one"),
        ({"db": 0.01, "mse_change": -0.05}, "made no difference that a probe could measure"),
    ):
        assert said in headline(told(contents, gain=replace(gain, **changed)))


def test_the_headline_without_a_probe_is_an_expectation(contents):
    found = {**contents.facts.findings, "expected_mse_in_bands": [11.4, 2.93]}
    found |= {"expected_gain_in_bands_db": 5.9, "expected_mse_reduction": 8.47, "noise_sd": 40.0}
    expecting = told(contents, findings=found)
    assert "is expected to fall by 5.9 dB" in headline(expecting)
    said = " ".join(caveats(expecting))
    assert "from 11.4 to 2.93 counts²" in said
    assert "0.53% of the raw noise variance" in said
    assert "--probe" in said
    nothing = told(contents, findings={**found, "expected_mse_in_bands": [0.0, 0.0]})
    assert "there is nothing to gain" in headline(nothing)
    assert "--probe" not in " ".join(caveats(nothing))
    assert what_was_done(nothing).endswith("gain most).")
    moved = told(contents, provenance={"registration": {}})
    assert "with the motion taken out meanwhile" in what_was_done(moved)
    assert "not known" in headline(told(contents, findings={}))


def test_a_method_that_foretells_nothing(contents):
    parameters = {"method": "fft", "alpha": 0.85}
    findings = {"scale": {"gain": 1.0, "offset": 0.0}, "windows": [(0, 90)], "n_bins": 1}
    shown = Reader(page(told(contents, parameters=parameters, findings=findings)))
    for words in ("What was gained is not known", "Not known: there is no truth", "alpha 0.85"):
        assert words in str(shown)
    assert "What was given back" not in str(shown)


def test_the_headline_is_honest_about_the_truth(contents):
    class Score:
        def __init__(self, psnr_db: float) -> None:
            self.psnr_db = psnr_db

    for after, said in (
        (32.4, "raised the PSNR from 30.1 to 32.4 dB, by 2.3 dB"),
        (29.0, "the denoised recording is the better one"),
        (30.12, "made no difference"),
    ):
        scores = {"denoised": Score(30.1), "fused": Score(after)}
        assert said in headline(replace(contents, scores=scores))


def test_motion_and_problems_are_said_at_the_top(contents):
    still = contents.inspection.raw.stillness
    assert still is not None
    moving = replace(contents.inspection.raw, stillness=replace(still, range_px=2.5))
    problem = replace(contents.inspection.advice[0], severity="problem")
    inspection = replace(contents.inspection, raw=moving, advice=(problem,))
    said = " ".join(caveats(replace(contents, inspection=inspection)))
    assert "moves over 2.5 px" in said
    assert "1 problem of the recordings" in said
    registered = told(replace(contents, inspection=inspection), findings={"registration": {}})
    assert "moves over" not in " ".join(caveats(registered))


def test_everything_that_is_known_is_on_the_page(whole_report, fused_files):
    shown = Reader(whole_report.read_text())
    text = str(shown)
    for words in (
        "fell by 4.2 dB (3.9 to 4.5)", "Before and after", "What was gained", "Traces",
        "Cells found", "What was given back", "About the recordings", "How it was made",
        "PSNR of active pixels", "Input SNR", "window", "auto", "gaussian",
        "sha256_of_shape_dtype_first_and_last_frame",
    ):  # fmt: skip
        assert words in text
    advice = [item for item in shown.all("li") if item.get("class") in ("info", "warning")]
    assert advice
    n_cells = len(read_rois(fused_files.labels))
    assert f"fused {n_cells} 1.00 1.00 1.00 1.00 1.00 1.00 truth {n_cells} –" in " ".join(
        shown.cells
    )


def test_weights_and_map_are_those_that_were_found(whole_report, fused_files):
    weights = np.array(fused_files.result.findings["weights"])
    shown = Reader(whole_report.read_text())
    cells = [cell for cell in shown.all("rect") if cell["class"].startswith("cell")]
    assert len(cells) == weights.size + 4
    opacities = [float(cell["fill-opacity"]) for cell in cells[-weights.size :]]
    np.testing.assert_allclose(opacities, weights[::-1].ravel(), atol=0.0051)
    assert [cell["class"] for cell in cells[:4]] == ["cell", "cell", "cell empty", "cell"]


def test_one_file_that_asks_for_nothing(whole_report):
    text = whole_report.read_text()
    shown = Reader(text)
    assert not shown.all("link")
    assert not shown.all("iframe")
    for name, attributes in shown.elements:
        assert not any(key.startswith("on") or key == "style" for key in attributes), name
        for key in ("src", "href"):
            if key in attributes:
                assert attributes[key].startswith("data:")
    (policy,) = (m["content"] for m in shown.all("meta") if m.get("http-equiv"))
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    for name in ("style", "script"):
        inside = text.split(f"<{name}>")[1].split(f"</{name}>")[0]
        digest = b64encode(sha256(inside.encode()).digest()).decode()
        assert f"{name}-src 'sha256-{digest}'" in policy


def test_hostile_names_are_text(whole_report):
    text = whole_report.read_text()
    assert "<script>alert" not in text
    shown = Reader(text)
    assert len(shown.all("script")) == 1
    assert "<script>alert(1)</script>&'<b>.tif" in str(shown)


def test_a_large_field_stays_small(contents):
    """Noise, which compresses worst, and all there is to show of it."""
    rng = np.random.default_rng(0)
    side = 1500
    large = {
        name: replace(seen, mean=rng.random((side, side)))
        for name, seen in {**contents.seen, "truth": contents.seen["fused"]}.items()
    }
    shape = (90, side, side)
    sources = {name: replace(contents.sources["raw"], name=name, shape=shape) for name in large}
    shown = replace(
        contents, seen=large, sources=sources, regions=[],
        frames={name: seen.mean for name, seen in large.items()},
    )  # fmt: skip
    text = page(shown)
    assert len(text) + 4 / 3 * 3_500_000 < 15e6
    assert "Means over 2 × 2 pixels are shown" in text or "Means over 3 × 3" in text


def test_the_movie_stays_small(monkeypatch):
    monkeypatch.setattr("freq2clean.report.html.movies.MOST_BYTES", 300_000)
    rng = np.random.default_rng(0)
    noise = ArrayRecording(rng.random((100, 90, 90), np.float32))
    movie = short_movie({"raw": noise, "fused": noise}, frame=99, place=(0, 0))
    assert len(movie.content) <= 300_000
    assert "99" in movie.caption


def test_without_pyav_the_movie_is_an_image_that_can_be_closed(contents, monkeypatch):
    monkeypatch.setattr("freq2clean.report.encoders.find_spec", lambda name: None)
    rng = np.random.default_rng(0)
    noise = ArrayRecording(rng.random((20, 40, 40), np.float32))
    movie = short_movie({"raw": noise, "fused": noise}, frame=3, place=(5, 5))
    assert movie.kind == "image/gif"
    with Image.open(BytesIO(movie.content)) as image:
        assert image.n_frames == 20
    shown = Reader(joined(sections(replace(contents, movie=movie))))
    assert any("Show the movie" in text for text in shown.text)
    assert not shown.all("video")


def test_a_report_by_arrays_without_anything_known(fused_files, tmp_path):
    raw, denoised, fused = (open_recording(path)[:] for path in fused_files[:3])
    seen = []
    out = tmp_path / "report.html"
    written = write_report(
        raw, denoised, fused, out=out, progress=lambda done, total: seen.append(done / total)
    )
    assert written.n_bytes == out.stat().st_size
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    assert seen == sorted(seen)
    assert seen[-1] == pytest.approx(1)
    assert "does not say how it was made" in out.read_text()


def test_fewer_denoised_frames_are_aligned(fused_files, tmp_path):
    raw, denoised, fused, truth = (open_recording(path)[:] for path in fused_files[:4])
    out = tmp_path / "report.html"
    write_report(raw, denoised[5:], fused[5:], out=out, truth=truth, align="end")
    assert "85 frames of 72 × 80 pixels" in out.read_text()
    with pytest.raises(InputError, match="--align"):
        write_report(raw, denoised[5:], fused[5:], out=out)


def test_refused_before_any_work(fused_files, tmp_path):
    three = fused_files[:3]
    for out, message in (
        (tmp_path / "report.pdf", "ends in .html"),
        (tmp_path / "a" / "report.html", "there is no folder"),
    ):
        with pytest.raises(OutputError, match=message):
            write_report(*three, out=out)
    (tmp_path / "folder.html").mkdir()
    with pytest.raises(OutputError, match="is a folder"):
        write_report(*three, out=tmp_path / "folder.html")
    with pytest.raises(OutputError, match="one of the inputs"):
        check_report(tmp_path / "x.html", inputs=[str(tmp_path / "x.html")])
    with pytest.raises(InputError, match="must be equal"):
        write_report(*three[:2], np.zeros((90, 72, 81)), out=tmp_path / "report.html")
    labels = Rois.from_label_image(np.eye(5, dtype=int))
    for rois, message in (({"fused": labels}, "5 x 5 pixels"), ({"best": labels}, "'best'")):
        with pytest.raises(InputError, match=message):
            write_report(*three, out=tmp_path / "report.html", known=Known(rois=rois))
    assert [path.name for path in tmp_path.iterdir()] == ["folder.html"]


def test_rois_are_read_from_every_kind_of_file(fused_files, tmp_path):
    labels = read_rois(fused_files.labels)
    labels.save(tmp_path / "rois.npz")
    again = read_rois(tmp_path / "rois.npz")
    np.testing.assert_array_equal(again.label_image(), labels.label_image())
    np.save(tmp_path / "masks.npy", labels.masks())
    assert len(read_rois(tmp_path / "masks.npy")) == len(labels)


@pytest.mark.parametrize("shape", [(2, 8, 8), (20, 3, 40), (1, 16, 16)])
def test_small_recordings_are_reported_too(shape, tmp_path):
    raw = np.random.default_rng(0).poisson(5, shape).astype(np.uint16)
    denoised = np.full(shape, 5, np.float32)
    write_report(raw, denoised, denoised, out=tmp_path / "report.html")
    assert f"{shape[0]} frames of" in (tmp_path / "report.html").read_text()


def test_what_is_missing_stays_missing(fused_files, gain, tmp_path):
    """Part of the field without values, an ROI there, and a gain of which nothing is known."""
    arrays = [open_recording(path)[:].astype(np.float32) for path in fused_files[:3]]
    for array in arrays:
        array[:, :20, :20] = np.nan
    labels = np.zeros((72, 80), int)
    labels[2:9, 2:9], labels[40:50, 40:50] = 1, 2
    empty = replace(
        gain, db=None, interval_db=(None, None), map_db=((None, None), (None, None)),
        ring_correlation_denoised=(None,) * 4, ring_correlation_fused=(None,) * 4,
        detail_px_denoised=None, detail_px_fused=None,
    )  # fmt: skip
    known = Known(gain=empty, rois={"fused": Rois.from_label_image(labels)})
    out = tmp_path / "report.html"
    write_report(*arrays, out=out, known=known)
    text = out.read_text()
    assert "Region 2" in text
    assert "nan" not in text.split("<main>")[1].split("data:")[0]
    assert 'd=""' in text  # the trace of the first ROI

"""The report as a reader meets it: in a real browser, with mouse, keyboard and printer."""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import BytesIO
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image
from tests.report.chromium import Chromium

from freq2clean.report.html import write_report

CONTRASTS = """
(() => {
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => {
    const linear = [r, g, b].map((v) => {
      v /= 255;
      return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
  };
  const behind = (element) => {
    for (; element; element = element.parentElement) {
      const colour = parse(getComputedStyle(element).backgroundColor);
      if (colour.length < 4 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const found = {};
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
    if (!own || !element.checkVisibility() || element.closest(".stage, title, option")) continue;
    const style = getComputedStyle(element);
    const isSvg = element instanceof SVGElement;
    if (isSvg && element.matches(".number, .cell-text")) continue;
    const pair = [parse(isSvg ? style.fill : style.color), behind(element)].map(light);
    const ratio = (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
    const name = `${element.tagName}.${element.getAttribute("class") ?? ""}`;
    found[name] = Math.min(found[name] ?? 99, ratio);
  }
  return found;
})()
"""


@pytest.fixture
def page(browser, whole_report) -> Iterator[Chromium]:
    """The report on a screen, freshly opened; at the end it must have kept quiet."""
    browser.size(1000, 900)
    browser.media()
    browser.open(whole_report)
    yield browser
    browser.settle()
    assert browser.complaints == []
    assert browser.requests == [whole_report.as_uri()]


def stage(page, kind="mean"):
    """The box of a pair of images, scrolled into view."""
    page.run(f"document.querySelector('#{kind}-viewer .stage').scrollIntoView()")
    page.settle()
    return page.run(
        f"document.querySelector('#{kind}-viewer .stage').getBoundingClientRect().toJSON()"
    )


def seen(page, kind="mean"):
    """The grey values that are on the screen there."""
    box = stage(page, kind)
    with Image.open(BytesIO(page.picture())) as picture:
        grey = np.asarray(picture.convert("L"))
    rows = slice(int(box["top"]) + 1, min(int(box["bottom"]), grey.shape[0]) - 1)
    return grey[rows, int(box["left"]) + 1 : int(box["right"]) - 1]


def transforms(page):
    """Of all images in the pairs; one value where they zoom and move together."""
    return set(
        page.run(
            "[...document.querySelectorAll('.pane img')].map(i => getComputedStyle(i).transform)"
        )
    )


def zoom(page):
    return page.run("[...document.querySelectorAll('.zoom output')].map(o => o.textContent)")


def focus(page, selector):
    page.run(f"document.querySelector('{selector}').focus()")


def test_the_page_opens_quietly_and_shows_all_images(page):
    sizes = page.run("[...document.images].map(i => i.naturalWidth)")
    assert len(sizes) == 2 * 4 + 2 * 2
    assert min(sizes) == 80
    assert page.run("document.querySelectorAll('script').length") == 1
    video = page.run("document.querySelectorAll('video, .movie img').length")
    assert video == 1
    page.wait("[...document.querySelectorAll('video')].every(v => v.readyState >= 2)")


def test_moving_the_slider_moves_the_picture(page):
    pictures = {}
    for value in (0, 50, 100):
        page.run(
            f"(() => {{ const s = document.querySelector('#mean-divider'); s.value = {value};"
            "s.dispatchEvent(new Event('input')); })()"
        )
        pictures[value] = seen(page)[60:].astype(int)  # below the names
    width = pictures[50].shape[1]
    left, right = slice(0, width // 2 - 25), slice(width // 2 + 25, None)
    assert np.abs(pictures[0] - pictures[100]).mean() > 2
    np.testing.assert_array_equal(pictures[50][:, left], pictures[100][:, left])
    # a scale bar is drawn over both
    np.testing.assert_array_equal(pictures[50][:-60, right], pictures[0][:-60, right])


def test_dragging_moves_the_divider(page):
    box = stage(page)
    y = box["top"] + 100
    page.drag((box["left"] + box["width"] / 2, y), (box["left"] + box["width"] / 4, y))
    assert abs(float(page.run("document.querySelector('#mean-divider').value")) - 25) <= 1


def test_the_divider_by_keyboard(page):
    focus(page, "#frame-divider")
    page.press("ArrowLeft")
    assert page.run("document.querySelector('#frame-divider').value") == "49"
    page.press("Home")
    assert page.run(
        "getComputedStyle(document.querySelector('#frame-viewer .pane.right')).clipPath"
    ) in ("inset(0px 0px 0px 0%)", "inset(0px)")
    assert page.run("document.querySelector('#frame-divider').ariaValueText") == (
        "0 % from the left"
    )


def test_zoom_and_place_are_the_same_in_all_images(page):
    assert len(transforms(page)) == 1
    before = transforms(page)
    page.run("document.querySelector('#mean-viewer [data-zoom=in]').click()")
    page.settle()
    assert zoom(page) == ["1.5×", "1.5×"]
    assert len(transforms(page)) == 1
    assert transforms(page) != before
    moved_from = transforms(page)
    box = stage(page, "frame")
    middle = box["left"] + box["width"] / 4, box["top"] + box["height"] / 4
    page.drag(middle, (middle[0] - 60, middle[1] - 40))
    assert len(transforms(page)) == 1
    assert transforms(page) != moved_from
    page.run("document.querySelector('#frame-viewer [data-zoom=whole]').click()")
    page.settle()
    assert zoom(page) == ["1×", "1×"]
    assert transforms(page) == before


def test_zoom_by_keyboard(page):
    focus(page, "#frame-viewer .stage")
    page.press("+")
    page.press("+")
    assert zoom(page) == ["2.3×", "2.3×"]
    before = transforms(page)
    page.press("ArrowRight")
    page.press("ArrowDown")
    assert len(transforms(page)) == 1
    assert transforms(page) != before
    page.press("-")
    assert zoom(page) == ["1.5×", "1.5×"]
    page.press("0")
    assert zoom(page) == ["1×", "1×"]


def test_the_wheel_zooms_with_control_only(page):
    box = stage(page)
    place = box["left"] + 50, box["top"] + 50
    page.wheel(place, -300, control=True)
    page.wait("document.querySelector('.zoom output').textContent !== '1×'")
    assert len(transforms(page)) == 1
    scrolled = page.run("scrollY")
    enlarged = zoom(page)
    page.wheel(place, 200, control=False)
    page.wait(f"scrollY > {scrolled}")
    assert zoom(page) == enlarged


def test_everything_is_reached_by_tab(page):
    page.run("document.activeElement.blur()")
    reached = []
    for _ in range(12):
        page.press("Tab")
        reached.append(page.run("document.activeElement.id || document.activeElement.className"))
    for name in ("mean-left", "mean-right", "stage", "mean-divider"):
        assert name in reached


@pytest.mark.parametrize("kind", ["raw", "truth"])
def test_choosing_a_recording_shows_it(page, kind):
    page.run(
        f"(() => {{ const s = document.querySelector('#frame-left'); s.value = '{kind}';"
        "s.dispatchEvent(new Event('change')); })()"
    )
    page.settle()
    assert page.run(
        "document.querySelector('#frame-viewer .pane.left img').src === "
        f"document.querySelector('#frame-viewer [data-name={kind}]').src"
    )
    assert page.run("document.querySelector('#frame-viewer .left .name').textContent") == kind


def test_the_scale_bar_is_round_and_right(page):
    length = page.run("document.querySelector('.scale-bar').textContent")
    bar = page.run("document.querySelector('.scale-bar').getBoundingClientRect().width")
    assert length == "10 µm"
    assert bar == pytest.approx(10 / (80 * 0.5) * stage(page)["width"], abs=1)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_is_readable(page, scheme):
    page.media(scheme=scheme)
    page.run("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    found = page.run(CONTRASTS)
    assert len(found) > 15
    assert min(found.values()) >= 4.5, found
    paper = page.run("getComputedStyle(document.body).backgroundColor")
    level = np.mean([int(value) for value in re.findall(r"\d+", paper)[:3]])
    assert level > 240 if scheme == "light" else level < 40


def test_a_narrow_window_shows_all_of_it(page):
    page.size(400, 800)
    page.settle()
    assert page.run("document.documentElement.scrollWidth") <= 400


def test_what_a_screen_reader_says(page):
    assert page.run("document.documentElement.lang") == "en"
    assert page.run("[...document.images].every(i => i.alt.length > 10)")
    assert page.run("[...document.querySelectorAll('input, select')].every(i => i.labels.length)")
    for selector in ("button", "label"):
        said = "e => e.ariaLabel || e.textContent.trim()"
        names = page.run(f"[...document.querySelectorAll('{selector}')].map({said})")
        assert all(names)
        assert selector == "button" or len(set(names[:2] + names[3:5])) == 4
    assert page.run(
        "[...document.querySelectorAll('svg[role=img]')].every(s => s.firstChild.tagName === "
        "'title' && s.firstChild.textContent.length > 10)"
    )
    levels = page.run("[...document.querySelectorAll('h1, h2, h3')].map(h => Number(h.tagName[1]))")
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(b - a <= 1 for a, b in pairwise(levels))
    ids = page.run("[...document.querySelectorAll('[id]')].map(e => e.id)")
    assert len(ids) == len(set(ids))


def test_printing_shows_all_images_and_no_controls(page):
    page.media(medium="print")
    shown = "[...document.querySelectorAll('{}')].filter(e => e.checkVisibility()).length"
    assert page.run(shown.format(".shot img")) == 8
    assert page.run(shown.format(".controls, .stage, .slider, video")) == 0
    page.media()
    pdf = page.pdf()
    assert pdf.startswith(b"%PDF")
    assert 2 <= len(re.findall(rb"/Type\s*/Page\b", pdf)) <= 12


def test_without_scripts_all_images_are_shown(browser, whole_report):
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.open(whole_report)
        shown = "[...document.querySelectorAll('.shot img')].every(e => e.checkVisibility())"
        assert browser.run(shown)
        assert browser.run("!document.querySelector('.controls').checkVisibility()")
    finally:
        browser.call("Emulation.setScriptExecutionDisabled", value=False)


def test_hostile_names_do_nothing(page):
    text = page.run("document.body.innerText")
    assert "</script>&'<b>.tif" in text
    assert page.run("document.querySelectorAll('main b').length") == 0
    assert "script>&'<b>.tif" in page.run("document.querySelector('header').innerText")


def test_the_policy_stops_what_is_slipped_in(browser, whole_report, tmp_path):
    """What came through all the same would neither run nor load."""
    hostile = (
        '<script>console.log("ran")</script><img src="https://example.invalid/a.png" alt="">'
        '<p onclick="console.log(1)" style="color: red" id="it">it</p>'
    )
    changed = tmp_path / "changed.html"
    changed.write_text(whole_report.read_text().replace("<main>", f"<main>{hostile}", 1))
    browser.open(changed)
    browser.run("document.querySelector('#it').click()")
    browser.settle()
    assert browser.requests == [changed.as_uri()]
    assert not any(complaint == "ran" for complaint in browser.complaints)
    assert len([c for c in browser.complaints if "Content Security Policy" in c]) >= 4
    assert browser.run("getComputedStyle(document.querySelector('#it')).color") != "rgb(255, 0, 0)"


def test_a_recording_without_metadata_and_a_wide_field(browser, tmp_path):
    rng = np.random.default_rng(3)
    raw = rng.poisson(5, (40, 12, 90)).astype(np.uint16)
    denoised = np.full(raw.shape, 5, np.float32) + rng.normal(0, 0.1, raw.shape).astype(np.float32)
    out = tmp_path / "report.html"
    write_report(raw, denoised, denoised, out=out)
    browser.size(1000, 900)
    browser.open(out)
    assert browser.complaints == []
    assert browser.run("document.querySelectorAll('.scale-bar').length") == 0
    box = stage(browser)
    assert box["width"] / box["height"] == pytest.approx(90 / 12, rel=0.02)

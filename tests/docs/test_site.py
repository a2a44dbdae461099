"""The site: links, formulas, nothing from elsewhere; and how it looks to a browser."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from urllib.parse import unquote, urldefrag, urlparse

import pytest
from tests.docs.conftest import ROOT

import freq2clean

pytestmark = pytest.mark.xdist_group("site")

LOADED = {"link": "href", "script": "src", "img": "src", "source": "src", "iframe": "src"}


class Page(HTMLParser):
    """What a page links to, what it loads, and which places in it can be linked to."""

    def __init__(self, text):
        super().__init__()
        self.links, self.loads, self.anchors, self.tags = [], [], set(), set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        named = dict(attrs)
        self.tags.add(tag)
        self.anchors |= {named[key] for key in ("id", "name") if named.get(key)}
        if tag == "a" and named.get("href"):
            self.links.append(named["href"])
        wanted = tag != "link" or named.get("rel") not in ("canonical", "prev", "next")
        if wanted and named.get(LOADED.get(tag, "")):
            self.loads.append(named[LOADED[tag]])


@pytest.fixture(scope="session")
def pages(site):
    return {path: Page(path.read_text()) for path in sorted(site.rglob("*.html"))}


def test_every_link_leads_somewhere(site, pages):
    """Also those in tables, in the navigation and to headings; other sites are not asked."""
    broken = []
    for path, page in pages.items():
        if path.name == "404.html":
            continue
        for link in (*page.links, *page.loads):
            if urlparse(link).scheme:
                continue
            file, anchor = urldefrag(link)
            target = (path.parent / unquote(file)).resolve() if file else path
            if target.is_dir():
                target /= "index.html"
            known = pages.get(target)
            if not target.exists() or (anchor and known and unquote(anchor) not in known.anchors):
                broken.append((str(path.relative_to(site)), link))
    assert len(pages) > 30
    assert broken == []


def test_nothing_is_loaded_from_elsewhere(pages):
    foreign = {load for page in pages.values() for load in page.loads if urlparse(load).scheme}
    assert {load for load in foreign if not load.startswith("data:")} == set()


def test_all_commands_and_all_names_are_there(site, pages):
    commands = (site / "commands.html").read_text()
    for words in ("freq2clean fuse", "freq2clean rois suite2p", "freq2clean study patch-t"):
        assert words in commands
    assert "--keep-fixed-pattern" in commands
    names = pages[site / "python.html"].anchors
    lacking = {name for name in freq2clean.__all__ if f"freq2clean.{name}" not in names}
    assert lacking == {"__version__"}


def test_formulas_are_mathml(site):
    text = (site / "mathematics.html").read_text()
    assert text.count("<math") > 50
    assert "arithmatex" not in text
    body = re.sub(r"<(pre|code|script)\b.*?</\1>", "", text, flags=re.DOTALL)
    assert re.findall(r"\\(?:hat|frac|sum|begin|[\[(])", body) == []


def test_every_example_of_the_gallery_shows_something(site):
    scripts = sorted((ROOT / "docs/gallery").glob("[0-9]*.py"))
    assert len(scripts) >= 5
    for script in scripts:
        text = (site / f"gallery/{script.stem}.html").read_text()
        assert "It prints:" in text or f'src="{script.stem}-' in text


def test_sources_of_pages_are_not_published(site):
    sources = [*site.rglob("*.py"), *site.rglob("*.md")]
    assert [str(path.relative_to(site)) for path in sources] == ["examples/slurm.py"]


@pytest.mark.parametrize("width", [390, 1440])
@pytest.mark.parametrize("page", ["index", "mathematics", "comparison", "commands", "quality"])
def test_nothing_sticks_out(site, browser, page, width):
    """At the width of a phone and of a desk; and the page loads from its own folder only."""
    browser.size(width, 900)
    browser.open(site / f"{page}.html")
    assert browser.run("document.documentElement.scrollWidth") <= width
    assert all(url.startswith("file://") for url in browser.requests)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_follows_light_and_dark(site, browser, scheme):
    browser.media(scheme=scheme)
    browser.open(site / "index.html")
    wanted = {"light": "default", "dark": "slate"}[scheme]
    browser.wait(f"document.body.dataset.mdColorScheme === {wanted!r}")
    colour = browser.run("getComputedStyle(document.body).backgroundColor")
    brightness = sum(map(int, re.findall(r"\d+", colour)[:3])) / 3
    assert (brightness > 128) == (scheme == "light")

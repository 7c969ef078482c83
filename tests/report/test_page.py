"""The report: everything from the data files is text, and no request leaves the page."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from examples import SETTINGS, SIX_PAPERS, make_survey

from survey_tools.report.page import render_report
from survey_tools.results import StudyResult
from survey_tools.run import run_study

Analyse = Callable[..., StudyResult]
SCRIPT = "<script>alert(1)</script>"
IMAGE = '"><img src=x onerror=alert(1)>'
KEY = "k\"e'<b>&amp;y#%41"
PAPERS: list[dict[str, Any]] = [
    {"key": KEY, "title": SCRIPT, "url": "javascript:alert(1)", "authors": [IMAGE], "year": 1},
    {"key": "p2", "title": f"Script {SCRIPT}", "url": "data:text/html,x", "venue": IMAGE},
    {"key": "p3", "title": "]]> --> </svg> </title> </style>", "url": " javascript:x"},
    {"key": "p4", "title": "{{ 7 * 7 }} {% raw %} $x^2$", "url": 'https://e.org/"onx="y'},
    {"key": "p5", "title": "遮蔽 image &lt;b&gt; modeling", "url": "https://e.org/?a=1&b=2"},
    {"key": "p6", "title": "masked image modeling", "digest": IMAGE, "url": "//e.org/x"},
]
TAXONOMY: dict[str, Any] = {
    "axes": {
        "mark<b>up": {
            "title": f"Axis {SCRIPT}",
            "otherwise": "<i>other</i>",
            "labels": {"<u>l</u>": {"title": f"Label {IMAGE}"}, "two": {}},
        }
    },
    "papers": {KEY: {"mark<b>up": ["<u>l</u>"]}, "p2": {"mark<b>up": ["two"]}, "p3": {}, "p4": {}},
}
SUBTREES: dict[str, Any] = {
    "names": [
        {"name": f"Name {SCRIPT}", "papers": [KEY, "p2"], "note": IMAGE},
        {"name": "lost <b>", "papers": [KEY, "p2", "p3", "p4", "p5", "p6"], "jaccard": 1.0},
    ],
    "min_jaccard": 0.1,
}

# elements that the template and matplotlib write; image is the colour bar, inlined as data
ALLOWED = {
    *("html", "head", "meta", "title", "style", "body", "header", "h1", "h2", "h3", "p", "nav"),
    *("a", "section", "figure", "figcaption", "div", "table", "thead", "tbody", "tr", "th", "td"),
    *("details", "summary", "strong", "ol", "ul", "li", "span", "code"),
    *("svg", "g", "path", "text", "defs", "clippath", "use", "pattern", "rect", "image"),
    *("metadata", "rdf:rdf", "cc:work", "dc:type", "dc:format", "dc:creator", "cc:agent"),
    "dc:title",
}
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync "
    "--disable-background-networking --disable-component-update --dump-dom"
)


class Page(HTMLParser):
    """Collects elements with their attributes, and the text outside style."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag in self._open:
            while self._open.pop() != tag:
                pass

    def handle_data(self, data: str) -> None:
        if "style" not in self._open:
            self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


def run_hostile(base: Path, **figures: object) -> Path:
    """Run a survey whose every text tries to get out of its place; return its output."""
    folder = make_survey(
        base / "survey",
        papers=PAPERS,
        taxonomy=TAXONOMY,
        subtrees=SUBTREES,
        settings={
            **SETTINGS,
            "title": f"Survey {SCRIPT}",
            "text": {"token_pattern": r"\S+", "lowercase": False, "stop_words": "none"},
        },
    )
    overrides = {"doi": IMAGE} | {f"figures.{name}": value for name, value in figures.items()}
    run_study(folder, base / "out", command="run", overrides=overrides)
    return base / "out"


@pytest.fixture(scope="module")
def hostile_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the output of a hostile survey, drawn as by default."""
    return run_hostile(tmp_path_factory.mktemp("hostile"))


@pytest.fixture(scope="module")
def source(hostile_folder: Path) -> str:
    return (hostile_folder / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(source: str) -> Page:
    return Page(source)


def test_no_data_becomes_an_element_or_a_handler(page: Page) -> None:
    """There is no script, no image, no frame, and no attribute that runs code."""
    assert {tag for tag, _ in page.elements} <= ALLOWED
    for tag, attributes in page.elements:
        assert not [name for name in attributes if name.startswith("on")], tag


def test_what_the_data_files_say_is_shown_as_text(page: Page) -> None:
    """Markup in titles, keys, names, labels and axis titles reads as it was written."""
    for words in (
        *(paper["title"] for paper in PAPERS),
        KEY,
        f"Survey {SCRIPT}",
        f"Axis {SCRIPT}",
        f"Name {SCRIPT}",
        "lost <b>",
        IMAGE,
    ):
        assert words in page.text, words


def test_the_figures_inside_the_page_escape_their_text(page: Page, source: str) -> None:
    """The inline SVG holds all titles as text elements, and leaves with a key as their id."""
    assert source.count("<svg") == 9
    ids = {attributes.get("id") for tag, attributes in page.elements if tag == "g"}
    assert {f"leaf-{paper['key']}" for paper in PAPERS} <= ids
    svg = "".join(re.findall(r"<svg.*?</svg>", source, re.DOTALL))
    assert "&lt;script&gt;" in svg
    assert "<script" not in svg.lower()


def test_only_web_links_can_be_clicked(page: Page) -> None:
    """Links with javascript:, data: or without a scheme are dropped; https is kept."""
    links = [attributes["href"] for tag, attributes in page.elements if tag == "a"]
    outside = [link for link in links if link and not link.startswith("#")]
    assert sorted(outside) == ['https://e.org/"onx="y', "https://e.org/?a=1&b=2"]


def links_inside(page: Page) -> set[str]:
    """Return the anchors that the page links to; each must be the id of one element."""
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    anchors = {
        unquote(str(attributes["href"])[1:])
        for tag, attributes in page.elements
        if tag == "a" and str(attributes["href"]).startswith("#")
    }
    for anchor in anchors:
        assert ids.count(anchor) == 1, anchor
    return anchors


def test_links_inside_the_page_lead_somewhere(page: Page) -> None:
    """Every #anchor is the id of one element, also for a key with quotes and signs."""
    assert f"leaf-{KEY}" in links_inside(page)


STYLES: dict[str, tuple[dict[str, object], bool]] = {
    "circular": ({"style": "circular", "leaf_label": "key", "width_mm": 300}, True),
    "top-down": ({"style": "top-down", "leaf_label": "key"}, True),
    "bands": ({"names": "bands", "strips": ["taxonomy", "year", "venue"]}, True),
    "labels": ({"names": "labels", "leaf_label": "number-title"}, True),
    "collapsed": ({"style": "collapsed", "n_shown": 3}, False),
    "overview": ({"style": "overview"}, True),
    "heat-map": ({"style": "heat-map"}, True),
}


@pytest.mark.parametrize("style", STYLES)
def test_no_style_lets_data_out_or_links_to_nothing(tmp_path: Path, style: str) -> None:
    """Whatever the figure shows, the page holds no foreign element and no dead link."""
    figures, has_leaves = STYLES[style]
    page = Page((run_hostile(tmp_path, **figures) / "report.html").read_text(encoding="utf-8"))
    assert {tag for tag, _ in page.elements} <= ALLOWED
    for tag, attributes in page.elements:
        assert not [name for name in attributes if name.startswith("on")], tag
    assert (f"leaf-{KEY}" in links_inside(page)) == has_leaves


def test_nothing_is_loaded_from_anywhere(page: Page, source: str) -> None:
    """No attribute or style that fetches: what is referred to lies inside the page."""
    for tag, attributes in page.elements:
        assert not set(attributes) & {"src", "srcset", "data", "poster", "background", "action"}
        for name in ("href", "xlink:href"):
            if name in attributes and tag != "a":
                target = str(attributes[name])
                inline = tag == "image" and target.startswith("data:image/png;base64,")
                assert target.startswith("#") or inline
    assert "@import" not in source
    assert set(re.findall(r"url\((.)", source)) <= {"#"}
    assert "<link" not in source
    assert "<base" not in source


def test_the_content_security_policy_forbids_scripts_and_requests(page: Page, source: str) -> None:
    """The policy stands before anything it must govern, and names nothing outside."""
    policies = [
        str(attributes["content"])
        for tag, attributes in page.elements
        if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    assert len(policies) == 1
    rules = dict(rule.strip().split(" ", 1) for rule in policies[0].split(";") if rule.strip())
    assert rules["default-src"] == "'none'"
    assert "script-src" not in rules
    assert rules["base-uri"] == rules["form-action"] == "'none'"
    assert set(" ".join(rules.values()).split()) <= {"'none'", "'unsafe-inline'", "data:"}
    assert source.index("Content-Security-Policy") < source.index("<title>")


def test_the_svg_files_are_well_formed(hostile_folder: Path) -> None:
    """What stands in the figures folder is XML, whatever the titles say."""
    import xml.etree.ElementTree as ElementTree

    files = sorted((hostile_folder / "figures").glob("*.svg"))
    assert len(files) == 9
    for path in files:
        ElementTree.fromstring(path.read_text(encoding="utf-8"))  # noqa: S314  our own file


def test_every_paper_stands_in_its_cluster_once(
    hostile_folder: Path, page: Page, source: str
) -> None:
    """The list of each cluster holds its papers' keys, in the page as in the table."""
    import csv
    import html

    with (hostile_folder / "tables" / "papers.csv").open(encoding="utf-8", newline="") as file:
        expected = {row["paper_key"]: row["cluster"] for row in csv.DictReader(file)}
    found = {}
    for block in re.findall(r'<details id="(C\d+)">(.*?)</details>', source, re.DOTALL):
        for key in re.findall(r"<code>(.*?)</code>", block[1]):
            assert key not in found
            found[html.unescape(key)] = block[0]
    assert found == expected


def test_settings_and_options_are_shown(page: Page) -> None:
    """A reader sees what was overridden on the command line."""
    assert f"doi = {IMAGE}" in page.text


def test_a_survey_without_taxonomy_and_names_has_no_section_about_them(tmp_path: Path) -> None:
    """Sections without content are left out, with the links to them."""
    folder = make_survey(tmp_path / "survey", taxonomy=None, subtrees=None)
    run_study(folder, tmp_path / "out", command="report")
    page = Page((tmp_path / "out" / "report.html").read_text(encoding="utf-8"))
    assert "Taxonomy against clusters" not in page.text
    assert "Named sub-trees" not in page.text
    assert "Three" not in page.text


@pytest.mark.parametrize("n_permutations", [0, 50])
def test_a_report_without_tests_against_chance_claims_none(
    tmp_path: Path, n_permutations: int
) -> None:
    """With 0 permutations and resamples the cells say so and nothing fails."""
    folder = make_survey(tmp_path / "survey")
    overrides = {"crosscheck.n_permutations": n_permutations, "crosscheck.n_resamples": 0}
    run_study(folder, tmp_path / "out", command="report", overrides=overrides)
    text = Page((tmp_path / "out" / "report.html").read_text(encoding="utf-8")).text
    assert ("Not tested against chance" in text) is (n_permutations == 0)
    assert "nan" not in text.split()
    assert "None" not in text.split()


def render_changed(result: StudyResult, **changes: Any) -> Page:
    """Render the report of a result whose cross-check is changed."""
    assert result.crosscheck is not None
    changed = replace(result, crosscheck=replace(result.crosscheck, **changes))
    manifest = {
        "overrides": {},
        "settings": result.settings.model_dump(mode="json"),
        "versions": {"survey-tools": "0"},
        "inputs": {},
        "corpus_digest": "0",
    }
    return Page(render_report(changed, setup="", figures={"dendrogram": []}, manifest=manifest))


def test_label_sets_that_are_too_many_are_named_where_they_would_stand(
    six_result: StudyResult,
) -> None:
    """The axis has its other indices, a sentence above and a line in the table."""
    assert six_result.crosscheck is not None
    first, second, cells = six_result.crosscheck.axes
    left = {second.name: six_result.crosscheck.overlaps[second.name]}
    missing = {first.name: 5400, cells.name: 6000}
    page = render_changed(six_result, overlaps=left, uncompared_sets=missing)
    assert (
        f"of {first.title} (5,400 pairs of a cluster and a label set); {cells.title} (6,000 pairs "
        "of a cluster and a label set): at most 4,000 pairs"
    ) in page.text
    for n_pairs in ("5,400", "6,000"):
        line = f"Label sets are not compared: {n_pairs} pairs of a cluster and a label set"
        assert page.text.count(line) == 1
    assert page.text.count("Omega") == 1 + 1  # the sentence, and the row of the second axis
    assert render_changed(six_result).text.count("Omega") == 3


def test_filed_papers_that_are_not_clustered_are_told(six_result: StudyResult) -> None:
    """In one sentence, beside the papers that are clustered and not filed."""
    text = render_changed(six_result, missing_keys=("gone<1>", "gone2")).text
    assert "5 clustered papers are filed in the taxonomy; 1 is not and was left out" in text
    assert (
        "The taxonomy files 2 papers that are not clustered and take no part: gone<1>, gone2."
        in text
    )


def test_a_browser_shows_every_title_and_runs_nothing(hostile_folder: Path, tmp_path: Path) -> None:
    """Chromium opens the page from disk; its document holds the titles as text."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser is None:
        if os.environ.get("CI"):
            pytest.fail("chromium is needed in CI: apt-get install chromium")
        pytest.skip("chromium is not installed")
    dumped = subprocess.run(
        [
            browser,
            *FLAGS.split(),
            f"--user-data-dir={tmp_path / 'profile'}",
            (hostile_folder / "report.html").as_uri(),
        ],
        check=True,
        capture_output=True,
        timeout=120,
    ).stdout.decode()
    page = Page(dumped)
    for paper in PAPERS:
        assert paper["title"] in page.text
    assert not [tag for tag, _ in page.elements if tag in ("script", "img")]
    leaves = [
        a for tag, a in page.elements if tag == "g" and (a.get("id") or "").startswith("leaf-")
    ]
    assert len(leaves) == len(PAPERS) == len(SIX_PAPERS)


def test_terms_are_separated_and_control_characters_are_not_printed(tmp_path: Path) -> None:
    """Lists keep the blank after the comma; characters that reverse or break text do not pass."""
    papers = [*SIX_PAPERS[1:], {**SIX_PAPERS[0], "title": "Masked \u202epixel\x00 reconstruction"}]
    survey = make_survey(tmp_path / "survey", papers=papers)
    run_study(survey, tmp_path / "out", command="report")
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert re.search(r"<td>\w+, \w+", page)
    assert "Masked  pixel  reconstruction" in page
    assert "\u202e" not in page
    assert "\x00" not in page
    assert "−0.000" not in page

"""The robustness chapter: every verdict and every run stands in it, and data stay text."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from survey_tools.figures.style import figure_style, render_svg
from survey_tools.report.robustness_page import render_card, render_section
from survey_tools.report.robustness_rows import count_runs, list_methods
from survey_tools.robustness.assessment import Robustness, RunRow, VariantResult
from survey_tools.robustness.card import write_card
from survey_tools.robustness.choices import InfluenceOfDesign
from survey_tools.robustness.gap import GapStatistic
from survey_tools.robustness.influence_record import (
    Estimate,
    FactorInfluence,
    Influence,
    LevelMean,
    PairInfluence,
)
from survey_tools.robustness.material import Target
from survey_tools.robustness.null_comparison import NullComparison
from survey_tools.robustness.numbers import NumberOfClusters
from survey_tools.robustness.plan import Design, Plan
from survey_tools.robustness.run import CorpusKind, Resample, Run
from survey_tools.robustness.setting import Setting
from survey_tools.robustness.stability import (
    FamilyScore,
    PaperStability,
    Support,
    TargetStability,
)
from survey_tools.settings import ClusteringSettings, RobustnessRule, SurveySettings, TextSettings

SCRIPT = "<script>alert(1)</script>"
IMAGE = '"><img src=x onerror=alert(1)>'
OWN = Setting.of_survey(TextSettings(), ClusteringSettings(), 3)
NAN = float("nan")
NOT_RUN = NumberOfClusters(
    n_clusters=(2, 3, 4),
    ambiguity=None,
    relative=None,
    gap=None,
    silhouettes=(None, None, None),
    null_silhouettes=(),
)
GAP = GapStatistic(
    n_clusters=np.array([1, 2, 3, 4]),
    log_dispersion=np.array([4.0, 3.0, 2.0, 1.0]),
    expected=np.array([4.0, 3.1, 2.25, 1.5]),
    gaps=np.array([0.0, 0.1, 0.25, 0.5]),
    standard_errors=np.full(4, 0.01),
    n_references=np.full(4, 20),
    chosen=4,
    is_open=True,
    chosen_by_maximum=4,
)
ALLOWED = {
    *("section", "h2", "h3", "p", "ul", "li", "strong", "code", "div", "table", "thead", "tbody"),
    *("tr", "th", "td", "details", "summary"),
}
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync "
    "--disable-background-networking --disable-component-update --dump-dom"
)


class Page(HTMLParser):
    """Collects elements, the text outside style, and the cells of every row."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.rows: list[list[str]] = []
        self._open: list[str] = []
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._open.append(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        if tag in self._open:
            while self._open.pop() != tag:
                pass

    def handle_data(self, data: str) -> None:
        if "style" in self._open:
            return
        self.texts.append(data)
        if "td" in self._open or "th" in self._open:
            self.rows[-1][-1] += data

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())

    @property
    def tags(self) -> set[str]:
        return {tag for tag, _ in self.elements}

    def row(self, first: str) -> list[str]:
        """Return the cells of the only row that begins so."""
        (found,) = [row for row in self.rows if row[0] == first]
        return found


def make_row(
    failure: str = "",
    *,
    resample: Resample = "none",
    draw: int = 0,
    corpus: CorpusKind = "own",
    setting: Setting = OWN,
) -> RunRow:
    return RunRow(
        run=Run(setting=setting, resample=resample, draw=draw, corpus=corpus),
        failure=failure,
        notes=(),
        n_terms=9,
        n_clusters=3,
        n_noise=0,
        agreement={"ARI": 0.5},
        axes={},
    )


def make_target(name: str, kind: str = "cluster", **changes: Any) -> TargetStability:
    found = TargetStability(
        target=Target(name=name, kind=kind, paper_keys=("a", "b")),
        is_in_reference=kind != "meant",
        families={
            "one choice": FamilyScore(
                n_runs=30, mean_jaccard=0.875, share_found=0.7475, share_lost=0.0
            ),
            "papers": FamilyScore(n_runs=40, mean_jaccard=0.5, share_found=0.25, share_lost=0.5),
        },
        cluster_jaccard=0.625,
        support=Support(au=0.9475, bp=0.5, au_error=0.03),
        by_chance=0.125,
        verdict="fragile",
    )
    return replace(found, **changes)


def make_result(**changes: Any) -> Robustness:
    """Build a result of three runs and one cluster, with no part that may be missing."""
    rows = changes.pop("rows", tuple(make_row(resample="seed", draw=i) for i in range(3)))
    result = Robustness(
        plan=Plan(runs=tuple(row.run for row in rows), designs=()),
        own=OWN,
        rule=RobustnessRule(),
        rows=rows,
        targets=(make_target("C1"),),
        papers=(),
        influences=(),
        nulls=(),
        numbers=NOT_RUN,
        variants=(),
        n_replicates=0,
        n_supported={},
        paper_keys=("a", "b", "c"),
        coassociation=np.eye(3),
        n_coassociated=0,
        consensus_tree=None,
    )
    return replace(result, **changes)


def exactly(value: float) -> Estimate:
    return Estimate(value=value, low=NAN, high=NAN)


def make_influence(design: str, **changes: Any) -> InfluenceOfDesign:
    factors = tuple(
        FactorInfluence(
            factor=name,
            first=Estimate(value=share, low=share - 0.125, high=share + 0.125),
            total=exactly(NAN),
            levels=(LevelMean(level=f"level of {name}", n_runs=7, mean=exactly(0.3)),),
        )
        for name, share in (("text", 0.5), ("norm", -0.0625))
    )
    influence = Influence(
        response="the adjusted Rand index",
        method="sample",
        note="an estimate",
        n_runs=190,
        n_combinations=200,
        variance=0.1,
        factors=factors,
        pairs=(PairInfluence(factors=("text", "norm"), share=exactly(0.0625)),),
        unexplained=exactly(0.25),
        confidence=0.95,
        n_draws=300,
    )
    return InfluenceOfDesign(design=design, response="ARI", influence=replace(influence, **changes))


def make_null(corpus: CorpusKind, title: str = "mean silhouette") -> NullComparison:
    return NullComparison(
        measure="silhouette",
        title=title,
        corpus=corpus,
        value=0.5,
        mean=0.25,
        low=0.125,
        high=0.375,
        n_nulls=19,
        p_value=0.05,
    )


def make_variant(name: str, failure: str = "") -> VariantResult:
    row = make_row(failure, setting=OWN.replace(min_df=0.5, weighting="bm25"))
    return VariantResult(name=name, row=row, found=("C1",), lost=("C2", "C3"))


def render(
    result: Robustness,
    comparison: Sequence[str] = (),
    figures: dict[str, list[str]] | None = None,
) -> Page:
    return Page(render_section(write_card("A survey", result), comparison, figures or {}))


def hostile_result() -> Robustness:
    """Build a result whose every text tries to get out of its place."""
    paper = PaperStability(paper_key=f"key {SCRIPT}", home=IMAGE, at_home={"papers": 0.5}, mean=0.5)
    return make_result(
        targets=(
            make_target(f"cluster {SCRIPT}"),
            make_target(f"name {SCRIPT}", "name"),
            make_target(f"meant {IMAGE}", "meant", verdict="not in the reference"),
        ),
        rows=(make_row(f"because {SCRIPT}"), make_row(resample="seed")),
        papers=(paper,),
        influences=(
            make_influence("latin-hypercube", note=f"note {IMAGE}"),
            make_influence(f"design {SCRIPT}", method="none", factors=(), pairs=()),
        ),
        nulls=(make_null("shuffled", f"measure {SCRIPT}"),),
        variants=(make_variant(f"variant {SCRIPT}"), make_variant("worse", f"cause {IMAGE}")),
        plan=Plan(runs=(), designs=(Design(name="grid<b>", cells=(), levels=(), n_meaningless=2),)),
    )


def test_no_text_from_the_data_becomes_an_element() -> None:
    """Names, keys, reasons, notes and sentences with markup read as they were written."""
    page = render(hostile_result(), (f"Against {SCRIPT}.",))
    assert page.tags <= ALLOWED
    for tag, attributes in page.elements:
        assert set(attributes) <= {"id", "class", "colspan"}, tag
    for words in (
        *(f"cluster {SCRIPT}", f"name {SCRIPT}", f"meant {IMAGE}", f"key {SCRIPT}", IMAGE),
        *(f"because {SCRIPT}", f"note {IMAGE}", f"design {SCRIPT}", f"measure {SCRIPT}"),
        *(f"variant {SCRIPT}", f"cause {IMAGE}", "grid<b>", f"Against {SCRIPT}."),
    ):
        assert words in page.text, words


def test_the_verdicts_and_the_rule_stand_first() -> None:
    """Every verdict of the card with its title, and what the words mean."""
    card = write_card("A survey", hostile_result())
    text = render(hostile_result()).text
    assert text.startswith("Would the clusters still be there?")
    for title, sentence in card.verdicts:
        assert f"{title}: {' '.join(sentence.split())}" in text
    assert card.rule in text


def test_a_cluster_has_its_numbers_in_its_row() -> None:
    """Verdict, papers, mean Jaccard and share found of each family, clusterboot, AU, chance."""
    page = render(make_result())
    assert page.row("Cluster") == [
        *("Cluster", "Verdict", "Papers", "one other choice", "other papers"),
        *("clusterboot", "AU", "By chance"),
    ]
    assert page.row("C1") == [
        *("C1", "fragile", "2", "0.88 / 0.748", "0.50 / 0.250"),  # 0.7475 is not yet 0.75
        *("0.62", "0.948 ± 0.03", "0.12"),
    ]


def test_what_is_undefined_is_a_dash() -> None:
    """None and NaN alike, in every column; no text says nan or None."""
    nothing = FamilyScore(n_runs=1, mean_jaccard=NAN, share_found=NAN, share_lost=NAN)
    gone = make_target(
        "C2", families={"papers": nothing}, cluster_jaccard=None, support=None, by_chance=None
    )
    unfitted = make_target("C3", support=Support(au=0.0, bp=0.0, au_error=NAN), by_chance=NAN)
    page = render(make_result(targets=(make_target("C1"), gone, unfitted)))
    assert page.row("C2")[3:] == ["–", "– / –", "–", "–", "–"]
    assert page.row("C3")[-2:] == ["0.000 ± –", "–"]
    assert not {"nan", "None"} & set(page.text.split())


def test_names_and_clusters_have_a_table_each() -> None:
    """A name that the tree lacks is said to be missing, and how it was sought."""
    targets = (
        make_target("C1"),
        make_target("here", "name", verdict="robust"),
        make_target("lost", "meant", verdict="not in the reference", support=None),
    )
    page = render(make_result(targets=targets))
    firsts = [row[0] for row in page.rows]
    assert firsts.index("Name") < firsts.index("here") < firsts.index("Cluster")
    assert page.row("lost")[1] == "not in the tree"
    assert "is sought by the papers that it was meant for" in page.text
    assert "meant for" not in render(make_result(targets=targets[:2])).text


def test_parts_that_were_not_run_have_no_heading() -> None:
    """What remains are clusters and runs."""
    source = render_section(write_card("A survey", make_result()), (), {})
    headings = [part.split("</h3>")[0] for part in source.split("<h3>")[1:]]
    assert headings == ["Names and clusters, sought again in every run", "Runs"]
    page = Page(source)
    assert not [row for row in page.rows if row[0] in ("Name", "Paper", "Method", "Choice")]
    assert not {"nan", "None", "[]"} & set(page.text.split())


def test_no_cluster_at_all_is_no_error() -> None:
    """A plan without targets still counts its runs."""
    assert "3 runs planned = 3 with a result + 0 failed." in render(make_result(targets=())).text


ROWS = (
    make_row(),
    make_row("no term left", setting=OWN.replace(min_df=9)),
    *(make_row(resample="papers-subsample", draw=i) for i in range(4)),
    make_row("no term left", resample="papers-subsample", draw=4),
    make_row(corpus="shuffled"),
    make_row("too few papers", corpus="one-topic", resample="papers-subsample"),
)


def test_runs_are_counted_by_corpus_and_kind() -> None:
    """Of every kind: planned, with a result, failed; the survey's own papers first."""
    assert [(t.corpus, t.kind, t.n_planned, t.n_done, t.n_failed) for t in count_runs(ROWS)] == [
        ("the survey", "settings, whole corpus", 2, 1, 1),
        ("the survey", "subsamples of the papers", 5, 4, 1),
        ("terms dealt anew", "settings, whole corpus", 1, 1, 0),
        ("papers of one topic", "subsamples of the papers", 1, 0, 1),
    ]


def test_the_totals_add_up() -> None:
    """Planned are those with a result and those that failed, in the sentence and the table."""
    page = render(make_result(rows=ROWS))
    assert "9 runs planned = 6 with a result + 3 failed." in page.text
    start = page.rows.index(page.row("Corpus"))
    kinds = page.rows[start + 1 : start + 5]
    totals = page.row("all")[2:]
    assert totals == ["9", "6", "3"]
    for column, total in enumerate(totals, start=2):
        assert sum(int(row[column]) for row in kinds) == int(total)
    assert page.row("2")[1] == "no term left"
    assert page.row("1")[1] == "too few papers"


def test_many_reasons_are_summed_up_and_still_add_up() -> None:
    """Twenty reasons are listed, the rest counted in one row."""
    rows = tuple(
        make_row(f"reason {i}", resample="seed", draw=10 * i + j) for i in range(30) for j in (0, 1)
    )
    page = render(make_result(rows=rows))
    start = page.rows.index(["Runs", "Reason"])
    listed = page.rows[start + 1 :]
    assert len(listed) == 21
    assert sum(int(n) for n, _ in listed) == len(rows) == 60
    assert listed[-1][1].startswith("10 other reasons, in tables/runs.csv")


def test_fragile_papers_stand_with_home_and_shares() -> None:
    """A family that a paper has no runs of is a dash, and so is a missing home."""
    papers = (
        PaperStability(paper_key="a", home="C1", at_home={"one choice": 0.25}, mean=0.25),
        PaperStability(paper_key="b", home="", at_home={"papers": 0.5}, mean=0.5),
    )
    page = render(make_result(papers=papers))
    assert page.row("Paper") == ["Paper", "Home", "one other choice", "other papers", "Mean"]
    assert page.row("a") == ["a", "C1", "0.25", "–", "0.25"]
    assert page.row("b") == ["b", "–", "–", "0.50", "0.50"]


def test_choices_have_shares_intervals_levels_and_pairs() -> None:
    """Of the design that tells most; a share below 0 is printed as it was estimated."""
    found = make_influence("latin-hypercube")
    page = render(make_result(influences=(found,)))
    assert page.text.count(found.influence.sentence) == 2  # among the verdicts, and here
    assert ["text", "1", "0.50", "0.38 to 0.62", "–", "–"] in page.rows
    assert ["norm", "1", "−0.06", "−0.19 to 0.06", "–", "–"] in page.rows
    assert ["text", "level of text", "7", "0.300", "–"] in page.rows
    assert ["text", "norm", "0.06", "–"] in page.rows
    assert (
        "190 runs with a result of the design latin-hypercube; intervals: 95%, from 300 draws; "
        "an estimate."
    ) in page.text


def test_other_designs_and_responses_are_told_too() -> None:
    """One choice at a time has no interactions, so no columns for them."""
    single = make_influence("one-at-a-time", method="one at a time", pairs=(), n_draws=0)
    none = make_influence("full-grid", method="none", note="nothing varied", factors=(), pairs=())
    page = render(make_result(influences=(single, none)))
    assert page.rows.count(["Choice", "Levels", "Alone"]) == 1
    assert ["text", "1", "0.50"] in page.rows
    assert "Design full-grid: the adjusted Rand index" in page.text
    assert none.influence.sentence in page.text
    only = render(make_result(influences=(none,))).text
    assert "Which choices matter Design full-grid" in only


def test_null_corpora_are_named_once_for_all_their_measures() -> None:
    """Survey, mean, least, greatest, how many, p; and the least p that so many can give."""
    nulls = (make_null("shuffled"), make_null("shuffled", "other"), make_null("one-topic"))
    page = render(make_result(nulls=nulls))
    numbers = ["0.500", "0.250", "0.125", "0.375", "19", "0.050"]
    start = page.rows.index(page.row("Corpora"))
    assert page.rows[start + 1 : start + 4] == [
        ["terms dealt anew", "mean silhouette", *numbers],
        ["", "other", *numbers],
        ["papers of one topic", "mean silhouette", *numbers],
    ]
    assert "so that 19 corpora give at least 0.050" in page.text


def test_each_method_says_its_number_with_its_value() -> None:
    """At the number chosen and at the survey's 3; a choice at the end of the range is marked."""
    numbers = replace(NOT_RUN, gap=GAP, silhouettes=(0.5, 0.25, None))
    rows = list_methods(make_result(numbers=numbers))
    assert [(r.method, r.chosen, r.value, r.value_of_survey, r.note) for r in rows] == [
        (
            "gap statistic",
            4,
            0.5,
            0.25,
            "no number fulfils its rule; greatest gap at 4; the most that were tried",
        ),
        ("greatest mean silhouette", 2, 0.5, 0.25, ""),
    ]
    page = render(make_result(numbers=numbers))
    assert page.row("the survey's cut")[1] == "3"
    assert page.row("greatest mean silhouette") == [
        *("greatest mean silhouette", "2", "0.500", "0.250", ""),
    ]


def test_own_settings_say_what_they_change_and_lose() -> None:
    """One that failed has its reason in place of numbers."""
    variants = (make_variant("half"), make_variant("broken", "no term left"))
    page = render(make_result(variants=variants))
    assert page.row("half") == [
        *("half", "min_df 0.5, weighting bm25", "3", "0.500", "1 of 3", "C2, C3"),
    ]
    assert page.row("broken") == ["broken", "min_df 0.5, weighting bm25", "failed: no term left"]


def test_one_paper_is_not_taken_for_all_papers() -> None:
    """A min_df of 1 paper and one of all papers (1.0) are two levels."""
    own = OWN.replace(min_df=1)
    variant = replace(make_variant("x"), row=make_row(setting=OWN.replace(min_df=1.0)))
    page = render(make_result(own=own, variants=(variant,)))
    assert page.row("x")[1] == "min_df 1.0"


def draw(stem: str, n_pages: int = 1) -> list[str]:
    pages = []
    for number in range(n_pages):
        with figure_style(salt=stem):
            figure = Figure()
            figure.add_subplot().plot([0, 1], [0, 1], marker="o", clip_on=True)
            figure.text(0.5, 0.5, f"{stem} <{number}>")
        pages.append(render_svg(figure, salt=stem))
    return pages


def test_figures_stand_in_their_part_and_the_printed_card_is_left_out() -> None:
    """All pages of a figure; a missing one leaves no caption behind."""
    figures = {"robustness-card": draw("robustness-card"), "stability": draw("stability", 2)}
    card = write_card("A survey", make_result())
    source = render_section(card, (), figures)
    assert source.count("<svg") == 2
    assert source.count("<figcaption>") == 1
    assert "robustness-card" not in source
    text = Page(source).text
    assert text.index("stability <0>") < text.index("1 more page of this figure")
    assert text.index("1 more page of this figure") < text.index("stability <1>")
    assert render_section(card, (), {"stability": []}).count("<figcaption>") == 0


def test_what_figures_refer_to_exists_once() -> None:
    """Two figures of one section share no id that a reference inside them needs."""
    result = make_result(nulls=(make_null("shuffled"),))
    figures = {name: draw(name) for name in ("stability", "nulls")}
    page = Page(render_section(write_card("A survey", result), (), figures))
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    links = [
        str(value)[1:]
        for _, attributes in page.elements
        for name, value in attributes.items()
        if name == "xlink:href" and str(value).startswith("#")
    ]
    clips = [
        str(attributes["clip-path"])[5:-1]
        for _, attributes in page.elements
        if "clip-path" in attributes
    ]
    assert len(set(links)) >= 2
    assert len(set(clips)) == 2
    assert {name: ids.count(name) for name in {*links, *clips}} == dict.fromkeys(
        {*links, *clips}, 1
    )


def render_whole(result: Robustness) -> str:
    settings = SurveySettings(title=f"Survey {SCRIPT}")
    manifest = {
        "command": "robustness",
        "versions": {"survey-tools": "0"},
        "inputs": {f"papers {SCRIPT}": "0"},
        "corpus_digest": "0",
        "overrides": {"doi": IMAGE},
        "settings": settings.model_dump(mode="json"),
        "warnings": [f"note {SCRIPT}"],
    }
    card = write_card(f"Survey {SCRIPT}", result)
    return render_card(card, render_section(card, (), {"nulls": draw("nulls")}), manifest)


def test_the_page_of_its_own_forbids_scripts_and_requests() -> None:
    """The section stands whole in the frame of the report, with its policy before the title."""
    source = render_whole(hostile_result())
    page = Page(source)
    (policy,) = [
        str(attributes["content"])
        for tag, attributes in page.elements
        if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy.startswith("default-src 'none'; ")
    assert "script-src" not in policy
    assert source.index("Content-Security-Policy") < source.index("<title>")
    assert not {"script", "img", "link", "iframe", "base"} & page.tags
    assert [a["id"] for tag, a in page.elements if tag == "section"] == ["robustness", "manifest"]
    for words in (f"Survey {SCRIPT}", f"note {SCRIPT}", f"papers {SCRIPT}", f"doi = {IMAGE}"):
        assert words in page.text
    assert "robustness.preset" in page.text


def test_a_browser_shows_the_page_and_runs_nothing(tmp_path: Path) -> None:
    """Chromium opens it from disk; its document holds verdicts as text and no foreign element."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser is None:
        if os.environ.get("CI"):
            pytest.fail("chromium is needed in CI: apt-get install chromium")
        pytest.skip("chromium is not installed")
    path = tmp_path / "card.html"
    path.write_text(render_whole(hostile_result()), encoding="utf-8")
    profile = f"--user-data-dir={tmp_path / 'profile'}"
    dumped = subprocess.run(
        [browser, *FLAGS.split(), profile, path.as_uri()],
        check=True,
        capture_output=True,
        timeout=120,
    ).stdout.decode()
    page = Page(dumped)
    assert not {"script", "img"} & page.tags
    assert f"cluster {SCRIPT}" in page.text
    assert page.row("all")[2:] == ["2", "1", "1"]

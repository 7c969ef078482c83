"""The report takes over the section of a robustness run of the same analysis, and of no other."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from examples import SIX_PAPERS, SUBTREES, make_survey
from typer.testing import CliRunner

from survey_tools.cli import app
from survey_tools.errors import DataError, OutputError, ParameterError
from survey_tools.output import sha256_of
from survey_tools.report.robustness_section import read_section
from survey_tools.robustness.engines import EngineChoice
from survey_tools.robustness_study import RobustnessRequest, run_robustness
from survey_tools.run import run_study
from survey_tools.study import read_study

SECTION = '<section id="robustness">\n<h2>Would the clusters still be there?</h2>\n</section>\n'
CARD = json.dumps(
    {
        "clusters": [
            {"name": "C1", "runs": {"papers": {"share_found": 0.9}}},
            {"name": "C2", "runs": {"papers": {"share_found": 0.1}, "terms": {"share_found": 1.0}}},
            {"name": "C3", "runs": {}},
        ]
    }
)
FAST = {"figures.formats": ["svg"], "crosscheck.n_permutations": 20, "crosscheck.n_resamples": 20}


def make_robustness(
    folder: Path, survey: Path, overrides: Mapping[str, Any] | None = None, **changes: Any
) -> Path:
    """Write what a robustness run of a survey leaves, as far as the report reads it."""
    study = read_study(survey, overrides)
    folder.mkdir()
    (folder / "section.html").write_text(SECTION, encoding="utf-8")
    (folder / "card.json").write_text(CARD, encoding="utf-8")
    manifest = {
        "command": "robustness",
        "inputs": dict(study.digests),
        "corpus_digest": study.corpus.digest,
        "settings": study.settings.model_dump(mode="json"),
        "outputs": {
            "section.html": sha256_of(SECTION.encode()),
            "card.json": sha256_of(CARD.encode()),
        },
    }
    (folder / "manifest.json").write_text(json.dumps(manifest | changes), encoding="utf-8")
    return folder


@pytest.fixture
def survey(tmp_path: Path) -> Path:
    """Write the survey of six papers."""
    return make_survey(tmp_path / "survey")


FEW = {
    f"robustness.{name}": 2
    for name in (
        *("n_settings", "n_subsamples", "n_paper_bootstraps", "n_term_bootstraps", "n_orders"),
        *("n_seeds", "n_nulls", "n_null_subsamples"),
    )
} | {"robustness.n_replicates": 0, "robustness.designs": ["latin-hypercube"]}


def read(folder: Path, survey: Path, overrides: Mapping[str, Any] | None = None) -> str:
    study = read_study(survey, overrides)
    return read_section(
        folder,
        study.settings,
        corpus_digest=study.corpus.digest,
        input_digests=study.digests,
    ).html


def refusal(folder: Path, survey: Path, overrides: Mapping[str, Any] | None = None) -> str:
    """Return why a section is not taken over; it always says what to do."""
    with pytest.raises(DataError) as caught:
        read(folder, survey, overrides)
    message = str(caught.value)
    assert str(folder) in message
    assert "survey-tools robustness" in message
    return message


def test_the_section_stands_between_cross_check_and_settings(survey: Path, tmp_path: Path) -> None:
    """Whole, once, with a link at the top."""
    folder = make_robustness(tmp_path / "robustness", survey)
    run_study(survey, tmp_path / "out", command="report", overrides=FAST, robustness=folder)
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert page.count(SECTION) == 1
    places = [page.index(f'<section id="{name}">') for name in ("crosscheck", "robustness")]
    assert places == sorted(places)
    assert places[1] < page.index('<section id="manifest">')
    assert page.count('<a href="#robustness">Robustness</a>') == 1


def test_a_report_without_it_has_neither_section_nor_link(survey: Path, tmp_path: Path) -> None:
    """Nobody is led to a chapter that is not there."""
    run_study(survey, tmp_path / "out", command="report", overrides=FAST)
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "#robustness" not in page
    assert 'id="robustness"' not in page


def test_the_manifest_of_the_run_holds_the_digest_of_the_other(
    survey: Path, tmp_path: Path
) -> None:
    """As an input; it holds the digests of everything else that the robustness run wrote."""
    folder = make_robustness(tmp_path / "robustness", survey)
    run_study(survey, tmp_path / "out", overrides=FAST, robustness=folder)
    inputs = json.loads((tmp_path / "out" / "manifest.json").read_bytes())["inputs"]
    digest = inputs.pop("robustness/manifest.json")
    assert digest == sha256_of((folder / "manifest.json").read_bytes())
    assert inputs == dict(read_study(survey).digests)


SAME: list[dict[str, Any]] = [
    {"figures.page": "a4"},
    {"crosscheck.n_permutations": 3},
    {"robustness.preset": "full"},
    {"doi": "10.1/x"},
]


@pytest.mark.parametrize("overrides", SAME, ids=str)
def test_settings_that_move_no_cluster_may_differ(
    survey: Path, tmp_path: Path, overrides: dict[str, Any]
) -> None:
    """Figures, cross-check, and how much was tested."""
    folder = make_robustness(tmp_path / "robustness", survey)
    assert read(folder, survey, overrides) == SECTION


OTHER: list[tuple[dict[str, Any], str]] = [
    ({"seed": 5}, "seed is 0 there and 5 here"),
    (
        {"clustering.cut.n_clusters": 2},
        "clustering.cut.n_clusters is 3 there and 2 here",
    ),
    (
        {"clustering.cut.height": 1.5},
        "clustering.cut.n_clusters is 3 there and null here, clustering.cut.height is null there",
    ),
    ({"text.ngram_range": [1, 2]}, "text.ngram_range is [1, 1] there and [1, 2] here"),
    ({"text.min_df": 1.0}, "text.min_df is 1 there and 1.0 here"),
    (
        {"clustering.linkage": "average", "clustering.metric": "cosine"},
        'clustering.linkage is "ward" there and "average" here, clustering.metric is "euclidean"',
    ),
]


@pytest.mark.parametrize(("overrides", "difference"), OTHER)
def test_other_settings_are_named_one_by_one(
    survey: Path, tmp_path: Path, overrides: dict[str, Any], difference: str
) -> None:
    """A section about other clusters than the report's must not stand in it."""
    folder = make_robustness(tmp_path / "robustness", survey, {"text.min_df": 1})
    message = refusal(folder, survey, {"text.min_df": 1} | overrides)
    assert message.startswith(f"{folder}: is of other settings than this run: {difference}")
    assert message.endswith(
        "; run survey-tools robustness again with these settings, or leave --robustness out"
    )


def test_other_papers_are_refused(survey: Path, tmp_path: Path) -> None:
    """One paper less, or one word changed, is another corpus; their order is not."""
    folder = make_robustness(tmp_path / "robustness", survey)
    make_survey(survey, papers=SIX_PAPERS[::-1])
    assert read(folder, survey) == SECTION
    changed = [*SIX_PAPERS[1:], {**SIX_PAPERS[0], "title": "Another title"}]
    for papers in (SIX_PAPERS[:-1], changed):
        make_survey(survey, papers=papers, taxonomy=None, subtrees=None)
        assert "is of other papers than this run" in refusal(folder, survey)


def test_other_names_are_refused(survey: Path, tmp_path: Path) -> None:
    """The section judges names, so the file that gives them must be the same."""
    folder = make_robustness(tmp_path / "robustness", survey)
    make_survey(survey, subtrees={**SUBTREES, "names": SUBTREES["names"][:1]})
    assert "subtrees.yaml has changed since that run" in refusal(folder, survey)
    make_survey(survey, subtrees=None)
    assert 'subtrees is "subtrees.yaml" there and null here' in refusal(folder, survey)


def test_other_stop_words_under_the_same_name_are_refused(survey: Path, tmp_path: Path) -> None:
    """Settings name the list alone; its words count."""
    (survey / "stop.txt").write_text("masked\n", encoding="utf-8")
    words = {"text.stop_words": "stop.txt"}
    folder = make_robustness(tmp_path / "robustness", survey, words)
    assert read(folder, survey, words) == SECTION
    (survey / "stop.txt").write_text("video\n", encoding="utf-8")
    assert "stop.txt has changed since that run" in refusal(folder, survey, words)


def test_a_section_that_was_changed_is_refused(survey: Path, tmp_path: Path) -> None:
    """Whatever it says now, the run did not write it."""
    folder = make_robustness(tmp_path / "robustness", survey)
    (folder / "section.html").write_text(SECTION.replace("clusters", "lies"), encoding="utf-8")
    assert "section.html: was changed after it was written" in refusal(folder, survey)
    with pytest.raises(DataError, match="was changed"):
        run_study(survey, tmp_path / "out", overrides=FAST, robustness=folder)
    assert not (tmp_path / "out").exists()


def test_a_section_that_the_manifest_does_not_know_is_refused(survey: Path, tmp_path: Path) -> None:
    """A file laid into the folder is no output of the run."""
    folder = make_robustness(tmp_path / "robustness", survey, outputs={})
    assert "section.html: was changed after it was written" in refusal(folder, survey)


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        ("{", "is damaged"),
        ("[" * 100_000, "is damaged"),
        ("\xff", "is damaged"),
        ("[]", "is of the command None"),
        ('{"command": "run"}', "is of the command 'run'"),
        ('{"command": "robustness"}', "lacks inputs, outputs, settings"),
        (
            '{"command": "robustness", "inputs": {}, "outputs": [], "settings": {}}',
            "lacks inputs, outputs, settings",
        ),
    ],
)
def test_what_is_no_manifest_of_a_robustness_run_is_refused(
    survey: Path, tmp_path: Path, manifest: str, message: str
) -> None:
    """Damaged, of another command, or without what must be compared."""
    folder = make_robustness(tmp_path / "robustness", survey)
    (folder / "manifest.json").write_bytes(manifest.encode("latin-1"))
    assert f"{folder / 'manifest.json'}: {message}" in refusal(folder, survey)


def test_a_folder_that_is_missing_or_unfinished_is_named(survey: Path, tmp_path: Path) -> None:
    """A run that was killed left no output folder, and a file is none."""
    assert "no such folder" in refusal(tmp_path / "nothing", survey)
    assert "no such folder" in refusal(survey / "papers.jsonl", survey)
    folder = make_robustness(tmp_path / "robustness", survey)
    (folder / "section.html").unlink()
    with pytest.raises(DataError, match=r"section\.html: no such file"):
        read(folder, survey)


def test_the_output_must_not_replace_the_robustness_run(survey: Path, tmp_path: Path) -> None:
    """Run may replace any folder of ours, but not the one that it reads."""
    folder = make_robustness(tmp_path / "robustness", survey)
    before = sorted(path.name for path in folder.iterdir())
    for out in (folder, tmp_path):
        with pytest.raises(OutputError, match="must not replace the folder"):
            run_study(survey, out, overrides=FAST, robustness=folder)
    assert sorted(path.name for path in folder.iterdir()) == before


@pytest.mark.parametrize("command", ["cluster", "crosscheck"])
def test_a_command_without_report_takes_no_section(
    survey: Path, tmp_path: Path, command: Any
) -> None:
    """In Python and on the command line."""
    folder = make_robustness(tmp_path / "robustness", survey)
    with pytest.raises(ParameterError, match=f"'{command}' writes no report"):
        run_study(survey, tmp_path / "out", command=command, robustness=folder)
    result = CliRunner().invoke(app, [command, str(survey), "--robustness", str(folder)])
    assert result.exit_code == 2
    assert "No such option" in result.stderr


@pytest.mark.parametrize("command", ["run", "report"])
def test_the_option_names_the_folder(survey: Path, tmp_path: Path, command: str) -> None:
    """With other settings on the command line it ends with one line and no output."""
    folder = make_robustness(tmp_path / "robustness", survey)
    given = [command, str(survey), "-o", str(tmp_path / "out"), "--robustness", str(folder)]
    given += [word for name in FAST for word in ("--set", f"{name}={json.dumps(FAST[name])}")]
    refused = CliRunner().invoke(app, [*given, "-k", "2"])
    assert refused.exit_code == 1
    assert "clustering.cut.n_clusters is 3 there and 2 here" in refused.stderr
    assert not (tmp_path / "out").exists()
    done = CliRunner().invoke(app, given)
    assert done.exit_code == 0, done.output
    assert SECTION in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def test_what_a_robustness_run_writes_is_taken_over(survey: Path, tmp_path: Path) -> None:
    """Section, digests and settings are where the report looks for them."""
    folder = tmp_path / "robustness"
    request = RobustnessRequest(
        engine=EngineChoice(name="here", n_workers=1), store=tmp_path / "store"
    )
    run_robustness(survey, folder, request, overrides=FAST | FEW)
    run_study(survey, tmp_path / "out", command="report", overrides=FAST, robustness=folder)
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    section = (folder / "section.html").read_text(encoding="utf-8")
    assert section.startswith('<section id="robustness">')
    assert "<svg" in section
    assert section in page
    assert section in (folder / "card.html").read_text(encoding="utf-8")


def test_the_dendrogram_may_show_support(survey: Path, tmp_path: Path) -> None:
    """By strips: [support], papers are shaded by how often their cluster was found again."""
    overrides = FAST | {"clustering.cut.n_clusters": 3, "figures.strips": ["support"]}
    folder = make_robustness(tmp_path / "robustness", survey, overrides)
    run_study(survey, tmp_path / "out", overrides=overrides, robustness=folder)
    svg = (tmp_path / "out" / "figures" / "dendrogram.svg").read_text()
    for label in ("80-100 %", "0-20 %", "support not tested"):
        assert label in svg


def test_a_changed_card_is_refused(survey: Path, tmp_path: Path) -> None:
    """The card is what the shades come from."""
    folder = make_robustness(tmp_path / "robustness", survey)
    (folder / "card.json").write_text(CARD.replace("0.9", "1.0"))
    assert "card.json: was changed after it was written" in refusal(folder, survey)

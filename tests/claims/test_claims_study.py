"""A run of the claims: page, tables, manifest; the report takes over its section."""

import json
from pathlib import Path

import pandas as pd
import pytest
from examples import make_survey
from fake_experiments import CLAIM, find_fake, write_survey
from typer.testing import CliRunner

from survey_tools.claims.ledger import LedgerRequest
from survey_tools.claims_study import ClaimsRequest, run_claims
from survey_tools.cli import app
from survey_tools.errors import DataError, OutputError, ParameterError
from survey_tools.output import sha256_of
from survey_tools.report.claims_section import read_claims_section
from survey_tools.run import run_study

COUNTED = """\
claims:
  - id: saves
    text: "It saves <b>half</b> & more."
    where: not located
    experiment: {name: operation counts, parameters: {sizes: [base]}}
    data: none
    seeds: {quick: 1, full: 1}
    rules:
      - {statistic: "whole ratio, base", comparison: at least, threshold: 2}
    not_tested: Nothing.
"""
FAST = {"figures.formats": ["svg"], "crosscheck.n_permutations": 20, "crosscheck.n_resamples": 20}


def request(tmp_path: Path, **changes: object) -> ClaimsRequest:
    ledger = LedgerRequest(find=find_fake, first_seed=0)
    return ClaimsRequest(ledger=ledger, cache=tmp_path / "cache", **changes)  # type: ignore[arg-type]


def test_page_tables_and_manifest_are_written(tmp_path: Path) -> None:
    """The digest of every output stands in the manifest."""
    survey, out = write_survey(tmp_path / "survey"), tmp_path / "out"
    run_claims(survey, out, request(tmp_path))
    manifest = json.loads((out / "manifest.json").read_bytes())
    assert manifest["command"] == "claims"
    assert manifest["inputs"] == {"claims.yaml": sha256_of(CLAIM.encode())}
    assert {"claims.html", "section.html", "tables/claims.csv"} <= set(manifest["outputs"])
    table = pd.read_csv(out / "tables" / "claims.csv")
    assert table[["claim", "verdict"]].to_numpy().tolist() == [["grows", "supported"]]
    decisions = pd.read_csv(out / "tables" / "decisions.csv")
    assert decisions["value"].tolist() == pytest.approx([2.1])
    values = pd.read_csv(out / "tables" / "grows-values.csv")
    assert values["value"].tolist() == pytest.approx([2.0, 2.1, 2.2])


def test_the_same_outcomes_give_the_same_bytes(tmp_path: Path) -> None:
    """Whether they were computed or came from the cache."""
    survey = write_survey(tmp_path / "survey")
    for name in ("a", "b"):
        run_claims(survey, tmp_path / name, request(tmp_path))
    a, b = (json.loads((tmp_path / name / "manifest.json").read_bytes()) for name in ("a", "b"))
    assert a == b


def test_some_claims_can_be_chosen(tmp_path: Path) -> None:
    """An unknown one is refused before anything is run."""
    text = CLAIM + CLAIM.removeprefix("claims:\n").replace("id: grows", "id: again")
    survey = write_survey(tmp_path / "survey", text)
    ledger = run_claims(survey, tmp_path / "out", request(tmp_path, only=("again", "again")))
    assert [found.claim.id for found in ledger.claims] == ["again"]
    with pytest.raises(ParameterError, match="has no claim 'other'; it has grows, again"):
        run_claims(survey, tmp_path / "out", request(tmp_path, only=("other",)))


def test_a_folder_that_must_stay_is_refused_before_anything_is_run(tmp_path: Path) -> None:
    """Hours of trials must not end in a refusal."""
    survey, out = write_survey(tmp_path / "survey"), tmp_path / "out"
    out.mkdir()
    (out / "thesis.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(OutputError, match="holds files but no manifest"):
        run_claims(survey, out, request(tmp_path))
    assert not (tmp_path / "cache").exists()


def test_the_command_says_every_verdict(tmp_path: Path) -> None:
    """Text from the file is escaped on the page; counted experiments need no torch."""
    survey, out = write_survey(tmp_path / "survey", COUNTED), tmp_path / "out"
    done = CliRunner().invoke(app, ["claims", str(survey), "-o", str(out), "--workers", "1"])
    assert done.exit_code == 0, done.output
    assert "supported: It saves <b>half</b> & more." in done.output
    assert "1 claim: 1 supported, 0 contradicted, 0 inconclusive" in done.output
    page = (out / "claims.html").read_text(encoding="utf-8")
    assert "It saves &lt;b&gt;half&lt;/b&gt; &amp; more." in page
    assert "<b>half" not in page
    assert (tmp_path / "out.cache").is_dir()
    assert (out / "figures" / "claims-cost.svg").exists()


def test_a_folder_without_claims_is_one_line(tmp_path: Path) -> None:
    """With exit code 1."""
    done = CliRunner().invoke(app, ["claims", str(tmp_path), "-o", str(tmp_path / "out")])
    assert done.exit_code == 1
    assert "has no claims" in done.output


def test_the_report_takes_over_the_section(tmp_path: Path) -> None:
    """Whole, once, with a link at the top; the manifest holds the digest of the other run."""
    survey = make_survey(tmp_path / "survey")
    (survey / "claims.yaml").write_text(CLAIM, encoding="utf-8")
    found = tmp_path / "claims"
    run_claims(survey, found, request(tmp_path))
    run_study(survey, tmp_path / "out", command="report", overrides=FAST, claims=found)
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    section = (found / "section.html").read_text(encoding="utf-8")
    assert section.startswith('<section id="claims">')
    assert page.count(section) == 1
    assert page.count('<a href="#claims">Claims</a>') == 1
    inputs = json.loads((tmp_path / "out" / "manifest.json").read_bytes())["inputs"]
    assert inputs["claims/manifest.json"] == sha256_of((found / "manifest.json").read_bytes())
    with pytest.raises(ParameterError, match="no report that could hold a claims section"):
        run_study(survey, tmp_path / "out", command="cluster", claims=found)


def test_a_section_of_other_claims_is_refused(tmp_path: Path) -> None:
    """Or one that was changed, or no folder at all; what to do is said."""
    survey, out = write_survey(tmp_path / "survey"), tmp_path / "out"
    with pytest.raises(DataError, match="no such folder; --claims needs the output folder of"):
        read_claims_section(out, survey)
    run_claims(survey, out, request(tmp_path))
    (survey / "claims.yaml").write_text(CLAIM.replace("grows.", "shrinks."), encoding="utf-8")
    with pytest.raises(DataError, match="has changed since that run; run survey-tools claims"):
        read_claims_section(out, survey)
    (survey / "claims.yaml").write_text(CLAIM, encoding="utf-8")
    (out / "section.html").write_text("<section>", encoding="utf-8")
    with pytest.raises(DataError, match="was changed after it was written"):
        read_claims_section(out, survey)

"""claims.yaml: every kind of error names file, line and key."""

from pathlib import Path

import pytest
from fake_experiments import CLAIM, read

from survey_tools.claims.cache import OutcomeCache
from survey_tools.claims.experiment import Size
from survey_tools.claims.file import find_claims, read_claims
from survey_tools.claims.ledger import LedgerRequest, run_ledger
from survey_tools.claims.registry import EXPERIMENTS, find_experiment
from survey_tools.errors import DataError, ParameterError

BUNDLED = Path(__file__).parents[2] / "data" / "mim" / "claims.yaml"

ERRORS = [
    ("id: grows", "id: It Grows", r"claims.yaml:2: claims.0.id: string should match"),
    ("text: It grows.", "txt: It grows.", r"claims.yaml:3: claims.0.txt: unknown; did you mean"),
    ("    where: not located\n", "", r"claims.0.where: is required but missing"),
    ("name: fake", "name: fale", r"claims.yaml:5: .*no experiment 'fale'; did you mean 'fake'"),
    ("slope: 2.0", "slop: 2.0", r"claims.yaml:5: .*slop: unknown to the experiment 'fake'; did"),
    ("slope: 2.0", "slope: steep", r"slope: a number is wanted, but 'steep' arrived"),
    ("slope: 2.0", "slope: true", r"slope: a number is wanted, but True arrived"),
    ("slope: 2.0", "words: [1]", r"words: text is wanted, but 1 arrived"),
    ("slope: 2.0", "words: a", r"words: a list is wanted, such as \['a'\], but 'a' arrived"),
    ("slope: 2.0", "is_on: 1", r"is_on: true or false is wanted, but 1 arrived"),
    ("quick: 3", "quick: -1", r"claims.yaml:7: claims.0.seeds.quick: input should be greater"),
    ("statistic: value", "statistic: valu", r"claims.yaml:9: .*finds no 'valu'; did you mean"),
    ("comparison: above", "comparison: over", r"claims.yaml:9: .*comparison: input should be"),
    ("threshold: 0}", "threshold: .nan}", r"threshold: input should be a (finite|valid) number"),
    ("threshold: 0}", "threshold: 0, margin: -1}", r"margin: input should be greater than or eq"),
    ("    not_tested: Nothing.\n", "", r"claims.0.not_tested: is required but missing"),
]


@pytest.mark.parametrize(("old", "new", "message"), ERRORS, ids=[b or a for a, b, _ in ERRORS])
def test_a_wrong_file_is_refused_with_its_place(old: str, new: str, message: str) -> None:
    """What arrived and what is allowed are said."""
    assert old in CLAIM
    with pytest.raises(DataError, match=message):
        read(CLAIM.replace(old, new))


def test_two_claims_of_one_id_are_refused() -> None:
    """The second is named by its line."""
    again = CLAIM.removeprefix("claims:\n")
    with pytest.raises(DataError, match=r"claims.yaml:11: claims.1.id: 'grows' stands twice"):
        read(CLAIM + again)


def test_a_file_without_rules_or_claims_is_refused() -> None:
    """A claim that nothing decides is no entry of a ledger."""
    with pytest.raises(DataError, match="at least 1 item"):
        read("claims: []\n")
    line = "      - {statistic: value, comparison: above, threshold: 0}\n"
    with pytest.raises(DataError, match="rules"):
        read(CLAIM.replace("    rules:\n" + line, "    rules: []\n"))


def test_the_bundled_claims_are_complete() -> None:
    """Fifteen or more, each with what could not be tested; every experiment is used."""
    file = read_claims(BUNDLED)
    assert len(file.claims) >= 15
    assert {claim.experiment.name for claim in file.claims} == set(EXPERIMENTS)
    assert all(len(claim.not_tested) > 20 for claim in file.claims)


@pytest.mark.parametrize("size", ["quick", "full"])
def test_the_bundled_claims_can_be_planned(tmp_path: Path, size: Size) -> None:
    """Without time nothing is run, and every claim says why: also one of no quick seeds."""
    request = LedgerRequest(size=size, budget_s=0.0)
    ledger = run_ledger(read_claims(BUNDLED), OutcomeCache(tmp_path), request)
    assert {found.verdict for found in ledger.claims} == {"not run"}
    assert any("--full" in found.not_run for found in ledger.claims) == (size == "quick")
    assert ledger.n_trials > (40 if size == "quick" else 150)


def test_no_verdict_is_typed_in_the_bundled_claims() -> None:
    """Verdicts come from rules alone."""
    words = BUNDLED.read_text(encoding="utf-8").lower()
    assert not any(word in words for word in ("supported", "contradicted", "inconclusive"))


def test_an_unknown_experiment_is_named_with_the_nearest() -> None:
    """As for every name."""
    with pytest.raises(ParameterError, match="did you mean 'redundancy'"):
        find_experiment("redundency")


def test_claims_are_found_in_a_folder_or_by_name(tmp_path: Path) -> None:
    """A folder without claims, and a file of another kind, are refused."""
    assert find_claims(BUNDLED.parent) == BUNDLED
    assert find_claims(BUNDLED) == BUNDLED
    with pytest.raises(DataError, match="has no claims"):
        find_claims(tmp_path)
    other = tmp_path / "papers.csv"
    other.touch()
    with pytest.raises(DataError, match="has no claims"):
        find_claims(other)

"""Curves by mask ratio: those of several claims on the same data are one."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from fake_experiments import CLAIM, find_fake, read
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from survey_tools.claims.cache import OutcomeCache
from survey_tools.claims.experiment import FindingTable
from survey_tools.claims.ledger import Ledger, LedgerRequest, run_ledger
from survey_tools.figures.claims_pages import draw_claims
from survey_tools.settings import FigureSettings


def make_table(title: str, score: str, values: dict[float, float], n_seeds: int) -> FindingTable:
    rows = tuple(
        (score, ratio, value, value - 0.1, value + 0.1, n_seeds) for ratio, value in values.items()
    )
    return FindingTable(
        name="ratio-curve",
        title=title,
        columns=("score", "mask_ratio", "mean", "low", "high", "n_seeds"),
        rows=rows,
    )


def make_ledger(folder: Path, tables: Sequence[FindingTable]) -> Ledger:
    """Make a ledger of a claim for each table."""
    ledger = run_ledger(
        read(CLAIM), OutcomeCache(folder), LedgerRequest(find=find_fake, first_seed=0)
    )
    (found,) = ledger.claims
    assert found.findings is not None
    claims = tuple(
        replace(found, findings=replace(found.findings, tables=(table,))) for table in tables
    )
    return replace(ledger, claims=claims)


def texts(page: Figure) -> set[str]:
    return {text.get_text() for text in page.findobj(Text)}


def test_curves_of_the_same_data_are_one(tmp_path: Path) -> None:
    """The claim of two ratios adds its own to the curve of the other; alone they are none."""
    many = make_table("digits", "k-NN", {0.25: 0.7, 0.5: 0.8, 0.75: 0.9}, 3)
    two = make_table("digits", "k-NN", {0.75: 0.9, 0.9: 0.6}, 5)
    other = make_table("shapes", "k-NN", {0.75: 0.9, 0.9: 0.6}, 5)
    (page,) = draw_claims(make_ledger(tmp_path, [many, two, other]), FigureSettings())[
        "claims-ratios"
    ]
    assert {"digits", "k-NN"} <= texts(page)
    assert "claims-ratios" not in draw_claims(make_ledger(tmp_path, [two, other]), FigureSettings())


def test_other_data_have_a_curve_of_their_own(tmp_path: Path) -> None:
    """Or another method; the experiment's title names both."""
    tables = [make_table(t, "k-NN", {0.25: 0.7, 0.5: 0.8, 0.75: 0.9}, 3) for t in ("a", "b")]
    pages = draw_claims(make_ledger(tmp_path, tables), FigureSettings())["claims-ratios"]
    assert ["a" in texts(page) for page in pages] == [True, False]


def test_the_mean_over_most_seeds_is_drawn(tmp_path: Path) -> None:
    """Whichever claim comes first."""
    many = make_table("digits", "k-NN", {0.25: 0.7, 0.5: 0.8, 0.75: 0.4}, 3)
    two = make_table("digits", "k-NN", {0.75: 0.9, 0.9: 0.6}, 5)
    whole = make_table("digits", "k-NN", {0.25: 0.7, 0.5: 0.8, 0.75: 0.9, 0.9: 0.6}, 5)
    first, second, wanted = (
        draw_claims(make_ledger(tmp_path, tables), FigureSettings())["claims-ratios"][0]
        for tables in ([many, two], [two, many], [whole])
    )
    assert read_pixels(first) == read_pixels(second) == read_pixels(wanted)


def read_pixels(page: Figure) -> bytes:
    canvas = FigureCanvasAgg(page)
    canvas.draw()
    return bytes(canvas.buffer_rgba())

"""Kappa and alpha: published examples, values by hand, nltk and scikit-learn, invariants."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nltk.metrics.agreement import AnnotationTask
from sklearn.metrics import cohen_kappa_score

from survey_tools.agreement.coefficients import (
    SetDistance,
    build_alpha,
    build_cohen,
    build_fleiss,
    cohen_kappa,
    fleiss_kappa,
    krippendorff_alpha,
)
from survey_tools.agreement.ratings import code_pairable, code_shared
from survey_tools.errors import ParameterError

DISTANCES: tuple[SetDistance, ...] = ("nominal", "masi", "jaccard")

Sets = Mapping[str, frozenset[str]]

# Krippendorff, "Computing Krippendorff's alpha-reliability" (2011), section C: 4 observers
# of 12 units; a dot where an observer is missing
KRIPPENDORFF = ["123321412...", "1233224125.3", ".3332342251.", "12332441251."]

# Fleiss' table as Wikipedia ("Fleiss' kappa") has it: 10 subjects, 14 raters, 5 categories
FLEISS = [
    [0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1],
    [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7],
]  # fmt: skip


def sets(*given: str) -> dict[str, frozenset[str]]:
    """File papers p00, p01, …: each letter is a label, a dot a paper that is not rated."""
    return {f"p{i:02d}": frozenset(x) for i, x in enumerate(given) if x != "."}


def random_sets(
    n_papers: int, n_annotators: int, rng: np.random.Generator, *, share_rated: float = 1.0
) -> list[dict[str, frozenset[str]]]:
    """Draw one or two of three labels for each paper and annotator, half of them alike."""
    choices = [frozenset(x) for x in ("u", "v", "w", "uv", "vw")]
    truth = rng.integers(5, size=n_papers)
    return [
        {
            f"p{i:02d}": choices[truth[i] if rng.random() < 0.5 else rng.integers(5)]
            for i in range(n_papers)
            if rng.random() < share_rated
        }
        for _ in range(n_annotators)
    ]


def masi(a: frozenset[str], b: frozenset[str]) -> float:
    """Passonneau's distance; nltk rounds its thirds to 0.33 and 0.67."""
    weight = 1 if a == b else 2 / 3 if a <= b or b <= a else 1 / 3 if a & b else 0
    return 1 - weight * len(a & b) / len(a | b)


def jaccard(a: frozenset[str], b: frozenset[str]) -> float:
    """Return one less the share of common labels."""
    return 1 - len(a & b) / len(a | b)


def nominal(a: frozenset[str], b: frozenset[str]) -> float:
    """Tell equal sets from others."""
    return float(a != b)


def annotation_task(ratings: Sequence[Sets], distance: Any) -> AnnotationTask:
    """Hand ratings to nltk."""
    data = [(i, key, given) for i, mine in enumerate(ratings) for key, given in mine.items()]
    return AnnotationTask(data=data, distance=distance)


def test_cohen_kappa_by_hand() -> None:
    """20 and 15 of 50 alike, 5 and 10 not: (0.7 - 0.5) / (1 - 0.5) = 0.4.

    By chance: 25/50 * 30/50 + 25/50 * 20/50 = 0.5.
    """
    pairs = ["yy"] * 20 + ["yn"] * 5 + ["ny"] * 10 + ["nn"] * 15
    a, b = ({f"p{i}": pair[side] for i, pair in enumerate(pairs)} for side in (0, 1))
    assert cohen_kappa(a, b) == pytest.approx(0.4)


def test_cohen_kappa_is_scikit_learns() -> None:
    """Also where an annotator has a category of their own, and matched by key."""
    rng = np.random.default_rng(0)
    for n_papers in (2, 5, 40):
        a = rng.integers(4, size=n_papers)
        b = np.where(rng.random(n_papers) < 0.5, a, rng.integers(5, size=n_papers))
        ours = {f"p{i}": str(code) for i, code in enumerate(a)}
        theirs = {f"p{i}": str(b[i]) for i in rng.permutation(n_papers)}
        assert cohen_kappa(ours, theirs) == pytest.approx(cohen_kappa_score(a, b))


def test_fleiss_kappa_of_the_known_table() -> None:
    """0.210, with raters whose order in each row of the table is drawn by lot."""
    rng = np.random.default_rng(0)
    rows = [rng.permutation(np.repeat(np.arange(5), row)) for row in FLEISS]
    ratings = [{f"s{i}": int(row[rater]) for i, row in enumerate(rows)} for rater in range(14)]
    assert fleiss_kappa(ratings) == pytest.approx(0.210, abs=5e-4)


def test_fleiss_kappa_is_nltks_multi_pi() -> None:
    """Scott's pi of many raters is Fleiss' kappa."""
    ratings = random_sets(30, 4, np.random.default_rng(1))
    assert fleiss_kappa(ratings) == pytest.approx(annotation_task(ratings, nominal).pi())


def test_least_kappas() -> None:
    """Two who swap two categories get -1; three who share no category on any paper get -1/2."""
    a, b = {"p": "x", "q": "y"}, {"p": "y", "q": "x"}
    assert cohen_kappa(a, b) == pytest.approx(-1)
    assert fleiss_kappa([a, b]) == pytest.approx(-1)
    turning = [{"p": x, "q": y, "r": z} for x, y, z in ("xyz", "yzx", "zxy")]
    assert fleiss_kappa(turning) == pytest.approx(-1 / 2)


def test_alpha_of_krippendorffs_example() -> None:
    """0.743 for nominal data with missing values, in which one unit has a single value."""
    ratings = [sets(*values) for values in KRIPPENDORFF]
    assert krippendorff_alpha(ratings, distance="nominal") == pytest.approx(0.743, abs=5e-4)


def test_papers_with_one_rating_do_not_count() -> None:
    """They have no pair to agree."""
    ratings = [sets(*values) for values in KRIPPENDORFF]
    more = [*ratings[:3], {**ratings[3], "only here": frozenset("6")}]
    assert krippendorff_alpha(more, distance="masi") == krippendorff_alpha(ratings, distance="masi")


@pytest.mark.parametrize(
    ("distance", "apart", "expected"),
    [("nominal", 1, 2 / 5), ("jaccard", 1 / 2, 2 / 3), ("masi", 2 / 3, 4 / 7)],
)
def test_alpha_of_sets_by_hand(distance: Any, apart: float, expected: float) -> None:
    """Two annotators, two papers: {x} against {x, y}, then {z} twice.

    Of 4 values 2 are z. Observed: the first paper's two ordered pairs at distance d, over 4
    values, d / 2. Expected: of 12 ordered pairs of values {x}, {x, y} makes 2 at d, {z} with the
    other two 8 at 1: (2 d + 8) / 12. Alpha is 1 - 6 d / (2 d + 8).
    """
    a, b = sets("x", "z"), sets("xy", "z")
    assert 1 - 6 * apart / (2 * apart + 8) == pytest.approx(expected)
    assert krippendorff_alpha([a, b], distance=distance) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("distance", "reference"), [("nominal", nominal), ("masi", masi), ("jaccard", jaccard)]
)
@pytest.mark.parametrize("share_rated", [1.0, 0.6])
def test_alpha_is_nltks(distance: Any, reference: Any, share_rated: float) -> None:
    """Of four annotators, with and without papers that some did not rate."""
    ratings = random_sets(25, 4, np.random.default_rng(2), share_rated=share_rated)
    alpha = krippendorff_alpha(ratings, distance=distance)
    assert alpha == pytest.approx(annotation_task(ratings, reference).alpha())
    assert 0.05 < alpha < 0.6


def test_alpha_is_fleiss_kappa_but_for_the_number_of_values() -> None:
    """Of complete data, 1 - alpha is (n - 1) / n of 1 - kappa, of n values."""
    ratings = random_sets(20, 3, np.random.default_rng(3))
    alpha = krippendorff_alpha(ratings, distance="nominal")
    assert 1 - alpha == pytest.approx((1 - fleiss_kappa(ratings)) * 59 / 60)


def test_sets_that_overlap_agree_in_part() -> None:
    """MASI gives credit where nominal gives none; empty sets are equal to each other alone."""
    a, b = sets("x", "xy", "", "z", ""), sets("xy", "x", "", "z", "x")
    by_distance = {
        distance: krippendorff_alpha([a, b], distance=distance) for distance in DISTANCES
    }
    assert by_distance["nominal"] < by_distance["masi"] < by_distance["jaccard"] < 1
    assert krippendorff_alpha([a, a], distance="masi") == 1


def test_one_category_for_all_is_full_agreement() -> None:
    """Chance alone brings it, so the coefficients are undefined; they are defined as 1."""
    same = sets("x", "x", "x")
    assert cohen_kappa(same, same) == 1
    assert fleiss_kappa([same, same, same]) == 1
    for distance in DISTANCES:
        assert krippendorff_alpha([same, same], distance=distance) == 1
    assert cohen_kappa(same, sets("x", "x", "y")) == 0


@given(
    table=st.lists(
        st.lists(st.sampled_from(["", "x", "y", "xy", "yz", "xyz"]), min_size=3, max_size=3),
        min_size=1,
        max_size=8,
    ),
    seed=st.integers(0, 99),
)
def test_order_and_names_play_no_role(table: list[list[str]], seed: int) -> None:
    """Papers and annotators in another order, papers and labels under other names."""
    rng = np.random.default_rng(seed)
    new = dict(zip("xyz", rng.permutation(["u", "v", "w"]), strict=True))
    ratings = [sets(*column) for column in zip(*table, strict=True)]
    keys = dict(zip(ratings[0], rng.permutation(len(table)), strict=True))
    renamed = [
        {f"q{keys[key]}": frozenset(new[x] for x in mine[key]) for key in rng.permutation([*mine])}
        for mine in (ratings[i] for i in (2, 0, 1))
    ]
    assert fleiss_kappa(renamed) == pytest.approx(fleiss_kappa(ratings))
    assert cohen_kappa(renamed[0], renamed[1]) == pytest.approx(cohen_kappa(ratings[0], ratings[2]))
    for distance in DISTANCES:
        values = [krippendorff_alpha(r, distance=distance) for r in (ratings, renamed)]
        assert values[0] == pytest.approx(values[1])
        assert values[0] <= 1


def test_a_paper_that_counts_twice_is_two_papers() -> None:
    """A coefficient of weights is the coefficient of papers repeated so often."""
    rng = np.random.default_rng(4)
    ratings = random_sets(12, 2, rng)
    weights = rng.multinomial(12, np.full(12, 1 / 12), size=5)
    shared, pairable = code_shared(ratings), code_pairable(ratings)
    assert shared.paper_keys == pairable.paper_keys
    measured = [
        coefficient(weights.astype(np.float64))
        for coefficient in (
            build_cohen(shared),
            build_fleiss(shared),
            build_alpha(pairable, "masi"),
        )
    ]
    for i, row in enumerate(weights):
        repeated = [
            {
                f"{key} {copy}": mine[key]
                for key, times in zip(shared.paper_keys, row, strict=True)
                for copy in range(times)
            }
            for mine in ratings
        ]
        assert [values[i] for values in measured] == pytest.approx(
            [
                cohen_kappa(repeated[0], repeated[1]),
                fleiss_kappa(repeated),
                krippendorff_alpha(repeated, distance="masi"),
            ]
        )


def test_what_cannot_be_compared_is_refused() -> None:
    """With what arrived and what to do."""
    a: dict[str, Hashable] = {"p": "x", "q": "y"}
    unknown: Any = "dice"
    with pytest.raises(ParameterError, match="not all annotators rated q, r; restrict"):
        cohen_kappa(a, {"p": "x", "r": "y"})
    with pytest.raises(ParameterError, match="1 annotator arrived; agreement needs at least 2"):
        fleiss_kappa([a])
    with pytest.raises(ParameterError, match="0 rated papers arrived; agreement needs at least 1"):
        fleiss_kappa([{}, {}])
    with pytest.raises(ParameterError, match="2 rated papers arrived, none rated by two"):
        krippendorff_alpha([sets("x"), sets(".", "x")], distance="masi")
    with pytest.raises(ParameterError, match=r"no distance 'dice'.*nominal, masi, jaccard"):
        krippendorff_alpha([sets("x"), sets("x")], distance=unknown)

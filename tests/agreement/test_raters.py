"""Agreement of annotators: which indices apply to which papers, and how far they may vary."""

from collections.abc import Mapping
from itertools import product

import numpy as np
import pytest

from survey_tools.agreement import raters
from survey_tools.agreement.coefficients import cohen_kappa, fleiss_kappa, krippendorff_alpha
from survey_tools.agreement.index import AgreementIndex
from survey_tools.agreement.raters import RaterAgreement, rate
from survey_tools.errors import ParameterError

COHEN, FLEISS = "Cohen's kappa", "Fleiss' kappa"
NOMINAL, MASI = "Krippendorff's alpha (nominal)", "Krippendorff's alpha (MASI)"

Filed = Mapping[str, frozenset[str]]


def sets(*given: str) -> dict[str, frozenset[str]]:
    """File papers p00, p01, …: each letter is a label, a dot a paper that is not rated."""
    return {f"p{i:02d}": frozenset(x) for i, x in enumerate(given) if x != "."}


ADA = sets("x", "xy", "", "z", "x", "y", "y", "xz")
BO = sets("x", "x", "", "z", "y", "y", ".", "xz")
CY = sets("x", "y", "", ".", "x", "y", ".", "z")


def compare(
    *given: Filed, n_resamples: int = 200, confidence: float = 0.95, seed: int = 0
) -> RaterAgreement:
    """Rate with a generator of its own; annotators are called r0, r1, …."""
    return rate(
        {f"r{i}": mine for i, mine in enumerate(given)},
        rng=np.random.default_rng(seed),
        n_resamples=n_resamples,
        confidence=confidence,
    )


def by_name(agreement: RaterAgreement) -> dict[str, AgreementIndex]:
    """Return the indices by name, in their order."""
    return {index.name: index for index in agreement.indices}


def test_two_annotators_get_all_indices() -> None:
    """Kappas of the papers that both rated; these are the pairs that alpha counts, too."""
    found = by_name(compare(ADA, BO))
    assert list(found) == [COHEN, FLEISS, NOMINAL, MASI]
    shared = {key: ADA[key] for key in BO}
    assert found[COHEN].value == cohen_kappa(shared, BO)
    assert found[FLEISS].value == fleiss_kappa([shared, BO])
    assert found[NOMINAL].value == krippendorff_alpha([ADA, BO], distance="nominal")
    assert found[MASI].value == krippendorff_alpha([ADA, BO], distance="masi")
    assert len({index.value for index in found.values()}) == 4


def test_three_annotators_rate_papers_in_pairs() -> None:
    """Six papers have all three, a seventh has two and counts for alpha alone; no Cohen."""
    agreement = compare(ADA, BO, CY)
    found = by_name(agreement)
    assert list(found) == [FLEISS, NOMINAL, MASI]
    assert (agreement.n_papers, agreement.n_complete, agreement.n_annotators) == (7, 6, 3)
    assert agreement.names == ("r0", "r1", "r2")
    assert found[FLEISS].value == fleiss_kappa([{k: r[k] for k in CY} for r in (ADA, BO, CY)])
    assert found[MASI].value == krippendorff_alpha([ADA, BO, CY], distance="masi")


def test_without_a_paper_of_all_alpha_remains() -> None:
    """Three annotators of whom each two share a paper."""
    agreement = compare(sets("x", "y", "."), sets("x", ".", "z"), sets(".", "y", "y"))
    assert list(by_name(agreement)) == [NOMINAL, MASI]
    assert (agreement.n_papers, agreement.n_complete) == (3, 0)


def test_intervals_are_quantiles_of_all_resamples() -> None:
    """Of four papers there are 4**4 resamples; those drawn come near their quantiles.

    Of 10,000 draws the share below a value errs by 0.005 at most, so that the interval lies
    between the exact ones of a confidence 0.03 less and more.
    """
    a, b = sets("x", "x", "y", "z"), sets("x", "xy", "y", "x")
    keys = sorted(a)
    exact = []
    for drawn in product(keys, repeat=4):
        ours, theirs = ({f"{i}": mine[key] for i, key in enumerate(drawn)} for mine in (a, b))
        exact.append(
            [
                cohen_kappa(ours, theirs),
                fleiss_kappa([ours, theirs]),
                krippendorff_alpha([ours, theirs], distance="nominal"),
                krippendorff_alpha([ours, theirs], distance="masi"),
            ]
        )
    narrow, wide = (
        np.quantile(exact, [(1 - level) / 2, (1 + level) / 2], axis=0) for level in (0.77, 0.83)
    )
    for i, index in enumerate(compare(a, b, n_resamples=10_000, confidence=0.8).indices):
        assert index.low is not None
        assert index.high is not None
        assert wide[0, i] - 1e-9 <= index.low <= narrow[0, i] + 1e-9
        assert narrow[1, i] - 1e-9 <= index.high <= wide[1, i] + 1e-9
        assert index.low < index.value < index.high


def test_intervals_hold_the_true_value_as_often_as_they_say() -> None:
    """Both annotators find the truth in 7 of 10 papers and else draw one of two labels.

    Each label has chance 1/2 and two ratings are linked by 0.7 * 0.7: kappa is 0.49. With 200
    repeats at 0.9 and 120 papers the share has a standard error of 0.021.
    """
    rng = np.random.default_rng(0)
    labels = np.array([frozenset("x"), frozenset("y")], dtype=object)
    n_held = np.zeros(4)
    for _ in range(200):
        truth = rng.integers(2, size=120)
        drawn = [np.where(rng.random(120) < 0.7, truth, rng.integers(2, size=120)) for _ in "ab"]
        agreement = rate(
            {
                name: {f"p{i}": labels[c] for i, c in enumerate(d)}
                for name, d in zip("ab", drawn, strict=True)
            },
            rng=rng,
            n_resamples=400,
            confidence=0.9,
        )
        n_held += [(i.low or 0) <= 0.49 <= (i.high or 0) for i in agreement.indices]
    assert (np.abs(n_held / 200 - 0.9) < 0.07).all()


def test_order_of_papers_and_annotators_moves_nothing() -> None:
    """Neither values nor intervals: papers are drawn in the order of their keys."""
    turned = [dict(reversed(mine.items())) for mine in (BO, ADA)]
    once, again = by_name(compare(ADA, BO)), by_name(compare(*turned))
    for name, index in once.items():
        mine, theirs = ([i.value, i.low, i.high] for i in (index, again[name]))
        assert mine == pytest.approx(theirs)
        assert None not in mine


def test_blocks_move_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Resamples are the same however many are drawn at once."""
    once = compare(ADA, BO, CY)
    monkeypatch.setattr(raters, "_N_CELLS_AT_ONCE", 150)
    again = compare(ADA, BO, CY)
    for mine, theirs in zip(once.indices, again.indices, strict=True):
        assert (mine.low, mine.high) == pytest.approx((theirs.low, theirs.high))


def test_nothing_to_resample_has_no_interval() -> None:
    """No resamples, a single paper, or annotators who never disagree."""
    for agreement in (
        compare(ADA, BO, n_resamples=0),
        compare(sets("x"), sets("xy")),
        compare(ADA, ADA),
    ):
        assert len(agreement.indices) == 4
        assert {(index.low, index.high) for index in agreement.indices} == {(None, None)}
    assert {index.value for index in compare(ADA, ADA).indices} == {1.0}


def test_a_resample_without_the_rare_label_agrees() -> None:
    """One of ten papers tells the annotators apart: kappa is 0, and 1 where it was not drawn.

    That happens in 0.9**10 = 35 of 100 resamples, so that the interval ends at 1.
    """
    index = by_name(compare(sets(*"xxxxxxxxxx"), sets(*"xxxxxxxxxy")))[COHEN]
    assert (index.value, index.low, index.high) == (0.0, 0.0, 1.0)


def test_an_interval_holds_its_value_at_any_confidence() -> None:
    """Also where next to none of the resamples is asked to lie inside."""
    for seed in range(5):
        for index in compare(ADA, BO, n_resamples=51, confidence=0.01, seed=seed).indices:
            assert index.low is not None
            assert index.high is not None
            assert index.low <= index.value <= index.high


def test_too_few_annotators_are_refused() -> None:
    """One, or two who rated no paper in common."""
    with pytest.raises(ParameterError, match="1 annotator arrived"):
        compare(ADA)
    with pytest.raises(ParameterError, match="2 rated papers arrived, none rated by two"):
        compare(sets("x"), sets(".", "x"))

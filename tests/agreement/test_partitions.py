"""Indices of agreement: scikit-learn's values, chance by enumeration, intervals by simulation."""

from collections import Counter
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import entropy
from sklearn.metrics import (
    adjusted_mutual_info_score,
    adjusted_rand_score,
    completeness_score,
    fowlkes_mallows_score,
    homogeneity_score,
    normalized_mutual_info_score,
    v_measure_score,
)
from sklearn.metrics.cluster import pair_confusion_matrix

from survey_tools.agreement.index import Agreement
from survey_tools.agreement.partitions import compare_partitions, contingency_table
from survey_tools.errors import ParameterError
from survey_tools.partition import Partition


def pair_f1(classes: list[int], clusters: list[int]) -> float:
    """F1 of the pairs that are together, from scikit-learn's confusion of pairs."""
    (_, false), (missed, true) = pair_confusion_matrix(classes, clusters)
    return float(2 * true / (2 * true + false + missed)) if true + false + missed else 1.0


def information(classes: list[int], clusters: list[int]) -> float:
    """Variation of information: twice the joint entropy less both entropies."""
    joint = np.unique(np.column_stack([classes, clusters]), axis=0, return_counts=True)[1]
    parts = (np.unique(side, return_counts=True)[1] for side in (classes, clusters))
    return float(2 * entropy(joint) - sum(entropy(part) for part in parts))


def purity(classes: list[int], clusters: list[int]) -> float:
    """Share of papers in the largest class of their cluster."""
    counts: dict[int, Counter[int]] = {}
    for label, cluster in zip(classes, clusters, strict=True):
        counts.setdefault(cluster, Counter())[label] += 1
    return sum(max(each.values()) for each in counts.values()) / len(classes)


REFERENCES = {
    "ARI": adjusted_rand_score,
    "AMI": adjusted_mutual_info_score,
    "NMI": normalized_mutual_info_score,
    "homogeneity": homogeneity_score,
    "completeness": completeness_score,
    "V-measure": v_measure_score,
    "Fowlkes-Mallows": fowlkes_mallows_score,
    "purity": purity,
    "pair F1": pair_f1,
    "variation of information": information,
}


def group(codes: list[int] | NDArray[np.intp]) -> Partition:
    """Build a partition of papers k000, k001, … from codes."""
    return Partition.from_mapping({f"k{i:03d}": f"g{code}" for i, code in enumerate(codes)})


def compare(
    a: list[int] | NDArray[np.intp],
    b: list[int] | NDArray[np.intp],
    *,
    seed: int = 0,
    n_permutations: int = 0,
    n_resamples: int = 0,
    confidence: float = 0.95,
) -> Agreement:
    """Compare two lists of codes; no chance and no interval unless asked for."""
    return compare_partitions(
        group(a),
        group(b),
        rng=np.random.default_rng(seed),
        n_permutations=n_permutations,
        n_resamples=n_resamples,
        confidence=confidence,
    )


pairs_of_codes = st.integers(2, 30).flatmap(
    lambda n: st.tuples(
        *(
            st.integers(1, n).flatmap(
                lambda k: st.lists(st.integers(0, k - 1), min_size=n, max_size=n)
            )
            for _ in range(2)
        )
    )
)

# ---------------------------------------------------------------- values


@given(codes=pairs_of_codes)
def test_any_partitions_equal_sklearn(codes: tuple[list[int], list[int]]) -> None:
    """All values are scikit-learn's, or those of plain formulas, to 1e-9."""
    agreement = compare(*codes)
    for name, reference in REFERENCES.items():
        assert agreement.index(name).value == pytest.approx(reference(codes[1], codes[0]), abs=1e-9)


@pytest.mark.parametrize("n", [20, 180, 1000])
@pytest.mark.parametrize("seed", range(5))
def test_large_partitions_equal_sklearn(n: int, seed: int) -> None:
    """As many papers as a survey has, groups of very unequal sizes, weak to strong agreement."""
    rng = np.random.default_rng([n, seed])
    a = rng.geometric(0.2, n)
    b = np.where(rng.random(n) < seed / 5, a, rng.geometric(0.3, n))
    agreement = compare(a, b)
    for name, reference in REFERENCES.items():
        assert agreement.index(name).value == pytest.approx(reference(b, a), abs=1e-9)


@pytest.mark.parametrize("n", [2, 3, 7, 50])
@pytest.mark.parametrize("kind_a", ["one", "alone", "two", "all but one"])
@pytest.mark.parametrize("kind_b", ["one", "alone", "two", "all but one"])
def test_degenerate_partitions_equal_sklearn(n: int, kind_a: str, kind_b: str) -> None:
    """One group, each paper its own, two halves, or one paper apart, in all pairs."""
    codes = {
        "one": np.zeros(n, dtype=int),
        "alone": np.arange(n),
        "two": np.arange(n) % 2,
        "all but one": (np.arange(n) == 0).astype(int),
    }
    agreement = compare(codes[kind_a], codes[kind_b])
    for name, reference in REFERENCES.items():
        expected = reference(codes[kind_b], codes[kind_a])
        assert agreement.index(name).value == pytest.approx(expected, abs=1e-9)


def test_six_papers_by_hand() -> None:
    """Clusters ab|cd|ef against classes abc|def.

    Of 15 pairs 3 are together in the clusters, 6 in the classes, 2 in both; 3 * 6 / 15 = 1.2
    by chance. ARI (2 - 1.2) / (4.5 - 1.2) = 8/33; Fowlkes-Mallows 2 / sqrt(18). Entropies
    are ln 3 and ln 2, the joint one 2/3 ln 3 + 1/3 ln 6, so the mutual information is 2/3 ln 2.
    """
    agreement = compare([0, 0, 1, 1, 2, 2], [0, 0, 0, 1, 1, 1])
    assert agreement.index("ARI").value == pytest.approx(8 / 33)
    assert agreement.index("Fowlkes-Mallows").value == pytest.approx(2 / np.sqrt(18))
    v_measure = 2 / 3 * np.log(2) / ((np.log(3) + np.log(2)) / 2)
    assert agreement.index("V-measure").value == pytest.approx(v_measure)
    assert (agreement.n_papers, agreement.n_clusters, agreement.n_classes) == (6, 3, 2)


@given(codes=pairs_of_codes, data=st.data())
def test_names_and_order_change_nothing(
    codes: tuple[list[int], list[int]], data: st.DataObject
) -> None:
    """Renamed groups and permuted papers give the same values, chance, p-values, intervals."""
    a, b = codes
    n = len(a)
    order = data.draw(st.permutations(range(n)))
    keys = [f"k{i:03d}" for i in range(n)]
    renamed = {keys[i]: f"other {9999 - a[i]}" for i in order}
    permuted = {keys[i]: f"g{b[i]}" for i in reversed(order)}
    one = compare(a, b, n_permutations=60, n_resamples=60)
    other = compare_partitions(
        Partition.from_mapping(renamed),
        Partition.from_mapping(permuted),
        rng=np.random.default_rng(0),
        n_permutations=60,
        n_resamples=60,
    )
    for mine, theirs in zip(one.indices, other.indices, strict=True):
        for field in ("value", "chance", "p_value", "low", "high"):
            expected = getattr(mine, field)
            assert getattr(theirs, field) == pytest.approx(expected, abs=1e-9), field


@given(codes=pairs_of_codes)
def test_both_sides_are_alike(codes: tuple[list[int], list[int]]) -> None:
    """Clusters against classes agree as classes against clusters, but for what names a side."""
    one, other = compare(*codes), compare(*reversed(codes))
    for mine, theirs in zip(one.indices, other.indices, strict=True):
        if mine.name not in ("homogeneity", "completeness", "purity"):
            assert mine.value == pytest.approx(theirs.value, abs=1e-12)
    homogeneity = one.index("homogeneity").value
    assert homogeneity == pytest.approx(other.index("completeness").value, abs=1e-12)


def test_contingency_table_is_matched_by_key() -> None:
    """Papers are found by key though both sides list them in different orders."""
    clusters = Partition.from_mapping({"a": "X", "b": "X", "c": "Y"})
    classes = Partition.from_mapping({"c": "p", "a": "q", "b": "p"})
    assert contingency_table(clusters, classes).tolist() == [[1, 1], [1, 0]]


@given(codes=pairs_of_codes)
def test_contingency_totals_are_group_sizes(codes: tuple[list[int], list[int]]) -> None:
    """Rows add up to the clusters, columns to the classes, all to the papers."""
    a, b = group(codes[0]), group(codes[1])
    table = contingency_table(a, b)
    assert table.sum(axis=1).tolist() == a.sizes.tolist()
    assert table.sum(axis=0).tolist() == b.sizes.tolist()
    assert table.sum() == a.n_papers


def test_different_papers_are_refused() -> None:
    """The papers that only one side has are named."""
    a = Partition.from_mapping({"a": "X", "b": "X"})
    b = Partition.from_mapping({"a": "X", "c": "X"})
    for call in (contingency_table, lambda a, b: compare_partitions(a, b, rng=np.random)):
        with pytest.raises(ParameterError, match="hold different papers: b, c; restrict both"):
            call(a, b)


def test_one_paper_is_refused() -> None:
    """There is no pair to agree on."""
    with pytest.raises(ParameterError, match="agreement needs at least 2 papers; 1 arrived"):
        compare([0], [0])


# ---------------------------------------------------------------- chance and p-value


def test_nothing_is_drawn_unless_asked_for() -> None:
    """Zero relabellings and zero half-samples leave None, not a made-up number."""
    for index in compare([0, 0, 1, 1], [0, 1, 1, 1]).indices:
        assert (index.chance, index.p_value, index.low, index.high) == (None,) * 4


def test_chance_equals_a_loop_over_sklearn() -> None:
    """The same relabellings, one at a time through scikit-learn: same mean, same p-value."""
    rng = np.random.default_rng(12)
    a = rng.integers(0, 4, 24)
    b = np.where(rng.random(24) < 0.35, a, rng.integers(0, 3, 24))
    agreement = compare(a, b, seed=7, n_permutations=300)
    sides = group(a).codes, group(b).codes
    relabelled = np.random.default_rng(7).permuted(np.tile(sides[1], (300, 1)), axis=1)
    for name, reference in REFERENCES.items():
        by_chance = np.array([reference(row, sides[0]) for row in relabelled])
        sign = -1 if name == "variation of information" else 1
        n_as_high = (sign * by_chance >= sign * reference(sides[1], sides[0]) - 1e-9).sum()
        index = agreement.index(name)
        assert index.chance == pytest.approx(by_chance.mean(), abs=1e-9)
        assert index.p_value == pytest.approx((1 + n_as_high) / 301, abs=1e-12)


def test_chance_equals_exact_enumeration() -> None:
    """All 720 orders of six papers give the mean and the p-value that sampling approaches.

    Tolerances are four standard errors of 20,000 draws.
    """
    a, b = [0, 0, 1, 1, 2, 2], [0, 0, 0, 1, 1, 1]
    agreement = compare(a, b, seed=3, n_permutations=20_000)
    for name, reference in REFERENCES.items():
        exact = np.array([reference(list(order), a) for order in permutations(b)])
        sign = -1 if name == "variation of information" else 1
        p_value = (sign * exact >= sign * reference(b, a) - 1e-9).mean()
        index = agreement.index(name)
        assert index.chance == pytest.approx(exact.mean(), abs=4 * exact.std() / np.sqrt(20_000))
        assert index.p_value == pytest.approx(p_value, abs=4 * 0.5 / np.sqrt(20_000))


def test_adjusted_indices_are_zero_by_chance() -> None:
    """ARI and AMI are adjusted to mean 0; V-measure and Fowlkes-Mallows are not."""
    rng = np.random.default_rng(2)
    a, b = rng.integers(0, 6, 100), rng.integers(0, 5, 100)
    agreement = compare(a, b, n_permutations=4000)
    assert agreement.index("ARI").chance == pytest.approx(0, abs=0.001)
    assert agreement.index("AMI").chance == pytest.approx(0, abs=0.002)
    assert agreement.index("V-measure").chance > 0.05
    assert agreement.index("Fowlkes-Mallows").chance > 0.15


@given(codes=pairs_of_codes)
def test_two_tests_are_made_not_four(codes: tuple[list[int], list[int]]) -> None:
    """With sizes fixed Fowlkes-Mallows ranks relabellings as ARI does, V-measure as AMI."""
    agreement = compare(*codes, n_permutations=80)
    p_value = {index.name: index.p_value for index in agreement.indices}
    assert p_value["ARI"] == p_value["Fowlkes-Mallows"]
    assert p_value["AMI"] == p_value["V-measure"]


def test_smallest_p_value_is_one_over_all_draws() -> None:
    """Perfect agreement of 60 papers is never reached by chance: 1 / (1 + 999)."""
    a = np.arange(60) % 4
    agreement = compare(a, a, n_permutations=999)
    assert {index.p_value for index in agreement.indices} == {1 / 1000}


@pytest.mark.parametrize("degenerate", [[0] * 12, list(range(12))], ids=["one", "alone"])
def test_no_relabelling_differs_where_one_side_is_degenerate(degenerate: list[int]) -> None:
    """With one cluster, or all alone, every relabelling is the same: there is no test."""
    classes = [0, 1, 2] * 4
    for a, b in ((degenerate, classes), (classes, degenerate), (degenerate, degenerate)):
        agreement = compare(a, b, n_permutations=99)
        assert {(index.p_value, index.low) for index in agreement.indices} == {(None, None)}
        assert (agreement.n_permutations, agreement.n_resamples) == (0, 0)


@pytest.mark.slow
def test_p_values_are_uniform_without_agreement() -> None:
    """Of 600 random pairs about 5 % reach p <= 0.05, and about half p <= 0.5."""
    p_values = []
    for seed in range(600):
        rng = np.random.default_rng([33, seed])
        a, b = rng.integers(0, 5, 60), rng.integers(0, 4, 60)
        p_values.append(compare(a, b, seed=seed, n_permutations=199).index("AMI").p_value)
    for level in (0.05, 0.5):
        margin = 3.5 * np.sqrt(level * (1 - level) / 600)
        assert np.mean(np.array(p_values) <= level) == pytest.approx(level, abs=margin)


def test_large_tables_are_counted_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of any size hold every relabelling and half-sample once."""
    rng = np.random.default_rng(9)
    a, b = rng.integers(0, 5, 40), rng.integers(0, 4, 40)
    whole = compare(a, b, n_permutations=500, n_resamples=500)
    monkeypatch.setattr("survey_tools.agreement.partitions._N_CELLS_AT_ONCE", 40 * 7)
    blocks = compare(a, b, n_permutations=500, n_resamples=500)
    for one, other in zip(whole.indices, blocks.indices, strict=True):
        assert one.value == other.value
        assert other.chance == pytest.approx(one.chance, abs=0.02)
        assert other.p_value == pytest.approx(one.p_value, abs=0.1)
    first = np.random.default_rng(0).permuted(np.tile(group(b).codes, (7, 1)), axis=1)
    monkeypatch.undo()
    assert len(np.unique(first, axis=0)) == 7  # rows of a block are shuffled apart


# ---------------------------------------------------------------- intervals


@given(
    codes=pairs_of_codes,
    confidence=st.sampled_from([0.05, 0.5, 0.8, 0.95, 0.999]),
    seed=st.integers(0, 5),
)
def test_interval_holds_the_value_and_possible_values_only(
    codes: tuple[list[int], list[int]], confidence: float, seed: int
) -> None:
    """Low <= value <= high <= 1 for any partitions, however few the half-samples."""
    agreement = compare(*codes, seed=seed, n_resamples=30, confidence=confidence)
    for index in agreement.indices:
        if agreement.n_resamples == 0:  # degenerate, or too few papers to halve
            assert (index.low, index.high) == (None, None)
            continue
        assert index.low <= index.value <= index.high
        greatest = np.log(agreement.n_papers) if index.is_distance else 1.0
        assert index.high <= max(greatest, index.value)
        if index.name in ("V-measure", "Fowlkes-Mallows"):
            assert index.low >= min(0.0, index.value)


def test_interval_is_repeated_by_the_same_seed() -> None:
    """The same seed gives the same numbers, another seed others."""
    rng = np.random.default_rng(4)
    a, b = rng.integers(0, 4, 50), rng.integers(0, 4, 50)
    one, same, other = (compare(a, b, seed=s, n_resamples=200) for s in (1, 1, 2))
    assert one == same
    assert one.index("ARI").low != other.index("ARI").low


def test_higher_confidence_widens_the_interval() -> None:
    """50 % lies inside 80 %, and that inside 95 %."""
    rng = np.random.default_rng(4)
    a = rng.integers(0, 4, 80)
    b = np.where(rng.random(80) < 0.5, a, rng.integers(0, 4, 80))
    half, most, nearly_all = (
        compare(a, b, n_resamples=500, confidence=level).index("ARI") for level in (0.5, 0.8, 0.95)
    )
    assert nearly_all.low < most.low < half.low < half.high < most.high < nearly_all.high


def test_more_papers_narrow_the_interval() -> None:
    """Four times the papers, about half the width."""
    rng = np.random.default_rng(4)
    widths = []
    for n in (200, 800):
        a = rng.integers(0, 4, n)
        b = np.where(rng.random(n) < 0.5, a, rng.integers(0, 4, n))
        index = compare(a, b, n_resamples=1000).index("ARI")
        widths.append(index.high - index.low)
    assert widths[0] / widths[1] == pytest.approx(2.0, rel=0.25)


# Joint distributions of cluster and class, five of each: with weight w both are the same
# group, otherwise independent, sizes unequal as in a survey.
SIZES = np.array([0.35, 0.25, 0.2, 0.12, 0.08])


def mix(weight: float) -> NDArray[np.float64]:
    """Return the joint distribution of cluster and class, shape (5, 5)."""
    return weight * np.diag(SIZES) + (1 - weight) * np.outer(SIZES, SIZES)


def draw_papers(joint: NDArray[np.float64], n: int, rng: np.random.Generator) -> tuple:
    """Draw cluster and class of n papers."""
    return np.divmod(rng.choice(joint.size, size=n, p=joint.ravel()), joint.shape[1])


def find_population_ari(joint: NDArray[np.float64]) -> float:
    """ARI of infinitely many papers: sums of squared shares in place of pairs."""
    both, a, b = (joint**2).sum(), (joint.sum(1) ** 2).sum(), (joint.sum(0) ** 2).sum()
    return float((both - a * b) / ((a + b) / 2 - a * b))


@pytest.mark.slow
@pytest.mark.parametrize("weight", [0.1, 0.3, 0.6, 0.9])
def test_interval_covers_the_population_value(weight: float) -> None:
    """Of 400 surveys of 200 papers about 95 % have an interval that holds the true ARI.

    Measured with seeds [21, 0..399], 500 half-samples, numpy 2.4.6: 0.953, 0.935, 0.932 and
    0.925 for true ARI 0.018, 0.109, 0.382 and 0.818. The percentile bootstrap of the same
    papers had 0.928, 0.953, 0.948, 0.928, but 0.858 where the true ARI is 0, against 0.993.
    """
    joint = mix(weight)
    truth = find_population_ari(joint)
    n_covered = 0
    for seed in range(400):
        rng = np.random.default_rng([21, seed])
        a, b = draw_papers(joint, 200, rng)
        index = compare(a, b, seed=seed, n_resamples=500).index("ARI")
        n_covered += index.low <= truth <= index.high
    print(f"weight {weight}: ARI {truth:.3f}, coverage {n_covered / 400:.3f}")  # noqa: T201
    assert 0.91 <= n_covered / 400 <= 0.98


def test_bootstrap_is_biased_and_half_samples_are_not() -> None:
    """On weak agreement a bootstrap lifts ARI, because a paper agrees with its own copy.

    200 papers, five clusters and classes without any relation: measured over 400 draws of
    papers with 500 samples each (numpy 2.4.6, scikit-learn 1.9.1), bootstrap samples lie
    0.0151 above the observed value and half-samples 0.0000.
    """
    rng = np.random.default_rng(5)
    shifts = {"bootstrap": [], "half-sample": []}
    for _ in range(8):
        a, b = draw_papers(mix(0.0), 200, rng)
        value = adjusted_rand_score(a, b)
        for _ in range(60):
            drawn = rng.integers(0, 200, 200)
            half = rng.permutation(200)[:100]
            shifts["bootstrap"].append(adjusted_rand_score(a[drawn], b[drawn]) - value)
            shifts["half-sample"].append(adjusted_rand_score(a[half], b[half]) - value)
    bias = {name: float(np.mean(values)) for name, values in shifts.items()}
    assert bias["bootstrap"] > 0.01
    assert abs(bias["half-sample"]) < 0.002


def test_interval_is_centred_where_half_as_many_papers_agree_more() -> None:
    """V-measure grows as papers become fewer; the interval is shifted back to the value.

    On 200 unrelated papers half-samples have about twice the V-measure of the whole.
    """
    a, b = draw_papers(mix(0.0), 200, np.random.default_rng(3))
    half = np.random.default_rng(4).permuted(np.tile(np.arange(200), (50, 1)), axis=1)[:, :100]
    index = compare(a, b, n_resamples=400).index("V-measure")
    lift = np.mean([v_measure_score(a[row], b[row]) for row in half]) - index.value
    assert lift > 0.015
    assert (index.low + index.high) / 2 == pytest.approx(index.value, abs=lift / 3)


def test_interval_is_not_lifted_where_there_is_no_agreement() -> None:
    """Unrelated clusters and classes have intervals around zero, as often below as above."""
    middles = []
    for seed in range(30):
        rng = np.random.default_rng([8, seed])
        index = compare(*draw_papers(mix(0.0), 200, rng), n_resamples=200).index("ARI")
        middles.append((index.low + index.high) / 2)
    assert np.mean(middles) == pytest.approx(0.0, abs=0.005)

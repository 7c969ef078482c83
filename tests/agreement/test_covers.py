"""Covers: hand-worked pairs, brute force paper by paper, partitions as a special case, chance."""

from itertools import combinations, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import adjusted_rand_score

from survey_tools.agreement.covers import compare_covers
from survey_tools.agreement.index import Agreement
from survey_tools.cover import Cover
from survey_tools.errors import ParameterError

Sets = list[set[int]]


def cover(sets: Sets) -> Cover:
    """Make a cover of papers k00, k01, … from the groups of each."""
    return Cover.from_mapping({f"k{i:02d}": [f"g{g}" for g in s] for i, s in enumerate(sets)})


def compare(
    a: Sets, b: Sets, *, seed: int = 0, n_permutations: int = 0, n_resamples: int = 0
) -> Agreement:
    """Compare the groups of each paper; no chance and no interval unless asked for."""
    return compare_covers(
        cover(a),
        cover(b),
        rng=np.random.default_rng(seed),
        n_permutations=n_permutations,
        n_resamples=n_resamples,
    )


@st.composite
def two_covers(draw: st.DrawFn) -> tuple[Sets, Sets]:
    """Draw 2 to 14 papers in none to three of up to four groups on either side."""
    n = draw(st.integers(2, 14))
    one_side = st.lists(st.sets(st.integers(0, 3), max_size=3), min_size=n, max_size=n)
    return draw(one_side), draw(one_side)


# ---------------------------------------------------------------- plain definitions


def omega(a: Sets, b: Sets) -> float:
    """Collins and Dent: pairs together equally often, adjusted by both distributions."""
    pairs = [*combinations(range(len(a)), 2)]
    together = [(len(a[i] & a[j]), len(b[i] & b[j])) for i, j in pairs]
    observed = sum(x == y for x, y in together) / len(pairs)
    most = max(max(pair) for pair in together)
    expected = (
        sum(
            sum(x == t for x, _ in together) * sum(y == t for _, y in together)
            for t in range(most + 1)
        )
        / len(pairs) ** 2
    )
    return 1.0 if expected == 1.0 else (observed - expected) / (1 - expected)


def bcubed(system: Sets, gold: Sets) -> float:
    """Amigó et al.: multiplicity precision, in the mean over papers that have a group."""
    of_papers = []
    for i, mine in enumerate(system):
        mates = [j for j in range(len(system)) if mine & system[j]]
        if mates:
            of_papers.append(
                np.mean(
                    [
                        min(len(mine & system[j]), len(gold[i] & gold[j])) / len(mine & system[j])
                        for j in mates
                    ]
                )
            )
    if not of_papers:
        return float(not any(system) and not any(gold))
    return float(np.mean(of_papers))


def h(w: float, n: int) -> float:
    """McDaid et al., equation 1."""
    return -w / n * np.log2(w / n) if w else 0.0


def overlapping_nmi(a: Sets, b: Sets) -> float:
    """McDaid et al. 2011, equations 1 to 5 and NMI_max."""
    n = len(a)
    sides = []
    for side in (a, b):
        groups = sorted(set().union(*side))
        sides.append([np.array([g in s for s in side]) for g in groups])

    def entropy(x: NDArray[np.bool_]) -> float:
        return h(x.sum(), n) + h((~x).sum(), n)

    def given_best(x: NDArray[np.bool_], others: list[NDArray[np.bool_]]) -> float:
        found = []
        for y in others:
            p = [h((u & v).sum(), n) for u in (~x, x) for v in (~y, y)]
            like = p[0] + p[3] >= p[1] + p[2]
            found.append(sum(p) - entropy(y) if like else entropy(x))
        return min(found, default=entropy(x))  # nothing is learnt from no group

    hx, hy = (sum(map(entropy, side)) for side in sides)
    x_given_y = sum(given_best(x, sides[1]) for x in sides[0])
    y_given_x = sum(given_best(y, sides[0]) for y in sides[1])
    if max(hx, hy) < 1e-12:
        return 1.0
    return max((hx - x_given_y + hy - y_given_x) / 2 / max(hx, hy), 0.0)


def element_centric(a: Sets, b: Sets, alpha: float = 0.9) -> float:
    """Gates et al.: personalised PageRank of the element graph, by solving it for each paper."""
    visits = []
    for side in (a, b):
        n = len(side)
        sizes = {g: sum(g in s for s in side) for s in side for g in s}
        walk = np.array(
            [[sum(1 / sizes[g] for g in s & t) / max(len(s), 1) for t in side] for s in side]
        )
        for i, s in enumerate(side):
            if not s:
                walk[i, i] = 1.0
        visits.append((1 - alpha) * np.linalg.inv(np.eye(n) - alpha * walk))
    return float(1 - np.abs(visits[0] - visits[1]).sum() / (2 * alpha * len(a)))


# ---------------------------------------------------------------- values


@given(sides=two_covers())
@settings(deadline=None)
def test_any_covers_equal_the_plain_definitions(sides: tuple[Sets, Sets]) -> None:
    """All six indices to 1e-9, papers without a group among them."""
    a, b = sides
    found = compare(a, b)
    precision, recall = bcubed(a, b), bcubed(b, a)
    f = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    expected = {
        "Omega": omega(a, b),
        "BCubed precision": precision,
        "BCubed recall": recall,
        "BCubed F": f,
        "overlapping NMI": overlapping_nmi(a, b),
        "element-centric similarity": element_centric(a, b),
    }
    assert {i.name: i.value for i in found.indices} == pytest.approx(expected, abs=1e-9)


def test_omega_by_hand() -> None:
    """Five papers; ten pairs.

    Side a: {1} {1} {1,2} {2} {2}: together once ab ac bc cd ce de, never ad ae bd be. Side b:
    {1} {1} {1,2} {1,2} {2}: once ab ac ad bc bd ce de, twice cd, never ae be. Alike: ab ac bc
    ce de once, ae be never: 7 of 10. By chance (6 x 7 + 4 x 2 + 0 x 1) / 100 = 0.5.
    Omega = (0.7 - 0.5) / 0.5 = 0.4.
    """
    a = [{1}, {1}, {1, 2}, {2}, {2}]
    b = [{1}, {1}, {1, 2}, {1, 2}, {2}]
    assert compare(a, b).index("Omega").value == pytest.approx(0.4)


def test_bcubed_by_hand() -> None:
    """Clusters {a b} {c}, classes a: x y, b: x, c: x.

    Precision: a with a min(1, 2) / 1 = 1, with b 1; b 1, 1; c 1: 1 in all. Recall: a shares
    two classes with itself and one cluster, 1/2; x with b 1/1; none with c 0: mean 1/2. b with
    a 1, b 1, c 0: 2/3. c with a 0, b 0, c 1: 1/3. Mean 1/2; F 2/3.
    """
    found = compare([{1}, {1}, {2}], [{7, 8}, {7}, {7}])
    assert found.index("BCubed precision").value == pytest.approx(1.0)
    assert found.index("BCubed recall").value == pytest.approx(0.5)
    assert found.index("BCubed F").value == pytest.approx(2 / 3)


def test_overlapping_nmi_by_hand() -> None:
    """One group of two of four papers against one of one of them.

    H(X) = 1 bit, H(Y) = 0.8113; neither 2, y alone 0, x alone 1, both 1: joint entropy
    1.5, so H(X|Y) = 0.6887, H(Y|X) = 0.5, information 0.3113, over the larger entropy 0.3113.
    """
    value = compare([{1}, {1}, set(), set()], [{1}, set(), set(), set()])
    h_y = -(0.25 * np.log2(0.25) + 0.75 * np.log2(0.75))
    assert value.index("overlapping NMI").value == pytest.approx(1 + h_y - 1.5)


def test_element_centric_similarity_by_hand() -> None:
    """Partitions ab|c and a|bc: closed form of Gates et al. for partitions, alpha cancels.

    a: 1/2, 1/2, 0 against 1, 0, 0: half the difference 1/2. b: 1/2, 1/2, 0 against 0, 1/2,
    1/2: 1/2. c: 1/2. Mean similarity 1/2.
    """
    found = compare([{1}, {1}, {2}], [{1}, {2}, {2}])
    assert found.index("element-centric similarity").value == pytest.approx(0.5)


@pytest.mark.parametrize("seed", range(5))
def test_omega_of_partitions_is_the_adjusted_rand_index(seed: int) -> None:
    """As scikit-learn computes it."""
    rng = np.random.default_rng(seed)
    a, b = rng.integers(0, 5, 60), rng.integers(0, 4, 60)
    found = compare([{int(x)} for x in a], [{int(x)} for x in b])
    assert found.index("Omega").value == pytest.approx(adjusted_rand_score(a, b), abs=1e-12)


def test_a_cover_agrees_with_itself() -> None:
    """All indices are 1, papers without a group or in all of them included."""
    sets: Sets = [{1}, {1, 2}, set(), {2, 3}, {1, 2, 3}, set()]
    assert [index.value for index in compare(sets, sets).indices] == pytest.approx([1.0] * 6)


def test_sides_without_groups_are_defined() -> None:
    """Nothing against nothing agrees; nothing against something does not; no NaN."""
    nothing: Sets = [set(), set(), set()]
    something: Sets = [{1}, {1}, {2}]
    assert [i.value for i in compare(nothing, nothing).indices] == pytest.approx([1.0] * 6)
    apart = {index.name: index.value for index in compare(something, nothing).indices}
    assert apart["BCubed F"] == apart["overlapping NMI"] == apart["BCubed precision"] == 0.0
    assert all(np.isfinite(value) for value in apart.values())


def test_no_group_and_a_group_of_all_papers_tell_equally_little() -> None:
    """NMI is 1 where neither side tells papers apart, 0 where one alone does."""
    nothing: Sets = [set()] * 4
    everything: Sets = [{1}] * 4
    for sides in [(nothing, everything), (everything, nothing), (everything, everything)]:
        assert compare(*sides).index("overlapping NMI").value == 1.0
    assert compare(nothing, [{1}, {1, 2}, {1}, {1}]).index("overlapping NMI").value == 0.0


# ---------------------------------------------------------------- chance and intervals


def test_chance_equals_exact_enumeration() -> None:
    """All 120 orders of five papers give mean and p-value, to four standard errors."""
    a: Sets = [{1}, {1}, {1, 2}, {2}, set()]
    b: Sets = [{1}, {1}, {1, 2}, {2}, {2}]
    found = compare(a, b, n_permutations=20_000)
    plain = {
        "Omega": omega,
        "BCubed precision": bcubed,
        "overlapping NMI": overlapping_nmi,
        "element-centric similarity": element_centric,
    }
    for name, definition in plain.items():
        exact = np.array([definition(a, list(order)) for order in permutations(b)])
        index = found.index(name)
        error = 4 / np.sqrt(20_000)
        assert index.chance == pytest.approx(exact.mean(), abs=error * exact.std())
        p_value = (exact >= definition(a, b) - 1e-9).mean()
        assert index.p_value == pytest.approx(p_value, abs=error / 2)


def test_half_samples_are_those_of_the_plain_definitions() -> None:
    """With as many half-samples as there are halves of six papers, the spread is theirs."""
    a: Sets = [{1}, {1}, {1, 2}, {2}, {2}, {3}]
    b: Sets = [{1}, {2}, {1, 2}, {2}, {2}, {1}]
    found = compare(a, b, n_resamples=8000)
    for name, definition in {"Omega": omega, "element-centric similarity": element_centric}.items():
        halves = [
            definition([a[i] for i in half], [b[i] for i in half])
            for half in combinations(range(6), 3)
        ]
        spread = np.quantile(np.array(halves) - np.mean(halves), [0.975, 0.025])
        index = found.index(name)
        low, high = np.clip(index.value - spread, *((-1, 1) if name == "Omega" else (0, 1)))
        assert (index.low, index.high) == pytest.approx((low, high), abs=0.03)


@given(sides=two_covers(), seed=st.integers(0, 3))
@settings(deadline=None, max_examples=40)
def test_order_and_names_change_no_value(sides: tuple[Sets, Sets], seed: int) -> None:
    """Papers and groups in another order and under other names."""
    a, b = sides
    order = np.random.default_rng(seed).permutation(len(a))
    renamed = [{9 - g for g in s} for s in a]
    one = compare(a, b)
    other = compare([renamed[i] for i in order], [b[i] for i in order])
    for mine, theirs in zip(one.indices, other.indices, strict=True):
        assert mine.value == pytest.approx(theirs.value, abs=1e-12)


def test_counts_are_those_of_groups_with_papers() -> None:
    """An empty group is no cluster."""
    carried = {"a": ["x"], "b": ["x", "y"]}
    side = Cover.from_mapping(carried, group_order=["x", "y", "z"])
    found = compare_covers(side, side, rng=np.random.default_rng(0), n_permutations=9)
    assert (found.n_papers, found.n_clusters, found.n_classes) == (2, 2, 2)
    assert (found.n_permutations, found.n_resamples) == (9, 0)


def test_a_side_that_tells_no_papers_apart_is_not_tested() -> None:
    """Every relabelling is the same."""
    found = compare([{1}] * 8, [{1}, {2}] * 4, n_permutations=99, n_resamples=99)
    assert (found.n_permutations, found.n_resamples) == (0, 0)
    assert all(index.p_value is None for index in found.indices)


def test_what_cannot_be_compared_is_refused() -> None:
    """Different papers by name; one paper; too many sets."""
    rng = np.random.default_rng(0)
    with pytest.raises(ParameterError, match="the two covers hold different papers: b"):
        compare_covers(
            Cover.from_mapping({"a": [], "b": []}), Cover.from_mapping({"a": []}), rng=rng
        )
    one = Cover.from_mapping({"a": ["x"]})
    with pytest.raises(ParameterError, match="at least 2 papers; 1 arrived"):
        compare_covers(one, one, rng=rng)
    many = [{i} for i in range(70)]
    with pytest.raises(ParameterError, match=r"70 different sets of groups against 70 are more"):
        compare(many, many)

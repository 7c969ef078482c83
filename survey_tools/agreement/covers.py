"""Two covers of the same papers, several groups a paper -> indices of agreement."""

import numpy as np
from numpy.typing import NDArray

from survey_tools.agreement.element_centric import compare_elements
from survey_tools.agreement.index import FEWEST_TO_HALVE, Agreement, weigh
from survey_tools.agreement.patterns import Patterns, count_tables, find_patterns
from survey_tools.cover import Cover, align_covers
from survey_tools.errors import ParameterError

__all__ = ["MOST_CELLS", "compare_covers", "count_set_pairs"]

MOST_CELLS = 4000  # pairs of a set of groups of one side and of the other
_LEAST = {
    "Omega": -1.0,
    "BCubed precision": 0.0,
    "BCubed recall": 0.0,
    "BCubed F": 0.0,
    "overlapping NMI": 0.0,
    "element-centric similarity": 0.0,
}
_TIE = 1e-12

Tables = NDArray[np.float64]  # (n_tables, n_patterns_a, n_patterns_b)


def count_set_pairs(clusters: Cover, classes: Cover) -> int:
    """Count pairs of a set of groups of one side and of the other, of which 4,000 are allowed.

    A set is what one paper or more are in on its side; `compare_covers` goes by the table of
    all such pairs, at every relabelling.
    """
    return find_patterns(clusters.members).n_patterns * find_patterns(classes.members).n_patterns


def compare_covers(
    clusters: Cover,
    classes: Cover,
    *,
    rng: np.random.Generator,
    n_permutations: int = 10_000,
    n_resamples: int = 2_000,
    confidence: float = 0.95,
) -> Agreement:
    """Measure the agreement of two covers, matched by paper key.

    * Omega [1]_: share of pairs of papers that are together in equally many groups of both
      sides, adjusted for chance; for partitions it is the adjusted Rand index.
    * Extended BCubed [2]_: precision asks, for each paper in a cluster, of all papers that
      share a cluster with it (itself among them) whether they share as many classes; recall
      the other way round; F is their harmonic mean. Papers without any cluster (class) are
      not asked for precision (recall).
    * Overlapping normalised mutual information, by the larger entropy [3]_.
    * Element-centric similarity, alpha 0.9 [4]_; a paper without any group is a group of its
      own.

    Where nothing is left to measure, two sides that are both without groups (for NMI: without
    a group that tells papers apart) agree with 1, a side with and a side without with 0; and
    Omega is 1 where chance alone brings 1.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of relabellings and half-samples.
    n_permutations, n_resamples : int
        0 leaves chance and p-value, or the interval, at None. So do covers of which one gives
        all papers the same groups, and for intervals fewer than four papers.
    confidence : float
        Level of the interval, between 0 and 1.

    Returns
    -------
    Agreement
        ``n_clusters`` and ``n_classes`` count the groups that are not empty.

    Raises
    ------
    ParameterError
        If the covers hold different papers, fewer than two, or more different sets of groups
        than can be compared (4,000 pairs of sets, see `count_set_pairs`).

    References
    ----------
    .. [1] Collins and Dent, "Omega: a general formulation of the Rand index of cluster
       recovery suitable for non-disjoint solutions", Multivariate Behavioral Research 23
       (1988).
    .. [2] Amigó, Gonzalo, Artiles and Verdejo, "A comparison of extrinsic clustering evaluation
       metrics based on formal constraints", Information Retrieval 12 (2009), section 6.
    .. [3] McDaid, Greene and Hurley, "Normalized mutual information to evaluate overlapping
       community finding algorithms", arXiv:1110.2515 (2011).
    .. [4] Gates, Wood, Hetrick and Ahn, "Element-centric clustering comparison unifies overlaps
       and hierarchy", Scientific Reports 9 (2019).
    """
    members_a, members_b = align_covers(clusters, classes)
    n_papers = len(members_a)
    if n_papers < 2:
        raise ParameterError(f"agreement needs at least 2 papers; {n_papers} arrived")
    a, b = find_patterns(members_a), find_patterns(members_b)
    if a.n_patterns * b.n_patterns > MOST_CELLS:
        raise ParameterError(
            f"{a.n_patterns} different sets of groups against {b.n_patterns} are more than "
            f"{MOST_CELLS:,} pairs; compare fewer labels"
        )
    if a.n_patterns == 1 or b.n_patterns == 1:  # every relabelling is the same
        n_permutations = n_resamples = 0
    if n_papers < FEWEST_TO_HALVE:
        n_resamples = 0
    table = np.zeros((1, a.n_patterns, b.n_patterns))
    np.add.at(table[0], (a.codes, b.codes), 1.0)
    observed = _measure(table, a, b)
    by_chance = [
        _measure(tables, a, b) for tables in count_tables(a, b, rng=rng, n_tables=n_permutations)
    ]
    halves = [
        _measure(tables, a, b)
        for tables in count_tables(a, b, rng=rng, n_tables=n_resamples, n_papers=n_papers // 2)
    ]
    indices = [
        weigh(
            name,
            float(observed[i, 0]),
            by_chance=np.concatenate([block[i] for block in by_chance]) if by_chance else None,
            samples=np.concatenate([block[i] for block in halves]) if halves else None,
            confidence=confidence,
            bounds=(least, 1.0),
        )
        for i, (name, least) in enumerate(_LEAST.items())
    ]
    return Agreement(
        n_papers=n_papers,
        n_clusters=a.n_groups,
        n_classes=b.n_groups,
        n_permutations=n_permutations,
        n_resamples=n_resamples,
        confidence=confidence,
        indices=tuple(indices),
    )


def _measure(tables: Tables, a: Patterns, b: Patterns) -> NDArray[np.float64]:
    """Compute all indices of a block of tables, shape (6, n_tables)."""
    precision = _bcubed(tables, a.shared, b.shared)
    recall = _bcubed(tables.transpose(0, 2, 1), b.shared, a.shared)
    f = _ratio(2.0 * precision * recall, precision + recall, if_undefined=0.0)
    return np.stack([
        _omega(tables, a.shared, b.shared), precision, recall, f,
        _mutual_information(tables, a.members, b.members), compare_elements(tables, a, b),
    ])  # fmt: skip


def _omega(
    tables: Tables, shared_a: NDArray[np.intp], shared_b: NDArray[np.intp]
) -> NDArray[np.float64]:
    n = float(tables[0].sum())
    n_pairs = n * (n - 1.0)  # ordered
    sizes_a, sizes_b = tables.sum(axis=2), tables.sum(axis=1)
    own_a, own_b = np.diag(shared_a), np.diag(shared_b)
    alike = np.zeros(len(tables))
    expected = np.zeros(len(tables))
    for times in range(int(max(shared_a.max(), shared_b.max())) + 1):
        is_a, is_b = (shared_a == times).astype(float), (shared_b == times).astype(float)
        self_a, self_b = (own_a == times).astype(float), (own_b == times).astype(float)
        alike += ((is_a @ tables @ is_b) * tables).sum(axis=(1, 2))
        alike -= (tables * np.outer(self_a, self_b)).sum(axis=(1, 2))  # a paper with itself
        in_a = ((sizes_a @ is_a) * sizes_a).sum(axis=1) - sizes_a @ self_a
        in_b = ((sizes_b @ is_b) * sizes_b).sum(axis=1) - sizes_b @ self_b
        expected += in_a * in_b / n_pairs
    return _ratio(alike - expected, n_pairs - expected, if_undefined=1.0)


def _bcubed(
    tables: Tables, shared: NDArray[np.intp], others: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Precision of the side whose patterns stand in rows; of the tables turned, recall."""
    sizes = tables.sum(axis=2)
    is_together = (shared > 0).astype(float)
    n_together = sizes @ is_together  # of a paper of each pattern, itself among them
    inverse = np.divide(1.0, shared, out=np.zeros(shared.shape), where=shared > 0)
    common = np.zeros(tables.shape)
    for times in range(1, int(min(shared.max(), others.max())) + 1):
        common += ((shared >= times) * inverse) @ tables @ (others >= times).astype(float)
    of_paper = _ratio(common, n_together[:, :, None] + np.zeros(tables.shape), if_undefined=0.0)
    asked = (sizes * (np.diag(shared) > 0)).sum(axis=1)
    both_empty = float(not shared.any() and not others.any())
    return _ratio((of_paper * tables).sum(axis=(1, 2)), asked, if_undefined=both_empty)


def _mutual_information(
    tables: Tables, members_a: NDArray[np.float64], members_b: NDArray[np.float64]
) -> NDArray[np.float64]:
    """McDaid, Greene and Hurley's NMI by the larger entropy, equations 1 to 5."""
    n = int(tables[0].sum())
    # no group tells as much as an empty one: nothing
    members_a, members_b = (
        members if members.shape[1] else np.zeros((len(members), 1))
        for members in (members_a, members_b)
    )
    share = np.arange(n + 1) / n
    information = -share * np.log(np.maximum(share, 1.0 / n))  # h(w, n), in nats
    both = members_a.T @ tables @ members_b  # (n_tables, n_groups_a, n_groups_b)
    in_a = (tables.sum(axis=2) @ members_a)[:, :, None] + np.zeros(both.shape)
    in_b = (tables.sum(axis=1) @ members_b)[:, None, :] + np.zeros(both.shape)
    d, c, b = (np.rint(x).astype(np.intp) for x in (both, in_a - both, in_b - both))
    a = n - b - c - d  # in neither
    joint = information[a] + information[b] + information[c] + information[d]
    of_a = information[c + d] + information[a + b]
    of_b = information[b + d] + information[a + c]
    # otherwise a group would explain the complement of another
    is_like = information[a] + information[d] >= information[b] + information[c]
    a_given_b = np.where(is_like, joint - of_b, of_a).min(axis=2).sum(axis=1)
    b_given_a = np.where(is_like, joint - of_a, of_b).min(axis=1).sum(axis=1)
    entropy_a, entropy_b = of_a[:, :, 0].sum(axis=1), of_b[:, 0, :].sum(axis=1)
    mutual = (entropy_a - a_given_b + entropy_b - b_given_a) / 2.0
    larger = np.maximum(entropy_a, entropy_b)
    return np.clip(_ratio(mutual, larger, if_undefined=1.0), 0.0, 1.0)


def _ratio(
    numerator: NDArray[np.float64], denominator: NDArray[np.float64], *, if_undefined: float
) -> NDArray[np.float64]:
    is_defined = np.abs(denominator) > _TIE
    out = np.full(numerator.shape, if_undefined)
    return np.asarray(np.divide(numerator, denominator, out=out, where=is_defined))

"""Two trees of the same papers -> indices of agreement, with chance and interval."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.cluster import hierarchy
from scipy.spatial.distance import squareform

from survey_tools.agreement.element_centric import compare_hierarchies
from survey_tools.agreement.index import FEWEST_TO_HALVE, Agreement, weigh
from survey_tools.agreement.robinson_foulds import find_clades, robinson_foulds_distance
from survey_tools.agreement.triplets import triplet_distance
from survey_tools.errors import ParameterError, abbreviate
from survey_tools.tree import Tree

__all__ = ["compare_trees", "deal_partners", "measure_merge_heights", "require_same_papers"]

_NAMES = ("cophenetic correlation", "Baker's gamma")
_DISTANCES = ("triplet distance", "Robinson-Foulds distance")
_N_NUMBERS_AT_ONCE = 1_000_000  # of permutations drawn at once: 8 MB


def require_same_papers(a: Tree, b: Tree) -> None:
    """Refuse two trees of different papers.

    Raises
    ------
    ParameterError
        Naming the papers that one of them lacks.
    """
    if missing := sorted(set(a.paper_keys) ^ set(b.paper_keys)):
        raise ParameterError(
            f"the two trees hold different papers: {abbreviate(missing)}; "
            "build both from the papers they share"
        )


def measure_merge_heights(tree: Tree) -> NDArray[np.float64]:
    """Return the height at which each pair of papers is merged, in the order of their keys.

    An inverted merge counts as made at the greatest height below it.

    Returns
    -------
    ndarray of float64, shape (n_papers, n_papers)
    """
    lifted = tree.to_linkage()
    lifted[:, 2] = hierarchy.maxdists(lifted)
    by_key = sorted(range(tree.n_papers), key=tree.paper_keys.__getitem__)
    square = squareform(hierarchy.cophenet(lifted))
    return np.asarray(square[np.ix_(by_key, by_key)], dtype=np.float64)


def deal_partners(
    n_papers: int, n_rows: int, rng: np.random.Generator
) -> Iterator[NDArray[np.int64]]:
    """Yield random permutations of the papers, one a row, in blocks that keep memory small."""
    n_at_once = max(1, _N_NUMBERS_AT_ONCE // n_papers)
    for start in range(0, n_rows, n_at_once):
        rows = np.tile(np.arange(n_papers), (min(n_at_once, n_rows - start), 1))
        yield rng.permuted(rows, axis=1, out=rows)


def compare_trees(
    a: Tree,
    b: Tree,
    *,
    rng: np.random.Generator,
    n_permutations: int = 10_000,
    n_resamples: int = 2_000,
    confidence: float = 0.95,
) -> Agreement:
    """Measure the agreement of two trees, matched by paper key.

    Cophenetic correlation: Pearson's, of the heights at which each pair of papers is merged
    [1]_. Baker's gamma: Spearman's, of the greatest number of clusters at which each pair is
    still together [2]_, which orders pairs as the heights do. Triplet distance: share of
    triples of papers that are resolved differently. Robinson-Foulds distance: share of clades
    that one tree has and the other has not. These two are distances. Element-centric similarity:
    how alike the trees' groups are as seen from each paper, low ones counting more (see
    `compare_hierarchies`).

    Tied merges are one node, and pairs that meet there are tied, in whatever order they were
    merged; dendextend splits tied numbers of clusters by that order. An inverted merge counts
    as made at the greatest height below it. All papers in one node make a tree that says
    nothing: both correlations are 0 (dendextend's gamma is 1). Fewer than three papers have no
    triples, and differ by 0.

    A relabelling moves the papers of one tree at random, keeping its shape; a half-sample
    keeps half of the papers in both trees, and whatever they say about those.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of relabellings and half-samples.
    n_permutations, n_resamples : int
        0 leaves chance and p-value, or the interval, at None. So does a tree with a single
        inner node, and for intervals fewer than four papers.
    confidence : float
        Level of the interval, between 0 and 1.

    Returns
    -------
    Agreement
        ``n_clusters`` and ``n_classes`` are inner nodes of ``a`` and ``b``, ties collapsed,
        the root among them.

    Raises
    ------
    ParameterError
        If the trees hold different papers.

    References
    ----------
    .. [1] Sokal and Rohlf, "The comparison of dendrograms by objective methods", Taxon 11
       (1962), 33-40.
    .. [2] Baker, "Stability of two hierarchical grouping techniques, case I", JASA 69 (1974),
       440-445; computed as by cor_bakers_gamma of dendextend (Galili, Bioinformatics 31, 2015).
    """
    from survey_tools.kernels.tree_pairs import N_MEASURES, compare_rows  # loads half a second

    require_same_papers(a, b)
    clades_a, clades_b = find_clades(a), find_clades(b)
    n_papers = a.n_papers
    with_fans = bool((clades_a.n_children > 2).any() and (clades_b.n_children > 2).any())
    sides = clades_a.to_nodes(with_fans=with_fans), clades_b.to_nodes(with_fans=with_fans)

    def measure(partners: NDArray[np.int64], n_compared: int) -> NDArray[np.float64]:
        measures = np.empty((len(partners), N_MEASURES))
        compare_rows(*sides, partners, measures)
        cophenetic, gamma, n_alike, n_open, n_shared, n_clades = measures.T
        triplets = triplet_distance(n_compared, n_alike, n_open)
        return np.stack(
            [cophenetic, gamma, triplets, robinson_foulds_distance(n_shared, n_clades)], axis=1
        )

    if min(clades_a.n_clades, clades_b.n_clades) < 2:
        n_permutations = n_resamples = 0
    if n_papers < FEWEST_TO_HALVE:
        n_resamples = 0
    observed = np.nan_to_num(measure(np.arange(n_papers)[None, :], n_papers)[0], nan=0.0)
    permuted = [measure(block, n_papers) for block in deal_partners(n_papers, n_permutations, rng)]
    n_half = n_papers // 2
    halved = []
    for block in deal_partners(n_papers, n_resamples, rng):
        partners = np.full_like(block, -1)
        np.put_along_axis(partners, block[:, :n_half], block[:, :n_half], axis=1)
        halved.append(measure(partners, n_half))

    by_chance = np.concatenate(permuted) if permuted else None
    samples = np.concatenate(halved) if halved else None
    indices = [
        weigh(
            name,
            float(observed[i]),
            by_chance=None if by_chance is None else np.nan_to_num(by_chance[:, i], nan=0.0),
            samples=None if samples is None else samples[:, i],
            confidence=confidence,
            bounds=(0.0 if name in _DISTANCES else -1.0, 1.0),
            is_distance=name in _DISTANCES,
        )
        for i, name in enumerate((*_NAMES, *_DISTANCES))
    ]
    elements = compare_hierarchies(
        a,
        b,
        rng=rng,
        n_permutations=n_permutations,
        n_resamples=n_resamples,
        confidence=confidence,
    )
    return Agreement(
        n_papers=n_papers,
        n_clusters=clades_a.n_clades,
        n_classes=clades_b.n_clades,
        n_permutations=n_permutations,
        n_resamples=n_resamples,
        confidence=confidence,
        indices=(*indices, *elements.indices),
    )

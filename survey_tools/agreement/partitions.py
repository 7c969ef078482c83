"""Two partitions of the same papers -> indices of agreement, in blocks of many relabellings."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from survey_tools.agreement.index import FEWEST_TO_HALVE, Agreement, weigh
from survey_tools.errors import ParameterError
from survey_tools.partition import Partition, align

__all__ = ["compare_partitions", "contingency_table"]

_LEAST = {  # index -> least value; the greatest is 1
    "ARI": -1.0,
    "AMI": -1.0,
    "NMI": 0.0,
    "homogeneity": 0.0,
    "completeness": 0.0,
    "V-measure": 0.0,
    "Fowlkes-Mallows": 0.0,
    "purity": 0.0,
    "pair F1": 0.0,
}
_DISTANCE = "variation of information"
_N_CELLS_AT_ONCE = 250_000  # entries of the largest work array: 2 MB stay in the cache
_TIE = 1e-12  # values this close are equal: they differ by the order of a sum
_EPSILON = float(np.finfo(np.float64).eps)


def contingency_table(clusters: Partition, classes: Partition) -> NDArray[np.int64]:
    """Count the papers of each cluster in each class, shape (n_clusters, n_classes)."""
    a, b = align(clusters, classes)
    shape = (clusters.n_groups, classes.n_groups)
    return np.asarray(_tables(a[None, :], b[None, :], shape)[0])


def compare_partitions(
    clusters: Partition,
    classes: Partition,
    *,
    rng: np.random.Generator,
    n_permutations: int = 10_000,
    n_resamples: int = 2_000,
    confidence: float = 0.95,
) -> Agreement:
    """Measure the agreement of two partitions, matched by paper key.

    Adjusted Rand index [1]_, adjusted and normalised mutual information with arithmetic mean
    [2]_, homogeneity, completeness and V-measure with beta 1 [3]_, Fowlkes-Mallows index [4]_,
    purity of the clusters [5]_, F1 of the pairs that are together [5]_, variation of
    information in nats [6]_ (a distance). NMI with arithmetic mean *is* the V-measure; both
    names stand because both are looked for.

    Values equal scikit-learn's, also where a partition is degenerate: two partitions that both
    put all papers into one group, or each into its own, agree with 1 (in the latter case
    Fowlkes-Mallows is 0, as no pair is together; F1 of no pairs is 1). Homogeneity is 1 for
    a single class, completeness for a single cluster.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of relabellings and half-samples.
    n_permutations, n_resamples : int
        0 leaves chance and p-value, or the interval, at None. So do partitions of which
        one has a single group or all groups have one paper (nothing could come out
        differently), and for intervals fewer than four papers.
    confidence : float
        Level of the interval, between 0 and 1.

    Raises
    ------
    ParameterError
        If the partitions hold different papers, or fewer than two.

    References
    ----------
    .. [1] Hubert and Arabie, "Comparing partitions", J. Classification 2 (1985).
    .. [2] Vinh, Epps and Bailey, JMLR 11 (2010), 2837-2854.
    .. [3] Rosenberg and Hirschberg, "V-measure", EMNLP-CoNLL 2007.
    .. [4] Fowlkes and Mallows, JASA 78 (1983), 553-569.
    .. [5] Manning, Raghavan and Schütze, Introduction to Information Retrieval, 2008,
       section 16.3.
    .. [6] Meilă, "Comparing clusterings - an information based distance", J. Multivariate
       Analysis 98 (2007).
    """
    a, b = align(clusters, classes)
    n_papers = len(a)
    if n_papers < 2:
        raise ParameterError(f"agreement needs at least 2 papers; {n_papers} arrived")
    shape = (clusters.n_groups, classes.n_groups)
    table = _tables(a[None, :], b[None, :], shape)
    expected = _expected_mutual_information(table.sum(axis=2), table.sum(axis=1), n_papers)
    observed = _indices(table, expected)

    is_testable = all(1 < n_groups < n_papers for n_groups in shape)
    if not is_testable:  # every relabelling gives the same table
        n_permutations = n_resamples = 0
    if n_papers < FEWEST_TO_HALVE:
        n_resamples = 0
    permuted = [
        _indices(_tables(a_chunk, rng.permuted(b_chunk, axis=1), shape), expected)
        for a_chunk, b_chunk in _chunks(a, b, n_permutations, shape)
    ]
    half_sampled = []
    for places, _ in _chunks(np.arange(n_papers), b, n_resamples, shape):
        places = rng.permuted(places, axis=1)
        half = places[:, : n_papers // 2]
        tables = _tables(a[half], b[half], shape)
        margins = tables.sum(axis=2), tables.sum(axis=1)
        half_sampled.append(_indices(tables, _expected_mutual_information(*margins, half.shape[1])))

    by_chance = np.concatenate(permuted, axis=1) if permuted else None
    samples = np.concatenate(half_sampled, axis=1) if half_sampled else None
    indices = [
        weigh(
            name,
            float(observed[i, 0]),
            by_chance=None if by_chance is None else by_chance[i],
            samples=None if samples is None else samples[i],
            confidence=confidence,
            bounds=(_LEAST.get(name, 0.0), 1.0 if name in _LEAST else float(np.log(n_papers))),
            is_distance=name == _DISTANCE,
        )
        for i, name in enumerate((*_LEAST, _DISTANCE))
    ]
    return Agreement(
        n_papers=n_papers,
        n_clusters=clusters.n_groups,
        n_classes=classes.n_groups,
        n_permutations=n_permutations,
        n_resamples=n_resamples,
        confidence=confidence,
        indices=tuple(indices),
    )


def _chunks(
    a: NDArray[np.intp], b: NDArray[np.intp], n_rows: int, shape: tuple[int, int]
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Yield both codes repeated in rows, in blocks that keep work arrays small."""
    n_at_once = max(1, _N_CELLS_AT_ONCE // max(len(a), shape[0] * shape[1]))
    for start in range(0, n_rows, n_at_once):
        n = min(n_at_once, n_rows - start)
        yield np.broadcast_to(a, (n, len(a))), np.tile(b, (n, 1))


def _tables(a: NDArray[np.intp], b: NDArray[np.intp], shape: tuple[int, int]) -> NDArray[np.int64]:
    """Count contingency tables, one a row: (n_rows, n_papers) -> (n_rows, *shape)."""
    n_rows, n_cells = len(a), shape[0] * shape[1]
    flat = a * shape[1] + b + np.arange(n_rows)[:, None] * n_cells
    return np.bincount(flat.ravel(), minlength=n_rows * n_cells).reshape(n_rows, *shape)


def _indices(tables: NDArray[np.int64], expected_mi: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute all indices of a batch of contingency tables of equally many papers.

    Returns
    -------
    ndarray of float64, shape (10, n_tables)
        In the order of `_LEAST`, the distance last.
    """
    a, b = tables.sum(axis=2), tables.sum(axis=1)
    n = int(tables[0].sum())
    both = (tables**2).sum(axis=(1, 2)) - n  # ordered pairs together in both partitions
    in_a, in_b = (a**2).sum(axis=1) - n, (b**2).sum(axis=1) - n
    n_pairs = n * (n - 1)
    by_chance = in_a * (in_b / n_pairs)
    ari = _ratio(both - by_chance, (in_a + in_b) / 2.0 - by_chance, if_undefined=1.0)
    fowlkes_mallows = _ratio(both, np.sqrt(in_a) * np.sqrt(in_b), if_undefined=0.0)
    pair_f1 = _ratio(2.0 * both, (in_a + in_b).astype(np.float64), if_undefined=1.0)
    purity = tables.max(axis=2).sum(axis=1) / n

    count = np.arange(n + 1, dtype=np.float64)
    n_log_n = count * np.log(np.maximum(count, 1.0))
    entropy_a = np.log(n) - n_log_n[a].sum(axis=1) / n
    entropy_b = np.log(n) - n_log_n[b].sum(axis=1) / n
    joint = np.log(n) - n_log_n[tables].sum(axis=(1, 2)) / n
    mi = np.maximum(entropy_a + entropy_b - joint, 0.0)
    mi[mi < n * _EPSILON] = 0.0
    mean_entropy = (entropy_a + entropy_b) / 2.0
    v_measure = _ratio(mi, mean_entropy, if_undefined=1.0)
    homogeneity = _ratio(mi, entropy_b, if_undefined=1.0)
    completeness = _ratio(mi, entropy_a, if_undefined=1.0)
    span = mean_entropy - expected_mi
    span = np.where(span < 0, np.minimum(span, -_EPSILON), np.maximum(span, _EPSILON))
    ami = (mi - expected_mi) / span
    is_trivial = ((a > 0).sum(axis=1) == 1) & ((b > 0).sum(axis=1) == 1)
    all_alone = ((a > 0).sum(axis=1) == n) & ((b > 0).sum(axis=1) == n)
    ami[is_trivial | all_alone] = 1.0
    information = np.maximum(2.0 * (mean_entropy - mi), 0.0)
    return np.stack([
        ari, ami, v_measure, homogeneity, completeness, v_measure, fowlkes_mallows, purity, pair_f1,
        information,
    ])  # fmt: skip


def _ratio(
    numerator: NDArray[np.float64], denominator: NDArray[np.float64], *, if_undefined: float
) -> NDArray[np.float64]:
    is_defined = np.abs(denominator) > _TIE
    out = np.full(len(numerator), if_undefined, dtype=np.float64)
    return np.divide(numerator, denominator, out=out, where=is_defined)


def _expected_mutual_information(
    a: NDArray[np.int64], b: NDArray[np.int64], n: int
) -> NDArray[np.float64]:
    """Mutual information expected of random partitions with given group sizes, in nats.

    Parameters
    ----------
    a, b : ndarray of int, shapes (n_tables, n_groups_a) and (n_tables, n_groups_b)
        Group sizes; each row sums to ``n``.

    Returns
    -------
    ndarray of float64, shape (n_tables,)

    References
    ----------
    .. [1] Vinh, Epps and Bailey, JMLR 11 (2010), equation 24. The sum over the cells of
       a table depends on each pair of sizes alone, so every pair is computed once.
    """
    sizes_a, place_a = np.unique(a, return_inverse=True)
    sizes_b, place_b = np.unique(b, return_inverse=True)
    log_factorial = gammaln(np.arange(n + 1) + 1.0)
    of_pair = np.zeros((len(sizes_a), len(sizes_b)))
    for i, size_a in enumerate(sizes_a):
        for j, size_b in enumerate(sizes_b):
            if size_a and size_b:
                of_pair[i, j] = _expected_cell(int(size_a), int(size_b), n, log_factorial)
    cells = of_pair[place_a.reshape(a.shape)[:, :, None], place_b.reshape(b.shape)[:, None, :]]
    return np.asarray(cells.sum(axis=(1, 2)))


def _expected_cell(size_a: int, size_b: int, n: int, log_factorial: NDArray[np.float64]) -> float:
    """Compute one cell's expected information over its hypergeometric counts."""
    count = np.arange(max(1, size_a + size_b - n), min(size_a, size_b) + 1)
    log_probability = (
        log_factorial[size_a]
        + log_factorial[size_b]
        + log_factorial[n - size_a]
        + log_factorial[n - size_b]
        - log_factorial[n]
        - log_factorial[count]
        - log_factorial[size_a - count]
        - log_factorial[size_b - count]
        - log_factorial[n - size_a - size_b + count]
    )
    information = np.log(n * count / (size_a * size_b))
    return float((count / n * information * np.exp(log_probability)).sum())

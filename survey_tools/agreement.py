"""Partitions -> indices of agreement, with chance, p-value and interval. Pure functions.

Intervals come from half-samples of the papers without replacement. The spread of an
index over samples of n/2 out of n papers equals, to first order, its bootstrap spread;
but a bootstrap sample holds papers twice, a paper always agrees with its own copy, and
on weak agreement that alone lifts indices of pairs above the observed value.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from survey_tools.errors import ParameterError
from survey_tools.partition import Partition, align

__all__ = ["Agreement", "AgreementIndex", "IndexName", "compare_partitions", "contingency_table"]

IndexName = Literal["ARI", "AMI", "V-measure", "Fowlkes-Mallows"]
_INDEX_NAMES: tuple[IndexName, ...] = ("ARI", "AMI", "V-measure", "Fowlkes-Mallows")
_N_CELLS_AT_ONCE = 4_000_000  # entries of the largest work array: 32 MB
_TIE = 1e-12  # values this close are equal: they differ by the order of a sum
_N_HALVES = 4  # papers from which a half still has a pair
_EPSILON = float(np.finfo(np.float64).eps)


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementIndex:
    """One index of agreement with its yardsticks.

    Attributes
    ----------
    value : float
    chance : float or None
        Mean over random relabellings with both partitions' group sizes kept.
    p_value : float or None
        Share of relabellings at least as high, (1 + n_as_high) / (1 + n_permutations).
    low, high : float or None
        Interval from half-samples whose mean is shifted to ``value``; it holds the value
        and ends where the index does (-1 or 0, and 1).
    """

    name: IndexName
    value: float
    chance: float | None
    p_value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How far two partitions of the same papers agree."""

    n_papers: int
    n_clusters: int
    n_classes: int
    n_permutations: int
    n_resamples: int
    confidence: float
    indices: tuple[AgreementIndex, ...]

    def index(self, name: IndexName) -> AgreementIndex:
        """Return an index by name."""
        return next(index for index in self.indices if index.name == name)


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

    Adjusted Rand index [1]_, adjusted mutual information with arithmetic mean [2]_,
    V-measure with beta 1 [3]_, Fowlkes-Mallows index [4]_. Values equal scikit-learn's,
    also where a partition is degenerate: two partitions that both put all papers into
    one group, or each into its own, agree with 1 (in the latter case Fowlkes-Mallows
    is 0, as no pair is together).

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
    .. [5] Politis, Romano and Wolf, Subsampling, 1999 (half-samples).
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
    if n_papers < _N_HALVES:
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

    indices = []
    for i, name in enumerate(_INDEX_NAMES):
        value = float(observed[i, 0])
        chance = p_value = low = high = None
        if permuted:
            by_chance = np.concatenate([chunk[i] for chunk in permuted])
            chance = float(by_chance.mean())
            n_as_high = int((by_chance >= value - _TIE).sum())
            p_value = (1 + n_as_high) / (1 + n_permutations)
        if half_sampled:
            samples = np.concatenate([chunk[i] for chunk in half_sampled])
            tail = (1.0 - confidence) / 2.0
            spread = np.quantile(samples - samples.mean(), [1.0 - tail, tail])
            low, high = (float(value - bound) for bound in spread)
            lowest = 0.0 if name in ("V-measure", "Fowlkes-Mallows") else -1.0
            # a skewed or tiny spread must not push the interval off its own value
            low, high = min(value, max(low, lowest)), max(value, min(high, 1.0))
        indices.append(
            AgreementIndex(
                name=name, value=value, chance=chance, p_value=p_value, low=low, high=high
            )
        )
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
    ndarray of float64, shape (4, n_tables)
        ARI, AMI, V-measure, Fowlkes-Mallows.
    """
    a, b = tables.sum(axis=2), tables.sum(axis=1)
    n = int(tables[0].sum())
    both = (tables**2).sum(axis=(1, 2)) - n  # ordered pairs together in both partitions
    in_a, in_b = (a**2).sum(axis=1) - n, (b**2).sum(axis=1) - n
    n_pairs = n * (n - 1)
    by_chance = in_a * (in_b / n_pairs)
    ari = _ratio(both - by_chance, (in_a + in_b) / 2.0 - by_chance, if_undefined=1.0)
    fowlkes_mallows = _ratio(both, np.sqrt(in_a) * np.sqrt(in_b), if_undefined=0.0)

    count = np.arange(n + 1, dtype=np.float64)
    n_log_n = count * np.log(np.maximum(count, 1.0))
    entropy_a = np.log(n) - n_log_n[a].sum(axis=1) / n
    entropy_b = np.log(n) - n_log_n[b].sum(axis=1) / n
    joint = np.log(n) - n_log_n[tables].sum(axis=(1, 2)) / n
    mi = np.maximum(entropy_a + entropy_b - joint, 0.0)
    mi[mi < n * _EPSILON] = 0.0
    mean_entropy = (entropy_a + entropy_b) / 2.0
    v_measure = _ratio(mi, mean_entropy, if_undefined=1.0)
    span = mean_entropy - expected_mi
    span = np.where(span < 0, np.minimum(span, -_EPSILON), np.maximum(span, _EPSILON))
    ami = (mi - expected_mi) / span
    is_trivial = ((a > 0).sum(axis=1) == 1) & ((b > 0).sum(axis=1) == 1)
    all_alone = ((a > 0).sum(axis=1) == n) & ((b > 0).sum(axis=1) == n)
    ami[is_trivial | all_alone] = 1.0
    return np.stack([ari, ami, v_measure, fowlkes_mallows])


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

"""Papers x labels -> which papers the texts would file otherwise, and by which terms.

Four witnesses speak on whether a paper carries a label: its nearest papers, its cluster, its
distance from the label's papers and from all others, and a classifier that did not see it.
Each gives a number from -1 (against the label) to 1 (for it), 0 where it says no more than
the label's frequency does.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.stats import false_discovery_control, hypergeom, rankdata

from survey_tools.cover import Cover
from survey_tools.crosscheck.neighbours import NearestCounts, count_nearest, unit_rows
from survey_tools.errors import ParameterError, abbreviate
from survey_tools.partition import Partition
from survey_tools.text import Features

__all__ = ["N_NEAREST", "PaperDisagreement", "Probabilities", "examine_papers"]

N_NEAREST = 10  # nearest papers asked, more where several tie, all others if fewer; our choice
_N_TERMS = 5

Probabilities = Mapping[tuple[str, str], Mapping[str, float]]
"""(axis, label) -> paper key -> probability of the label by a classifier that did not see it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperDisagreement:
    """A paper on one axis, and the label of the axis that its text disputes most.

    Attributes
    ----------
    paper_key, axis, label : str
    carries : bool
        Whether the paper carries the label (or a narrower one).
    score : float
        Mean of the witnesses that speak against the filing, -1 (all agree with it) to 1.
    nearest, cluster : float or None
        Share of random draws of as many papers in which fewer carry the label than among the
        nearest papers (in the cluster), less the share in which more do [1]_. None for the
        cluster of a paper that is alone in it.
    n_nearest_with, n_nearest : int
        Nearest papers that carry the label, of how many: all papers at least as near as the
        last of those asked for, so that equally near papers are asked together.
    silhouette : float
        (b - a) / max(a, b) of the mean cosine distances to the other papers with the label (a)
        and to those without it (b); 0 where there are none.
    silhouette_rank : float
        The same as a rank among all papers: -1 the lowest, 1 the highest.
    classifier : float or None
        Probability of the label from a classifier that did not see the paper, held against
        the label's frequency f: (p - f) / (1 - f) above it, (p - f) / f below.
    probability : float or None
        That probability itself.
    q_value : float
        Hypergeometric tail of the nearest papers against the filing under ``label``, adjusted
        over all pairs of a paper and a label of all axes (Benjamini-Hochberg).
    least_q_label : str
        The label of the axis that the nearest papers contradict most surely, which need not be
        ``label``, as other witnesses speak on that one.
    least_q_value : float
        Its q-value; the least over all labels of the axis. The false discovery rate is one of
        pairs of a paper and a label.
    terms : tuple of str
        Terms of the paper that pull it to the other side most, the strongest first: those
        whose weight, times the difference of mean weights with and without the label, is
        greatest.

    References
    ----------
    .. [1] Bross, "How to use ridit analysis", Biometrics 14 (1958).
    """

    paper_key: str
    axis: str
    label: str
    carries: bool
    score: float
    nearest: float
    n_nearest_with: int
    n_nearest: int
    cluster: float | None
    silhouette: float
    silhouette_rank: float
    classifier: float | None
    probability: float | None
    q_value: float
    least_q_label: str
    least_q_value: float
    terms: tuple[str, ...]


def examine_papers(
    features: Features,
    clusters: Partition,
    covers: Mapping[str, Cover],
    *,
    probabilities: Probabilities | None = None,
    n_nearest: int = N_NEAREST,
) -> tuple[PaperDisagreement, ...]:
    """Ask of every paper, axis by axis, which label its text disputes most.

    Parameters
    ----------
    features : Features
        Of the same papers as ``clusters`` and all ``covers``.
    covers : mapping of axis name to Cover
        Labels that a paper carries, broader ones too.
    probabilities : Probabilities, optional
        From a hold-out; labels that it lacks have no such witness.

    Returns
    -------
    tuple of PaperDisagreement
        One for each paper and axis that has a label; the highest score first, ties by key.

    Raises
    ------
    ParameterError
        If features, clusters and covers hold different papers, or fewer than three.
    """
    keys = features.paper_keys
    for name, other in [("clusters", clusters.paper_keys)] + [
        (f"axis {axis!r}", cover.paper_keys) for axis, cover in covers.items()
    ]:
        if unlike := sorted(set(keys) ^ set(other)):
            raise ParameterError(f"texts and {name} hold different papers: {abbreviate(unlike)}")
    if len(keys) < 3:
        raise ParameterError(f"nearest papers need at least 3 papers; {len(keys)} arrived")
    carried = {
        axis: _carried(cover.restrict(keys))
        for axis, cover in covers.items()
        if cover.members.any()
    }
    if not carried:
        return ()
    nearest = _count_nearest(features, carried, min(n_nearest, len(keys) - 1))
    codes = clusters.restrict(keys).codes
    witnesses = [
        _hear(features, codes, nearest[axis], axis, cover, probabilities or {})
        for axis, cover in carried.items()
    ]
    p_values = np.concatenate([axis.p_values.ravel() for axis in witnesses])
    q_values = np.split(
        false_discovery_control(p_values),
        np.cumsum([axis.p_values.size for axis in witnesses])[:-1],
    )
    found = [
        disagreement
        for axis, q in zip(witnesses, q_values, strict=True)
        for disagreement in _report(features, axis, q.reshape(axis.p_values.shape))
    ]
    return tuple(sorted(found, key=lambda d: (-round(d.score, 12), d.paper_key, d.axis)))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Witnesses:
    """What is said of all papers and labels of an axis; arrays have shape (n_papers, n_labels)."""

    axis: str
    cover: Cover
    counts: NearestCounts
    nearest: NDArray[np.float64]
    cluster: NDArray[np.float64]
    silhouette: NDArray[np.float64]
    silhouette_rank: NDArray[np.float64]
    classifier: NDArray[np.float64]
    probability: NDArray[np.float64]
    p_values: NDArray[np.float64]


def _carried(cover: Cover) -> Cover:
    """Leave out labels without a paper."""
    is_carried = cover.sizes > 0
    names = tuple(name for name, kept in zip(cover.group_names, is_carried, strict=True) if kept)
    return Cover(
        paper_keys=cover.paper_keys, group_names=names, members=cover.members[:, is_carried]
    )


def _count_nearest(
    features: Features, covers: Mapping[str, Cover], n_nearest: int
) -> dict[str, NearestCounts]:
    """Count the labels of all axes among the nearest papers, which are sought once."""
    marks = np.concatenate([cover.members for cover in covers.values()], axis=1)
    counted = count_nearest(features, marks, n_nearest)
    ends = np.cumsum([cover.n_groups for cover in covers.values()])[:-1]
    parts = np.split(counted.n_marked, ends, axis=1)
    return {axis: replace(counted, n_marked=part) for axis, part in zip(covers, parts, strict=True)}


def _hear(
    features: Features,
    codes: NDArray[np.intp],
    counts: NearestCounts,
    axis: str,
    cover: Cover,
    probabilities: Probabilities,
) -> _Witnesses:
    members = cover.members
    n = len(members)
    others = members.sum(axis=0) - members  # other papers with the label
    n_with, n_asked = counts.n_marked, counts.n_nearest[:, None]
    in_cluster = np.zeros((codes.max() + 1, members.shape[1]), dtype=np.int64)
    np.add.at(in_cluster, codes, members.astype(np.int64))
    n_mates = np.bincount(codes)[codes] - 1
    cluster = _ridit(in_cluster[codes] - members, n - 1, others, n_mates[:, None])
    cluster[n_mates == 0] = np.nan
    silhouette = _silhouettes(features, members)
    ranks = rankdata(np.round(silhouette, 12), axis=0)  # 1 to n, ties in the middle
    probability = np.full(members.shape, np.nan)
    for j, label in enumerate(cover.group_names):
        known = probabilities.get((axis, label), {})
        probability[:, j] = [known.get(key, np.nan) for key in cover.paper_keys]
    frequency = members.mean(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        above = (probability - frequency) / (1.0 - frequency)
        below = (probability - frequency) / frequency
    # how far the nearest papers contradict the filing: many with the label, or few
    tail = np.where(
        members,
        hypergeom.cdf(n_with, n - 1, others, n_asked),
        hypergeom.sf(n_with - 1, n - 1, others, n_asked),
    )
    return _Witnesses(
        axis=axis,
        cover=cover,
        counts=counts,
        nearest=_ridit(n_with, n - 1, others, n_asked),
        cluster=cluster,
        silhouette=silhouette,
        silhouette_rank=(2.0 * ranks - 1.0 - n) / (n - 1),
        classifier=np.where(probability >= frequency, above, below),
        probability=probability,
        p_values=np.clip(tail, 0.0, 1.0),
    )


def _ridit(
    count: NDArray[np.int64],
    n: int,
    n_marked: NDArray[np.int64],
    n_drawn: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Share of random draws with fewer marked papers, less the share with more."""
    fewer = hypergeom.cdf(count - 1, n, n_marked, n_drawn)
    more = hypergeom.sf(count, n, n_marked, n_drawn)
    return np.asarray(fewer - more)


def _silhouettes(features: Features, members: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Silhouette of each paper in respect to each label, by cosine distance."""
    rows = unit_rows(features)
    own = np.asarray(rows.multiply(rows).sum(axis=1)).reshape(-1, 1)  # 1, or 0 for no term
    is_in = members.astype(np.float64)
    distances = []
    for side in (is_in, 1.0 - is_in):
        n_others = side.sum(axis=0) - side
        similarity = rows @ (rows.T @ side) - own * side
        with np.errstate(divide="ignore", invalid="ignore"):
            distances.append(np.clip(1.0 - similarity / n_others, 0.0, None))
        distances[-1][n_others == 0] = np.nan
    a, b = distances
    with np.errstate(invalid="ignore"):
        silhouette = (b - a) / np.maximum(a, b)
    return np.asarray(np.nan_to_num(silhouette, nan=0.0))


def _report(
    features: Features, heard: _Witnesses, q_values: NDArray[np.float64]
) -> Sequence[PaperDisagreement]:
    """Choose for every paper the label that its text disputes most."""
    members = heard.cover.members
    against = np.where(members, -1.0, 1.0)
    voices = np.stack([heard.nearest, heard.cluster, heard.silhouette_rank, heard.classifier])
    scores = np.nanmean(voices * against, axis=0)
    worst = np.argmax(np.round(scores, 12), axis=1)
    surest = np.argmin(q_values, axis=1)
    rows = unit_rows(features)
    is_in = members.astype(np.float64)
    sums = np.asarray(rows.T @ is_in)  # (n_terms, n_labels)
    total = np.asarray(rows.sum(axis=0)).ravel()
    sizes = members.sum(axis=0)
    found = []
    for i, j in enumerate(worst):
        carries = bool(members[i, j])
        s = j if q_values[i, j] == q_values[i, surest[i]] else surest[i]
        span = slice(rows.indptr[i], rows.indptr[i + 1])
        columns, weights = rows.indices[span], rows.data[span]
        inside = sums[columns, j] - weights * carries
        outside = total[columns] - sums[columns, j] - weights * (not carries)
        n_inside, n_outside = sizes[j] - carries, len(members) - sizes[j] - (not carries)
        pull = weights * against[i, j] * (inside / max(n_inside, 1) - outside / max(n_outside, 1))
        order = np.lexsort((columns, -np.round(pull, 12)))[:_N_TERMS]
        found.append(
            PaperDisagreement(
                paper_key=heard.cover.paper_keys[i],
                axis=heard.axis,
                label=heard.cover.group_names[j],
                carries=carries,
                score=float(scores[i, j]),
                nearest=float(heard.nearest[i, j]),
                n_nearest_with=int(heard.counts.n_marked[i, j]),
                n_nearest=int(heard.counts.n_nearest[i]),
                cluster=_or_none(heard.cluster[i, j]),
                silhouette=float(heard.silhouette[i, j]),
                silhouette_rank=float(heard.silhouette_rank[i, j]),
                classifier=_or_none(heard.classifier[i, j]),
                probability=_or_none(heard.probability[i, j]),
                q_value=float(q_values[i, j]),
                least_q_label=heard.cover.group_names[s],
                least_q_value=float(q_values[i, s]),
                terms=tuple(str(features.terms[columns[k]]) for k in order if pull[k] > 0),
            )
        )
    return found


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else float(value)

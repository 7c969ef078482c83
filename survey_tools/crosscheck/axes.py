"""Clusters x taxonomy -> how far they agree, on every axis and for the combined cells."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import false_discovery_control

from survey_tools.agreement.index import Agreement
from survey_tools.agreement.partitions import compare_partitions
from survey_tools.partition import Partition
from survey_tools.settings import CrosscheckSettings
from survey_tools.taxonomy import Taxonomy

__all__ = ["ALPHA", "CELLS", "AxisCrosscheck", "compare_axes"]

CELLS = "combined cells"
_TESTED = ("ARI", "AMI")
ALPHA = 0.05  # false discovery rate over all axes and both tests
# Words for the strength of agreement. The adjusted Rand index is Cohen's kappa of the
# pairs of papers (Warrens 2008), so kappa's customary words apply (Landis and Koch 1977);
# for AMI, which has none of its own, they are used by analogy.
_STRENGTHS = (
    (0.2, "slight"),
    (0.4, "fair"),
    (0.6, "moderate"),
    (0.8, "substantial"),
    (np.inf, "almost perfect"),
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AxisCrosscheck:
    """Clusters against one axis of the taxonomy, or against the combined cells.

    Attributes
    ----------
    name, title : str
        The axis, or "combined cells".
    cluster_names : tuple of str, length n_clusters
    cluster_sizes : ndarray of int, shape (n_clusters,)
        Filed papers of each cluster.
    column_names : tuple of str, length n_columns
        Labels of the axis and the class of papers without one; or the cells.
    column_titles : tuple of str, length n_columns
        The same as they are printed.
    contingency : ndarray of int, shape (n_clusters, n_columns)
        Papers of a cluster that carry a label. A paper with several labels counts in
        each of their columns, and in those of broader labels, so rows need not add up
        to the cluster's size.
    agreement : Agreement
        Indices of the clusters against the classes of papers with the same label set.
    q_values : mapping of index name to float or None
        p-values of ARI and AMI, adjusted over both and over all axes and the cells
        (Benjamini-Hochberg). V-measure and Fowlkes-Mallows order relabellings as AMI and
        ARI do, so their tests are the same two.
    verdict : str
        One sentence in words.
    """

    name: str
    title: str
    cluster_names: tuple[str, ...]
    cluster_sizes: NDArray[np.intp]
    column_names: tuple[str, ...]
    column_titles: tuple[str, ...]
    contingency: NDArray[np.int64]
    agreement: Agreement
    q_values: Mapping[str, float | None]
    verdict: str


def compare_axes(
    clusters: Partition,
    taxonomy: Taxonomy,
    settings: CrosscheckSettings,
    *,
    seed: int,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[AxisCrosscheck, ...]:
    """Compare flat clusters with a taxonomy, axis by axis, the combined cells last.

    Parameters
    ----------
    clusters : Partition
        Of papers that the taxonomy files, two at least.
    seed : int
        Axis ``i`` draws from ``default_rng([seed, i])``, so adding an axis at the end
        moves no other result.
    progress : callable, optional
        Called as ``progress(n_done, n_all)``.

    Raises
    ------
    ParameterError
        If a paper is not filed in the taxonomy, or there are fewer than two.
    """
    keys = clusters.paper_keys
    sides = [(axis.name, axis.title, taxonomy.classes(axis.name, keys)) for axis in taxonomy.axes]
    sides.append((CELLS, "Combined cells", taxonomy.cells(keys)))
    agreements = []
    for i, (_, _, classes) in enumerate(sides):
        if progress:
            progress(i, len(sides))
        agreements.append(
            compare_partitions(
                clusters,
                classes,
                rng=np.random.default_rng([seed, i]),
                n_permutations=settings.n_permutations,
                n_resamples=settings.n_resamples,
                confidence=settings.confidence,
            )
        )
    if progress:
        progress(len(sides), len(sides))
    adjusted = _adjust(agreements)

    axes = []
    for (name, title, classes), agreement, q_values in zip(
        sides, agreements, adjusted, strict=True
    ):
        columns, table = _count_labels(clusters, taxonomy, name, classes)
        axes.append(
            AxisCrosscheck(
                name=name,
                title=title,
                cluster_names=clusters.group_names,
                cluster_sizes=clusters.sizes,
                column_names=columns,
                column_titles=_titles(taxonomy, name, columns),
                contingency=table,
                agreement=agreement,
                q_values=q_values,
                verdict=_judge(agreement, q_values),
            )
        )
    return tuple(axes)


def _count_labels(
    clusters: Partition, taxonomy: Taxonomy, name: str, classes: Partition
) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Count papers by cluster and label (by cell for the combined cells).

    A paper with a label counts under its broader labels too.
    """
    if name == CELLS:
        columns = classes.group_names
        carried: dict[str, tuple[str, ...]]
        carried = {key: (group,) for key, group in classes.as_mapping().items()}
    else:
        axis = taxonomy.axis(name)
        sets = taxonomy.label_sets(name)
        broader = {label: taxonomy.ancestors(name, label) for label in axis.label_names}
        carried = {
            key: tuple({up for label in sets[key] for up in (label, *broader[label])})
            or (axis.otherwise,)
            for key in clusters.paper_keys
        }
        present = {label for labels in carried.values() for label in labels}
        columns = tuple(label for label in (*axis.label_names, axis.otherwise) if label in present)
    index = {column: i for i, column in enumerate(columns)}
    table = np.zeros((clusters.n_groups, len(columns)), dtype=np.int64)
    for key, code in zip(clusters.paper_keys, clusters.codes, strict=True):
        for label in carried[key]:
            table[code, index[label]] += 1
    return columns, table


def _titles(taxonomy: Taxonomy, name: str, columns: Sequence[str]) -> tuple[str, ...]:
    """Write column names as they are printed."""
    if name == CELLS:
        titles = taxonomy.cell_titles()
    else:
        titles = {label.name: label.title for label in taxonomy.axis(name).labels}
    return tuple(titles.get(column, column) for column in columns)


def _adjust(agreements: Sequence[Agreement]) -> list[dict[str, float | None]]:
    """Control the false discovery rate over all axes and both tests."""
    p_values = [agreement.index(name).p_value for agreement in agreements for name in _TESTED]
    known = [p for p in p_values if p is not None]
    q_values = iter(false_discovery_control(known) if known else ())
    adjusted = iter([float(next(q_values)) if p is not None else None for p in p_values])
    return [{name: next(adjusted) for name in _TESTED} for _ in agreements]


def _judge(agreement: Agreement, q_values: Mapping[str, float | None]) -> str:
    """Say in words how far clusters and classes agree.

    References
    ----------
    .. [1] Warrens, "On the equivalence of Cohen's kappa and the Hubert-Arabie adjusted
       Rand index", J. Classification 25 (2008).
    .. [2] Landis and Koch, Biometrics 33 (1977), 159-174.
    .. [3] Romano, Vinh, Bailey and Verspoor, JMLR 17 (2016): ARI suits large clusters of
       equal size, AMI small and unequal ones; so both are tested.
    """
    if agreement.n_classes < 2:
        return "Every paper is in one class: nothing to agree on."
    if agreement.n_clusters < 2:
        return "There is one cluster only: nothing to agree on."
    if agreement.n_papers in (agreement.n_classes, agreement.n_clusters):
        return "Every paper stands alone in its class or its cluster: nothing to agree on."
    values = {name: agreement.index(name).value for name in _TESTED}
    described = {
        name: f"{name} {value:z.3f}"
        + ("" if q_values[name] is None else f", q = {q_values[name]:.2g}")
        for name, value in values.items()
    }
    if any(q is None for q in q_values.values()):
        return (
            f"Not tested against chance; it would be {_strength(values.values())} "
            f"({'; '.join(described.values())})."
        )
    better = [name for name in _TESTED if (q_values[name] or 0.0) <= ALPHA]
    if not better:
        return f"No better than chance ({'; '.join(described.values())})."
    strength = _strength(values[name] for name in better)
    if len(better) == len(_TESTED):
        return f"Better than chance; agreement is {strength} ({'; '.join(described.values())})."
    other = next(name for name in _TESTED if name not in better)
    return (
        f"Better than chance by {described[better[0]]}, not by {described[other]}; "
        f"agreement is {strength}."
    )


def _strength(values: Iterable[float]) -> str:
    """Name the strength of the largest of some chance-adjusted values."""
    largest = max(values)
    return "poor" if largest < 0 else next(word for bound, word in _STRENGTHS if largest < bound)

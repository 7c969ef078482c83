"""Tree, clusters and texts x taxonomy -> everything that the cross-check says."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from survey_tools.agreement.bk_curve import BkCurve, compare_cuts
from survey_tools.agreement.covers import MOST_CELLS, compare_covers, count_set_pairs
from survey_tools.agreement.entanglement import Untangled, untangle
from survey_tools.agreement.index import Agreement
from survey_tools.agreement.mantel import LabelDistance, correlate_with_labels
from survey_tools.agreement.trees import compare_trees
from survey_tools.cover import Cover
from survey_tools.crosscheck.axes import CELLS, AxisCrosscheck, compare_axes
from survey_tools.crosscheck.labels import (
    EnrichedNode,
    LabelPlace,
    find_enriched_nodes,
    place_labels,
)
from survey_tools.crosscheck.papers import PaperDisagreement, Probabilities, examine_papers
from survey_tools.crosscheck.taxonomy_tree import build_taxonomy_tree, label_cover
from survey_tools.errors import ParameterError, abbreviate, count
from survey_tools.partition import Partition
from survey_tools.pruning import prune
from survey_tools.settings import CrosscheckSettings
from survey_tools.taxonomy import Taxonomy
from survey_tools.text import Features
from survey_tools.tree import Tree

__all__ = ["Crosscheck", "TreeCrosscheck", "crosscheck"]

# Papers up to which whole trees are compared: every relabelling goes by all pairs, and 10,000 of
# them take about a minute and a half at 1,000 papers.
_MOST_FOR_TREES = 1000
_FEWEST_FOR_TREES = 3
# Where each part draws its chance from: default_rng([seed, i, stream]). The axes draw from
# [seed, i]; streams begin at 1, as numpy takes a final 0 for nothing.
_OVERLAPS, _LABELS, _TREES, _CUTS, _MANTEL = 1, 2, 3, 4, 5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TreeCrosscheck:
    """The dendrogram as a whole against the tree of the papers' labels.

    Attributes
    ----------
    taxonomy_tree : Tree
        Average linkage of the papers' label sets over all axes, by Jaccard distance.
    agreement : Agreement
        Indices of two trees.
    mantel : Agreement
        Correlation of the dendrogram's cophenetic distances with the distances of the label
        sets over all axes, Jaccard and MASI.
    cuts : BkCurve
    untangled : Untangled
        The taxonomy's tree on the left, the dendrogram on the right.
    """

    taxonomy_tree: Tree
    agreement: Agreement
    mantel: Agreement
    cuts: BkCurve
    untangled: Untangled


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Crosscheck:
    """A taxonomy against clusters, tree and texts of the same papers.

    Attributes
    ----------
    n_papers : int
        Clustered papers that the taxonomy files.
    unfiled_keys : tuple of str
        Clustered papers that it does not file; they are left out.
    missing_keys : tuple of str
        Papers that it files and that are not clustered, in its order; they are left out, too.
    tree : Tree
        The dendrogram of the filed papers, to which the nodes of labels belong.
    members : mapping of (axis, label) to tuple of str
        Filed papers that carry each label (or a narrower one), or are in each cell.
    axes : tuple of AxisCrosscheck
        Flat clusters against every axis, in the order of the taxonomy, the combined cells last.
    overlaps : mapping of axis name to Agreement
        Flat clusters against the label sets of each axis, a paper in as many groups as it has
        labels; of all axes together under "combined cells". Without those of
        ``uncompared_sets``.
    uncompared_sets : mapping of axis name to int
        Axes whose label sets are too many to be held against the clusters, with the number of
        pairs of a cluster and a label set, which is more than 4,000.
    labels : tuple of LabelPlace
        Where in the tree each label and each cell lives, best first.
    enriched : tuple of EnrichedNode
        Inner nodes that hold more papers of a label than chance puts there.
    papers : tuple of PaperDisagreement
        What each paper's text disputes on each axis, the most disputed first.
    trees : TreeCrosscheck or None
        None for more than 1,000 papers, or fewer than three.
    """

    n_papers: int
    unfiled_keys: tuple[str, ...]
    missing_keys: tuple[str, ...]
    tree: Tree
    members: Mapping[tuple[str, str], tuple[str, ...]]
    axes: tuple[AxisCrosscheck, ...]
    overlaps: Mapping[str, Agreement]
    uncompared_sets: Mapping[str, int]
    labels: tuple[LabelPlace, ...]
    enriched: tuple[EnrichedNode, ...]
    papers: tuple[PaperDisagreement, ...]
    trees: TreeCrosscheck | None


def crosscheck(
    tree: Tree,
    clusters: Partition,
    features: Features,
    taxonomy: Taxonomy,
    settings: CrosscheckSettings,
    *,
    seed: int,
    probabilities: Probabilities | None = None,
    progress: Callable[[float], None] | None = None,
) -> Crosscheck:
    """Compare a taxonomy with flat clusters, with the whole tree, and with the texts.

    Papers that are filed and not clustered are left out and named in the result.

    Parameters
    ----------
    tree, clusters, features
        Of the same papers.
    probabilities : Probabilities, optional
        What a hold-out predicts of every paper; one more witness against its labels.
    progress : callable, optional
        Called with the share done.

    Raises
    ------
    ParameterError
        If clustered papers are not filed and the settings do not say to leave them out, or
        fewer than two are filed.
    """
    say = progress or _ignore
    filed, clustered = set(taxonomy.filed_keys), set(clusters.paper_keys)
    keys = tuple(key for key in clusters.paper_keys if key in filed)
    unfiled = tuple(key for key in clusters.paper_keys if key not in filed)
    if len(keys) < 2:
        raise ParameterError(
            f"the taxonomy files {len(keys)} of {clusters.n_papers} clustered papers; "
            "a cross-check needs at least 2"
        )
    if unfiled and settings.unfiled == "refuse":
        raise ParameterError(
            f"the taxonomy does not file {count(len(unfiled), 'clustered paper')} of "
            f"{clusters.n_papers}: {abbreviate(unfiled)}; file them ({{}} for no label), or leave "
            "them out by --set crosscheck.unfiled=leave-out"
        )
    tree, clusters, features = prune(tree, keys), clusters.restrict(keys), features.restrict(keys)
    axes = compare_axes(
        clusters,
        taxonomy,
        settings,
        seed=seed,
        progress=lambda n_done, n_all: say(0.3 * n_done / n_all),
    )
    covers = {axis.name: label_cover(taxonomy, axis.name, keys) for axis in taxonomy.axes}
    overlaps, uncompared = _compare_label_sets(clusters, covers, taxonomy, settings, seed)
    say(0.5)
    cells = Cover.from_partition(taxonomy.cells(keys))
    sought = covers | {CELLS: cells}
    labels = place_labels(
        tree,
        sought,
        titles=_title_labels(taxonomy),
        rng=np.random.default_rng([seed, 0, _LABELS]),
        n_permutations=settings.n_permutations,
        progress=lambda n_done, n_all: say(0.5 + 0.1 * n_done / n_all),
    )
    enriched = find_enriched_nodes(tree, sought)
    papers: tuple[PaperDisagreement, ...] = ()
    trees = None
    if len(keys) >= _FEWEST_FOR_TREES:
        papers = examine_papers(
            features, clusters, covers, probabilities=probabilities, n_nearest=settings.n_nearest
        )
        say(0.65)
        if len(keys) <= _MOST_FOR_TREES:
            trees = _compare_whole_trees(tree, taxonomy, settings, seed)
    say(1.0)
    return Crosscheck(
        n_papers=len(keys),
        unfiled_keys=unfiled,
        missing_keys=tuple(key for key in taxonomy.filed_keys if key not in clustered),
        tree=tree,
        members={
            (axis, label): cover.papers_in(label)
            for axis, cover in sought.items()
            for label in cover.group_names
        },
        axes=axes,
        overlaps=overlaps,
        uncompared_sets=uncompared,
        labels=labels,
        enriched=enriched,
        papers=papers,
        trees=trees,
    )


def _ignore(share: float) -> None:
    """Take no notice of progress."""


def _compare_label_sets(
    clusters: Partition,
    covers: Mapping[str, Cover],
    taxonomy: Taxonomy,
    settings: CrosscheckSettings,
    seed: int,
) -> tuple[dict[str, Agreement], dict[str, int]]:
    """Compare clusters with label sets; where these are too many, count the pairs instead."""
    everything = label_cover(taxonomy, None, clusters.paper_keys)
    flat = Cover.from_partition(clusters)
    compared: dict[str, Agreement] = {}
    uncompared: dict[str, int] = {}
    for i, (name, cover) in enumerate([*covers.items(), (CELLS, everything)]):
        n_pairs = count_set_pairs(flat, cover)
        if n_pairs > MOST_CELLS:
            uncompared[name] = n_pairs
            continue
        compared[name] = compare_covers(
            flat,
            cover,
            rng=np.random.default_rng([seed, i, _OVERLAPS]),
            n_permutations=settings.n_permutations,
            n_resamples=settings.n_resamples,
            confidence=settings.confidence,
        )
    return compared, uncompared


def _compare_whole_trees(
    tree: Tree, taxonomy: Taxonomy, settings: CrosscheckSettings, seed: int
) -> TreeCrosscheck:
    taxonomy_tree = build_taxonomy_tree(taxonomy, tree.paper_keys)
    agreement = compare_trees(
        tree,
        taxonomy_tree,
        rng=np.random.default_rng([seed, 0, _TREES]),
        n_permutations=settings.n_permutations,
        n_resamples=settings.n_resamples,
        confidence=settings.confidence,
    )
    cuts = compare_cuts(
        tree,
        taxonomy_tree,
        rng=np.random.default_rng([seed, 0, _CUTS]),
        n_permutations=settings.n_permutations,
        confidence=settings.confidence,
    )
    everything = label_cover(taxonomy, None, tree.paper_keys)
    distances: tuple[LabelDistance, ...] = ("jaccard", "masi")
    mantel = tuple(
        correlate_with_labels(
            tree,
            everything,
            distance=distance,
            rng=np.random.default_rng([seed, i, _MANTEL]),
            n_permutations=settings.n_permutations,
        )
        for i, distance in enumerate(distances)
    )
    return TreeCrosscheck(
        taxonomy_tree=taxonomy_tree,
        agreement=agreement,
        mantel=replace(agreement, indices=mantel, n_resamples=0),
        cuts=cuts,
        untangled=untangle(taxonomy_tree, tree),
    )


def _title_labels(taxonomy: Taxonomy) -> dict[tuple[str, str], str]:
    """Return the printed form of every label, an axis with one label by the axis's title."""
    titles = {(CELLS, name): title for name, title in taxonomy.cell_titles().items()}
    for axis in taxonomy.axes:
        for label in axis.labels:
            is_single = len(axis.labels) == 1
            titles[axis.name, label.name] = (
                axis.title if is_single else f"{axis.title}: {label.title}"
            )
    return titles

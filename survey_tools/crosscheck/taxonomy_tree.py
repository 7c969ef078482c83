"""The taxonomy as a tree: papers merged by the labels they have in common."""

from collections.abc import Iterable

import numpy as np
from scipy.cluster import hierarchy
from scipy.spatial.distance import squareform

from survey_tools.agreement.mantel import measure_label_distances
from survey_tools.cover import Cover
from survey_tools.errors import ParameterError, abbreviate
from survey_tools.taxonomy import Taxonomy
from survey_tools.tree import Tree

__all__ = ["build_taxonomy_tree", "label_cover"]

_N_DECIMALS = 10  # as heights of other trees are rounded, so that ties stay ties


def label_cover(taxonomy: Taxonomy, axis_name: str | None, keys: Iterable[str]) -> Cover:
    """Return the labels that papers carry, broader ones too.

    Parameters
    ----------
    axis_name : str or None
        One axis, whose labels are the groups; None for the labels of all axes, as
        ``axis: label``.
    keys : iterable of str
        Filed papers.

    Returns
    -------
    Cover
        Papers in the order given; all labels in the order of the taxonomy, those that no paper
        carries too.

    Raises
    ------
    ParameterError
        If there is no such axis, or a paper is not filed in the taxonomy.
    """
    keys = tuple(keys)
    filed = set(taxonomy.filed_keys)
    if unfiled := [key for key in keys if key not in filed]:
        raise ParameterError(f"papers not filed in the taxonomy: {abbreviate(unfiled)}")
    axes = taxonomy.axes if axis_name is None else (taxonomy.axis(axis_name),)
    carried: dict[str, list[str]] = {key: [] for key in keys}
    names: list[str] = []
    for axis in axes:
        prefix = f"{axis.name}: " if axis_name is None else ""
        names += [prefix + label for label in axis.label_names]
        broader = {label: taxonomy.ancestors(axis.name, label) for label in axis.label_names}
        sets = taxonomy.label_sets(axis.name)
        for key, mine in carried.items():
            mine += [prefix + up for label in sets[key] for up in (label, *broader[label])]
    return Cover.from_mapping(carried, group_order=names)


def build_taxonomy_tree(taxonomy: Taxonomy, keys: Iterable[str]) -> Tree:
    """Merge papers by average linkage of the Jaccard distances of their labels.

    A paper's labels are those of all axes with their broader labels. Papers that carry the
    same ones, as those of one combined cell do, merge at height 0; so do papers without any.
    Papers are sorted by key, so the tree does not depend on their order; among tied distances
    the order of the keys decides.

    Parameters
    ----------
    keys : iterable of str
        At least two filed papers.

    Raises
    ------
    ParameterError
        If there are fewer than two papers, one stands twice, or one is not filed in the
        taxonomy.
    """
    keys = sorted(keys)
    if len(keys) < 2:
        raise ParameterError(f"a tree of the taxonomy needs at least 2 papers; {len(keys)} arrived")
    if twice := sorted({key for key in keys if keys.count(key) > 1}):
        raise ParameterError(f"papers stand twice: {abbreviate(twice)}; name each once")
    square = measure_label_distances(label_cover(taxonomy, None, keys), "jaccard")
    merges = hierarchy.linkage(squareform(square), method="average")
    merges[:, 2] = np.round(merges[:, 2], _N_DECIMALS)
    return Tree.from_linkage(merges, keys, linkage="average", metric="jaccard")

"""Tree x labels of its papers -> Mantel's correlation of merge heights with label distances."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from survey_tools.agreement.index import AgreementIndex, weigh
from survey_tools.agreement.trees import deal_partners, measure_merge_heights
from survey_tools.cover import Cover
from survey_tools.errors import ParameterError, abbreviate
from survey_tools.tree import Tree

__all__ = ["LabelDistance", "correlate_with_labels", "measure_label_distances"]

LabelDistance = Literal["jaccard", "masi"]

_TITLES: dict[LabelDistance, str] = {"jaccard": "Jaccard", "masi": "MASI"}
_N_DECIMALS = 12  # as distances of papers are rounded, so that ties stay ties


def measure_label_distances(labels: Cover, distance: LabelDistance) -> NDArray[np.float64]:
    """Measure how far the label sets of all pairs of papers differ.

    Jaccard: one less the share of common labels among all labels of the pair. MASI: the share
    is first multiplied by 2/3 if one set holds the other, by 1/3 if each has a label of its
    own [1]_. Two papers without labels are at distance 0, one with and one without at 1.

    Returns
    -------
    ndarray of float64, shape (n_papers, n_papers)
        In the order of ``labels.paper_keys``; 0 to 1, rounded to 12 decimals.

    Raises
    ------
    ParameterError
        If there is no such distance.

    References
    ----------
    .. [1] Passonneau, "Measuring agreement on set-valued items (MASI) for semantic and
       pragmatic annotation", LREC 2006.
    """
    if distance not in _TITLES:
        raise ParameterError(f"no distance {distance!r} of labels; there are {', '.join(_TITLES)}")
    members = labels.members.astype(np.float64)
    sizes = members.sum(axis=1)
    common = members @ members.T
    union = sizes[:, None] + sizes - common
    share = np.divide(common, union, out=np.ones_like(common), where=union > 0)
    if distance == "masi":
        is_nested = common == np.minimum.outer(sizes, sizes)
        share *= np.where(common == union, 1.0, np.where(is_nested, 2.0 / 3.0, 1.0 / 3.0))
    return np.asarray(np.round(1.0 - share, _N_DECIMALS))


def correlate_with_labels(
    tree: Tree,
    labels: Cover,
    *,
    distance: LabelDistance,
    rng: np.random.Generator,
    n_permutations: int = 10_000,
) -> AgreementIndex:
    """Correlate the heights at which papers are merged with the distances of their labels.

    Pearson's correlation over all pairs of papers, matched by key; an inverted merge counts as
    made at the greatest height below it. The test is one-sided: papers are relabelled at
    random, and the p-value is the share of relabellings that correlate at least as highly.

    Parameters
    ----------
    distance : {"jaccard", "masi"}
        See `measure_label_distances`.
    rng : numpy.random.Generator
        Source of relabellings.
    n_permutations : int
        0 leaves chance and p-value at None.

    Returns
    -------
    AgreementIndex
        Without interval. If all pairs are equally far apart on either side there is nothing to
        correlate: the value is 0, and there is no chance and no p-value.

    Raises
    ------
    ParameterError
        If tree and labels hold different papers, or there is no such distance.

    References
    ----------
    .. [1] Mantel, "The detection of disease clustering and a generalized regression approach",
       Cancer Research 27 (1967), 209-220.
    .. [2] Legendre and Legendre, Numerical Ecology, 3rd edition, 2012, section 10.5.1.
    """
    from survey_tools.kernels.tree_pairs import correlate_rows  # numba loads half a second

    if missing := sorted(set(tree.paper_keys) ^ set(labels.paper_keys)):
        raise ParameterError(
            f"tree and labels hold different papers: {abbreviate(missing)}; "
            "restrict both to the papers they share"
        )
    n_papers = tree.n_papers
    name = f"Mantel correlation ({_TITLES[distance]})" if distance in _TITLES else ""
    heights = measure_merge_heights(tree)
    apart = measure_label_distances(labels.restrict(sorted(labels.paper_keys)), distance)
    upper = np.triu_indices(n_papers, k=1)
    if np.ptp(heights[upper]) == 0 or np.ptp(apart[upper]) == 0:
        return weigh(name, 0.0)
    heights, apart = _standardise(heights, upper), _standardise(apart, upper)

    def correlate(partners: NDArray[np.int64]) -> NDArray[np.float64]:
        products = np.empty(len(partners))
        correlate_rows(heights, apart, partners, products)
        return np.clip(products, -1.0, 1.0)

    observed = float(correlate(np.arange(n_papers)[None, :])[0])
    permuted = [correlate(block) for block in deal_partners(n_papers, n_permutations, rng)]
    return weigh(name, observed, by_chance=np.concatenate(permuted) if permuted else None)


def _standardise(
    square: NDArray[np.float64], upper: tuple[NDArray[np.intp], NDArray[np.intp]]
) -> NDArray[np.float64]:
    """Centre and scale a matrix so that its upper triangle has mean 0 and norm 1."""
    centred = square - square[upper].mean()
    return np.asarray(centred / np.linalg.norm(centred[upper]))

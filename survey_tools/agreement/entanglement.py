"""Two trees side by side: how tangled they are, and turned so that they are less."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from survey_tools.agreement.trees import require_same_papers
from survey_tools.errors import ParameterError
from survey_tools.tree import Tree

__all__ = ["Untangled", "measure_entanglement", "untangle"]

_EXPONENT = 1.5  # dendextend's default
_LEAST_GAIN = 1e-9  # share of a sum; less is noise of its order


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Untangled:
    """Two trees whose branches were turned to face each other.

    Attributes
    ----------
    left, right : Tree
        The same merges as before, with the children of some nodes swapped.
    before, after : float
        Entanglement, 0 (each paper faces itself) to 1.
    """

    left: Tree
    right: Tree
    before: float
    after: float


def measure_entanglement(left: Tree, right: Tree, *, exponent: float = _EXPONENT) -> float:
    """Measure how far papers stand from themselves when two trees face each other.

    Parameters
    ----------
    exponent : float
        Above 0. The distance of a paper's two places is raised to it: below 1 few papers far
        off count less than many a little off, above 1 more.

    Returns
    -------
    float
        Sum over the papers as a share of the sum for opposite leaf orders: 0 if both orders
        are the same, 1 if they are opposite. With an exponent of 1 or more nothing is worse.

    Raises
    ------
    ParameterError
        If the trees hold different papers, or the exponent is not a number above 0.

    References
    ----------
    .. [1] Galili, "dendextend: an R package for visualizing, adjusting and comparing trees of
       hierarchical clustering", Bioinformatics 31 (2015), 3718-3720; its function
       ``entanglement``.
    """
    require_same_papers(left, right)
    if not 0 < exponent < np.inf:
        raise ParameterError(f"the exponent of entanglement is {exponent}; give a number above 0")
    places = np.arange(left.n_papers)
    facing = _places_of(right, left)[left.leaf_order]
    opposite = _sum_of_gaps(places, places[::-1], exponent)
    return _sum_of_gaps(places, facing, exponent) / opposite


def untangle(left: Tree, right: Tree) -> Untangled:
    """Turn branches of two trees to face each other, as dendextend's ``step2side`` does.

    From the root of one tree down, the children of each merge are swapped where that lessens
    the entanglement; then the same in the other tree, and so on until no swap helps. So no
    single swap is left to gain from, but several at once may be. dendextend stops as soon as a
    round leaves one tree unchanged, or after ten; of 40 random pairs without ties (10 to 40
    papers, dendextend 1.16.0), 38 ended in the same leaf orders and 2 less tangled here.

    A merge costs as much as it has papers, whatever the size of the tree: 0.02 s for 180
    papers, 0.2 to 0.3 s for 2,000.

    Raises
    ------
    ParameterError
        If the trees hold different papers.

    References
    ----------
    .. [1] Galili, Bioinformatics 31 (2015), 3718-3720; function ``untangle_step_rotate_2side``.
    """
    before = measure_entanglement(left, right)
    turned_left, turned_right = left, right
    gains = True
    while gains:
        turned_left, gains_left = _turn(turned_left, turned_right)
        turned_right, gains_right = _turn(turned_right, turned_left)
        gains = gains_left or gains_right
    return Untangled(
        left=turned_left,
        right=turned_right,
        before=before,
        after=measure_entanglement(turned_left, turned_right),
    )


def _turn(tree: Tree, other: Tree) -> tuple[Tree, bool]:
    """Swap children from the root down where that helps, once; say whether any were."""
    n = tree.n_papers
    facing = _places_of(other, tree)
    order, starts, children = tree.leaf_order.copy(), tree.starts.tolist(), tree.children.copy()
    sizes = tree.sizes.tolist()
    has_gained = False
    for node in range(tree.root, n - 1, -1):
        first, second = children[node - n].tolist()
        start, size = starts[node], sizes[node]
        places = np.arange(start, start + size)
        run = order[start : start + size]
        swapped = np.concatenate([run[sizes[first] :], run[: sizes[first]]])
        now = _sum_of_gaps(places, facing[run], _EXPONENT)
        if _sum_of_gaps(places, facing[swapped], _EXPONENT) < now * (1 - _LEAST_GAIN):
            order[start : start + size] = swapped
            children[node - n] = second, first
            first, second = second, first
            has_gained = True
        starts[first], starts[second] = start, start + sizes[first]
    return (replace(tree, children=children) if has_gained else tree), has_gained


def _places_of(tree: Tree, like: Tree) -> NDArray[np.intp]:
    """Return the place in a tree's leaf order of every paper, in the order of another's keys."""
    return np.asarray(tree.starts[[tree.leaf(key) for key in like.paper_keys]])


def _sum_of_gaps(a: NDArray[np.intp], b: NDArray[np.intp], exponent: float) -> float:
    return float((np.abs(a - b).astype(np.float64) ** exponent).sum())

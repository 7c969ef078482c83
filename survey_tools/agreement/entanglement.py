"""Two trees side by side: how tangled they are, and turned so that they are less."""

from dataclasses import dataclass

from survey_tools.tree import Tree

__all__ = ["Untangled"]


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

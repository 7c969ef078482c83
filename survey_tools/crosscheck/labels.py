"""Labels x tree -> the sub-tree where each label lives, with the search paid for."""

from dataclasses import dataclass

__all__ = ["LabelPlace"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelPlace:
    """The sub-tree that fits a label best, of all inner nodes.

    Attributes
    ----------
    axis, label : str
        Names; the axis of a combined cell is "combined cells".
    title : str
        The label as printed.
    n_papers : int
        Papers of the tree that carry the label (or a narrower one).
    node : int
        Of the best sub-tree; of equal ones the smallest.
    height : float
    size : int
        Papers below the node.
    n_common : int
        Papers below the node with the label.
    precision, recall, f1 : float
    chance : float or None
        Mean of the best F1 when labels are dealt to papers at random.
    p_value, q_value : float or None
        Share of such deals whose best F1 over the whole tree is as high; adjusted over all
        labels (Benjamini-Hochberg).
    """

    axis: str
    label: str
    title: str
    n_papers: int
    node: int
    height: float
    size: int
    n_common: int
    precision: float
    recall: float
    f1: float
    chance: float | None
    p_value: float | None
    q_value: float | None

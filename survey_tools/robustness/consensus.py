"""How often two papers are in one cluster over many runs, and the tree that follows from it."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.cluster import hierarchy
from scipy.spatial.distance import squareform

from survey_tools.errors import ParameterError, abbreviate
from survey_tools.linkage.leaf_order import turn_optimally
from survey_tools.linkage.routes import N_HEIGHT_DECIMALS
from survey_tools.memory import free_bytes
from survey_tools.tree import Tree

__all__ = [
    "CoAssociation",
    "build_consensus_tree",
    "check_codes",
    "check_counts_fit",
    "mark_together",
]

# As for other trees, beyond so many leaves the optimal order takes longer than it helps.
_N_OPTIMAL_LEAVES = 2000


class CoAssociation:
    """Counts, run by run, which papers a run held and which it put into one cluster.

    Two square matrices of whole numbers are kept, however many runs there are, so that no
    order of the runs changes a bit of what follows.

    Parameters
    ----------
    paper_keys : tuple of str, length n_papers
        In the order of the codes to come.

    Raises
    ------
    ParameterError
        If a key stands twice, or the counts do not fit into the memory that is free.

    References
    ----------
    .. [1] Fred and Jain, "Combining multiple clusterings using evidence accumulation", IEEE
       Transactions on Pattern Analysis and Machine Intelligence 27 (2005), 835-850.
    .. [2] Monti, Tamayo, Mesirov and Golub, "Consensus clustering", Machine Learning 52
       (2003), 91-118, equation 1 (runs that lack one of both papers do not count).
    """

    def __init__(self, paper_keys: tuple[str, ...]) -> None:
        n = len(paper_keys)
        if len(set(paper_keys)) < n:
            raise ParameterError("two papers of a co-association have one key")
        check_counts_fit(n, 2)
        self.paper_keys = paper_keys
        self.n_runs = 0
        self._held = np.zeros((n, n), dtype=np.int32)
        self._together = np.zeros((n, n), dtype=np.int32)

    def add(self, codes: ArrayLike) -> None:
        """Add one run.

        Parameters
        ----------
        codes : array of int, shape (n_papers,)
            Cluster of each paper; -1 for papers that the run did not hold. Papers that an
            algorithm calls noise come as clusters of their own.

        Raises
        ------
        ParameterError
            If the codes are of another shape, no whole numbers, or below -1.
        """
        row = check_codes(codes, (len(self.paper_keys),))
        is_held = row >= 0
        self._held += np.logical_and.outer(is_held, is_held)
        self._together += mark_together(row)
        self.n_runs += 1

    @property
    def n_held(self) -> NDArray[np.int32]:
        """Runs that held both papers of each pair, shape (n_papers, n_papers)."""
        return self._held.copy()

    @property
    def n_together(self) -> NDArray[np.int32]:
        """Runs that had both papers in one cluster, shape (n_papers, n_papers)."""
        return self._together.copy()

    @property
    def n_unseen(self) -> int:
        """Pairs of different papers that no run held together."""
        upper = np.triu_indices(len(self.paper_keys), k=1)
        return int((self._held[upper] == 0).sum())

    @property
    def shares(self) -> NDArray[np.float64]:
        """Share of the runs with both papers that have them in one cluster.

        Shape (n_papers, n_papers), 0 to 1, NaN for pairs that no run held together; 1 on the
        diagonal.
        """
        shares = np.full(self._held.shape, np.nan)
        np.divide(self._together, self._held, out=shares, where=self._held > 0)
        np.fill_diagonal(shares, 1.0)
        return shares


def build_consensus_tree(coassociation: CoAssociation) -> Tree:
    """Merge papers by average linkage of 1 less their co-association.

    The height of a merge is the mean share of the runs in which papers of its two sides are
    apart, so the tree's metric is named ``co-association``, which is no distance of texts.
    A pair that no run held together counts as apart, as in ConsensusClusterPlus [2]_; how many
    such pairs there are is told by `CoAssociation.n_unseen`. Ties follow the keys. Up to 2,000
    papers the leaves are in optimal order, beyond that as merged.

    Raises
    ------
    ParameterError
        If there are fewer than two papers, or no run was added.

    References
    ----------
    .. [1] Fred and Jain, see `CoAssociation`.
    .. [2] Wilkerson and Hayes, "ConsensusClusterPlus", Bioinformatics 26 (2010), 1572-1573.
    """
    keys = coassociation.paper_keys
    if len(keys) < 2:
        raise ParameterError(f"a consensus tree needs at least 2 papers; {len(keys)} arrived")
    if not coassociation.n_runs:
        raise ParameterError("a consensus tree needs at least 1 run; none was added")
    order = np.array(sorted(range(len(keys)), key=keys.__getitem__))
    by_key = np.ix_(order, order)
    held, together = coassociation.n_held[by_key], coassociation.n_together[by_key]
    # one quotient of whole numbers: shares that are equal stay equal in float64
    apart = np.ones(held.shape)
    np.divide(held - together, held, out=apart, where=held > 0)
    np.fill_diagonal(apart, 0.0)
    matrix = hierarchy.linkage(squareform(apart, checks=False), method="average")
    matrix[:, 2] = np.round(matrix[:, 2], N_HEIGHT_DECIMALS)
    sorted_keys = tuple(keys[i] for i in order)
    tree = Tree.from_linkage(matrix, sorted_keys, linkage="average", metric="co-association")
    return turn_optimally(tree, apart) if len(keys) <= _N_OPTIMAL_LEAVES else tree


def mark_together(codes: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Say which pairs of papers, none of them -1, have one code, shape (n_papers, n_papers)."""
    others = np.where(codes < 0, -2, codes)  # a missing paper is with no other
    return np.asarray(codes[:, None] == others)


def check_codes(codes: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.intp]:
    """Return codes as an array; refuse another shape, other numbers, and numbers below -1.

    Raises
    ------
    ParameterError
    """
    given = np.asarray(codes)
    if given.shape != shape:
        raise ParameterError(f"codes have the shape {shape} (papers last); {given.shape} arrived")
    if given.dtype.kind not in "iu" and given.size:
        raise ParameterError(f"codes are whole numbers; {given.dtype} arrived")
    whole = given.astype(np.intp)
    if (whole < -1).any():
        below = sorted(set(whole[whole < -1].tolist()))
        raise ParameterError(
            f"codes start at 0, and -1 stands for a paper that is missing; "
            f"{abbreviate(map(str, below))} arrived"
        )
    return whole


def check_counts_fit(n_papers: int, n_matrices: int) -> None:
    """Refuse so many square matrices of counts if they do not fit into the memory left.

    Raises
    ------
    ParameterError
    """
    needed, free = 4 * n_matrices * n_papers**2, free_bytes()
    if free is not None and needed > free:
        raise ParameterError(
            f"co-association of {n_papers} papers needs {needed / 1e9:.3g} GB and "
            f"{free / 1e9:.3g} GB are free; ask fewer numbers of clusters, or fewer papers"
        )

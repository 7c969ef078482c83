"""One run's groups against the reference, the taxonomy, and the groups that are sought."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.cluster import hierarchy
from scipy.special import gammaln

from survey_tools.cuts import find_ceilings
from survey_tools.kernels.partition_pairs import average_fowlkes_mallows, compare_codes, cut_tree
from survey_tools.robustness.grouping import Grouping
from survey_tools.robustness.jaccard import match_groups, match_nodes
from survey_tools.robustness.material import Reference
from survey_tools.robustness.outcome import Outcome
from survey_tools.tree import Tree

__all__ = ["Yardstick", "cut_at_numbers"]

_ARI, _AMI, _, _ELEMENT_CENTRIC = range(4)
_N_DIGITS = 12  # beyond, sums differ by their order


class Yardstick:
    """Compares runs with a reference and a taxonomy; what stays the same is computed once.

    Parameters
    ----------
    axes : mapping of str to ndarray of int, shape (n_papers,)
        Class of each paper on each axis; -1 for papers that are not filed.
    numbers : tuple of int
        Numbers of clusters at which trees are compared (Bk) and subsamples are cut.
    """

    def __init__(
        self,
        reference: Reference,
        axes: Mapping[str, NDArray[np.intp]],
        numbers: tuple[int, ...],
    ) -> None:
        self.reference = reference
        self.numbers = numbers
        self._axes = {name: np.asarray(codes, dtype=np.int64) for name, codes in axes.items()}
        self._codes = np.asarray(reference.codes, dtype=np.int64)
        self._cuts = cut_at_numbers(reference.tree, numbers)
        self._place = {key: i for i, key in enumerate(reference.tree.paper_keys)}
        n_papers = reference.tree.n_papers
        self._log_factorial = np.asarray(gammaln(np.arange(n_papers + 1) + 1.0))

    def measure(
        self, run: str, paper_keys: tuple[str, ...], grouping: Grouping, *, keeps_cuts: bool
    ) -> Outcome:
        """Compare the groups that a run made of some or all papers.

        Parameters
        ----------
        paper_keys : tuple of str
            Papers in the order of the grouping.
        keeps_cuts : bool
            Whether all cuts go into the outcome, for the consensus.
        """
        n_papers = self.reference.tree.n_papers
        places = np.array([self._place[key] for key in paper_keys], dtype=np.intp)
        codes = np.full(n_papers, -1, dtype=np.int64)
        codes[places] = grouping.codes
        flat = self._compare(self._codes, codes)
        agreement = {
            "ARI": _number(flat[_ARI]),
            "AMI": _number(flat[_AMI]),
            "element-centric": _number(flat[_ELEMENT_CENTRIC]),
        }
        cuts = None
        if grouping.tree is not None:
            cuts = np.full((len(self.numbers), n_papers), -1, dtype=np.int64)
            cuts[:, places] = cut_at_numbers(grouping.tree, self.numbers)
            agreement["Bk"] = self._mean_bk(cuts)
            agreement["cophenetic correlation"] = self._correlate(grouping.tree, places)
        axes: dict[str, float | None] = {}
        for name, classes in self._axes.items():
            found = self._compare(classes, codes)
            axes[f"ARI {name}"] = _number(found[_ARI])
            axes[f"AMI {name}"] = _number(found[_AMI])
        in_nodes, in_clusters, strayed = self._seek(grouping, places)
        return Outcome(
            run=run,
            notes=grouping.notes,
            n_clusters=grouping.n_clusters,
            n_noise=grouping.n_noise,
            codes=tuple(codes.tolist()),
            agreement=agreement,
            axes=axes,
            in_nodes=in_nodes,
            in_clusters=in_clusters,
            strayed=strayed,
            cuts=tuple(map(tuple, cuts.tolist())) if keeps_cuts and cuts is not None else (),
        )

    def seek_in_nodes(self, tree: Tree) -> tuple[float | None, ...]:
        """Return the best Jaccard score of every target over the nodes of a tree."""
        places = np.array([self._place[key] for key in tree.paper_keys], dtype=np.intp)
        scores, _ = match_nodes(self.reference.targets[:, places], tree)
        return tuple(map(_number, scores.tolist()))

    def _compare(self, a: NDArray[np.int64], b: NDArray[np.int64]) -> NDArray[np.float64]:
        out = np.empty(4)
        compare_codes(a, b, self._log_factorial, out)
        return out

    def _mean_bk(self, cuts: NDArray[np.int64]) -> float | None:
        """Return the mean Fowlkes-Mallows index over all cuts of both trees."""
        if not self.numbers:
            return None
        return _number(average_fowlkes_mallows(self._cuts, cuts))

    def _correlate(self, tree: Tree, places: NDArray[np.intp]) -> float | None:
        """Correlate the merge heights of all pairs in both trees; None where one is flat."""
        heights = hierarchy.cophenet(tree.to_linkage())
        upper = np.triu_indices(len(places), k=1)
        ours = self.reference.cophenetic[places[upper[0]], places[upper[1]]]
        ours, theirs = ours - ours.mean(), heights - heights.mean()
        scale = np.sqrt((ours @ ours) * (theirs @ theirs))
        return _number(float(ours @ theirs / scale)) if scale > 0 else None

    def _seek(
        self, grouping: Grouping, places: NDArray[np.intp]
    ) -> tuple[tuple[float | None, ...], tuple[float | None, ...], tuple[int, ...]]:
        """Look for every target; name the papers that are not where their home is."""
        targets = self.reference.targets[:, places]
        in_groups, groups = match_groups(targets, grouping.codes)
        in_nodes: tuple[float | None, ...] = ()
        # for each target, the papers of what matches it best
        matched = grouping.codes[None, :] == groups[:, None]
        if grouping.tree is not None:
            scores, nodes = match_nodes(targets, grouping.tree)
            in_nodes = tuple(map(_number, scores.tolist()))
            tree = grouping.tree
            first = tree.starts[nodes]
            place = tree.starts[: tree.n_papers]
            matched = (place >= first[:, None]) & (place < (first + tree.sizes[nodes])[:, None])
        homes = self.reference.homes[places]
        is_home = matched[homes, np.arange(len(places))] | (homes < 0)
        strayed = tuple(sorted(places[~is_home].tolist()))
        return in_nodes, tuple(map(_number, in_groups.tolist())), strayed


def cut_at_numbers(tree: Tree, numbers: tuple[int, ...]) -> NDArray[np.int64]:
    """Cut a tree into so many clusters, or the most below that ties allow.

    Returns
    -------
    ndarray of int64, shape (n_numbers, n_papers)
        Papers in the order of ``tree.paper_keys``.
    """
    codes = np.empty((len(numbers), tree.n_papers), dtype=np.int64)
    ceilings = np.asarray(find_ceilings(tree), dtype=np.float64)
    children = np.asarray(tree.children, dtype=np.int64)
    wanted = np.minimum(np.array(numbers, dtype=np.int64), tree.n_papers)
    cut_tree(children, ceilings, wanted, codes)
    return codes


def _number(value: float) -> float | None:
    return round(float(value), _N_DIGITS) if np.isfinite(value) else None

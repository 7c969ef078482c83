"""What one run found, and its line in the store."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from survey_tools.errors import DataError

__all__ = ["Outcome"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one run found, or why it failed.

    Papers stand in the order of the sorted keys, targets (the sub-trees and clusters that are
    sought again) in that of the material. A number is None where it is undefined.

    Attributes
    ----------
    run : str
        Id of the run.
    failure : str
        Why there is no result; empty if there is one.
    notes : tuple of str
        What the algorithm warned of.
    n_terms : int
        Terms after all limits.
    n_clusters, n_noise : int
        Clusters obtained; papers that the algorithm leaves out of all of them, each of which
        counts as a group of its own.
    codes : tuple of int, length n_papers
        Group of each paper; -1 for papers that the resample does not hold.
    agreement : mapping of str to float or None
        Against the reference: ARI, AMI, element-centric similarity of the flat clusters; for
        trees also the cophenetic correlation and Bk, the mean Fowlkes-Mallows index over all
        cuts.
    axes : mapping of str to float or None
        ARI and AMI against each axis of the taxonomy, ``"ARI masking strategy"``.
    in_nodes, in_clusters : tuple of float or None, length n_targets
        Best Jaccard score of each target over the inner nodes, and over the flat clusters.
    strayed : tuple of int
        Papers that are not in the node (or cluster) that matches their home best.
    cuts : tuple of tuple of int
        Codes for every number of clusters of the consensus; of subsamples only.
    curves : mapping of str to tuple of float or None
        Mean silhouette and log within-cluster dispersion for 2, 3, … clusters (dispersion from
        1), cophenetic correlation with the own distances; of null corpora also the best Jaccard
        score of the survey's targets. Of whole corpora at the survey's setting only.
    node_counts : tuple of int
        How many replicates hold each sub-tree of the reference; of multiscale runs only.
    """

    run: str
    failure: str = ""
    notes: tuple[str, ...] = ()
    n_terms: int = 0
    n_clusters: int = 0
    n_noise: int = 0
    codes: tuple[int, ...] = ()
    agreement: Mapping[str, float | None] = field(default_factory=dict)
    axes: Mapping[str, float | None] = field(default_factory=dict)
    in_nodes: tuple[float | None, ...] = ()
    in_clusters: tuple[float | None, ...] = ()
    strayed: tuple[int, ...] = ()
    cuts: tuple[tuple[int, ...], ...] = ()
    curves: Mapping[str, tuple[float | None, ...]] = field(default_factory=dict)
    node_counts: tuple[int, ...] = ()

    def to_line(self) -> str:
        """Write the outcome as one line of the store, without the end of line."""
        kept = {name: value for name, value in asdict(self).items() if value or name == "run"}
        return json.dumps(kept, ensure_ascii=False, separators=(",", ":"), allow_nan=False)

    @classmethod
    def from_line(cls, line: str | bytes, *, where: str) -> "Outcome":
        """Read a line of the store.

        Raises
        ------
        DataError
            If it is damaged.
        """
        known = {field.name for field in fields(cls)}
        try:
            content = json.loads(line)
            if not (isinstance(content, dict) and "run" in content and content.keys() <= known):
                raise ValueError("not an outcome")
        except ValueError as error:
            raise DataError(
                f"{where}: is damaged ({error}); remove the line, and its run is repeated"
            ) from None
        return cls(**{name: _as_tuples(value) for name, value in content.items()})


def _as_tuples(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(map(_as_tuples, value))
    if isinstance(value, dict):
        return {key: _as_tuples(inner) for key, inner in value.items()}
    return value

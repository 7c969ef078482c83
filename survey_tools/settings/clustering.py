"""How papers are merged, where the tree is cut, and how large corpora are condensed."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from survey_tools.settings.base import Settings

__all__ = [
    "ClusteringSettings",
    "CondenseSettings",
    "CutSettings",
    "LinkageMethod",
    "Metric",
    "Precision",
    "check_linkage",
    "printed_name",
]

LinkageMethod = Literal["ward", "average", "complete", "single", "weighted", "centroid", "median"]
Metric = Literal["euclidean", "cosine", "cityblock", "jaccard"]
Precision = Literal["float64", "float32"]
_PROPER_NAMES = {"ward": "Ward", "euclidean": "Euclidean", "jaccard": "Jaccard"}


def printed_name(name: str) -> str:
    """Write a linkage or metric as prose does: ``ward`` -> ``Ward``, ``cosine`` stays."""
    return _PROPER_NAMES.get(name, name)


def check_linkage(linkage: LinkageMethod, metric: Metric) -> str | None:
    """Say why a linkage has no meaning with a metric, or return None.

    Ward, centroid and median linkage compute distances to cluster centroids, which
    Lance and Williams' update gives only for (squared) Euclidean distances.

    References
    ----------
    .. [1] Müllner, arXiv:1109.2378, section 2.
    """
    if linkage in ("ward", "centroid", "median") and metric != "euclidean":
        return (
            f"{linkage} linkage measures distances to centroids and has no meaning with "
            f"{metric} distances; use metric euclidean (on l2-normalised rows it orders pairs "
            "as cosine does) or average linkage"
        )
    return None


class CutSettings(Settings):
    """Where the tree is cut into clusters: exactly one of the five ways."""

    n_clusters: Annotated[int, Field(ge=1)] | None = None
    """Number of clusters wanted."""
    height: Annotated[float, Field(ge=0)] | None = None
    """Merge height of the cut, in the unit of the linkage."""
    inconsistency: Annotated[float, Field(ge=0)] | None = None
    """Largest inconsistency coefficient inside a cluster."""
    inconsistency_depth: Annotated[int, Field(ge=1)] = 2
    """Levels of merges below a merge that its inconsistency is measured against."""
    gap: Literal[True] | None = None
    """true: cut in the widest gap between one merge height and the next; of equal gaps, where
    there are fewest clusters."""
    silhouette: Literal[True] | None = None
    """true: take the number of clusters with the greatest mean silhouette, in the metric of the
    clustering; of equal ones, the smallest."""
    fewest: Annotated[int, Field(ge=2)] = 2
    """Fewest clusters that gap and silhouette choose from; one cluster has neither."""
    most: Annotated[int, Field(ge=2)] = 40
    """Most clusters that gap and silhouette choose from, at most one less than there are papers;
    the default is about what a page can name, twice the 18 clusters of the bundled survey."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        allowed = ("n_clusters", "height", "inconsistency", "gap", "silhouette")
        ways = [way for way in allowed if getattr(self, way) is not None]
        if len(ways) != 1:
            got = " and ".join(ways) or "none"
            raise ValueError(f"give one of {', '.join(allowed)}; {got} arrived")
        return self

    @model_validator(mode="after")
    def _bounds_are_ordered(self) -> Self:
        if self.fewest > self.most:
            raise ValueError(f"fewest {self.fewest} is more than most {self.most}; swap them")
        return self


class ClusteringSettings(Settings):
    """How papers are merged into a tree and where the tree is cut."""

    linkage: LinkageMethod = "ward"
    """Rule that gives the distance of two clusters; ward is what the bundled survey states."""
    metric: Metric = "euclidean"
    """Distance of two papers; jaccard compares which terms are present, not their weights."""
    leaf_order: Literal["auto", "optimal", "ends", "merge"] = "auto"
    """Order of the leaves: optimal (adjacent leaves as near as the tree allows; cubic time),
    ends (each merge brings the nearest ends of its two sub-trees together; fast), merge (the
    earlier merge first), auto (optimal up to 2,000 papers, ends beyond)."""
    cut: CutSettings = CutSettings(n_clusters=10)
    """Where the tree is cut."""
    rows: Literal["terms", "lsa", "embeddings"] = "terms"
    """What is clustered: the weighted terms, their latent semantic analysis (truncated SVD,
    normalised again), or vectors that you bring (see embeddings); clusters are described by
    terms in any case."""
    n_components: Annotated[int, Field(ge=1, le=2000)] = 100
    """Dimensions of the latent semantic analysis; 100 is what scikit-learn recommends for it."""
    precision: Precision = "float64"
    """Numbers of a distance matrix; float32 needs a quarter less memory at the peak. Ward, and
    average with cosine, need no matrix beyond 2,000 papers."""
    certify: bool = False
    """Replay the finished tree and check that every merge was the cheapest of all possible ones."""

    @model_validator(mode="after")
    def _rows_fit_metric(self) -> Self:
        if self.rows != "terms" and self.metric not in ("euclidean", "cosine"):
            raise ValueError(
                f"{self.metric} distances compare terms; {self.rows} rows have euclidean and cosine"
            )
        return self

    @model_validator(mode="after")
    def _linkage_fits_metric(self) -> Self:
        if problem := check_linkage(self.linkage, self.metric):
            raise ValueError(problem)
        return self


class CondenseSettings(Settings):
    """How a corpus too large for exactness is first condensed to micro-clusters."""

    n_micro_clusters: Annotated[int, Field(ge=2)]
    """Most micro-clusters wanted; they are then merged exactly."""
    method: Literal["mini-batch-k-means", "birch"] = "mini-batch-k-means"
    """How micro-clusters are found in the reduced space; both are scikit-learn's."""
    n_components: Annotated[int, Field(ge=1, le=1000)] = 100
    """Dimensions of the reduced space; 100 is what scikit-learn's TruncatedSVD recommends."""
    n_basis_papers: Annotated[int, Field(ge=2)] = 50_000
    """Papers drawn at random from which the reduced space is computed, or all if fewer."""
    n_passes: Annotated[int, Field(ge=1, le=100)] = 3
    """Times that mini-batch k-means reads all papers."""
    n_at_once: Annotated[int, Field(ge=1)] = 5_000
    """Papers in one shard, which is what a worker holds in memory."""
    n_sample: Annotated[int, Field(ge=0)] = 5_000
    """Papers drawn at random on which the condensed clusters are compared with exact ones; with
    fewer than 4 there is no comparison."""

"""Every setting of a survey, with its default, its unit and what is allowed.

These models are the one source for ``survey.yaml``, its JSON Schema, the manifest
and the set-up paragraph. What the default values follow is said at each field.
"""

import re
from collections.abc import Mapping
from pathlib import PurePath
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from survey_tools.arxiv_id import check_arxiv_id

__all__ = [
    "ClusteringSettings",
    "CondenseSettings",
    "CrosscheckSettings",
    "CutSettings",
    "FigureSettings",
    "HarvestSettings",
    "HoldoutSettings",
    "LinkageMethod",
    "Metric",
    "Precision",
    "RobustnessRule",
    "RobustnessSettings",
    "Settings",
    "SurveySettings",
    "TextSettings",
    "Weighting",
    "check_linkage",
    "printed_name",
]

LinkageMethod = Literal["ward", "average", "complete", "single", "weighted", "centroid", "median"]
Metric = Literal["euclidean", "cosine", "cityblock", "jaccard"]
Precision = Literal["float64", "float32"]
Weighting = Literal["counts", "binary", "tf-idf", "sublinear-tf-idf", "bm25"]
_PROPER_NAMES = {"ward": "Ward", "euclidean": "Euclidean", "jaccard": "Jaccard"}
Share = Annotated[float, Field(ge=0.0, le=1.0)]
DocumentLimit = Annotated[int, Field(strict=True, ge=1)] | Annotated[float, Field(gt=0.0, le=1.0)]
ImageFormat = Literal["pdf", "svg", "png"]


def printed_name(name: str) -> str:
    """Write a linkage or metric as prose does: ``ward`` -> ``Ward``, ``cosine`` stays."""
    return _PROPER_NAMES.get(name, name)


class Settings(BaseModel):
    """A frozen group of settings; unknown names are refused."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False
    )


def _check_inside(name: str | None) -> str | None:
    """Refuse the name of a file that lies outside the survey folder."""
    if name is not None and (PurePath(name).is_absolute() or ".." in PurePath(name).parts):
        raise ValueError(f"{name!r} must lie inside the survey folder")
    return name


class TextSettings(Settings):
    """How titles and abstracts become weighted terms."""

    fields: Annotated[tuple[Literal["title", "abstract"], ...], Field(min_length=1)] = (
        "title",
        "abstract",
    )
    """Fields joined by a space, in this order; a digest stands in for a missing abstract."""
    lowercase: bool = True
    """Lower-case the text before it is split."""
    token_pattern: str = r"(?u)\b\w\w+\b"  # noqa: S105  no password
    """Regular expression of a token; the default is scikit-learn's and drops one-letter words."""
    stop_words: str = "english"
    """"none", "english" (scikit-learn's list) or a text file with one word a line."""
    stemming: Literal["none", "porter", "snowball"] = "none"
    """NLTK stemmer, applied to tokens after the stop words are gone."""
    analyser: Literal["words", "characters"] = "words"
    """What terms are runs of: tokens, or characters inside tokens with a space before and after
    (scikit-learn's char_wb)."""
    ngram_range: tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]] = (1, 1)
    """Shortest and longest run of tokens, or characters, that makes a term."""
    min_df: DocumentLimit = 1
    """Fewest papers a term must stand in: a whole number, or a share of the papers (0.0-1.0)."""
    max_df: DocumentLimit = 1.0
    """Most papers a term may stand in: a whole number, or a share of the papers (0.0-1.0)."""
    max_features: Annotated[int, Field(ge=1)] | None = None
    """Keep only so many terms, the most frequent; ties go to the alphabetically first."""
    weighting: Weighting = "tf-idf"
    """Weight of a term in a paper."""
    smooth_idf: bool = True
    """Add one to document frequencies, as if one more paper held every term (tf-idf only)."""
    norm: Literal["l1", "l2", "none"] = "l2"
    """Norm to which each paper's weights are scaled."""
    bm25_k1: Annotated[float, Field(gt=0)] = 1.2
    """Saturation of term frequency (bm25 only); default as in Apache Lucene."""
    bm25_b: Share = 0.75
    """Strength of length normalisation (bm25 only); default as in Apache Lucene."""

    _stop_words_lie_inside = field_validator("stop_words")(_check_inside)

    @field_validator("fields")
    @classmethod
    def _fields_differ(cls, fields: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(fields)) < len(fields):
            raise ValueError(f"{list(fields)} names a field twice")
        return fields

    @field_validator("token_pattern")
    @classmethod
    def _pattern_compiles(cls, pattern: str) -> str:
        try:
            n_groups = re.compile(pattern).groups
        except re.error as error:
            raise ValueError(f"{pattern!r} is not a regular expression: {error}") from None
        if n_groups > 1:
            raise ValueError(f"{pattern!r} has {n_groups} capturing groups; at most one is allowed")
        return pattern

    @field_validator("ngram_range")
    @classmethod
    def _range_is_ordered(cls, ngram_range: tuple[int, int]) -> tuple[int, int]:
        if ngram_range[0] > ngram_range[1]:
            raise ValueError(f"{list(ngram_range)} runs backwards; write [shortest, longest]")
        return ngram_range


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


class CrosscheckSettings(Settings):
    """How the agreement of taxonomy and clusters is tested."""

    n_permutations: Annotated[int, Field(ge=0, le=10_000_000)] = 10_000
    """Random relabellings behind the value expected by chance and the p-value."""
    n_resamples: Annotated[int, Field(ge=0, le=1_000_000)] = 2_000
    """Half-samples of the papers behind each interval."""
    confidence: Annotated[float, Field(gt=0, lt=1)] = 0.95
    """Confidence level of the intervals."""
    n_nearest: Annotated[int, Field(ge=1, le=1000)] = 10
    """Nearest papers whose labels are held against each paper's own."""
    ask_holdout: bool = False
    """Ask the hold-out's classifier, too, which filings it disputes; it takes as long as the
    command holdout."""
    unfiled: Literal["refuse", "leave-out"] = "refuse"
    """What to do about clustered papers that the taxonomy does not file: refuse to compare, or
    leave them out, which is said."""
    unknown: Literal["refuse", "leave-out"] = "refuse"
    """What to do about filed papers that the file of papers lacks, for every command that reads
    the taxonomy: refuse it, or leave them out, which is said."""


class HoldoutSettings(Settings):
    """How it is tested whether the labels of held-out papers can be told from their texts."""

    n_folds: Annotated[int, Field(ge=2, le=100)] = 5
    """Folds; the papers of each are held out in turn. 5 or 10 are customary (Kohavi 1995)."""
    n_inner_folds: Annotated[int, Field(ge=2, le=100)] = 5
    """Folds of the training papers, by which penalty, calibration and threshold are chosen."""
    n_repeats: Annotated[int, Field(ge=1, le=1000)] = 3
    """Times that the papers are dealt to folds anew; scores are means over them."""
    penalties: Annotated[tuple[Annotated[float, Field(gt=0)], ...], Field(min_length=1)] = (
        0.1,
        1.0,
        10.0,
    )
    """Inverse strengths of the linear model's penalty (scikit-learn's C) to choose from."""
    n_resamples: Annotated[int, Field(ge=0, le=1_000_000)] = 2_000
    """Resamples of the papers, with replacement, behind each interval."""
    confidence: Annotated[float, Field(gt=0, lt=1)] = 0.95
    """Confidence level of the intervals."""
    n_curve_steps: Annotated[int, Field(ge=0, le=100)] = 5
    """Points of the learning curve: with 5, models of 20, 40, 60, 80 and 100 % of the training
    papers; 0 for no curve."""
    min_probability: Share = 0.5
    """Probability from which on ``holdout --suggest`` files a paper under a label."""


class RobustnessRule(Settings):
    """When a named cluster counts as robust, and when as vanished."""

    min_jaccard: Annotated[float, Field(gt=0, le=1)] = 0.75
    """Jaccard score from which on a cluster counts as found again; 0.75 is what Hennig (2007)
    calls a valid, stable cluster."""
    min_share: Annotated[float, Field(gt=0, le=1)] = 0.75
    """Share of the runs in which a robust cluster is found again: of those with other choices
    and of those with other papers."""
    min_au: Annotated[float, Field(gt=0, lt=1)] = 0.95
    """Approximately unbiased probability (Shimodaira 2002) from which on a cluster is supported
    by the terms."""
    max_lost: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """Jaccard score below which a cluster is dissolved (Hennig 2007); one that is dissolved in
    more than half of the runs, with other choices or with other papers, has vanished."""
    choices: Literal["one-at-a-time", "all"] = "one-at-a-time"
    """Which runs with other choices decide: those that change one choice, or all."""


_PRESETS: dict[str, dict[str, int]] = {
    "quick": {
        "n_settings": 200,
        "n_subsamples": 100,
        "n_paper_bootstraps": 100,
        "n_term_bootstraps": 100,
        "n_orders": 20,
        "n_seeds": 5,
        "n_replicates": 100,
        "n_nulls": 20,
        "n_null_subsamples": 20,
        "n_null_replicates": 0,
    },
    "full": {
        "n_settings": 2000,
        "n_subsamples": 500,
        "n_paper_bootstraps": 500,
        "n_term_bootstraps": 500,
        "n_orders": 100,
        "n_seeds": 20,
        "n_replicates": 1000,
        "n_nulls": 50,
        "n_null_subsamples": 50,
        "n_null_replicates": 100,
    },
}
_Number = Annotated[int, Field(ge=0, le=1_000_000)]
_PRESET = Field(default=None, json_schema_extra={"default": "as the preset says"})


class RobustnessSettings(Settings):
    """Which other choices and resamples the clusters are tested against."""

    preset: Literal["quick", "full"] = "quick"
    """How much is run: quick (about 700 runs and 1,000 bootstrap trees) or full (about 4,500 and
    10,000); numbers given below replace those of the preset."""
    designs: Annotated[
        tuple[Literal["one-at-a-time", "latin-hypercube", "full-grid"], ...], Field(min_length=1)
    ] = ("one-at-a-time", "latin-hypercube")
    """How other choices are combined: one choice changed at a time, a Latin hypercube sample of
    all combinations, or all of them."""
    factors: Mapping[str, Annotated[tuple[str | int | float, ...], Field(min_length=1)]] = Field(
        default_factory=dict
    )
    """Levels of each choice, for example ngrams: [1-1, 1-2, char-3-5]; choices not named have
    their default levels, and the survey's own level always takes part."""
    n_settings: _Number | None = _PRESET
    """Combinations in the Latin hypercube sample."""
    n_subsamples: _Number | None = _PRESET
    """Subsamples of the papers, without replacement."""
    subsample_share: Annotated[float, Field(gt=0, lt=1)] = 0.8
    """Share of the papers in a subsample."""
    n_paper_bootstraps: _Number | None = _PRESET
    """Bootstraps of the papers; a paper drawn twice is kept once (as in fpc's clusterboot)."""
    n_term_bootstraps: _Number | None = _PRESET
    """Bootstraps of the terms."""
    one_paper_out: bool = True
    """Leave out each paper in turn."""
    n_orders: _Number | None = _PRESET
    """Random orders of the papers, which decide between tied merges."""
    n_seeds: _Number | None = _PRESET
    """Seeds of every setting that changes one choice and uses chance."""
    scales: Annotated[tuple[Annotated[float, Field(gt=0, le=10)], ...], Field(min_length=3)] = (
        0.5,
        0.6,
        0.7,
        0.8,
        0.9,
        1.0,
        1.1,
        1.2,
        1.3,
        1.4,
    )
    """Terms drawn in the multiscale bootstrap, in shares of all terms; pvclust's."""
    n_replicates: _Number | None = _PRESET
    """Bootstrap trees at each scale; 0 leaves AU and BP out."""
    n_nulls: _Number | None = _PRESET
    """Null corpora of each kind: terms dealt anew, and one topic."""
    n_null_subsamples: _Number | None = _PRESET
    """Subsamples of the papers of each null corpus."""
    n_null_replicates: _Number | None = _PRESET
    """Bootstrap trees of the first null corpus of each kind at each scale."""
    most_clusters: Annotated[int, Field(ge=2, le=1000)] = 40
    """Greatest number of clusters at which trees are cut and compared."""
    most_runs: Annotated[int, Field(ge=1)] = 10_000
    """Runs beyond which a plan needs --yes."""
    rule: RobustnessRule = RobustnessRule()
    """When a cluster counts as robust."""

    def number(self, name: str) -> int:
        """Return a number as it is given, or as the preset has it."""
        given = getattr(self, name)
        return int(_PRESETS[self.preset][name] if given is None else given)


class FigureSettings(Settings):
    """How the dendrogram is printed."""

    style: Literal[
        "auto", "left-right", "top-down", "circular", "collapsed", "overview", "heat-map"
    ] = "auto"
    """Shape of the tree: from left to right with a line a paper, from top down, as a circle, with
    sub-trees collapsed to triangles, as an overview without labels, or beside the matrix of
    similarities; auto is left-right up to 2,000 papers, and overview with collapsed beyond."""
    page: Literal["tall", "a4", "letter"] = "tall"
    """One page as tall as needed, or as many A4 (210 x 297 mm) or letter pages as needed; from
    top down one page as wide as needed, or pages on their side."""
    columns: Literal[1, 2] = 1
    """Columns of leaves a page; from top down, rows of leaves one below the other."""
    width_mm: Annotated[float, Field(ge=80, le=1000)] = 210.0
    """Page width of a tall figure, in millimetres; from top down, its greatest height but for the
    legend."""
    font_size_pt: Annotated[float, Field(ge=4, le=14)] = 6.5
    """Text size of the leaves, in points; the largest tried where a page has a fixed size."""
    min_font_size_pt: Annotated[float, Field(ge=3, le=14)] = 5.0
    """Smallest text size tried to bring all leaves onto one A4 or letter page, in points; where
    they need several, text is made up to half a point smaller if that saves a page."""
    leaf_label: Literal["title", "short-title", "key", "author-year", "number", "number-title"] = (
        "title"
    )
    """What is written at a leaf: the whole title on as many lines as it needs, as much of it as
    one line holds, the key, Author (year), the paper's number in the file of papers as [n], or
    number and title."""
    names: Literal["brackets", "bands", "labels"] = "brackets"
    """How named sub-trees are shown: by brackets, by tinted and hatched bands behind branches and
    labels, or by lines from the node to the name alone."""
    strips: tuple[Annotated[str, Field(min_length=1)], ...] = ("taxonomy",)
    """Strips beside the leaves, in their order: taxonomy (all its axes), the name of one axis,
    year, venue, or support (of the clusters, where robustness was tested)."""
    n_shown: Annotated[int, Field(ge=2, le=500)] = 30
    """Most branches that the collapsed style shows."""
    formats: Annotated[tuple[ImageFormat, ...], Field(min_length=1)] = ("pdf", "svg", "png")
    """File formats of every figure."""
    png_dpi: Annotated[int, Field(ge=50, le=1200)] = 150
    """Resolution of PNG files, in dots per inch."""


class HarvestSettings(Settings):
    """Where and how arXiv is asked; variables such as SURVEY_TOOLS_API_URL go before the file."""

    api_url: Annotated[str, Field(pattern=r"^https?://")] = "https://export.arxiv.org/api/query"
    """Address of the Atom API, or of a mirror or local server that behaves like it."""
    oai_url: Annotated[str, Field(pattern=r"^https?://")] = "https://oaipmh.arxiv.org/oai"
    """Address of the OAI-PMH service, or of a mirror or local server that behaves like it."""
    gap_s: Annotated[float, Field(ge=0)] = 3.0
    """Seconds between two requests; arXiv's terms ask for 3, so it may only be raised, except
    for a server on this machine."""
    contact: str | None = None
    """How arXiv can reach you, for example an address of mail; sent with every request."""
    page_size: Annotated[int, Field(ge=1, le=2000)] = 1000
    """Results a request to the Atom API."""
    patience_s: Annotated[float, Field(ge=0)] = 7200.0
    """Seconds that cool-downs and waits after faults may take in all before the run ends."""
    deadline_s: Annotated[float, Field(gt=0)] = 240.0
    """Seconds after which a request is given up; arXiv's own proxy needs up to 183."""


class SurveySettings(Settings):
    """``survey.yaml``: the files of a survey and every setting of its analysis."""

    title: Annotated[str, Field(min_length=1)]
    """Title of the survey."""
    arxiv_id: str | None = None
    """arXiv id of the survey, in quotes."""
    doi: str | None = None
    """DOI of the survey."""
    papers: str = "papers.jsonl"
    """File of papers, JSON lines, relative to the survey folder."""
    taxonomy: str | None = None
    """File of the manual taxonomy, YAML."""
    subtrees: str | None = None
    """File of named sub-trees, YAML."""
    embeddings: str | None = None
    """File of vectors, one a paper (.npy, or .npz with keys and vectors); clustering.rows
    says whether they are used."""
    embedding_keys: str | None = None
    """Text file with the paper key of each vector, one a line; not needed for .npz."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Seed of all chance."""
    text: TextSettings = TextSettings()
    """How text becomes weighted terms."""
    clustering: ClusteringSettings = ClusteringSettings()
    """How papers are merged and the tree is cut."""
    condense: CondenseSettings | None = None
    """How ``cluster --condense`` makes micro-clusters; the other commands take no notice."""
    crosscheck: CrosscheckSettings = CrosscheckSettings()
    """How agreement is tested."""
    holdout: HoldoutSettings = HoldoutSettings()
    """How it is tested whether labels can be told from texts."""
    robustness: RobustnessSettings = RobustnessSettings()
    """What the clusters are tested against."""
    figures: FigureSettings = FigureSettings()
    """How figures are printed."""
    harvest: HarvestSettings = HarvestSettings()
    """Where and how arXiv is asked."""

    @field_validator("arxiv_id")
    @classmethod
    def _arxiv_id_is_one(cls, arxiv_id: str | None) -> str | None:
        if arxiv_id is not None and (problem := check_arxiv_id(arxiv_id)):
            raise ValueError(problem)
        return arxiv_id

    _files_lie_inside = field_validator(
        "papers", "taxonomy", "subtrees", "embeddings", "embedding_keys"
    )(_check_inside)

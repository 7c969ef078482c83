"""The choices behind a dendrogram: the factors, their levels, and one setting of them all."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Literal, get_args

from survey_tools.documents import nearest
from survey_tools.errors import ParameterError
from survey_tools.settings import (
    ClusteringSettings,
    LinkageMethod,
    Metric,
    TextSettings,
    Weighting,
    check_linkage,
)

__all__ = ["FACTORS", "TEXT_FACTORS", "Level", "Setting", "parse_level"]

Level = str | int | float

_TEXTS: dict[str, tuple[Literal["title", "abstract"], ...]] = {
    "title": ("title",),
    "abstract": ("abstract",),
    "both": ("title", "abstract"),
}
_LINKAGES: tuple[str, ...] = get_args(LinkageMethod)
_OTHERS = ("k-means", "spectral", "hdbscan", "affinity-propagation")
_NUMBERLESS = ("hdbscan", "affinity-propagation")  # find the number of clusters themselves
_METRICS_OF = {
    "k-means": ("euclidean",),
    "spectral": ("cosine",),  # its affinity is the cosine similarity
    "hdbscan": ("euclidean", "cosine"),
    "affinity-propagation": ("euclidean", "cosine"),
}
_IN_SCIKIT_LEARN = ("ward", "average", "complete", "single")
_NGRAMS = re.compile(r"(char-)?([1-9]\d?)-([1-9]\d?)")
_REDUCTION = re.compile(r"none|lsa-[1-9]\d{0,3}")
_ALLOWED: dict[str, tuple[str, ...]] = {
    "text": tuple(_TEXTS),
    "stemming": ("none", "porter", "snowball"),
    "weighting": get_args(Weighting),
    "norm": ("l2", "l1", "none"),
    "algorithm": (*_LINKAGES, *_OTHERS),
    "metric": get_args(Metric),
    "library": ("scipy", "scikit-learn"),
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Setting:
    """One level of every factor: a way from texts to clusters.

    A level is None where it changes nothing: the number of clusters of HDBSCAN and affinity
    propagation, the library of what one of the two alone has, weighting and norm under Jaccard
    distances.

    Attributes
    ----------
    text : {"title", "abstract", "both"}
        A digest stands in for a missing abstract.
    stop_words : str
        "none", "english", or a file of the survey folder.
    stemming : {"none", "porter", "snowball"}
    ngrams : str
        Shortest and longest run of words, ``"1-2"``, or of characters inside words,
        ``"char-3-5"``.
    min_df, max_df : int or float
        Papers, or share of the papers, that a term may stand in.
    weighting, norm : str or None
        As in the settings of the text.
    reduction : str
        "none", or latent semantic analysis to so many dimensions, ``"lsa-50"``.
    algorithm : str
        A linkage of agglomerative clustering, "k-means", "spectral", "hdbscan", or
        "affinity-propagation".
    metric : str
        Distance of two papers.
    library : {"scipy", "scikit-learn"} or None
        Whose agglomerative clustering is used.
    n_clusters : int or None
    """

    text: str
    stop_words: str
    stemming: str
    ngrams: str
    min_df: int | float
    max_df: int | float
    weighting: str | None
    norm: str | None
    reduction: str
    algorithm: str
    metric: str
    library: str | None
    n_clusters: int | None

    def __eq__(self, other: object) -> bool:
        """Tell whether all levels are the same; one paper (1) is not all papers (1.0)."""
        return isinstance(other, Setting) and self._identity() == other._identity()

    def __hash__(self) -> int:
        """Hash the levels with their types."""
        return hash(self._identity())

    def _identity(self) -> tuple[tuple[type, Level | None], ...]:
        return tuple((type(level), level) for level in self.levels().values())

    @classmethod
    def of_survey(
        cls, text: TextSettings, clustering: ClusteringSettings, n_clusters: int
    ) -> "Setting":
        """Express a survey's own settings, cut into so many clusters.

        Raises
        ------
        ParameterError
            If vectors brought along are clustered: they depend on no choice of terms.
        """
        if clustering.rows == "embeddings":
            raise ParameterError(
                "clustering.rows is embeddings, which no choice of terms changes; robustness "
                "needs terms or lsa"
            )
        name = next((name for name, chosen in _TEXTS.items() if chosen == text.fields), "both")
        prefix = "char-" if text.analyser == "characters" else ""
        return cls(
            text=name,
            stop_words=text.stop_words,
            stemming=text.stemming,
            ngrams=prefix + "-".join(map(str, text.ngram_range)),
            min_df=text.min_df,
            max_df=text.max_df,
            weighting=text.weighting,
            norm=text.norm,
            reduction="none" if clustering.rows == "terms" else f"lsa-{clustering.n_components}",
            algorithm=clustering.linkage,
            metric=clustering.metric,
            library="scipy",
            n_clusters=n_clusters,
        )._without_idle()

    @classmethod
    def from_levels(cls, levels: Mapping[str, object]) -> "Setting":
        """Build a setting from factor -> level, as a line of a plan holds them.

        Raises
        ------
        ParameterError
            If a factor is unknown or missing, or a level is.
        """
        for name in levels:
            if name not in FACTORS:
                raise ParameterError(f"unknown factor {name!r}; {nearest(name, FACTORS)}")
        if missing := [name for name in FACTORS if name not in levels]:
            raise ParameterError(f"a setting lacks {', '.join(missing)}")
        parsed = {
            name: None if level is None else parse_level(name, level)
            for name, level in levels.items()
        }
        setting = cls(**parsed)  # type: ignore[arg-type]
        idle = setting._idle()
        for name, level in setting.levels().items():
            if level is None and name not in idle:
                raise ParameterError(f"{name} is null but {setting.algorithm} needs a level of it")
        return setting._without_idle()

    def replace(self, **levels: Level) -> "Setting":
        """Return the setting with other levels; those that change nothing become None."""
        return replace(self, **levels)._without_idle()  # type: ignore[arg-type]

    def without_algorithm(self) -> "Setting":
        """Blank what is chosen after the terms are weighted, to tell equal terms by."""
        return replace(self, algorithm="", metric="", library=None, n_clusters=None)

    def levels(self) -> dict[str, Level | None]:
        """Return factor -> level, in the order of `FACTORS`."""
        return {name: getattr(self, name) for name in FACTORS}

    def why_meaningless(self) -> str | None:
        """Say why these levels do not go together, or return None."""
        algorithm, metric = self.algorithm, self.metric
        if algorithm in _METRICS_OF and metric not in _METRICS_OF[algorithm]:
            return f"{algorithm} has no {metric} distances"
        if algorithm in _LINKAGES and (
            problem := check_linkage(algorithm, metric)  # type: ignore[arg-type]
        ):
            return problem
        if self.reduction != "none" and metric not in ("euclidean", "cosine"):
            return f"{metric} distances compare terms, not their reduction"
        return None

    @property
    def uses_chance(self) -> bool:
        """Whether another seed may give other clusters."""
        return self.algorithm in ("k-means", "spectral") or self.reduction != "none"

    @property
    def linkage(self) -> LinkageMethod | None:
        """The linkage of an agglomerative algorithm; None for the others."""
        return self.algorithm if self.algorithm in _LINKAGES else None  # type: ignore[return-value]

    @property
    def n_components(self) -> int | None:
        """Dimensions of the latent semantic analysis; None without."""
        return None if self.reduction == "none" else int(self.reduction.removeprefix("lsa-"))

    @property
    def analyser(self) -> Literal["words", "characters"]:
        """What terms are made of."""
        return "characters" if self.ngrams.startswith("char-") else "words"

    @property
    def ngram_range(self) -> tuple[int, int]:
        """Shortest and longest run that makes a term."""
        shortest, longest = self.ngrams.removeprefix("char-").split("-")
        return int(shortest), int(longest)

    def text_settings(self, base: TextSettings) -> TextSettings:
        """Return the settings of the text; what is no factor stays as in ``base``."""
        changed = {
            "fields": _TEXTS[self.text] if self.text != "both" else _both(base),
            "stop_words": self.stop_words,
            "stemming": self.stemming,
            "analyser": self.analyser,
            "ngram_range": self.ngram_range,
            "min_df": self.min_df,
            "max_df": self.max_df,
        }
        changed |= {} if self.weighting is None else {"weighting": self.weighting}
        changed |= {} if self.norm is None else {"norm": self.norm}
        return base.model_copy(update=changed)

    def _without_idle(self) -> "Setting":
        """Blank the levels that change nothing, so that equal runs are equal."""
        idle = self._idle()
        return replace(self, **dict.fromkeys(idle)) if idle else self  # type: ignore[arg-type]

    def _idle(self) -> set[str]:
        """Name the factors whose level changes nothing."""
        idle = set()
        if self.algorithm in _NUMBERLESS:
            idle.add("n_clusters")
        if self.algorithm not in _IN_SCIKIT_LEARN:
            idle.add("library")
        if self.metric == "jaccard":
            idle |= {"weighting", "norm"}
        return idle


FACTORS: tuple[str, ...] = tuple(field.name for field in fields(Setting))
TEXT_FACTORS = FACTORS[: FACTORS.index("algorithm")]


def _both(base: TextSettings) -> tuple[Literal["title", "abstract"], ...]:
    """Keep the survey's own order of title and abstract where it joins both."""
    return base.fields if len(base.fields) == len(_TEXTS["both"]) else _TEXTS["both"]


def parse_level(factor: str, level: object) -> Level:
    """Check one level of a factor, as ``survey.yaml`` or a plan gives it.

    Raises
    ------
    ParameterError
        Naming the nearest factor or level.
    """
    if factor not in FACTORS:
        raise ParameterError(f"unknown factor {factor!r}; {nearest(factor, FACTORS)}")
    where = f"{factor}: {level!r}"
    if factor in _ALLOWED:
        if level not in _ALLOWED[factor]:
            raise ParameterError(f"{where} is no level; {nearest(str(level), _ALLOWED[factor])}")
        return str(level)
    if factor == "n_clusters":
        if isinstance(level, bool) or not isinstance(level, int) or level < 1:
            raise ParameterError(f"{where} is no number of clusters; give a whole number from 1")
        return level
    if factor in ("min_df", "max_df"):
        is_count = isinstance(level, int) and not isinstance(level, bool) and level >= 1
        is_share = isinstance(level, float) and 0.0 < level <= 1.0
        if not (is_count or is_share):
            raise ParameterError(
                f"{where} is neither papers (1, 2, …) nor a share of them (0.0 to 1.0)"
            )
        if factor == "max_df" and is_count and level == 1:
            raise ParameterError(
                f"{where} is one paper, and terms of one paper join none; write 1.0 for all papers"
            )
        return level  # type: ignore[return-value]
    text = str(level)
    if factor == "ngrams":
        found = _NGRAMS.fullmatch(text)
        if not found or int(found[2]) > int(found[3]):
            raise ParameterError(
                f"{where} is no range of n-grams; write shortest-longest, as 1-2 or char-3-5"
            )
    if factor == "reduction" and not _REDUCTION.fullmatch(text):
        raise ParameterError(f"{where} is no reduction; write none or lsa-50")
    return text

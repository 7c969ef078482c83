"""Which other choices and resamples the clusters are tested against."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from survey_tools.settings.base import Settings

__all__ = [
    "RobustnessRule",
    "RobustnessSettings",
]

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

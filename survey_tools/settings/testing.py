"""How agreement with the taxonomy is tested, and whether labels can be told from texts."""

from typing import Annotated, Literal

from pydantic import Field

from survey_tools.settings.base import Settings, Share

__all__ = [
    "CrosscheckSettings",
    "HoldoutSettings",
]


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

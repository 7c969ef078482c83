"""Whether the labels of papers that were held out can be told from their texts."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from typing import Any

import numpy as np

from survey_tools.claims.estimate import Estimate, Interval
from survey_tools.claims.experiment import (
    Experiment,
    Findings,
    FindingTable,
    Outcome,
    Outcomes,
    Parameters,
    Size,
    Trial,
    TrialKind,
)
from survey_tools.claims.experiments.own_papers import refuse
from survey_tools.claims.survey_material import SurveyMaterial, SurveyPapers
from survey_tools.documents import nearest
from survey_tools.errors import DataError, ParameterError
from survey_tools.holdout.problem import CELLS
from survey_tools.output import digest_of_data
from survey_tools.settings import HoldoutSettings

__all__ = ["EXPERIMENT"]

_DEFAULTS = {"axes": [CELLS]}
_N_RESAMPLES = 10_000  # of the papers
_SCORES = {"macro_f1": "macro F1", "auc": "AUC"}


def _statistics(parameters: Parameters) -> list[str]:
    axes = parameters["axes"]
    if not axes or len(set(axes)) < len(axes):
        raise ParameterError(f"axes={list(axes)}: one or more are wanted, none of them twice")
    return [_gain(axis) for axis in axes]


def _gain(axis: str) -> str:
    return f"{axis}: macro F1 less guessing"


def _measure(papers: SurveyPapers, parameters: Parameters, seed: int) -> Outcome:
    """Hold the papers out in folds that the seed deals, and resample them."""
    from survey_tools.holdout.evaluation import hold_out  # load scikit-learn, which plans need not
    from survey_tools.holdout.prediction import LINEAR

    assert papers.taxonomy is not None  # planned with one
    found = hold_out(
        papers.corpus,
        papers.taxonomy,
        papers.text,
        papers.clustering,
        HoldoutSettings.model_validate(parameters["holdout"]),
        seed=seed,
        stop_words=papers.stop_words,
        vectors=papers.vectors,
    )
    axes: dict[str, Outcome] = {}
    untested = {axis.name: axis.verdict for axis in found.axes if not axis.is_tested}
    for axis in found.axes:
        if axis.best_guess is None:
            continue
        gains = axis.resampled_differences[axis.best_guess]
        resampled = gains[1:][np.isfinite(gains[1:])]  # not where no drawn paper carries a label
        scores = {what: axis.measures[LINEAR][name, ""].value for what, name in _SCORES.items()}
        if not (np.isfinite(gains[0]) and len(resampled)):
            untested[axis.name] = "F1 is not defined for these papers"
            continue
        axes[axis.name] = {
            "guess": axis.best_guess,
            "gain": float(gains[0]),
            "resampled": np.sort(resampled).tolist(),
            **{what: value if np.isfinite(value) else None for what, value in scores.items()},
        }
    return {"axes": axes, "untested": untested}


def _settings(papers: SurveyPapers) -> HoldoutSettings:
    """Return the survey's settings, with as many resamples as intervals at high levels need."""
    return papers.holdout.model_copy(update={"n_resamples": _N_RESAMPLES, "n_curve_steps": 0})


def _of_survey(material: SurveyMaterial) -> Experiment:
    """Return the experiment on these papers; a trial depends on digests of all that it reads."""
    papers = material.papers
    kind = TrialKind(
        name="held-out papers", version=2, run=partial(_measure, papers), needs_torch=False
    )
    read = {
        "papers": papers.corpus.digest,
        "taxonomy": papers.taxonomy_digest,
        "text": papers.text.model_dump(mode="json"),
        "clustering": papers.clustering.model_dump(mode="json"),
        "holdout": _settings(papers).model_dump(mode="json"),
        "nltk": version("nltk") if papers.text.stemming != "none" else None,
        "stop_words": digest_of_data(sorted(papers.stop_words)),
        "vectors": None if papers.vectors is None else digest_of_data(papers.vectors.tolist()),
    }

    def plan(parameters: Parameters, _: Size, seeds: Sequence[int]) -> list[Trial]:
        if papers.taxonomy is None:
            raise DataError("the survey names no taxonomy, so there are no labels to hold out")
        known = (*(axis.name for axis in papers.taxonomy.axes), CELLS)
        for axis in parameters["axes"]:
            if axis not in known:
                near = nearest(axis, known)
                raise ParameterError(f"the taxonomy has no axis {axis!r}; {near}")
        return [Trial.of(kind, read, seed) for seed in seeds]

    def summarise(
        parameters: Parameters, size: Size, seeds: Sequence[int], outcomes: Outcomes
    ) -> Findings:
        found = [outcomes[trial] for trial in plan(parameters, size, seeds)]
        return _summarise(parameters["axes"], found)

    return replace(EXPERIMENT, plan=plan, summarise=summarise, of_survey=None)


def _summarise(axes: Sequence[str], found: Sequence[Outcome]) -> Findings:
    estimates, rows = [], []
    for axis in axes:
        scores = [_find_axis(outcome, axis) for outcome in found]
        gain = _estimate_gain(axis, scores)
        estimates.append(gain)
        held = ("guess", "macro_f1", "auc", "gain")
        rows += [(axis, *(score[name] for name in held), gain.low, gain.high) for score in scores]
    table = FindingTable(
        name="held-out",
        title="Labels of held-out papers told from their texts",
        columns=("axis", "best_guess", "macro_f1", "auc", "gain", "low", "high"),
        rows=tuple(rows),
    )
    note = (
        "Intervals are of papers resampled with their predictions; how predictions would change "
        "with other training papers is not in them."
    )
    return Findings(estimates=tuple(estimates), tables=(table,), notes=(note,))


def _estimate_gain(axis: str, scores: Sequence[Mapping[str, Any]]) -> Estimate:
    """Estimate the mean over seeds, with the mean of their percentile intervals."""
    value = float(np.mean([score["gain"] for score in scores]))
    resampled = [np.asarray(score["resampled"]) for score in scores]

    def interval(confidence: float) -> Interval:
        tail = (1.0 - confidence) / 2.0
        low, high = np.mean([np.quantile(r, [tail, 1.0 - tail]) for r in resampled], axis=0)
        return min(value, float(low)), max(value, float(high))

    return Estimate(
        name=_gain(axis), value=value, n=len(scores), is_counted=False, interval=interval
    )


def _find_axis(outcome: Outcome, axis: str) -> Mapping[str, Any]:
    if axis in outcome["untested"]:
        raise ParameterError(f"{axis}: {outcome['untested'][axis]}")
    scores: Mapping[str, Any] = outcome["axes"][axis]
    return scores


EXPERIMENT = Experiment(
    name="held-out papers",
    title="labels of held-out papers told from texts by a linear model, against guessing",
    defaults=_DEFAULTS,
    statistics=_statistics,
    plan=refuse,
    summarise=refuse,
    of_survey=_of_survey,
)

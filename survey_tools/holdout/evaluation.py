"""Corpus x taxonomy -> whether the labels of held-out papers can be told from their texts."""

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from survey_tools.corpus import Corpus
from survey_tools.errors import ParameterError, abbreviate, count
from survey_tools.holdout.baselines import GUESSES
from survey_tools.holdout.calibration import brier_score, calibration_error
from survey_tools.holdout.learning_curve import measure_curve
from survey_tools.holdout.material import Material
from survey_tools.holdout.model import fast_fitting
from survey_tools.holdout.prediction import LINEAR, ClusterChoice, Predictions, predict
from survey_tools.holdout.problem import Problem, pose_cells, pose_problem
from survey_tools.holdout.results import AxisHoldOut, Calibration, HoldOut
from survey_tools.holdout.scores import (
    Estimate,
    Measures,
    bootstrap,
    estimate,
    f1_measures,
    ranking_measures,
)
from survey_tools.holdout.verdict import judge, judge_untested
from survey_tools.paper import TextSource
from survey_tools.progress import CountProgress, ignore_progress
from survey_tools.settings import ClusteringSettings, HoldoutSettings, TextSettings
from survey_tools.taxonomy import Taxonomy
from survey_tools.text import count_terms, count_text_sources, tokenise

__all__ = ["hold_out"]

_RESAMPLING, _CURVE = 1, 2  # last number of the keys of streams of chance; folds have none


def hold_out(
    corpus: Corpus,
    taxonomy: Taxonomy,
    text_settings: TextSettings,
    clustering_settings: ClusteringSettings,
    settings: HoldoutSettings,
    *,
    seed: int,
    stop_words: frozenset[str],
    vectors: NDArray[np.float64] | None = None,
    progress: CountProgress = ignore_progress,
) -> HoldOut:
    """Hold papers out in turn, learn each axis from the others, and compare with guessing.

    Terms, their weights, the linear model's penalty, its calibration and its thresholds come
    from the training papers of each fold alone. The intervals resample the papers with their
    predictions; how predictions would change with other training papers is not in them.

    Parameters
    ----------
    corpus : Corpus
        Papers that the taxonomy does not file are left out.
    taxonomy : Taxonomy
        Papers that it files and the corpus lacks are left out.
    seed : int
        Repeat ``r`` of axis ``i`` draws from ``default_rng([seed, i, r])``, so adding repeats,
        or an axis at the end, moves no other folds.
    vectors : ndarray of float64, shape (n_papers, n_dimensions), optional
        Vectors of all papers of the corpus, sorted by key, where they are what is clustered.
    progress : callable, optional
        Called as ``progress(n_done, n_all)``.

    Raises
    ------
    ParameterError
        If fewer papers are filed than there are folds, or the texts allow no terms.
    """
    filed = set(taxonomy.filed_keys)
    every_key = tuple(sorted(corpus.keys))
    keys = tuple(key for key in every_key if key in filed)
    if len(keys) < settings.n_folds:
        raise ParameterError(
            f"the taxonomy files {len(keys)} of {len(corpus)} papers; a hold-out in "
            f"{settings.n_folds} folds needs at least {settings.n_folds}: file more papers or "
            "lower holdout.n_folds"
        )
    if vectors is not None:
        vectors = vectors[[i for i, key in enumerate(every_key) if key in filed]]
    papers = corpus.select(keys)
    counts = count_terms(tokenise(papers, text_settings, stop_words), text_settings)
    problems = [pose_problem(taxonomy, axis.name, keys, settings.n_folds) for axis in taxonomy.axes]
    problems.append(pose_cells(taxonomy, keys, settings.n_folds))
    choice = ClusterChoice(settings=clustering_settings, vectors=vectors, seed=seed)
    advance = _count_models(problems, settings, progress)
    found = []
    with fast_fitting():
        for i, problem in enumerate(problems):
            material = Material(
                problem=problem, counts=counts, text=text_settings, settings=settings
            )
            found.append(_hold_out_axis(material, choice, key=(seed, i), advance=advance))
    sources = count_text_sources(papers, text_settings.fields)
    unfiled = tuple(key for key in every_key if key not in filed)
    missing = tuple(key for key in taxonomy.filed_keys if key not in corpus)
    return HoldOut(
        n_papers=len(keys),
        n_folds=settings.n_folds,
        n_repeats=settings.n_repeats,
        unfiled_keys=unfiled,
        axes=tuple(found),
        text_sources=sources,
        notes=tuple(_notes(text_settings, sources, len(keys), len(unfiled), missing)),
    )


def _count_models(
    problems: Sequence[Problem], settings: HoldoutSettings, progress: CountProgress
) -> Callable[[int], None]:
    """Return what counts the models that were fitted and passes their number on."""
    of_label = settings.n_folds * (
        settings.n_repeats * _n_tuned(settings) + settings.n_curve_steps * _n_calibrated(settings)
    )
    n_all = of_label * sum(len(problem.label_names) for problem in problems)
    n_done = 0

    def advance(n_more: int) -> None:
        nonlocal n_done
        n_done += n_more
        progress(n_done, n_all)

    advance(0)
    return advance


def _n_tuned(settings: HoldoutSettings) -> int:
    """Models fitted for one label where the penalty is chosen."""
    return len(settings.penalties) * settings.n_inner_folds + 1


def _n_calibrated(settings: HoldoutSettings) -> int:
    """Models fitted for one label where the penalty is given."""
    return settings.n_inner_folds + 1


def _notes(
    text: TextSettings,
    sources: Mapping[TextSource, int],
    n_papers: int,
    n_unfiled: int,
    missing: Sequence[str],
) -> Iterator[str]:
    if sources["digest"]:
        yield (
            f"{sources['digest']} of {n_papers} papers are described by a digest in the survey's "
            "own words, not by the authors' abstract: what can be told from digests may not be "
            "told from abstracts."
        )
    if "abstract" in text.fields and sources["none"]:
        yield (
            f"{sources['none']} of {n_papers} papers have neither abstract nor digest and are "
            "described by their title alone."
        )
    if n_unfiled:
        yield f"{n_unfiled} papers are not filed in the taxonomy and left out."
    if missing:
        are = "is not among the papers" if len(missing) == 1 else "are not among the papers"
        yield (
            f"The taxonomy files {count(len(missing), 'paper')} that {are}, left out: "
            f"{abbreviate(missing)}."
        )


def _hold_out_axis(
    material: Material,
    choice: ClusterChoice,
    *,
    key: tuple[int, int],
    advance: Callable[[int], None],
) -> AxisHoldOut:
    problem, settings = material.problem, material.settings
    n_labels = len(problem.label_names)
    if not n_labels:
        return AxisHoldOut(
            problem=problem,
            probabilities=np.zeros(problem.members.shape),
            given=np.zeros(problem.members.shape),
            measures={},
            differences={},
            resampled_differences={},
            best_guess=None,
            calibration=None,
            curve=(),
            verdict=judge_untested(problem),
        )
    predictions = predict(
        material, choice, key, tick=lambda: advance(n_labels * _n_tuned(settings))
    )
    measures, resampled = _measure(material, predictions, key)
    differences = {
        model: estimate(values, settings.confidence) for model, values in resampled.items()
    }
    best_guess = max(
        (how for how in GUESSES if how in measures),
        key=lambda how: measures[how]["macro F1", ""].value,
    )
    truth = np.broadcast_to(problem.members, predictions.probabilities.shape)
    return AxisHoldOut(
        problem=problem,
        probabilities=predictions.probabilities.mean(axis=0),
        given=predictions.given[LINEAR].mean(axis=0),
        measures=measures,
        differences=differences,
        resampled_differences=resampled,
        best_guess=best_guess,
        calibration=Calibration(
            brier=brier_score(predictions.probabilities, truth),
            brier_of_shares=brier_score(predictions.shares, truth),
            calibration_error=calibration_error(predictions.probabilities, truth),
        ),
        curve=measure_curve(
            material,
            predictions.folds,
            predictions.penalties,
            np.random.default_rng([*key, 0, _CURVE]),
            tick=lambda: advance(n_labels * settings.n_curve_steps * _n_calibrated(settings)),
        ),
        verdict=judge(problem, measures, differences, best_guess),
    )


def _measure(
    material: Material, predictions: Predictions, key: tuple[int, int]
) -> tuple[dict[str, dict[tuple[str, str], Estimate]], dict[str, NDArray[np.float64]]]:
    """Measure all models on the same resamples of the papers, and how the linear one differs."""
    problem, settings = material.problem, material.settings
    names, members = problem.label_names, problem.members

    def measure(weights: NDArray[np.float64]) -> Measures:
        measured: Measures = {}
        for model, given in predictions.given.items():
            found = f1_measures(weights, members, given, names)
            if model == LINEAR:
                found |= ranking_measures(weights, members, predictions.probabilities, names)
            measured |= {(model, *name): values for name, values in found.items()}
        return measured

    rng = np.random.default_rng([*key, 0, _RESAMPLING])
    samples = bootstrap(measure, problem.cover.n_papers, settings.n_resamples, rng)
    measures: dict[str, dict[tuple[str, str], Estimate]] = {}
    for (model, what, label), values in samples.items():
        measures.setdefault(model, {})[what, label] = estimate(values, settings.confidence)
    linear = samples[LINEAR, "macro F1", ""]
    differences = {
        model: linear - samples[model, "macro F1", ""]
        for model in predictions.given
        if model != LINEAR
    }
    return measures, differences

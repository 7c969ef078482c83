"""Papers not yet filed -> labels with probabilities, and a fragment of ``taxonomy.yaml``."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import yaml
from numpy.typing import NDArray

from survey_tools.corpus import Corpus
from survey_tools.errors import ParameterError
from survey_tools.formats.references import bare_doi
from survey_tools.holdout.material import Learnt, Material
from survey_tools.holdout.model import fast_fitting
from survey_tools.holdout.problem import pose_problem
from survey_tools.settings import HoldoutSettings, TextSettings
from survey_tools.taxonomy import Taxonomy
from survey_tools.tex import title_key
from survey_tools.text import count_terms, tokenise

__all__ = ["ANNOTATOR", "Suggestion", "Suggestions", "suggest", "write_fragment"]

ANNOTATOR = "survey-tools holdout"
_N_TERMS = 5  # terms named for a label
_STREAM = 3  # last number of the keys of streams of chance; see evaluation


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """A label that a paper may carry.

    Attributes
    ----------
    probability : float
        Calibrated on filed papers that the scoring models did not see.
    terms : tuple of str
        Terms of the paper that speak most for the label, first the strongest; may be empty.
    """

    paper_key: str
    title: str
    axis: str
    label: str
    probability: float
    terms: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestions:
    """Labels for papers not yet filed.

    Attributes
    ----------
    n_filed : int
        Filed papers that were learnt from.
    suggestions : tuple of Suggestion
        One a paper, axis and label, in the order of the papers and of the taxonomy.
    already_filed : tuple of (str, str)
        Papers left out: the key that arrived and the key under which the paper is filed.
    wordless_keys : tuple of str
        Papers left out because no filed paper has any of their terms.
    notes : tuple of str
        Labels for which nothing can be suggested.
    """

    n_filed: int
    suggestions: tuple[Suggestion, ...]
    already_filed: tuple[tuple[str, str], ...]
    wordless_keys: tuple[str, ...]
    notes: tuple[str, ...]


def suggest(
    corpus: Corpus,
    new_papers: Corpus,
    taxonomy: Taxonomy,
    text_settings: TextSettings,
    settings: HoldoutSettings,
    *,
    seed: int,
    stop_words: frozenset[str],
) -> Suggestions:
    """Learn every axis from all filed papers and apply it to others.

    A new paper is filed already if a filed one has its key, its arXiv id (whatever the
    version), its DOI (whatever the case) or its title (`survey_tools.tex.title_key`).

    Parameters
    ----------
    corpus : Corpus
        Papers of the survey.
    new_papers : Corpus
        Papers to be labelled.
    seed : int
        Axis ``i`` draws its inner folds from ``default_rng([seed, i, 0, 3])``.

    Raises
    ------
    ParameterError
        If fewer than two papers are filed, or the texts allow no terms.
    """
    filed = set(taxonomy.filed_keys)
    keys = tuple(sorted(key for key in corpus.keys if key in filed))
    if len(keys) < 2:
        raise ParameterError(
            f"the taxonomy files {len(keys)} of {len(corpus)} papers; labels can be learnt from "
            "2 or more"
        )
    old = corpus.select(keys)
    already = tuple(_find_filed(old, new_papers))
    known = {key for key, _ in already}
    new = [paper for paper in new_papers if paper.key not in known]
    every = Corpus((*old.papers, *new))
    counts = count_terms(tokenise(every, text_settings, stop_words), text_settings)
    of_old, of_new = np.arange(len(keys)), np.arange(len(keys), len(every))
    found: dict[str, list[Suggestion]] = {paper.key: [] for paper in new}
    notes: list[str] = []
    has_words = np.zeros(len(new), dtype=np.bool_)
    with fast_fitting():
        for i, axis in enumerate(taxonomy.axes):
            problem = pose_problem(taxonomy, axis.name, keys, settings.n_inner_folds)
            notes += [f"{axis.title}: {note}" for note in problem.notes]
            material = Material(
                problem=problem, counts=counts, text=text_settings, settings=settings
            )
            learnt = material.learn(of_old, np.random.default_rng([seed, i, 0, _STREAM]))
            rows = learnt.space.place(counts.matrix[of_new])
            has_words |= np.diff(rows.indptr) > 0
            probabilities = learnt.model.probabilities(rows)
            for k, (paper, mine) in enumerate(zip(new, probabilities, strict=True)):
                dense = np.asarray(rows[[k]].toarray()).ravel()
                for j, label in enumerate(problem.label_names):
                    found[paper.key].append(
                        Suggestion(
                            paper_key=paper.key,
                            title=paper.title,
                            axis=axis.name,
                            label=label,
                            probability=float(mine[j]),
                            terms=_strongest(learnt, j, dense),
                        )
                    )
    wordless = tuple(paper.key for paper, has in zip(new, has_words, strict=True) if not has)
    return Suggestions(
        n_filed=len(keys),
        suggestions=tuple(s for key, mine in found.items() if key not in wordless for s in mine),
        already_filed=already,
        wordless_keys=wordless,
        notes=tuple(notes),
    )


def _find_filed(old: Corpus, new_papers: Corpus) -> Iterator[tuple[str, str]]:
    """Pair the new papers that are filed already with the keys of the filed ones."""
    by_arxiv_id = {paper.arxiv_base_id: paper.key for paper in old if paper.arxiv_id}
    by_doi = {doi: paper.key for paper in old if (doi := bare_doi(paper))}
    by_title = {title_key(paper.title): paper.key for paper in old if title_key(paper.title)}
    for paper in new_papers:
        if paper.key in old:
            yield paper.key, paper.key
        elif paper.arxiv_id and paper.arxiv_base_id in by_arxiv_id:
            yield paper.key, by_arxiv_id[paper.arxiv_base_id]
        elif (doi := bare_doi(paper)) in by_doi:
            yield paper.key, by_doi[doi]
        elif title_key(paper.title) in by_title:
            yield paper.key, by_title[title_key(paper.title)]


def _strongest(learnt: Learnt, label: int, row: NDArray[np.float64]) -> tuple[str, ...]:
    """Name the terms that add most to the score; equal ones in alphabetical order."""
    added = learnt.model.slopes[label] * learnt.model.weights[label] * row
    order = np.argsort(-np.round(added, 12), kind="stable")[:_N_TERMS]
    return tuple(str(learnt.space.counts.terms[i]) for i in order if added[i] > 0)


def write_fragment(found: Suggestions, taxonomy: Taxonomy, *, min_probability: float) -> str:
    """Write the likely labels as a fragment that can be pasted into ``taxonomy.yaml``.

    Parameters
    ----------
    min_probability : float
        Labels from this probability on are written; of a label and its broader ones only the
        narrowest.

    Returns
    -------
    str
        YAML: ``papers:`` with the labels of each paper, annotated by "survey-tools holdout".
        Papers that no label is likely for are named in a comment.
    """
    likely: dict[str, dict[str, list[Suggestion]]] = {}
    for suggestion in found.suggestions:
        by_axis = likely.setdefault(suggestion.paper_key, {})
        if suggestion.probability >= min_probability:
            by_axis.setdefault(suggestion.axis, []).append(suggestion)
    papers = {
        key: {
            axis: [_entry(s) for s in _narrowest(taxonomy, axis, mine)]
            for axis, mine in by_axis.items()
        }
        for key, by_axis in likely.items()
        if by_axis
    }
    lines = [
        f"# Suggested by survey-tools from {found.n_filed} filed papers; check every line before "
        "you paste it below 'papers:'",
        "# in taxonomy.yaml. The papers must stand in the survey's file of papers, too "
        "(survey-tools import).",
    ]
    lines += [
        f"# no label reaches probability {min_probability:g}: {key}"
        for key, by_axis in likely.items()
        if not by_axis
    ]
    body = yaml.safe_dump({"papers": papers}, sort_keys=False, allow_unicode=True, width=1000)
    return "\n".join(lines) + "\n" + body


def _narrowest(taxonomy: Taxonomy, axis: str, mine: list[Suggestion]) -> list[Suggestion]:
    implied = {up for s in mine for up in taxonomy.ancestors(axis, s.label)}
    return [s for s in mine if s.label not in implied]


def _entry(suggestion: Suggestion) -> dict[str, str]:
    terms = f"; {', '.join(suggestion.terms)}" if suggestion.terms else ""
    p = suggestion.probability
    number = f"{p:.2f}" if p < 0.995 else "over 0.99"  # nothing is certain
    return {
        "label": suggestion.label,
        "evidence": f"probability {number}{terms}",
        "annotator": ANNOTATOR,
    }

"""Toy surveys whose labels stand, or do not stand, in the texts."""

from typing import Any

import numpy as np

from survey_tools.corpus import Corpus
from survey_tools.holdout.evaluation import hold_out
from survey_tools.holdout.results import HoldOut
from survey_tools.paper import Paper
from survey_tools.settings import ClusteringSettings, CutSettings, HoldoutSettings, TextSettings
from survey_tools.taxonomy import Assignment, Axis, Label, Taxonomy

WORDS = ("pixel", "token", "video")
NOISE = tuple(f"noise{i:02}" for i in range(30))
FEW = {"n_resamples": 200, "n_repeats": 1, "n_curve_steps": 0}


def toy_taxonomy(
    labels_of: dict[str, list[str]], *, parents: dict[str, str] | None = None
) -> Taxonomy:
    """One axis "what" with the labels pixel, token and video, or those that papers carry."""
    names = dict.fromkeys([*WORDS, *(parents or {}).values()])
    names |= dict.fromkeys(label for labels in labels_of.values() for label in labels)
    axis = Axis(
        name="what",
        title="What",
        description="",
        otherwise="other",
        labels=tuple(
            Label(name=name, title=name, description="", parent=(parents or {}).get(name))
            for name in names
        ),
    )
    assignments = tuple(
        Assignment(paper_key=key, axis="what", label=label, evidence="", annotator=None)
        for key, labels in labels_of.items()
        for label in labels
    )
    return Taxonomy(title="", axes=(axis,), filed_keys=tuple(labels_of), assignments=assignments)


def toy_corpus(labels_of: dict[str, list[str]], seed: int = 0) -> Corpus:
    """Papers whose titles hold the words that they are labelled with, amid noise."""
    rng = np.random.default_rng(seed)
    return Corpus(
        tuple(
            Paper(key=key, title=" ".join([*labels, *labels, *rng.choice(NOISE, 4)]))
            for key, labels in labels_of.items()
        )
    )


def toy_labels(n_papers: int = 40, seed: int = 0) -> dict[str, list[str]]:
    """Labels of every paper: each of the three words with a chance of two in five."""
    rng = np.random.default_rng(seed)
    return {f"p{i:03}": [word for word in WORDS if rng.random() < 0.4] for i in range(n_papers)}


def hold_toy_out(corpus: Corpus, taxonomy: Taxonomy, seed: int = 0, **settings: Any) -> HoldOut:
    """Hold out with few resamples and four clusters."""
    return hold_out(
        corpus,
        taxonomy,
        TextSettings(),
        ClusteringSettings(cut=CutSettings(n_clusters=4)),
        HoldoutSettings.model_validate({**FEW, **settings}),
        seed=seed,
        stop_words=frozenset(),
    )

"""Hold-out: separable labels are recovered, chance is not, and nothing leaks."""

import numpy as np
import pytest
from toys import WORDS, hold_toy_out, toy_corpus, toy_labels, toy_taxonomy

from survey_tools.corpus import Corpus
from survey_tools.errors import ParameterError
from survey_tools.holdout.evaluation import hold_out
from survey_tools.holdout.prediction import LINEAR, NEAREST
from survey_tools.holdout.problem import CELLS
from survey_tools.paper import Paper
from survey_tools.settings import ClusteringSettings, HoldoutSettings, TextSettings
from survey_tools.study import Study


def test_labels_that_stand_in_the_texts_are_recovered_wholly() -> None:
    """Macro and micro F1 of 1, an area of 1, and the verdict says so."""
    labels = toy_labels()
    axis = hold_toy_out(toy_corpus(labels), toy_taxonomy(labels)).axis("what")
    linear = axis.measures[LINEAR]
    for measure in ("macro F1", "micro F1", "AUC"):
        assert linear[measure, ""].value == 1.0
        assert (linear[measure, ""].low, linear[measure, ""].high) == (1.0, 1.0)
    assert (axis.given == axis.problem.members).all()
    assert axis.verdict.startswith("Can be recovered almost perfectly: 100% of the way")
    assert axis.calibration is not None
    assert axis.calibration.brier < axis.calibration.brier_of_shares / 4


def test_probabilities_are_named_by_axis_label_and_paper() -> None:
    """Papers with the label have more than one half, others less; cells are left out."""
    labels = toy_labels()
    found = hold_toy_out(toy_corpus(labels), toy_taxonomy(labels))
    assert set(found.probabilities) == {("what", word) for word in WORDS}
    for (_, word), probability in found.probabilities.items():
        assert probability.keys() == labels.keys()
        assert all((p > 0.5) == (word in labels[key]) for key, p in probability.items())


def test_shuffled_labels_are_no_better_than_guessing() -> None:
    """Of ten shuffles at most one is taken for more; F1 and area are those of guesses."""
    differences, areas, is_guessing = [], [], []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        labels = {f"p{i:02}": ["pixel"] if rng.random() < 0.3 else [] for i in range(60)}
        shuffled = dict(zip(rng.permutation(list(labels)).tolist(), labels.values(), strict=True))
        found = hold_toy_out(
            toy_corpus(labels),
            toy_taxonomy(shuffled),
            seed=seed,
            n_inner_folds=3,
            penalties=(1.0,),
        )
        axis = found.axis("what")
        assert axis.best_guess == "every label"
        differences.append(axis.differences["every label"].value)
        areas.append(axis.measures[LINEAR]["AUC", ""].value)
        is_guessing.append(axis.verdict.startswith("No better than guessing"))
    assert sum(is_guessing) >= 9
    assert np.mean(differences) < 0.02
    assert np.mean(areas) == pytest.approx(0.5, abs=0.06)


def test_a_word_of_the_paper_held_out_alone_does_not_help() -> None:
    """Papers that carry a label share no word with each other: what tells them is never learnt."""
    labels = {f"p{i:02}": ["pixel"] if i % 2 else [] for i in range(30)}
    papers = [Paper(key=key, title=f"pixel{key} aa bb" if mine else f"{key} aa bb")
              for key, mine in labels.items()]  # fmt: skip
    axis = hold_toy_out(Corpus(tuple(papers)), toy_taxonomy(labels)).axis("what")
    areas = axis.measures[LINEAR]["AUC", "pixel"]
    assert areas.value <= 0.5
    assert axis.verdict.startswith("No better than guessing")


def test_the_order_of_papers_changes_nothing() -> None:
    """Neither the corpus's nor the taxonomy's."""
    labels = toy_labels(16)
    corpus = toy_corpus(labels)
    turned = {key: labels[key] for key in reversed(labels)}
    first = hold_toy_out(corpus, toy_taxonomy(labels), n_curve_steps=2)
    second = hold_toy_out(corpus.select(turned), toy_taxonomy(turned), n_curve_steps=2)
    assert first.probabilities == second.probabilities
    for a, b in zip(first.axes, second.axes, strict=True):
        assert repr(a.measures) == repr(b.measures)  # NaN equals nothing
        assert a.curve == b.curve
        assert a.verdict == b.verdict


def test_more_repeats_leave_the_first_ones_as_they_were() -> None:
    """Two repeats of which the first is the one alone: the mean lies between both."""
    labels = toy_labels(24, seed=3)
    keys = list(labels)
    shuffled = dict(zip(keys[7:] + keys[:7], labels.values(), strict=True))
    corpus = toy_corpus(labels)
    once = hold_toy_out(corpus, toy_taxonomy(shuffled)).axis("what")
    twice = hold_toy_out(corpus, toy_taxonomy(shuffled), n_repeats=2).axis("what")
    second = 2 * twice.probabilities - once.probabilities
    assert ((second > 0) & (second < 1)).all()
    assert not np.allclose(second, once.probabilities)
    assert set(np.unique(twice.given - once.given / 2)) <= {0.0, 0.5}


def test_baselines_are_what_their_names_say() -> None:
    """A label of 10 of 40 papers in even folds: F1 0, 1/4 and 2/5 by the three guesses."""
    labels = {f"p{i:02}": ["pixel"] if i < 10 else [] for i in range(40)}
    axis = hold_toy_out(toy_corpus(labels), toy_taxonomy(labels)).axis("what")
    f1 = {model: found["macro F1", ""].value for model, found in axis.measures.items()}
    assert f1["most frequent"] == 0.0
    assert f1["stratified random"] == pytest.approx(0.25)
    assert f1["every label"] == pytest.approx(0.4)
    assert f1[LINEAR] == 1.0
    assert 0.0 <= f1[NEAREST] <= 1.0
    assert {label for label, _ in axis.problem.untestable} == {"token", "video"}
    assert axis.calibration is not None
    assert axis.calibration.brier_of_shares == pytest.approx(0.25 * 0.75)


def test_cells_are_one_a_paper() -> None:
    """Every paper gets exactly one, and giving every label is no guess there."""
    labels = toy_labels(40)
    axis = hold_toy_out(toy_corpus(labels), toy_taxonomy(labels)).axis(CELLS)
    assert (axis.given.sum(axis=1) == 1).all()
    np.testing.assert_allclose(axis.probabilities.sum(axis=1), 1.0)
    assert "every label" not in axis.measures
    assert axis.verdict.startswith("Can be recovered")


def test_intervals_hold_their_values_and_differences_are_paired() -> None:
    """The difference of the values is the value of the difference."""
    labels = toy_labels(30)
    keys = list(labels)
    noisy = labels | {key: labels[keys[-i]] for i, key in enumerate(keys[:12], start=1)}
    for axis in hold_toy_out(toy_corpus(labels), toy_taxonomy(noisy)).axes:
        for found in axis.measures.values():
            for estimate in found.values():
                if estimate.low is not None and estimate.high is not None:
                    assert estimate.low <= estimate.value <= estimate.high
        for model, difference in axis.differences.items():
            f1 = [axis.measures[name]["macro F1", ""].value for name in (LINEAR, model)]
            assert difference.value == pytest.approx(f1[0] - f1[1])


@pytest.mark.parametrize(
    ("carried", "sentence"),
    [
        ({}, "Not testable: no paper carries a label."),
        ({i: [*WORDS] for i in range(12)}, "every paper carries every label"),
        ({3: ["pixel"]}, "Not testable: no label has at least two papers with it and two without"),
    ],
)
def test_an_axis_without_two_sides_gets_a_sentence(
    carried: dict[int, list[str]], sentence: str
) -> None:
    """Nobody, everybody, or a single paper has a label."""
    labels = {f"p{i:02}": carried.get(i, []) for i in range(12)}
    found = hold_toy_out(toy_corpus(labels), toy_taxonomy(labels))
    for axis in found.axes:
        assert not axis.is_tested
    assert sentence in found.axis("what").verdict
    assert found.probabilities == {}


def test_rare_labels_are_named_in_the_verdict() -> None:
    """One paper: not testable; three papers in five folds: tested and named."""
    labels = toy_labels(30)
    labels = {key: [label for label in mine if label != "video"] for key, mine in labels.items()}
    labels["p003"].append("video")
    for key in ("p001", "p005", "p008"):
        labels[key].append("audio")
    axis = hold_toy_out(toy_corpus(labels), toy_taxonomy(labels)).axis("what")
    assert "1 label not testable: video (1 paper)." in axis.verdict
    assert "1 label with fewer papers than folds, tested: audio." in axis.verdict
    assert axis.measures[LINEAR]["recall", "audio"].value == 1.0


def test_a_paper_carries_the_broader_labels_of_its_labels() -> None:
    """The broader one is tested although no paper is filed under it directly."""
    labels = toy_labels(30)
    taxonomy = toy_taxonomy(labels, parents={"pixel": "raw", "video": "raw"})
    axis = hold_toy_out(toy_corpus(labels), taxonomy).axis("what")
    raw = axis.problem.label_names.index("raw")
    expected = [bool({"pixel", "video"} & set(labels[k])) for k in axis.problem.cover.paper_keys]
    assert axis.problem.members[:, raw].tolist() == expected


def test_vectors_are_clustered_where_the_survey_clusters_vectors() -> None:
    """Vectors that tell the label make the nearest cluster right, whatever the texts say."""
    labels = {f"p{i:02}": ["pixel"] if i % 2 else [] for i in range(20)}
    corpus = Corpus(tuple(Paper(key=key, title="same words") for key in labels))
    vectors = np.array([[1.0, 0.1 * (i % 3)] if i % 2 else [0.1 * (i % 3), 1.0]
                        for i in range(20)])  # fmt: skip
    found = hold_out(
        corpus,
        toy_taxonomy(labels),
        TextSettings(),
        ClusteringSettings.model_validate({"rows": "embeddings", "cut": {"n_clusters": 2}}),
        HoldoutSettings(n_resamples=0, n_repeats=1, n_curve_steps=0),
        seed=0,
        stop_words=frozenset(),
        vectors=vectors,
    )
    assert found.axis("what").measures[NEAREST]["macro F1", ""].value == 1.0


def test_papers_not_filed_are_left_out_and_named() -> None:
    """And too few filed papers are refused."""
    labels = toy_labels(20)
    corpus = toy_corpus(labels)
    some = {key: labels[key] for key in list(labels)[:15]}
    found = hold_toy_out(corpus, toy_taxonomy(some))
    assert found.n_papers == 15
    assert found.unfiled_keys == tuple(list(labels)[15:])
    assert found.notes == (
        "15 of 15 papers have neither abstract nor digest and are described by their title alone.",
        "5 papers are not filed in the taxonomy and left out.",
    )
    few = {key: labels[key] for key in list(labels)[:4]}
    with pytest.raises(ParameterError, match=r"files 4 of 20 papers; a hold-out in 5 folds"):
        hold_toy_out(corpus, toy_taxonomy(few))


def test_progress_ends_where_it_says_it_will() -> None:
    """Models fitted, of all that will be; never backwards."""
    labels = toy_labels(20)
    told: list[tuple[int, int]] = []
    hold_out(
        toy_corpus(labels),
        toy_taxonomy(labels),
        TextSettings(),
        ClusteringSettings(),
        HoldoutSettings(n_resamples=0, n_repeats=2, n_curve_steps=2, n_folds=2, n_inner_folds=2),
        seed=0,
        stop_words=frozenset(),
        progress=lambda n_done, n_all: told.append((n_done, n_all)),
    )
    assert told == sorted(told)
    assert told[0][0] == 0
    assert told[-1][0] == told[-1][1]
    assert len({n_all for _, n_all in told}) == 1


def test_the_bundled_survey_is_said_to_consist_of_digests(mim_study: Study) -> None:
    """Every axis gets a verdict, and theory is ranked first by the texts."""
    assert mim_study.taxonomy is not None
    found = hold_out(
        mim_study.corpus,
        mim_study.taxonomy,
        mim_study.settings.text,
        mim_study.settings.clustering,
        HoldoutSettings(
            n_resamples=200, n_repeats=1, n_curve_steps=0, n_inner_folds=3, penalties=(1.0,)
        ),
        seed=mim_study.settings.seed,
        stop_words=mim_study.stop_words,
    )
    assert found.text_sources == {"abstract": 0, "digest": 180, "none": 0}
    assert found.notes[0].startswith("180 of 180 papers are described by a digest")
    assert len(found.axes) == 7
    assert found.axis(CELLS).problem.cover.n_groups == 18
    assert [reason for _, reason in found.axis(CELLS).problem.untestable] == ["1 paper"] * 2
    theory = found.axis("theoretical-analysis").measures[LINEAR]["AUC", ""]
    assert theory.low is not None
    assert theory.low > 0.5

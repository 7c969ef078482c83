"""The survey against null corpora, by hand-worked outcomes."""

import pytest
from planted_papers import plant_material

from survey_tools.robustness.null_comparison import NullTally
from survey_tools.robustness.outcome import Outcome
from survey_tools.robustness.run import Run

MATERIAL = plant_material()
NUMBERS = MATERIAL.numbers


def tally() -> NullTally:
    """Tally with the three clusters of the planted papers."""
    return NullTally(MATERIAL.reference, slice(3), NUMBERS)


def add(found: NullTally, corpus: str, draw: int, *, silhouette=0.1, jaccards=(), targets=None):
    """Add the whole corpus, and a subsample for each tuple of Jaccard scores."""
    curves = {
        "silhouette": tuple(silhouette if k == 3 else 0.0 for k in NUMBERS),
        "cophenetic correlation": (silhouette / 2,),
    }
    if targets:
        curves["targets"] = targets
    run = Run(setting=MATERIAL.own, corpus=corpus, corpus_draw=draw)
    found.add(run, Outcome(run=run.run_id, curves=curves))
    for i, scores in enumerate(jaccards):
        run = Run(
            setting=MATERIAL.own,
            corpus=corpus,
            corpus_draw=draw,
            resample="papers-subsample",
            draw=i,
        )
        found.add(
            run, Outcome(run=run.run_id, in_clusters=scores, agreement={"ARI": scores[0] / 2})
        )


def test_like_is_compared_with_like() -> None:
    """As many subsamples of the survey count as of the nulls; of its targets the clusters alone."""
    found = tally()
    own = [(0.9, 0.6, 0.9, 0.0), (0.7, 0.7, None, 0.0), (0.0, 0.0, 0.0, 1.0)]
    add(found, "own", 0, silhouette=0.5, jaccards=own)
    add(found, "shuffled", 0, silhouette=0.2, jaccards=[(0.2, 0.4), (0.4, 0.2)])
    add(found, "shuffled", 1, silhouette=0.6, jaccards=[(0.8, 0.8), (0.9, 0.9)])
    compared = {null.measure: null for null in found.compare()}
    stability = compared["stability"]
    assert stability.value == pytest.approx((0.8 + 0.7) / 2)
    assert (stability.mean, stability.low, stability.high) == pytest.approx((0.575, 0.3, 0.85))
    assert (stability.n_nulls, stability.p_value) == (2, 2 / 3)
    assert compared["ARI of subsamples"].value == pytest.approx((0.45 + 0.35) / 2)
    assert compared["silhouette"].value == 0.5
    assert compared["silhouette"].p_value == 2 / 3
    assert compared["cophenetic correlation"].value == 0.25
    assert {null.corpus for null in found.compare()} == {"shuffled"}


def test_what_was_not_run_is_not_compared() -> None:
    """Without nulls, or without subsamples of them, there is less to compare, and no crash."""
    found = tally()
    assert found.compare() == ()
    add(found, "own", 0, silhouette=0.5)
    assert found.compare() == ()
    add(found, "one-topic", 0)
    assert [null.measure for null in found.compare()] == ["silhouette", "cophenetic correlation"]
    failed = Run(setting=MATERIAL.own, corpus="one-topic", corpus_draw=1)
    found.add(failed, Outcome(run=failed.run_id, failure="no term"))
    assert {null.n_nulls for null in found.compare()} == {1}


def test_chances_of_targets() -> None:
    """What a target scores by chance is its mean over shuffled corpora."""
    found = tally()
    assert found.chances(2) == (None, None)
    add(found, "own", 0)
    add(found, "shuffled", 0, targets=(0.2, None))
    add(found, "shuffled", 1, targets=(0.4, None))
    add(found, "one-topic", 0, targets=(0.9, 0.9))
    assert found.chances(2) == (pytest.approx(0.3), None)

"""Scores -> one sentence on whether an axis can be recovered from the texts."""

from collections.abc import Mapping

import numpy as np

from survey_tools.holdout.prediction import LINEAR, NEAREST
from survey_tools.holdout.problem import Problem
from survey_tools.holdout.scores import Estimate

__all__ = ["judge", "judge_untested"]

# Words for the share of the way from the best guess to perfect labels. This is a kappa-like
# correction of F1 for guessing; the bounds are kappa's customary ones (Landis and Koch,
# Biometrics 33, 1977, 159-174), by analogy.
_STRENGTHS = (
    (0.2, "can be recovered, but weakly"),
    (0.4, "can be recovered in part"),
    (0.6, "can be recovered moderately well"),
    (0.8, "can be recovered well"),
    (np.inf, "can be recovered almost perfectly"),
)


def judge_untested(problem: Problem) -> str:
    """Say why an axis cannot be held out."""
    reasons = {reason for _, reason in problem.untestable}
    if reasons == {"no paper"}:
        return "Not testable: no paper carries a label."
    if reasons == {"every paper"}:
        return "Not testable: every paper carries every label."
    return "Not testable: no label has at least two papers with it and two without."


def judge(
    problem: Problem,
    measures: Mapping[str, Mapping[tuple[str, str], Estimate]],
    differences: Mapping[str, Estimate],
    best_guess: str,
) -> str:
    """Say in words whether labels can be told from texts, against the best guess.

    Recovered: the interval of the difference of macro F1 to the best guess lies above 0.
    Hardly: it does not, but papers with a label are ranked before those without (the interval
    of the mean AUC lies above 0.5). Otherwise no better than guessing. The nearest cluster is
    no guess, as it reads the texts; its macro F1 is named.

    Parameters
    ----------
    measures, differences : mapping
        See `survey_tools.holdout.results.AxisHoldOut`.
    """
    macro = {model: found["macro F1", ""] for model, found in measures.items()}
    guessed, difference = macro[best_guess], differences[best_guess]
    area = measures[LINEAR]["AUC", ""]
    numbers = (
        f"macro F1 {_number(macro[LINEAR].value)}, by guessing ({best_guess}) "
        f"{_number(guessed.value)}, difference {_with_interval(difference, sign='+')}; "
        f"by the nearest cluster {_number(macro[NEAREST].value)}; AUC {_with_interval(area)}"
    )
    rest = f" {' '.join(problem.notes)}" if problem.notes else ""
    if difference.low is None or area.low is None:
        return f"Not tested against guessing, as nothing was resampled ({numbers}).{rest}"
    if difference.low > 0:
        skill = difference.value / (1.0 - guessed.value)
        strength = next(words for bound, words in _STRENGTHS if skill < bound)
        return (
            f"{strength[0].upper()}{strength[1:]}: {skill:.0%} of the way from guessing to "
            f"perfect ({numbers}).{rest}"
        )
    if area.low > 0.5:
        return (
            "Can hardly be recovered: the texts rank papers better than by lot, but labels are "
            f"given no better than by guessing ({numbers}).{rest}"
        )
    return f"No better than guessing ({numbers}).{rest}"


def _number(value: float) -> str:
    return f"{value:z.2f}"


def _with_interval(estimate: Estimate, *, sign: str = "") -> str:
    text = f"{estimate.value:{sign}.2f}"
    if estimate.low is None or estimate.high is None:
        return text
    return f"{text} [{estimate.low:{sign}.2f}, {estimate.high:{sign}.2f}]"

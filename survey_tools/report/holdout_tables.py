"""Hold-out -> tables (pandas)."""

from collections.abc import Iterator

import pandas as pd

from survey_tools.holdout.prediction import LINEAR
from survey_tools.holdout.results import AxisHoldOut, HoldOut
from survey_tools.holdout.suggestion import Suggestions

__all__ = ["curve_table", "holdout_table", "prediction_table", "suggestion_table", "verdict_table"]


def verdict_table(found: HoldOut) -> pd.DataFrame:
    """One row an axis: the verdict and what it rests on."""
    rows = []
    for axis in found.axes:
        guessed = axis.measures.get(axis.best_guess or "", {}).get(("macro F1", ""))
        difference = axis.differences.get(axis.best_guess or "")
        linear = axis.measures.get(LINEAR, {})
        row = {
            "axis": axis.name,
            "n_papers": axis.problem.cover.n_papers,
            "n_labels": len(axis.problem.label_names),
            "n_not_testable": len(axis.problem.untestable),
            "macro_f1": linear["macro F1", ""].value if linear else None,
            "micro_f1": linear["micro F1", ""].value if linear else None,
            "auc": linear["AUC", ""].value if linear else None,
            "best_guess": axis.best_guess,
            "macro_f1_of_guess": guessed.value if guessed else None,
            "difference": difference.value if difference else None,
            "difference_low": difference.low if difference else None,
            "difference_high": difference.high if difference else None,
        }
        for name in ("brier", "brier_of_shares", "calibration_error"):
            row[name] = getattr(axis.calibration, name) if axis.calibration else None
        rows.append({**row, "verdict": axis.verdict})
    return pd.DataFrame(rows)


def holdout_table(found: HoldOut) -> pd.DataFrame:
    """One row an axis, model, label and measure: value and interval.

    Measures of all labels together have no label. ``difference`` is the linear model's macro F1
    less that of the model of the row. Labels that could not be tested have the reason as their
    measure and no value.
    """
    columns = ["axis", "model", "label", "n_papers", "measure", "value", "low", "high"]
    rows = [row for axis in found.axes for row in _score_rows(axis)]
    return pd.DataFrame(rows, columns=columns).astype({"n_papers": "Int64"})


def _score_rows(axis: AxisHoldOut) -> Iterator[dict[str, object]]:
    sizes = dict(zip(axis.problem.label_names, axis.problem.cover.sizes.tolist(), strict=True))
    for model, measures in axis.measures.items():
        estimates = list(measures.items())
        if model in axis.differences:
            estimates.append((("difference", ""), axis.differences[model]))
        for (measure, label), value in estimates:
            yield {
                "axis": axis.name,
                "model": model,
                "label": label or None,
                "n_papers": sizes.get(label),
                "measure": measure,
                "value": value.value,
                "low": value.low,
                "high": value.high,
            }
    for label, reason in axis.problem.untestable:
        yield {"axis": axis.name, "label": label, "measure": f"not testable: {reason}"}


def curve_table(found: HoldOut) -> pd.DataFrame:
    """One row an axis and share of the training papers: macro F1, mean over folds, interval."""
    columns = ["axis", "share", "n_training", "macro_f1", "low", "high", "n_folds"]
    rows = [
        {"axis": axis.name, **{name: getattr(point, name) for name in columns[1:]}}
        for axis in found.axes
        for point in axis.curve
    ]
    return pd.DataFrame(rows, columns=columns)


def prediction_table(found: HoldOut) -> pd.DataFrame:
    """One row an axis, paper and label: probability by models that did not see the paper."""
    columns = ["axis", "paper_key", "label", "probability", "given", "is_true"]
    rows = [
        (axis.name, key, label, axis.probabilities[i, j], axis.given[i, j], members[j])
        for axis in found.axes
        if axis.is_tested
        for i, (key, members) in enumerate(
            zip(axis.problem.cover.paper_keys, axis.problem.members.tolist(), strict=True)
        )
        for j, label in enumerate(axis.problem.label_names)
    ]
    return pd.DataFrame(rows, columns=columns)


def suggestion_table(found: Suggestions) -> pd.DataFrame:
    """One row a paper, axis and label: probability and the terms that speak most for it."""
    columns = ["paper_key", "title", "axis", "label", "probability", "terms"]
    rows = [
        (s.paper_key, s.title, s.axis, s.label, s.probability, ", ".join(s.terms))
        for s in found.suggestions
    ]
    return pd.DataFrame(rows, columns=columns)

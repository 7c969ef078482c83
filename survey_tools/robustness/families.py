"""Families of runs: which question a run answers."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from survey_tools.robustness.plan import Plan
from survey_tools.robustness.run import Run
from survey_tools.robustness.setting import Setting

__all__ = ["FAMILIES", "Families", "Family", "changes_one", "sort_into_families"]

Family = Literal[
    "one choice",
    "all choices",
    "papers",
    "one paper out",
    "terms",
    "order",
    "own settings",
]
"""Runs that change one choice; that change any number of choices; with other papers (subsamples and
bootstraps); without one paper; with other terms; in another order of the papers; a reviewer's own
settings."""

FAMILIES: tuple[Family, ...] = get_args(Family)
_BY_RESAMPLE: dict[str, Family] = {
    "papers-subsample": "papers",
    "papers-bootstrap": "papers",
    "one-paper-out": "one paper out",
    "terms-bootstrap": "terms",
    "paper-order": "order",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Families:
    """Families of every run on the survey's own papers; a run may be in several.

    Attributes
    ----------
    of_run : mapping of run id to tuple of family
        The run at the survey's own setting, which is what the others are compared with, is in
        none; nor are multiscale replicates, which have no outcome of their own, nor nulls, nor
        other seeds of settings that use chance, which are other settings first.
    """

    of_run: Mapping[str, tuple[Family, ...]]


def sort_into_families(plan: Plan, own: Setting, extra: Iterable[Setting] = ()) -> Families:
    """Say for each run of a plan which families it belongs to."""
    combined = {cell for design in plan.designs for cell in design.cells} - {own}
    single = {cell for cell in combined if changes_one(cell, own)}
    extra = set(extra)
    of_run: dict[str, tuple[Family, ...]] = {}
    for run in plan.runs:
        if run.corpus == "own" and run.resample != "terms-multiscale":
            of_run[run.run_id] = tuple(_families_of(run, own, single, combined, extra))
    return Families(of_run=of_run)


def _families_of(
    run: Run, own: Setting, single: set[Setting], combined: set[Setting], extra: set[Setting]
) -> Iterable[Family]:
    if run.resample != "none":
        if run.resample in _BY_RESAMPLE:
            yield _BY_RESAMPLE[run.resample]
        return
    if run.setting in extra:
        yield "own settings"
    if run.setting == own:
        return
    if run.setting in single:
        yield "one choice"
    if run.setting in combined:
        yield "all choices"


def changes_one(setting: Setting, own: Setting) -> bool:
    """Tell whether a setting changes one choice that can change the tree.

    Algorithm and metric are one choice. Another number of clusters, or another library, leaves
    the tree as it is, in which clusters and names are sought.
    """
    ours, theirs = own.levels(), setting.levels()
    changed = {
        name
        for name, level in theirs.items()
        if level is not None and ours[name] is not None and repr(level) != repr(ours[name])
    }
    changed -= {"n_clusters", "library"}
    return len(changed) == 1 or changed == {"algorithm", "metric"}

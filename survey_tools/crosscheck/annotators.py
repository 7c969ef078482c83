"""Taxonomy x taxonomy -> how far annotators of the same papers agree, and where they do not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from survey_tools.agreement.raters import RaterAgreement, rate
from survey_tools.crosscheck.axes import CELLS
from survey_tools.crosscheck.filings import Filing
from survey_tools.errors import ParameterError, abbreviate, count
from survey_tools.taxonomy import Taxonomy

__all__ = [
    "FEWEST_IN_COMMON",
    "AnnotatorComparison",
    "AxisAgreement",
    "Disagreement",
    "compare_annotators",
]

# With fewer papers the interval of a kappa spans most of what it can be: for 10 papers, two
# equally large classes and a kappa of 0.5 the standard error is sqrt(0.75 * 0.25 / 10) / 0.5 = 0.27
# (Cohen, Educational and Psychological Measurement 20, 1960, equation 7).
FEWEST_IN_COMMON = 10

_Labels = Mapping[str, tuple[str, ...]]  # paper key -> labels, in the order of the axis


@dataclass(frozen=True, slots=True, kw_only=True)
class AxisAgreement:
    """Agreement on one axis, or on the combined cells.

    Attributes
    ----------
    name, title : str
        The axis, or "combined cells".
    n_equal : int
        Papers to which all annotators give the same labels.
    agreement : RaterAgreement
    """

    name: str
    title: str
    n_equal: int
    agreement: RaterAgreement


@dataclass(frozen=True, slots=True, kw_only=True)
class Disagreement:
    """A paper whose labels on an axis are not the same for all annotators.

    Attributes
    ----------
    labels : tuple of tuple of str
        Labels by each annotator, in the order of ``names``; () for none.
    """

    paper_key: str
    title: str
    axis: str
    labels: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotatorComparison:
    """Several filings of the same papers, compared.

    Attributes
    ----------
    names : tuple of str
        The annotators.
    paper_keys : tuple of str
        Papers that all of them filed, in the order of the first.
    missing : mapping of str to tuple of str
        For each annotator the papers that another one filed and they did not.
    axes : tuple of AxisAgreement
        Axes that all have, in the order of the first; the combined cells of these last.
    axes_apart : mapping of str to tuple of str
        Axes that not all have, each with the annotators that have it; they are left out.
    labels_apart : mapping of (axis, label) to tuple of str
        Labels of common axes that not all have, each with the annotators that have it; they
        count, as labels that the others did not give.
    disagreements : tuple of Disagreement
        By paper, then by axis.
    """

    names: tuple[str, ...]
    paper_keys: tuple[str, ...]
    missing: Mapping[str, tuple[str, ...]]
    axes: tuple[AxisAgreement, ...]
    axes_apart: Mapping[str, tuple[str, ...]]
    labels_apart: Mapping[tuple[str, str], tuple[str, ...]]
    disagreements: tuple[Disagreement, ...]


def compare_annotators(
    filings: Sequence[Filing],
    *,
    seed: int,
    n_resamples: int = 2_000,
    confidence: float = 0.95,
    allow_few: bool = False,
) -> AnnotatorComparison:
    """Compare taxonomies that several annotators filled, axis by axis and for combined cells.

    Axes and labels are matched by name, papers by key (see `join_keys`). Only papers that all
    annotators filed are compared; a paper without a label on an axis counts as filed
    there under the empty set. A label that a narrower one implies is left out, and so is one that
    is broader in another annotator's taxonomy.

    Parameters
    ----------
    seed : int
        Axis ``i`` draws its resamples from ``default_rng([seed, i])``.
    allow_few : bool
        Go on with fewer than `FEWEST_IN_COMMON` papers in common.

    Raises
    ------
    ParameterError
        If there are fewer than two filings, two of one name, no axis in common, or too few
        papers in common.
    """
    names = tuple(filing.name for filing in filings)
    if len(names) < 2:
        raise ParameterError(f"{count(len(names), 'filing')} arrived; give at least two to compare")
    if twice := [name for name in dict.fromkeys(names) if names.count(name) > 1]:
        raise ParameterError(f"{abbreviate(twice)} arrived twice; two filings need two names")
    paper_keys, missing = _share_papers(filings, allow_few=allow_few)
    taxonomies = [filing.taxonomy for filing in filings]
    shared, axes_apart = _share_axes(names, taxonomies)
    labels = {axis: _list_labels(names, taxonomies, axis) for axis in shared}
    sides = [(axis, taxonomies[0].axis(axis).title, labels[axis]) for axis in shared]
    sides.append((CELLS, "Combined cells", _combine(labels, names)))
    axes = []
    for i, (axis, title, given) in enumerate(sides):
        ratings = {
            name: {key: frozenset(mine[key]) for key in paper_keys} for name, mine in given.items()
        }
        agreement = rate(
            ratings,
            rng=np.random.default_rng([seed, i]),
            n_resamples=n_resamples,
            confidence=confidence,
        )
        n_equal = sum(len({mine[key] for mine in ratings.values()}) == 1 for key in paper_keys)
        axes.append(AxisAgreement(name=axis, title=title, n_equal=n_equal, agreement=agreement))
    return AnnotatorComparison(
        names=names,
        paper_keys=paper_keys,
        missing=missing,
        axes=tuple(axes),
        axes_apart=axes_apart,
        labels_apart=_labels_apart(names, taxonomies, shared),
        disagreements=_disagreements(filings, labels, paper_keys),
    )


def _share_papers(
    filings: Sequence[Filing], *, allow_few: bool
) -> tuple[tuple[str, ...], dict[str, tuple[str, ...]]]:
    """Find the papers that all filed, and those that each one lacks."""
    filed = {filing.name: dict.fromkeys(filing.taxonomy.filed_keys) for filing in filings}
    union = dict.fromkeys(key for keys in filed.values() for key in keys)
    common = tuple(key for key in union if all(key in keys for keys in filed.values()))
    missing = {name: tuple(key for key in union if key not in keys) for name, keys in filed.items()}
    if len(common) < (1 if allow_few else FEWEST_IN_COMMON):
        n_filed = ", ".join(f"{name} files {len(keys)}" for name, keys in filed.items())
        lacks = "".join(
            f"; {name} lacks {abbreviate(keys)}" for name, keys in missing.items() if keys
        )
        go_on = "; --few goes on all the same" if common else ""
        raise ParameterError(
            f"{count(len(common), 'paper')} in common ({n_filed}), and agreement needs at least "
            f"{FEWEST_IN_COMMON}{lacks}{go_on}"
        )
    return common, missing


def _share_axes(
    names: Sequence[str], taxonomies: Sequence[Taxonomy]
) -> tuple[list[str], dict[str, tuple[str, ...]]]:
    """Find the axes that all have, and those that only some have, with who has them."""
    owners: dict[str, list[str]] = {}
    for name, taxonomy in zip(names, taxonomies, strict=True):
        for axis in taxonomy.axes:
            owners.setdefault(axis.name, []).append(name)
    shared = [axis for axis, mine in owners.items() if len(mine) == len(names)]
    if not shared:
        listed = "; ".join(
            f"{name} has {abbreviate(axis.name for axis in taxonomy.axes)}"
            for name, taxonomy in zip(names, taxonomies, strict=True)
        )
        raise ParameterError(
            f"the taxonomies have no axis in common ({listed}); axes are matched by name"
        )
    return shared, {axis: tuple(mine) for axis, mine in owners.items() if axis not in shared}


def _list_labels(
    names: Sequence[str], taxonomies: Sequence[Taxonomy], axis: str
) -> dict[str, _Labels]:
    """List the labels of an axis by annotator, then by paper, without implied ones.

    If one taxonomy alone says what is broader, the same labels would else be one set there and
    another elsewhere.
    """
    broader: dict[str, set[str]] = {}
    for taxonomy in taxonomies:
        for name in taxonomy.axis(axis).label_names:
            broader.setdefault(name, set()).update(taxonomy.ancestors(axis, name))

    def is_implied(label: str, by: str) -> bool:
        return label in broader[by] and by not in broader[label]

    return {
        name: {
            key: tuple(
                label for label in mine if not any(is_implied(label, by=other) for other in mine)
            )
            for key, mine in taxonomy.label_sets(axis).items()
        }
        for name, taxonomy in zip(names, taxonomies, strict=True)
    }


def _combine(
    labels: Mapping[str, Mapping[str, _Labels]], names: Sequence[str]
) -> dict[str, _Labels]:
    """Join the labels of all common axes, each with its axis: by annotator, then by paper."""
    combined: dict[str, dict[str, tuple[str, ...]]] = {name: {} for name in names}
    for axis, given in labels.items():
        for name, mine in given.items():
            for key, carried in mine.items():
                with_axis = tuple(f"{axis}: {label}" for label in carried)
                combined[name][key] = combined[name].get(key, ()) + with_axis
    return {**combined}


def _labels_apart(
    names: Sequence[str], taxonomies: Sequence[Taxonomy], shared: Sequence[str]
) -> dict[tuple[str, str], tuple[str, ...]]:
    owners: dict[tuple[str, str], list[str]] = {}
    for axis in shared:
        for name, taxonomy in zip(names, taxonomies, strict=True):
            for label in taxonomy.axis(axis).label_names:
                owners.setdefault((axis, label), []).append(name)
    return {label: tuple(mine) for label, mine in owners.items() if len(mine) < len(names)}


def _disagreements(
    filings: Sequence[Filing],
    labels: Mapping[str, Mapping[str, _Labels]],
    paper_keys: Sequence[str],
) -> tuple[Disagreement, ...]:
    titles: dict[str, str] = {}
    for filing in reversed(filings):  # the first one's titles win
        titles.update((paper.key, paper.title) for paper in filing.corpus or ())
    return tuple(
        Disagreement(
            paper_key=key,
            title=titles.get(key, ""),
            axis=axis,
            labels=tuple(mine[key] for mine in given.values()),
        )
        for key in paper_keys
        for axis, given in labels.items()
        if len({frozenset(mine[key]) for mine in given.values()}) > 1
    )

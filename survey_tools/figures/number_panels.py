"""What each method says of the number of clusters, as panels of curves."""

import math
from collections.abc import Iterable, Sequence

import numpy as np

from survey_tools.figures.curve_panel import Band, Curve, CurvePanel, LineAt
from survey_tools.figures.style import INK, PALETTE
from survey_tools.robustness.ambiguity import Ambiguity
from survey_tools.robustness.gap import GapStatistic
from survey_tools.robustness.numbers import NumberOfClusters
from survey_tools.robustness.relative_ambiguity import RelativeAmbiguity

__all__ = ["build_panels"]

_CLUSTERS = "number of clusters"
_NULL = "#595959"
_DASHES: tuple[tuple[float, ...], ...] = (
    (),
    (4.0, 2.0),
    (1.5, 1.5),
    (6.0, 1.5, 1.5, 1.5),
    (8.0, 3.0),
)
_MOST_CURVES = len(_DASHES)
_BEYOND = 0.05  # of the span of the values, left white at both ends


def build_panels(numbers: NumberOfClusters, own: int | None) -> tuple[CurvePanel, ...]:
    """Build a panel a method; what was not run is left out.

    Parameters
    ----------
    own : int or None
        The survey's own number of clusters; None where its method finds the number.
    """
    panels = []
    if numbers.ambiguity is not None and numbers.ambiguity.chosen is not None:
        panels.append(_show_ambiguity(numbers.ambiguity, numbers.relative, own))
        panels.append(_show_consensus(numbers.ambiguity, numbers.relative, own))
    if numbers.gap is not None and numbers.gap.chosen is not None:
        panels.append(_show_gap(numbers.gap, own))
    if numbers.best_silhouette is not None:
        panels.append(_show_silhouette(numbers, own))
    return tuple(panels)


def _show_ambiguity(
    ambiguity: Ambiguity, relative: RelativeAmbiguity | None, own: int | None
) -> CurvePanel:
    x = _floats(ambiguity.n_clusters)
    curves = [_own_curve(x, _floats(ambiguity.pac))]
    chosen = [(ambiguity.chosen, f"least PAC: {ambiguity.chosen}")]
    if relative is not None:
        name = f"mean of {relative.n_nulls:,} shuffled corpora"
        curves.append(_null_curve(name, _floats(relative.n_clusters), _floats(relative.null_pac)))
        chosen.append((relative.chosen, f"least against shuffled: {relative.chosen}"))
    return CurvePanel(
        title=(
            f"PAC: share of pairs of papers that {ambiguity.lower:.0%} to {ambiguity.upper:.0%} "
            f"of {ambiguity.n_runs:,} subsamples keep together (no unit)"
        ),
        x_title=_CLUSTERS,
        has_whole_x=True,
        x_limits=(x[0], x[-1]),
        y_limits=_limits(value for curve in curves for value in curve.y),
        curves=tuple(curves),
        lines=_place_lines(own, chosen, x),
    )


def _show_consensus(
    ambiguity: Ambiguity, relative: RelativeAmbiguity | None, own: int | None
) -> CurvePanel:
    known = ambiguity.n_clusters.tolist()
    against = relative.chosen if relative is not None else None
    words = ((own, "survey"), (ambiguity.chosen, "least PAC"), (against, "least against shuffled"))
    wanted = [own, ambiguity.chosen, against, known[0], known[-1], known[len(known) // 2]]
    shown = [k for k in dict.fromkeys(wanted) if k in known][:_MOST_CURVES]
    thresholds = _floats(ambiguity.thresholds)
    said = {k: ", ".join(word for number, word in words if number == k) for k in shown}
    curves = tuple(
        Curve(
            name=f"{k} clusters ({said[k]})" if said[k] else f"{k} clusters",
            x=thresholds,
            y=_floats(ambiguity.cdf[known.index(k)]),
            colour=INK if k == own else PALETTE[i % len(PALETTE)],
            dash=_DASHES[i],
        )
        for i, k in enumerate(sorted(k for k in shown if k is not None))
    )
    ends = (ambiguity.lower, ambiguity.upper)
    return CurvePanel(
        title="Consensus CDF: share of pairs with a consensus index up to x (no unit)",
        x_title="x: consensus index, the share of subsamples that keep a pair together (no unit)",
        x_limits=(0.0, 1.0),
        y_limits=(0.0, 1.0),
        curves=curves,
        bands=(Band(name="ambiguous", x=ends, low=(0.0, 0.0), high=(1.0, 1.0)),),
    )


def _show_gap(gap: GapStatistic, own: int | None) -> CurvePanel:
    more = " or more" if gap.is_open else ""
    x, errors = _floats(gap.n_clusters), _floats(gap.standard_errors)
    ends = [*(gap.gaps - gap.standard_errors), *(gap.gaps + gap.standard_errors)]
    curve = Curve(
        name="survey, with standard error",
        x=x,
        y=_floats(gap.gaps),
        colour=PALETTE[0],
        errors=errors,
        is_dotted=True,
    )
    return CurvePanel(
        title=(
            "Gap: ln of the dispersion within clusters, mean of "
            f"{int(gap.n_references.max()):,} shuffled corpora less survey (no unit)"
        ),
        x_title=_CLUSTERS,
        has_whole_x=True,
        x_limits=(x[0], x[-1]),
        y_limits=_limits([*ends, *curve.y]),
        curves=(curve,),
        lines=_place_lines(own, [(gap.chosen, f"gap: {gap.chosen}{more}")], x),
    )


def _show_silhouette(numbers: NumberOfClusters, own: int | None) -> CurvePanel:
    x = _floats(numbers.n_clusters)
    best = numbers.best_silhouette
    curves = [_own_curve(x, _floats(numbers.silhouettes))]
    bands: list[Band] = []
    if numbers.null_silhouettes:
        nulls = np.array(numbers.null_silhouettes, dtype=np.float64)  # (n_nulls, n_numbers)
        known = np.isfinite(nulls).all(axis=0)
        mean = np.where(known, np.where(known, nulls, 0.0).mean(axis=0), np.nan)
        curves.append(_null_curve(f"mean of {len(nulls):,} shuffled corpora", x, _floats(mean)))
        if known.any():
            here = nulls[:, known]
            bands.append(
                Band(
                    name="their range",
                    x=_floats(np.array(x)[known]),
                    low=_floats(here.min(axis=0)),
                    high=_floats(here.max(axis=0)),
                )
            )
    values = [y for curve in curves for y in curve.y]
    values += [y for band in bands for y in (*band.low, *band.high)]
    return CurvePanel(
        title="Mean silhouette of the papers (no unit)",
        x_title=_CLUSTERS,
        has_whole_x=True,
        x_limits=(x[0], x[-1]),
        y_limits=_limits(values),
        curves=tuple(curves),
        bands=tuple(bands),
        lines=_place_lines(own, [(best, f"highest: {best}")], x),
    )


def _own_curve(x: tuple[float, ...], y: tuple[float, ...]) -> Curve:
    return Curve(name="survey", x=x, y=y, colour=PALETTE[0], is_dotted=True)


def _null_curve(name: str, x: tuple[float, ...], y: tuple[float, ...]) -> Curve:
    return Curve(name=name, x=x, y=y, colour=_NULL, dash=(4.0, 2.0))


def _place_lines(
    own: int | None, chosen: Sequence[tuple[int | None, str]], x: tuple[float, ...]
) -> tuple[LineAt, ...]:
    """Make a line at the survey's number and at every chosen one; equal ones share a line."""
    words: dict[int, list[str]] = {}
    if own is not None and x[0] <= own <= x[-1]:
        words[own] = [f"survey: {own}"]
    for number, word in chosen:
        if number is not None:
            words.setdefault(number, []).append(word)
    return tuple(
        LineAt(x=float(number), text=", ".join(said), is_own=number == own)
        for number, said in words.items()
    )


def _limits(values: Iterable[float]) -> tuple[float, float]:
    """Give the values and 0 a little room."""
    known = [0.0, *(value for value in values if math.isfinite(value))]
    low, high = min(known), max(known)
    beyond = _BEYOND * (high - low)
    return (low - beyond if low < 0.0 else 0.0), (high + beyond if high > 0.0 else 0.0)


def _floats(values: Iterable[float | None] | np.ndarray) -> tuple[float, ...]:
    return tuple(math.nan if value is None else float(value) for value in values)

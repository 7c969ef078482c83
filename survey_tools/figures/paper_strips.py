"""Strips of what a corpus knows of its papers: year, venue, support of their clusters."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence

from survey_tools.corpus import Corpus
from survey_tools.errors import ParameterError, abbreviate
from survey_tools.figures.strips import StripColumn, Swatch, build_strips, label_swatch
from survey_tools.figures.style import clean
from survey_tools.settings import FigureSettings
from survey_tools.taxonomy import Taxonomy
from survey_tools.tree import Tree

__all__ = ["choose_strips"]

logger = logging.getLogger(__name__)

# One hue from light to dark, so that later is darker in grey as well: Blues of ColorBrewer
# (https://colorbrewer2.org, 9 classes) without its palest.
_BLUES = (
    *("#deebf7", "#c6dbef", "#9ecae1", "#6baed6"),
    *("#4292c6", "#2171b5", "#08519c", "#08306b"),
)
_N_VENUES = 8
_OTHER_VENUE = Swatch(face="#d9d9d9")
_GREYS = ("#f2f2f2", "#cccccc", "#969696", "#636363", "#252525")  # Greys of ColorBrewer
_SUPPORT_LABELS = ("0-20 %", "20-40 %", "40-60 %", "60-80 %", "80-100 %")


def choose_strips(
    tree: Tree,
    corpus: Corpus,
    settings: FigureSettings,
    *,
    taxonomy: Taxonomy | None = None,
    support: Mapping[str, float] | None = None,
) -> tuple[StripColumn, ...]:
    """Build the strips that ``figures.strips`` names, cells in leaf order.

    Parameters
    ----------
    support : mapping of str to float, optional
        Share of repeats, 0 to 1, in which the cluster of each paper was found again.

    Raises
    ------
    ParameterError
        If a strip is neither one that every survey has nor an axis of the taxonomy.
    """
    keys = tree.keys_in_leaf_order
    known = [axis.name for axis in taxonomy.axes] if taxonomy else []
    strips: list[StripColumn] = []
    for name in settings.strips:
        if name == "taxonomy":
            strips += build_strips(tree, taxonomy) if taxonomy else ()
        elif name == "year":
            strips.append(_year_strip(corpus, keys))
        elif name == "venue":
            strips.append(_venue_strip(corpus, keys))
        elif name == "support":
            if support is None:
                logger.warning("the strip of support is not drawn: robustness has not been tested")
            else:
                strips.append(_support_strip(support, keys))
        elif taxonomy is not None and name in known:
            strips += build_strips(tree, taxonomy, axis_names=(name,))
        else:
            allowed = ", ".join(["taxonomy", "year", "venue", "support", *known])
            raise ParameterError(
                f"figures.strips: {name!r} is no strip and no axis of the taxonomy; "
                f"allowed: {allowed}"
            )
    return tuple(strips)


def _year_strip(corpus: Corpus, keys: Sequence[str]) -> StripColumn:
    """Give every year a shade, later darker; more years than shades share them in spans."""
    years = sorted({year for key in keys if (year := corpus[key].year) is not None})
    spans = _spans(years, len(_BLUES))
    place = {year: i for i, span in enumerate(spans) for year in span}
    darkest = len(_BLUES) - 1
    step = darkest / max(1, len(spans) - 1)
    return StripColumn(
        title="Year",
        labels=tuple(
            str(span[0]) if span[0] == span[-1] else f"{span[0]}-{span[-1]}" for span in spans
        ),
        swatches=tuple(
            Swatch(face=_BLUES[darkest - round((len(spans) - 1 - i) * step)])
            for i in range(len(spans))
        ),
        otherwise="",
        cells=tuple(None if (year := corpus[key].year) is None else (place[year],) for key in keys),
        unknown="no year given",
    )


def _spans(years: Sequence[int], n_most: int) -> list[tuple[int, ...]]:
    """Part sorted years into spans of one width, the last one full; empty ones are left out."""
    if not years:
        return []
    width = 1 if len(years) <= n_most else -(-(years[-1] - years[0] + 1) // n_most)
    spans: dict[int, list[int]] = {}
    for year in years:
        spans.setdefault((years[-1] - year) // width, []).append(year)
    return [tuple(spans[i]) for i in sorted(spans, reverse=True)]


def _venue_strip(corpus: Corpus, keys: Sequence[str]) -> StripColumn:
    """Give the most frequent venues a swatch each, and all others one together."""
    venue_of = {key: clean(corpus[key].venue or "") for key in keys}
    counts = Counter(sorted(venue for venue in venue_of.values() if venue))
    n_shown = _N_VENUES + (len(counts) == _N_VENUES + 1)  # "other" for one venue would say less
    frequent = [venue for venue, _ in counts.most_common(n_shown)]
    index = {venue: i for i, venue in enumerate(frequent)}
    has_others = len(counts) > len(frequent)
    others = len(frequent)
    return StripColumn(
        title="Venue",
        labels=(*frequent, *(["other venue"] if has_others else [])),
        swatches=(
            *(label_swatch(i, max(2, len(frequent))) for i in range(len(frequent))),
            *([_OTHER_VENUE] if has_others else []),
        ),
        otherwise="",
        cells=tuple((index.get(venue_of[key], others),) if venue_of[key] else None for key in keys),
        unknown="no venue given",
    )


def _support_strip(support: Mapping[str, float], keys: Sequence[str]) -> StripColumn:
    """Shade each paper by the support of its cluster, in five steps of grey."""
    last = len(_GREYS) - 1
    wrong = [key for key in keys if key in support and not 0.0 <= support[key] <= 1.0]
    if wrong:
        raise ParameterError(f"support is a share from 0 to 1; that of {abbreviate(wrong)} is not")
    return StripColumn(
        title="Support",
        labels=_SUPPORT_LABELS,
        swatches=tuple(Swatch(face=grey) for grey in _GREYS),
        otherwise="",
        cells=tuple(
            (min(last, int(support[key] * len(_GREYS))),) if key in support else None
            for key in keys
        ),
        unknown="support not tested",
    )

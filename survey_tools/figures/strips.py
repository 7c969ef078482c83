"""Annotation strips: the taxonomy beside the leaves, and the legend that explains them."""

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from survey_tools.figures.style import PALETTE, clean, shorten, text_width, wrap
from survey_tools.taxonomy import Taxonomy
from survey_tools.tree import Tree

__all__ = [
    "LEGEND_EMS",
    "LegendEntry",
    "StripColumn",
    "Swatch",
    "build_legend",
    "build_strips",
    "label_swatch",
]

logger = logging.getLogger(__name__)

LEGEND_EMS = 1.6  # from one line of the legend to the next
_TITLE_EMS = 20.0  # longest title above a strip
_ENTRY_GAP_PT = 9.0
_SWATCH_GAP_PT = 2.5
# Second cue beside colour for labels of one axis, so that strips survive grey printing.
_HATCHES = ("", "/////", ".....", "xxxxx", "-----", "ooo")
_N_SWATCHES = len(PALETTE) * len(_HATCHES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Swatch:
    """How a cell of a strip is filled; ``is_struck`` marks a paper that is not filed."""

    face: str
    hatch: str = ""
    is_struck: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StripColumn:
    """An annotation strip: a taxonomy axis, or the years, venues or support of the papers.

    Attributes
    ----------
    labels : tuple of str
        Titles of the axis's labels.
    swatches : tuple of Swatch, one a label
        How cells with the label are filled.
    otherwise : str
        Name of the class of papers without a label.
    cells : tuple of tuple of int, or None
        For every row the indices of its labels; None for a paper of which nothing is known.
    unknown : str
        What the legend calls None.
    """

    title: str
    labels: tuple[str, ...]
    swatches: tuple[Swatch, ...]
    otherwise: str
    cells: tuple[tuple[int, ...] | None, ...]
    unknown: str = "not filed"


@dataclass(frozen=True, slots=True, kw_only=True)
class LegendEntry:
    """A piece of a legend line; ``x`` in points from the left edge of the line."""

    text: str
    swatch: Swatch | None
    x: float


def label_swatch(label: int, n_labels: int) -> Swatch:
    """Colour and hatch of a label; the lone label of an axis is plain dark grey."""
    if n_labels == 1:
        return Swatch(face="#4d4d4d")
    colour, hatch = label % len(PALETTE), (label // len(PALETTE) + label) % len(_HATCHES)
    return Swatch(face=PALETTE[colour], hatch=_HATCHES[hatch])


def build_strips(
    tree: Tree, taxonomy: Taxonomy, *, axis_names: Collection[str] | None = None
) -> tuple[StripColumn, ...]:
    """Give every axis a strip, or only those named, cells in leaf order.

    An axis with more labels than colours and hatches can tell apart is left out, with a
    warning in the log.
    """
    strips = []
    for axis in taxonomy.axes:
        if axis_names is not None and axis.name not in axis_names:
            continue
        if len(axis.labels) > _N_SWATCHES:
            logger.warning(
                "dendrogram: axis %s has %d labels, more than the %d that a strip can tell "
                "apart; it is not drawn",
                axis.name,
                len(axis.labels),
                _N_SWATCHES,
            )
            continue
        index = {label.name: i for i, label in enumerate(axis.labels)}
        n_labels = len(axis.labels)
        sets = taxonomy.label_sets(axis.name)
        strips.append(
            StripColumn(
                title=shorten(axis.title, _TITLE_EMS, 1.0),
                labels=tuple(clean(label.title) for label in axis.labels),
                swatches=tuple(label_swatch(i, n_labels) for i in range(n_labels)),
                otherwise=clean(axis.otherwise),
                cells=tuple(
                    tuple(index[label] for label in sets[key]) if key in sets else None
                    for key in tree.keys_in_leaf_order
                ),
            )
        )
    return tuple(strips)


def build_legend(
    strips: Sequence[StripColumn],
    *,
    has_names: bool,
    has_cut_line: bool,
    width: float,
    cell_width: float,
    size: float,
    has_bands: bool = False,
    notes: Sequence[str] = (),
) -> tuple[tuple[LegendEntry, ...], ...]:
    """Explain cluster bars, codes and strips in lines no wider than ``width`` points.

    Parameters
    ----------
    notes : sequence of str
        What else a reader must know, said before the strips.
    """
    parts = ["coloured bars: clusters of the cut" + (" (dashed)" if has_cut_line else "")]
    if has_names:
        marks = "bands and circled letters" if has_bands else "circled letters"
        parts.append(f"{marks}: named sub-trees (papers, J = Jaccard score of the match)")
    parts += notes
    lines: list[tuple[LegendEntry, ...]] = [
        (LegendEntry(text=text, swatch=None, x=0.0),)
        for text in wrap("; ".join(parts), width, size)
    ]
    line: list[LegendEntry] = []
    x = 0.0
    for text, swatch in _strip_entries(strips):
        indent = 0.0 if swatch is None else cell_width + _SWATCH_GAP_PT
        for i, piece in enumerate(wrap(text, width - indent, size)):
            needed = indent + text_width(piece, size)
            if line and x + needed > width:
                lines.append(tuple(line))
                line, x = [], 0.0
            line.append(LegendEntry(text=piece, swatch=None if i else swatch, x=x))
            x += needed + _ENTRY_GAP_PT
    return (*lines, tuple(line)) if line else tuple(lines)


def _strip_entries(strips: Sequence[StripColumn]) -> list[tuple[str, Swatch | None]]:
    """List what the legend says of the strips: axes with one label together, then the others."""
    entries: list[tuple[str, Swatch | None]] = [("strips:", None)] if strips else []
    lone: dict[tuple[str, Swatch, str], list[StripColumn]] = {}
    for strip in strips:
        if len(strip.labels) == 1:
            key = (strip.labels[0], strip.swatches[0], strip.otherwise)
            lone.setdefault(key, []).append(strip)
    for (label, swatch, otherwise), alike in lone.items():
        if len(lone) > 1:
            entries.append((f"{', '.join(strip.title for strip in alike)}:", None))
        entries.append((label, swatch))
        if any(() in strip.cells for strip in alike):
            entries.append((otherwise, Swatch(face="white")))
    for strip in strips:
        if len(strip.labels) > 1:
            entries.append((f"{strip.title}:", None))
            entries += zip(strip.labels, strip.swatches, strict=True)
            if () in strip.cells:
                entries.append((strip.otherwise, Swatch(face="white")))
    unknown = dict.fromkeys(strip.unknown for strip in strips if None in strip.cells)
    if unknown:
        entries.append((" or ".join(unknown), Swatch(face="white", is_struck=True)))
    return entries

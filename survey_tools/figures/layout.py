"""Where everything of a dendrogram stands, in points, before any ink.

A row is a leaf with its wrapped label; rows have different heights, so branches meet
their labels exactly. Rows are dealt into panels (columns of pages); every panel shows
its slice of the whole tree.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from survey_tools.corpus import Corpus
from survey_tools.errors import ParameterError
from survey_tools.figures.style import POINTS_PER_MM, clean, text_width, wrap
from survey_tools.partition import Partition
from survey_tools.settings import FigureSettings, printed_name
from survey_tools.subtrees import AttachedName
from survey_tools.taxonomy import Taxonomy
from survey_tools.tree import Tree

__all__ = [
    "Bracket",
    "ClusterBar",
    "DendrogramLayout",
    "LegendEntry",
    "PageGrid",
    "Panel",
    "Row",
    "StripColumn",
    "layout_dendrogram",
    "name_height",
]

_PAGES_MM = {"a4": (210.0, 297.0), "letter": (215.9, 279.4)}
_TALLEST_PAGE_PT = 14_400.0  # 200 inches, the limit of PDF readers (ISO 32000-1, annex C)
_MARGIN_PT = 8.0 * POINTS_PER_MM
LINE_SPACING = 1.2  # line height over font size, within a wrapped label
_ROW_GAP = 0.35  # white space between two rows, in font sizes
_AXIS_PT, _AXIS_EMS = 8.0, 3.4  # height axis, tick labels and two lines of title, below a panel
_GUTTER_PT = 10.0  # between two columns
_CELL_PT = 6.0  # least width of an annotation cell
CELL_GAP_PT = 1.5
LANE_PT = 5.0  # width of a bracket
LEGEND_EMS = 1.6  # from one line of the legend to the next
_PAD_PT = 4.0  # between neighbouring parts of a panel
_MIN_LABEL_CHARACTERS = 20
_SIZE_STEP_PT = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A leaf: its paper, its label's lines and its place (points from the first row's top)."""

    paper_key: str
    lines: tuple[str, ...]
    top: float
    bottom: float

    @property
    def centre(self) -> float:
        """Where the branch meets the row."""
        return (self.top + self.bottom) / 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterBar:
    """A flat cluster beside the leaves it holds."""

    name: str
    colour_index: int
    top: float
    bottom: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Bracket:
    """A named sub-tree: its code at the node, and its bracket beside the labels.

    Attributes
    ----------
    code : str
        A, B, C, … in leaf order.
    height, centre : float
        Where the node stands: merge height, and points from the first row's top.
    lane : int
        Lane of the bracket, 0 next to the labels; brackets in one lane do not overlap.
    lines : tuple of str
        Wrapped name with size and Jaccard score.
    """

    code: str
    name: str
    paper_keys: tuple[str, ...]
    height: float
    centre: float
    top: float
    bottom: float
    lane: int
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StripColumn:
    """An annotation strip: one taxonomy axis.

    Attributes
    ----------
    labels : tuple of str
        Titles of the axis's labels.
    cells : tuple of tuple of int, or None
        For every row the indices of its labels; None for a paper not filed.
    """

    title: str
    labels: tuple[str, ...]
    cells: tuple[tuple[int, ...] | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LegendEntry:
    """A piece of a legend line.

    Attributes
    ----------
    swatch : tuple of (label, n_labels), or None
        The label of a strip that the text explains; label -1 is an empty cell.
    x : float
        Points from the left edge of the line.
    """

    text: str
    swatch: tuple[int, int] | None
    x: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """A run of rows shown in one column of a page."""

    page: int
    column: int
    first_row: int
    last_row: int
    top: float
    bottom: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PageGrid:
    """Sizes in points, the same on every page, from the page's or the panel's left edge."""

    page_width: float
    page_height: float
    panel_lefts: tuple[float, ...]
    panel_width: float
    panel_top: float
    tree_width: float
    bar_left: float
    strip_left: float
    cell_width: float
    label_left: float
    bracket_left: float
    name_left: float
    header_height: float
    legend_top: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DendrogramLayout:
    """A whole dendrogram, ready to be drawn.

    Attributes
    ----------
    branches : ndarray of float, shape (n_papers - 1, 4, 2)
        Polyline of each merge as (merge height, points from the first row's top).
    branch_colours : ndarray of int, shape (n_papers - 1,)
        Cluster colour index, or -1 above the cut.
    cut_height : float or None
        Where one straight cut would give the clusters; None if none does.
    """

    rows: tuple[Row, ...]
    branches: NDArray[np.float64]
    branch_colours: NDArray[np.intp]
    cut_height: float | None
    bars: tuple[ClusterBar, ...]
    brackets: tuple[Bracket, ...]
    strips: tuple[StripColumn, ...]
    panels: tuple[Panel, ...]
    grid: PageGrid
    legend: tuple[tuple[LegendEntry, ...], ...]
    font_size_pt: float
    axis_label: str

    @property
    def n_pages(self) -> int:
        """Number of pages that the panels fill."""
        return 1 + max(panel.page for panel in self.panels)


def layout_dendrogram(
    tree: Tree,
    corpus: Corpus,
    partition: Partition,
    settings: FigureSettings,
    *,
    names: Sequence[AttachedName] = (),
    taxonomy: Taxonomy | None = None,
) -> DendrogramLayout:
    """Compute where everything of a dendrogram stands.

    Parameters
    ----------
    names : sequence of AttachedName
        Named sub-trees; those not found in the tree are not drawn.
    taxonomy : Taxonomy, optional
        Gives one annotation strip an axis.

    Raises
    ------
    ParameterError
        If the page leaves no room for the labels.
    """
    found = sorted(
        (name for name in names if name.is_found),
        key=lambda name: (tree.starts[name.subtree.node], -tree.sizes[name.subtree.node]),
    )
    texts = {key: _leaf_text(corpus, key, settings.leaf_label) for key in tree.paper_keys}
    strips = _strips(tree, taxonomy) if taxonomy else ()
    tried = None
    for size in _text_sizes(settings):
        grid, label_width, name_width = _divide_page(settings, size, texts, found, strips)
        legend = _legend(strips, bool(found), grid, size)
        grid = replace(grid, legend_top=LEGEND_EMS * size * len(legend) + _PAD_PT)
        longest = max(text_width(text, size) for text in texts.values())
        if label_width < min(longest, _MIN_LABEL_CHARACTERS * text_width("n", size)):
            continue
        names_height = sum(name_height(_name_lines(n, "A", name_width, size), size) for n in found)
        rows = _stack_rows(tree, texts, label_width, size, names_height)
        panels, page_height = _deal_panels(rows, settings, grid, size)
        tried = tried or (size, grid, legend, name_width, rows, panels, page_height)
        if panels[-1].page == 0:
            tried = (size, grid, legend, name_width, rows, panels, page_height)
            break
    if tried is None:
        raise ParameterError(
            f"a {settings.page} page with {settings.columns} column(s) leaves {label_width:.0f} "
            f"points for labels of {size:g} points; use fewer columns, a wider page or smaller text"
        )
    size, grid, legend, name_width, rows, panels, page_height = tried
    node_y = _node_positions(tree, rows)
    branches, colours, cut_height = _branches(tree, partition, node_y)
    return DendrogramLayout(
        rows=rows,
        branches=branches,
        branch_colours=colours,
        cut_height=cut_height,
        bars=_cluster_bars(partition, rows),
        brackets=_brackets(tree, found, node_y, rows, name_width, size),
        strips=strips,
        panels=panels,
        grid=_with_height(grid, page_height),
        legend=legend,
        font_size_pt=size,
        axis_label=(
            f"merge height: {printed_name(tree.linkage)} linkage, "
            f"{printed_name(tree.metric)} distance (no unit)"
        ),
    )


def _text_sizes(settings: FigureSettings) -> list[float]:
    """List text sizes to try, largest first, until all leaves fit on one page."""
    largest, smallest = settings.font_size_pt, settings.min_font_size_pt
    if settings.page == "tall" or smallest >= largest:
        return [largest]
    n_steps = int((largest - smallest) / _SIZE_STEP_PT)
    return [largest - i * _SIZE_STEP_PT for i in range(n_steps + 1)]


def _leaf_text(corpus: Corpus, key: str, leaf_label: str) -> str:
    paper = corpus[key]
    text = {"title": paper.title, "key": key, "author-year": paper.author_year}[leaf_label]
    return clean(text) or key


def _divide_page(
    settings: FigureSettings,
    size: float,
    texts: dict[str, str],
    names: Sequence[AttachedName],
    strips: Sequence[StripColumn],
) -> tuple[PageGrid, float, float]:
    """Divide the page's width; returns the grid, the labels' and the bracket names' width."""
    width_mm = settings.width_mm if settings.page == "tall" else _PAGES_MM[settings.page][0]
    page_width = width_mm * POINTS_PER_MM
    n_columns = settings.columns
    inner = page_width - 2 * _MARGIN_PT - (n_columns - 1) * _GUTTER_PT
    panel_width = inner / n_columns
    tree_width = 0.26 * panel_width
    bar_left = tree_width + _PAD_PT
    strip_left = bar_left + 4.0 + text_width("C88", size) + _PAD_PT
    cell_width = max(_CELL_PT, 1.15 * size - CELL_GAP_PT)  # room for the title above
    label_left = strip_left + len(strips) * (cell_width + CELL_GAP_PT) + (_PAD_PT if strips else 0)
    n_lanes = 1 + max(_lanes([(n.subtree.paper_keys) for n in names]), default=-1)
    name_width = min(0.17 * panel_width, 90.0) if names else 0.0
    right = n_lanes * LANE_PT + name_width + (2 * _PAD_PT if names else 0)
    label_width = max(panel_width - label_left - right, 1.0)
    longest = max(text_width(text, size) for text in texts.values())
    bracket_left = label_left + min(label_width, longest) + _PAD_PT
    header = max((text_width(strip.title, size) for strip in strips), default=0.0) + _PAD_PT
    lefts = tuple(_MARGIN_PT + i * (panel_width + _GUTTER_PT) for i in range(n_columns))
    grid = PageGrid(
        page_width=page_width,
        page_height=0.0,
        panel_lefts=lefts,
        panel_width=panel_width,
        panel_top=_MARGIN_PT + header,
        tree_width=tree_width,
        bar_left=bar_left,
        strip_left=strip_left,
        cell_width=cell_width,
        label_left=label_left,
        bracket_left=bracket_left,
        name_left=bracket_left + n_lanes * LANE_PT + _PAD_PT,
        header_height=header,
        legend_top=0.0,
    )
    return grid, label_width, name_width


def _with_height(grid: PageGrid, page_height: float) -> PageGrid:
    return replace(grid, page_height=page_height)


def _stack_rows(
    tree: Tree, texts: dict[str, str], label_width: float, size: float, min_height: float
) -> tuple[Row, ...]:
    """Stack the rows, with more white space where few rows face many names of sub-trees."""
    rows = []
    top = 0.0
    lines_of = {key: wrap(texts[key], label_width, size) for key in tree.keys_in_leaf_order}
    heights = {key: size * (len(n) * LINE_SPACING + _ROW_GAP) for key, n in lines_of.items()}
    more = max(0.0, min_height - sum(heights.values())) / len(heights)
    for key, lines in lines_of.items():
        bottom = top + heights[key] + more
        rows.append(Row(paper_key=key, lines=lines, top=top, bottom=bottom))
        top = bottom
    return tuple(rows)


def _node_positions(tree: Tree, rows: Sequence[Row]) -> NDArray[np.float64]:
    """Vertical place of every node: a leaf at its row, a merge midway of its children."""
    n = tree.n_papers
    node_y = np.empty(2 * n - 1)
    node_y[tree.leaf_order] = [row.centre for row in rows]
    for i, (first, second) in enumerate(tree.children):
        node_y[n + i] = (node_y[first] + node_y[second]) / 2.0
    return node_y


def _deal_panels(
    rows: Sequence[Row], settings: FigureSettings, grid: PageGrid, size: float
) -> tuple[tuple[Panel, ...], float]:
    """Deal rows into the columns of pages; returns the panels and the page height."""
    total = rows[-1].bottom
    around = grid.panel_top + _AXIS_PT + _AXIS_EMS * size + grid.legend_top + _MARGIN_PT
    tallest_row = max(row.bottom - row.top for row in rows)
    if settings.page == "tall":
        n_pages = math.ceil(total / settings.columns / (_TALLEST_PAGE_PT - around - tallest_row))
        n_panels = n_pages * settings.columns
        capacity = total / n_panels + (tallest_row if n_panels > 1 else 1.0)
        page_height = capacity + around
    else:
        page_height = _PAGES_MM[settings.page][1] * POINTS_PER_MM
        capacity = page_height - around
        if total <= settings.columns * capacity:  # balance the columns of a single page
            capacity = min(capacity, total / settings.columns + tallest_row)
    panels: list[Panel] = []
    first = 0
    for i, row in enumerate(rows):
        is_last = i == len(rows) - 1
        if is_last or rows[i + 1].bottom - rows[first].top > capacity:
            page, column = divmod(len(panels), settings.columns)
            panels.append(
                Panel(
                    page=page,
                    column=column,
                    first_row=first,
                    last_row=i,
                    top=rows[first].top,
                    bottom=row.bottom,
                )
            )
            first = i + 1
    return tuple(panels), page_height


def _branches(
    tree: Tree, partition: Partition, node_y: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.intp], float | None]:
    n = tree.n_papers
    heights = np.concatenate([np.zeros(n), tree.heights])
    branches = np.empty((n - 1, 4, 2))
    for side, corner, child in ((0, 1, 0), (3, 2, 1)):
        nodes = tree.children[:, child]
        branches[:, side, 0], branches[:, side, 1] = heights[nodes], node_y[nodes]
        branches[:, corner, 0], branches[:, corner, 1] = tree.heights, node_y[nodes]
    group_of = partition.as_mapping()
    codes = np.array([partition.group_names.index(group_of[k]) for k in tree.keys_in_leaf_order])
    change = np.concatenate([[0], np.cumsum(codes[1:] != codes[:-1])])
    starts, sizes = tree.starts[n:], tree.sizes[n:]
    is_joined = change[starts] == change[starts + sizes - 1]
    colours = np.where(is_joined, codes[starts], -1)
    cut_height = None
    if not is_joined.all():
        below = tree.heights[is_joined].max() if is_joined.any() else 0.0
        above = tree.heights[~is_joined].min()
        cut_height = float((below + above) / 2.0) if below < above else None
    return branches, colours, cut_height


def _cluster_bars(partition: Partition, rows: Sequence[Row]) -> tuple[ClusterBar, ...]:
    group_of = partition.as_mapping()
    spans: dict[str, tuple[float, float]] = {}
    for row in rows:
        name = group_of[row.paper_key]
        spans[name] = (spans.get(name, (row.top, 0.0))[0], row.bottom)
    return tuple(
        ClusterBar(
            name=name,
            colour_index=partition.group_names.index(name),
            top=top,
            bottom=bottom,
        )
        for name, (top, bottom) in spans.items()
    )


def _lanes(memberships: Sequence[tuple[str, ...]]) -> list[int]:
    """Give each sub-tree a lane: inside those nested in it, lane 0 for the innermost."""
    sets = [frozenset(keys) for keys in memberships]
    lanes: list[int] = [0] * len(sets)
    for i in sorted(range(len(sets)), key=lambda i: (len(sets[i]), i)):
        taken = {lanes[j] for j in range(len(sets)) if j != i and sets[j] < sets[i]}
        same = {lanes[j] for j in range(i) if sets[j] == sets[i]}
        lane = 0
        while lane in taken or lane in same or any(lane < other for other in taken):
            lane += 1
        lanes[i] = lane
    return lanes


def _brackets(
    tree: Tree,
    names: Sequence[AttachedName],
    node_y: NDArray[np.float64],
    rows: Sequence[Row],
    name_width: float,
    size: float,
) -> tuple[Bracket, ...]:
    lanes = _lanes([name.subtree.paper_keys for name in names])
    brackets = []
    for i, (name, lane) in enumerate(zip(names, lanes, strict=True)):
        node = name.subtree.node
        start, n_papers = int(tree.starts[node]), int(tree.sizes[node])
        code = _letters(i)
        brackets.append(
            Bracket(
                code=code,
                name=name.name,
                paper_keys=name.subtree.paper_keys,
                height=name.subtree.height,
                centre=float(node_y[node]),
                top=rows[start].top,
                bottom=rows[start + n_papers - 1].bottom,
                lane=lane,
                lines=_name_lines(name, code, name_width, size),
            )
        )
    return tuple(brackets)


def name_height(lines: Sequence[str], size: float) -> float:
    """Height of a sub-tree's name beside its bracket, in points."""
    return size * LINE_SPACING * len(lines) + 2.0


def _name_lines(name: AttachedName, code: str, width: float, size: float) -> tuple[str, ...]:
    score = "" if name.jaccard is None else f", J {name.jaccard:.2f}"
    count = f"{len(name.subtree.paper_keys)} papers{score}"
    return (*wrap(f"{code}  {name.name}", width, size), *wrap(count, width, size))


def _letters(i: int) -> str:
    letters = ""
    i += 1
    while i:
        i, rest = divmod(i - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters


def _strips(tree: Tree, taxonomy: Taxonomy) -> tuple[StripColumn, ...]:
    strips = []
    for axis in taxonomy.axes:
        index = {label.name: i for i, label in enumerate(axis.labels)}
        sets = taxonomy.label_sets(axis.name)
        cells = tuple(
            tuple(index[label] for label in sets[key]) if key in sets else None
            for key in tree.keys_in_leaf_order
        )
        labels = tuple(clean(label.title) for label in axis.labels)
        strips.append(StripColumn(title=clean(axis.title), labels=labels, cells=cells))
    return tuple(strips)


def _legend(
    strips: Sequence[StripColumn], has_names: bool, grid: PageGrid, size: float
) -> tuple[tuple[LegendEntry, ...], ...]:
    """Explain cluster bars, codes and strips in lines that fit beside the page number."""
    width = grid.page_width - 2 * _MARGIN_PT - text_width("  page 88 of 88", size)
    parts = ["coloured bars: clusters of the cut (dashed)"]
    if has_names:
        parts.append("circled letters: named sub-trees (papers, J = Jaccard score of the match)")
    lines: list[tuple[LegendEntry, ...]] = [
        (LegendEntry(text=text, swatch=None, x=0.0),)
        for text in wrap("; ".join(parts), width, size)
    ]
    line: list[LegendEntry] = []
    x = 0.0
    for text, swatch in _strip_entries(strips):
        indent = 0.0 if swatch is None else grid.cell_width + 2.5
        for i, piece in enumerate(wrap(text, width - indent, size)):
            needed = indent + text_width(piece, size)
            if line and x + needed > width:
                lines.append(tuple(line))
                line, x = [], 0.0
            line.append(LegendEntry(text=piece, swatch=None if i else swatch, x=x))
            x += needed + 9.0
    return (*lines, tuple(line)) if line else tuple(lines)


def _strip_entries(
    strips: Sequence[StripColumn],
) -> list[tuple[str, tuple[int, int] | None]]:
    entries: list[tuple[str, tuple[int, int] | None]] = [("strips:", None)] if strips else []
    lone = {strip.labels[0] for strip in strips if len(strip.labels) == 1}
    if lone:
        entries.append((" / ".join(sorted(lone)).lower(), (0, 1)))
        entries.append(("does not", (-1, 1)))
    for strip in strips:
        if len(strip.labels) > 1:
            entries.append((f"{strip.title}:", None))
            entries += [(label, (i, len(strip.labels))) for i, label in enumerate(strip.labels)]
    return entries

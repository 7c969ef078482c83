"""All figures of a run of the claims, by the names of their files."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from survey_tools.claims.estimate import estimate_share
from survey_tools.claims.experiment import FindingTable
from survey_tools.claims.ledger import Ledger
from survey_tools.figures.claims_bars import Bar, BarBlock, draw_bars
from survey_tools.figures.claims_curves import RatioCurve, RatioPanel, draw_ratio_panels
from survey_tools.figures.picture_grid import PictureRows, draw_picture_rows
from survey_tools.settings import FigureSettings

__all__ = ["draw_claims"]

_FEWEST_RATIOS = 3  # that make a curve
_INTERVALS = "Bars: 95% intervals over seeds."


def draw_claims(ledger: Ledger, settings: FigureSettings) -> dict[str, list[Figure]]:
    """Draw every figure that the findings have data for, each a list of pages."""
    tables: dict[str, list[FindingTable]] = {}
    for found in ledger.claims:
        for table in found.findings.tables if found.findings else ():
            if table not in tables.setdefault(table.name, []):
                tables[table.name].append(table)
    drawn: dict[str, list[Figure]] = {}
    if panels := [
        *_draw_operations(tables.get("operations", [])),
        *_draw_times(tables.get("times", [])),
    ]:
        drawn["claims-cost"] = [draw_ratio_panels(panels, settings)]
    if found_tables := tables.get("redundancy"):
        drawn["claims-redundancy"] = [
            draw_ratio_panels([_panel_redundancy(table)], settings, note=_INTERVALS)
            for table in found_tables
        ]
    if panels := _curve_scores(tables.get("ratio-curve", [])):
        drawn["claims-ratios"] = [
            draw_ratio_panels([panel], settings, note=_INTERVALS) for panel in panels
        ]
    if found_tables := tables.get("scores"):
        drawn["claims-methods"] = _draw_scores(found_tables, settings)
    if found_tables := tables.get("detectors"):
        drawn["claims-detectors"] = [_draw_detectors(found_tables[0], settings)]
    if pages := _draw_reconstructions(ledger, settings):
        drawn["claims-reconstructions"] = pages
    return drawn


def _draw_reconstructions(ledger: Ledger, settings: FigureSettings) -> list[Figure]:
    """Draw a page for each set of pictures; those of several claims once."""
    grids = {
        grid.title: grid
        for found in ledger.claims
        for grid in (found.findings.pictures if found.findings else ())
    }
    return [
        draw_picture_rows(
            PictureRows(
                title=grid.title,
                row_names=grid.row_names,
                rows=np.array(grid.rows, dtype=np.uint8),
            ),
            settings,
        )
        for grid in grids.values()
    ]


def _curves(rows: Iterable[Sequence[Any]]) -> tuple[RatioCurve, ...]:
    """Make a curve of the rows of each name; a row is (name, ratio, value, low, high)."""
    by_name: dict[str, list[Sequence[Any]]] = {}
    for row in rows:
        by_name.setdefault(str(row[0]), []).append(row)
    return tuple(
        RatioCurve(
            name=name,
            ratios=tuple(row[1] for row in of_name),
            values=tuple(row[2] for row in of_name),
            low=tuple(row[3] for row in of_name),
            high=tuple(row[4] for row in of_name),
        )
        for name, of_name in by_name.items()
    )


def _draw_operations(tables: Sequence[FindingTable]) -> list[RatioPanel]:
    rows: dict[tuple[str, float], Sequence[Any]] = {}
    for table in tables:
        for size, ratio, _, share in table.rows:
            rows.setdefault((size, ratio), (f"ViT, {size}", ratio, share, None, None))
    if not rows:
        return []
    title = "multiply-adds of a forward pass, as a share of computing all patches (counted)"
    return [RatioPanel(title=title, curves=_curves(rows.values()))]


def _draw_times(tables: Sequence[FindingTable]) -> list[RatioPanel]:
    panels = []
    for table in tables:
        rows: list[Sequence[Any]] = []
        for ratio, counted, measured, low, high in table.rows:
            rows.append(("counted", ratio, counted, None, None))
            rows.append(("measured", ratio, measured, low, high))
        panels.append(RatioPanel(title=table.title, curves=_curves(rows)))
    return panels


def _panel_redundancy(table: FindingTable) -> RatioPanel:
    rows = [(f"correlation length {length:g} px", *rest) for length, *rest in table.rows]
    return RatioPanel(title=f"{table.title} (share of their variance)", curves=_curves(rows))


def _curve_scores(tables: Sequence[FindingTable]) -> list[RatioPanel]:
    """Make a panel for each set of data, of the means over most seeds; two ratios are no curve."""
    of_data: dict[str, dict[tuple[str, float], Sequence[Any]]] = {}
    for table in tables:
        rows = of_data.setdefault(table.title, {})
        for row in table.rows:
            place, n_seeds = (row[0], row[1]), row[5]
            if place not in rows or n_seeds > rows[place][5]:
                rows[place] = row
    return [
        RatioPanel(title=title, curves=_curves(rows[place][:5] for place in sorted(rows)))
        for title, rows in of_data.items()
        if len({ratio for _, ratio in rows}) >= _FEWEST_RATIOS
    ]


def _draw_scores(tables: Sequence[FindingTable], settings: FigureSettings) -> list[Figure]:
    """Draw a page for each set of data; an encoder of several claims is drawn once."""
    pages: dict[str, dict[str, dict[str, Bar]]] = {}
    for table in tables:
        blocks = pages.setdefault(table.title, {})
        for encoder, score, mean, low, high, _ in table.rows:
            bar = Bar(name=encoder, value=mean, low=low, high=high)
            blocks.setdefault(score, {}).setdefault(encoder, bar)
    return [
        draw_bars(
            [BarBlock(title=score, bars=tuple(bars.values())) for score, bars in blocks.items()],
            settings,
            title=title,
            unit="score on test images (no unit); lines: 95% intervals over seeds",
        )
        for title, blocks in pages.items()
    ]


def _draw_detectors(table: FindingTable, settings: FigureSettings) -> Figure:
    blocks: dict[str, list[Bar]] = {}
    for signature, runs, n_flagged, n_runs in table.rows:
        flags = [i < n_flagged for i in range(n_runs)]
        share = estimate_share(signature, flags)
        name = f"{runs}: {n_flagged} of {n_runs}"
        bar = Bar(name=name, value=share.value, low=share.low, high=share.high)
        blocks.setdefault(signature, []).append(bar)
    return draw_bars(
        [BarBlock(title=name, bars=tuple(bars)) for name, bars in blocks.items()],
        settings,
        title="Runs that the detectors flag: planted failures and healthy runs",
        unit="share of the runs (no unit); lines: 95% intervals (Clopper and Pearson)",
    )

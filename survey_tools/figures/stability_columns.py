"""The table of named clusters and clusters: its groups of rows, and how wide its columns are."""

from collections.abc import Sequence
from dataclasses import dataclass

from survey_tools.figures.pages import PAD_PT
from survey_tools.figures.scales import Scale, build_scale
from survey_tools.figures.style import clean, text_width
from survey_tools.figures.verdict_marks import verdict_width
from survey_tools.robustness.families import Family
from survey_tools.robustness.stability import TargetStability

__all__ = [
    "StabilityColumns",
    "TargetGroup",
    "divide_stability",
    "group_targets",
]

_NAME_SHARE, _LEAST_NAME_EMS = 0.32, 10.0
_LEAST_TRACK_EMS = 3.5
_TICKS = (0.0, 0.5, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetGroup:
    """Rows under one heading."""

    heading: str
    targets: tuple[TargetStability, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StabilityColumns:
    """Columns of the table, in points from the page's left edge.

    Attributes
    ----------
    families : tuple of family
        Families of runs, a track each.
    n_runs : tuple of int
        Of each family: the most that any row has.
    tracks : tuple of Scale
        Of the mean Jaccard score.
    found_rights : tuple of float
        Right ends of the shares of runs, one beside each track.
    au_right : float or None
        Right end of AU; None where no row has it.
    """

    left: float
    right: float
    name_width: float
    papers_right: float
    verdict_x: float
    families: tuple[Family, ...]
    n_runs: tuple[int, ...]
    tracks: tuple[Scale, ...]
    found_rights: tuple[float, ...]
    au_right: float | None


def group_targets(
    names: Sequence[TargetStability], clusters: Sequence[TargetStability]
) -> tuple[TargetGroup, ...]:
    """Put names and clusters under their headings; what is empty is left out."""
    groups = (
        TargetGroup(heading=f"Named clusters ({len(names):,})", targets=tuple(names)),
        TargetGroup(heading=f"Clusters of the cut ({len(clusters):,})", targets=tuple(clusters)),
    )
    return tuple(group for group in groups if group.targets)


def divide_stability(
    groups: Sequence[TargetGroup],
    families: Sequence[Family],
    size: float,
    *,
    left: float,
    right: float,
) -> StabilityColumns:
    """Divide a width between names, verdicts and families of runs.

    Families that no row has are left out. A width too small for the columns is exceeded:
    ``right`` of what is returned tells.
    """
    targets = [target for group in groups for target in group.targets]
    shown = tuple(name for name in families if any(name in t.families for t in targets))
    has_au = any(target.support is not None for target in targets)
    papers = max(text_width("papers", size), text_width("99,999", size))
    found = PAD_PT + text_width("100 %", size)
    au = 2 * PAD_PT + text_width("0.000", size) if has_au else 0.0
    titles = [clean(target.target.name) for target in targets]
    titles += [group.heading for group in groups]
    longest = max((text_width(title, size) for title in titles), default=0.0) + 1.0
    others = papers + verdict_width(size) + au + 2 * PAD_PT + len(shown) * (2 * PAD_PT + found)
    tracks_width = len(shown) * _LEAST_TRACK_EMS * size
    least_name = min(longest, _LEAST_NAME_EMS * size)
    width = max(right - left, others + tracks_width + least_name)
    name = min(longest, width - others - tracks_width, max(_NAME_SHARE * width, least_name))
    track = (width - others - name) / max(1, len(shown))
    papers_right = left + name + PAD_PT + papers
    x = papers_right + PAD_PT + verdict_width(size)
    tracks, rights = [], []
    for _ in shown:
        x += 2 * PAD_PT
        tracks.append(build_scale(0.0, 1.0, x, x + track, size, ticks=_TICKS))
        x += track + found
        rights.append(x)
    return StabilityColumns(
        left=left,
        right=left + width,
        name_width=name,
        papers_right=papers_right,
        verdict_x=papers_right + PAD_PT,
        families=shown,
        n_runs=tuple(
            max(target.families[name].n_runs for target in targets if name in target.families)
            for name in shown
        ),
        tracks=tuple(tracks),
        found_rights=tuple(rights),
        au_right=x + au if has_au else None,
    )

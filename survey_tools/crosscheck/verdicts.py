"""The cross-check in a few sentences, each with the numbers that it rests on."""

from survey_tools.agreement.covers import MOST_CELLS
from survey_tools.crosscheck.axes import ALPHA, CELLS
from survey_tools.crosscheck.labels import LabelPlace
from survey_tools.crosscheck.whole import Crosscheck, TreeCrosscheck
from survey_tools.errors import abbreviate, count

__all__ = [
    "judge_labels",
    "judge_papers",
    "judge_trees",
    "list_verdicts",
    "name_missing_papers",
    "name_uncompared_sets",
]

_MOST_NAMED = 5


def list_verdicts(crosscheck: Crosscheck) -> tuple[tuple[str, str], ...]:
    """Pair every part of a cross-check with its verdict: the axes, labels, tree, papers.

    What was left out is said, too: label sets after the axes, papers at the end.
    """
    verdicts = [(axis.title, axis.verdict) for axis in crosscheck.axes]
    if crosscheck.uncompared_sets:
        verdicts.append(("Label sets", name_uncompared_sets(crosscheck)))
    if crosscheck.labels:
        verdicts.append(("Labels in the tree", judge_labels(crosscheck)))
    if crosscheck.trees is not None:
        verdicts.append(("The tree as a whole", judge_trees(crosscheck.trees)))
    if crosscheck.papers:
        verdicts.append(("Single papers", judge_papers(crosscheck)))
    if crosscheck.missing_keys:
        verdicts.append(("Filed, not clustered", name_missing_papers(crosscheck)))
    return tuple(verdicts)


def name_uncompared_sets(crosscheck: Crosscheck) -> str:
    """Say which axes have too many label sets to be held against the clusters."""
    titles = {axis.name: axis.title for axis in crosscheck.axes}
    named = "; ".join(
        f"{titles[name]} ({n_pairs:,} pairs of a cluster and a label set)"
        for name, n_pairs in crosscheck.uncompared_sets.items()
    )
    return (
        f"No Omega, BCubed, overlapping NMI or element-centric similarity of {named}: at most "
        f"{MOST_CELLS:,} pairs are compared, as every relabelling goes by all of them. The table "
        "of label sets (overlap) lacks these rows; fewer clusters or labels bring them back."
    )


def name_missing_papers(crosscheck: Crosscheck) -> str:
    """Say which papers the taxonomy files that are not among the clustered ones."""
    missing = crosscheck.missing_keys
    files = count(len(missing), "paper")
    are = "is not clustered and takes" if len(missing) == 1 else "are not clustered and take"
    return f"The taxonomy files {files} that {are} no part: {abbreviate(missing)}."


def judge_labels(crosscheck: Crosscheck) -> str:
    """Say which labels have a sub-tree of their own beyond chance."""
    places = crosscheck.labels
    n_cells = sum(place.axis == CELLS for place in places)
    if n_cells == len(places):  # the cell of papers without any label, which holds all of them
        return "No paper carries a label: there is none to look for in the tree."
    what = f"{count(len(places) - n_cells, 'label')} and {count(n_cells, 'cell')}"
    best = max(places, key=lambda place: place.f1)
    if any(place.q_value is None for place in places):
        placed = f"{_name(best)} (F1 {best.f1:.2f})"
        return f"Not tested against chance; of {what} the best placed is {placed}."
    found = [place for place in places if (place.q_value or 0.0) <= ALPHA]
    n_nodes = len({node.node for node in crosscheck.enriched})
    nodes_hold = f"{count(n_nodes, 'sub-tree')} {'holds' if n_nodes == 1 else 'hold'}"
    beyond = f"{nodes_hold} more papers of some label than chance puts there."
    if not found:
        first = places[0]
        return (
            f"Of {what} none has a sub-tree that fits it better than chance; the surest is "
            f"{_name(first)} (F1 {first.f1:.2f}, {first.chance:.2f} by chance, "
            f"q = {first.q_value:.2g}). {beyond}"
        )
    named = "; ".join(f"{_name(place)} (F1 {place.f1:.2f})" for place in found[:_MOST_NAMED])
    more = f"; {len(found) - _MOST_NAMED} more" if len(found) > _MOST_NAMED else ""
    have = "has a sub-tree that fits it" if len(found) == 1 else "have a sub-tree that fits them"
    return f"{len(found)} of {what} {have} better than chance: {named}{more}. {beyond}"


def _name(place: LabelPlace) -> str:
    """Print a label or a cell; a cell may have a label's title."""
    return f"{place.title} (cell)" if place.axis == CELLS else place.title


def judge_trees(trees: TreeCrosscheck) -> str:
    """Say whether papers that the tree joins early carry similar labels."""
    correlation = trees.agreement.index("cophenetic correlation")
    value = f"cophenetic correlation {correlation.value:z.3f}"
    entangled = (
        f"entanglement {trees.untangled.after:.2f} after turning branches "
        f"({trees.untangled.before:.2f} before)"
    )
    if correlation.p_value is None:
        return f"Not tested against chance: {value}; {entangled}."
    said = f"{value}, p = {correlation.p_value:.2g}; {entangled}"
    if correlation.p_value > ALPHA:
        return (
            f"Papers that the tree joins early carry no more similar labels than others ({said})."
        )
    return f"Papers that the tree joins early carry more similar labels than others ({said})."


def judge_papers(crosscheck: Crosscheck) -> str:
    """Say how many filings the nearest papers contradict beyond chance.

    A filing, a paper on an axis, is contradicted where any label of the axis is: one that the
    paper carries, or one that it lacks. The false discovery rate is one of pairs of a paper and
    a label, as q-values are adjusted over all of them (Benjamini-Hochberg).
    """
    papers = crosscheck.papers
    n_beyond = sum(each.least_q_value <= ALPHA for each in papers)
    of_all = count(len(papers), "filing")
    if not n_beyond:
        return (
            f"Of {of_all} (a paper on an axis) the nearest papers contradict none beyond chance "
            f"(least q = {min(each.least_q_value for each in papers):.2g}); the list orders what "
            "to read first and proves no error."
        )
    return (
        f"The nearest papers contradict {n_beyond} of {of_all} (a paper on an axis) beyond chance "
        f"(q <= {ALPHA} for a label of the axis, adjusted over all papers and labels); the list "
        "says which to read first."
    )

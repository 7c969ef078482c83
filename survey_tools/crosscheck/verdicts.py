"""The cross-check in a few sentences, each with the numbers that it rests on."""

from survey_tools.crosscheck.axes import ALPHA, CELLS
from survey_tools.crosscheck.whole import Crosscheck, TreeCrosscheck
from survey_tools.errors import count

__all__ = ["judge_labels", "judge_papers", "judge_trees", "list_verdicts"]

_MOST_NAMED = 5


def list_verdicts(crosscheck: Crosscheck) -> tuple[tuple[str, str], ...]:
    """Pair every part of a cross-check with its verdict: the axes, labels, tree, papers."""
    verdicts = [(axis.title, axis.verdict) for axis in crosscheck.axes]
    if crosscheck.labels:
        verdicts.append(("Labels in the tree", judge_labels(crosscheck)))
    if crosscheck.trees is not None:
        verdicts.append(("The tree as a whole", judge_trees(crosscheck.trees)))
    if crosscheck.papers:
        verdicts.append(("Single papers", judge_papers(crosscheck)))
    return tuple(verdicts)


def judge_labels(crosscheck: Crosscheck) -> str:
    """Say which labels have a sub-tree of their own beyond chance."""
    places = crosscheck.labels
    n_cells = sum(place.axis == CELLS for place in places)
    what = f"{count(len(places) - n_cells, 'label')} and {count(n_cells, 'cell')}"
    best = max(places, key=lambda place: place.f1)
    if any(place.q_value is None for place in places):
        placed = f"{best.title} (F1 {best.f1:.2f})"
        return f"Not tested against chance; of {what} the best placed is {placed}."
    found = [place for place in places if (place.q_value or 0.0) <= ALPHA]
    n_nodes = count(len({node.node for node in crosscheck.enriched}), "sub-tree")
    beyond = f"{n_nodes} hold more papers of some label than chance puts there."
    if not found:
        first = places[0]
        return (
            f"Of {what} none has a sub-tree that fits it better than chance; the surest is "
            f"{first.title} (F1 {first.f1:.2f}, {first.chance:.2f} by chance, "
            f"q = {first.q_value:.2g}). {beyond}"
        )
    named = "; ".join(f"{place.title} (F1 {place.f1:.2f})" for place in found[:_MOST_NAMED])
    more = f"; {len(found) - _MOST_NAMED} more" if len(found) > _MOST_NAMED else ""
    return (
        f"{len(found)} of {what} have a sub-tree that fits them better than chance: {named}{more}. "
        f"{beyond}"
    )


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
    """Say how many filings the nearest papers contradict beyond chance."""
    papers = crosscheck.papers
    n_beyond = sum(each.q_value <= ALPHA for each in papers)
    of_all = count(len(papers), "filing")
    if not n_beyond:
        return (
            f"Of {of_all} (a paper on an axis) the nearest papers contradict none beyond chance "
            f"(least q = {min(each.q_value for each in papers):.2g}); the list orders what to read "
            "first and proves no error."
        )
    return (
        f"The nearest papers contradict {n_beyond} of {of_all} (a paper on an axis) beyond chance "
        f"(q <= {ALPHA}); the list says which to read first."
    )

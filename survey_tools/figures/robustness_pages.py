"""All figures of a robustness run, by the names of their files."""

from matplotlib.figure import Figure

from survey_tools.figures.choices_figure import draw_choices
from survey_tools.figures.consensus_figure import draw_consensus
from survey_tools.figures.nulls_figure import draw_nulls
from survey_tools.figures.numbers_figure import draw_numbers, has_numbers
from survey_tools.figures.robustness_card import draw_card
from survey_tools.figures.stability_figure import draw_stability
from survey_tools.partition import Partition
from survey_tools.robustness.card import RobustnessCard
from survey_tools.settings import FigureSettings

__all__ = ["draw_robustness"]


def draw_robustness(
    card: RobustnessCard, partition: Partition, settings: FigureSettings
) -> dict[str, list[Figure]]:
    """Draw every figure that a robustness run has the data for, each a list of pages.

    Choices have a page a design and response, the one of the card first.
    """
    found = card.result
    drawn = {"robustness-card": [draw_card(card, settings)]}
    told = [x for x in found.influences if x.influence.method != "none"]
    if told:
        told.sort(key=lambda x: x is not card.influence)
        drawn["choices"] = [draw_choices(x, settings) for x in told]
    if has_numbers(found.numbers):
        drawn["numbers"] = [draw_numbers(found.numbers, found.own.n_clusters, settings)]
    if found.consensus_tree is not None:
        drawn["consensus"] = [
            draw_consensus(
                found.consensus_tree,
                found.coassociation,
                found.paper_keys,
                partition,
                settings,
                n_runs=found.n_coassociated,
            )
        ]
    if found.targets:
        drawn["stability"] = draw_stability(card, settings)
    if found.nulls:
        drawn["nulls"] = [draw_nulls(found.nulls, settings)]
    return drawn

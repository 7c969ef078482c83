"""Layouts with the names of sub-trees in a style of choice, for several tests."""

from collections.abc import Mapping, Sequence
from typing import Any

from examples import make_layout

from survey_tools.corpus import Corpus
from survey_tools.figures.layout import DendrogramLayout, layout_dendrogram
from survey_tools.paper import Paper
from survey_tools.settings import FigureSettings
from survey_tools.taxonomy import Taxonomy
from survey_tools.tree import Tree


def make_named_layout(
    tree: Tree,
    names: Mapping[str, Sequence[str]],
    names_style: str,
    *,
    titles: Sequence[str] | None = None,
    n_clusters: int | None = None,
    taxonomy: Taxonomy | None = None,
    **settings: Any,
) -> DendrogramLayout:
    """Lay out a tree whose named sub-trees are shown as ``figures.names`` says."""
    _, partition, attached = make_layout(tree, n_clusters=n_clusters, names=names)
    titles = titles or [f"Title of paper {key}" for key in tree.paper_keys]
    papers = [Paper(key=k, title=t) for k, t in zip(tree.paper_keys, titles, strict=True)]
    return layout_dendrogram(
        tree,
        Corpus(tuple(papers)),
        partition,
        FigureSettings.model_validate({"names": names_style, **settings}),
        names=attached,
        taxonomy=taxonomy,
    )

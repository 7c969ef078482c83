"""What several tests draw on: a survey folder of six papers, random trees, drawn texts."""

import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from survey_tools.corpus import Corpus
from survey_tools.cuts import cut, cut_at_height
from survey_tools.figures.layout import DendrogramLayout, layout_dendrogram
from survey_tools.figures.style import figure_style
from survey_tools.paper import Paper
from survey_tools.partition import Partition
from survey_tools.settings import FigureSettings
from survey_tools.subtrees import AttachedName, SubtreeFile, SubtreeName, attach_names
from survey_tools.taxonomy import Taxonomy
from survey_tools.tree import Tree

# Three pairs: masked pixels, contrastive views, video tubes. No word is shared by two pairs.
SIX_PAPERS: tuple[dict[str, Any], ...] = (
    {
        "key": "pixel2021a",
        "title": "Masked pixel reconstruction",
        "abstract": "Masked pixel reconstruction of hidden patches.",
        "authors": ["Ada Ames"],
        "year": 2021,
        "venue": "CVPR",
        "url": "https://example.org/pixel2021a",
    },
    {
        "key": "pixel2022b",
        "title": "Pixel reconstruction of masked patches",
        "abstract": "Pixel reconstruction, masked patches, again.",
        "authors": ["Bo Berg", "Cy Cole"],
        "year": 2022,
    },
    {
        "key": "view2021c",
        "title": "Contrastive views",
        "digest": "Contrastive views of one scene are pulled together.",
        "authors": ["Di Dale", "Ed East", "Flo Fox"],
        "year": 2021,
    },
    {
        "key": "view2023d",
        "title": "Learning contrastive views",
        "digest": "Contrastive views, learning, one scene.",
        "year": 2023,
    },
    {"key": "tube2022e", "title": "Video tube transformer", "year": 2022},
    {"key": "tube2023f", "title": "Video tube masking transformer"},
)

TAXONOMY: dict[str, Any] = {
    "axes": {
        "what": {
            "title": "What is hidden",
            "labels": {"pixels": {}, "views": {"title": "Views of a scene"}, "tubes": {}},
        },
        "learnt": {"title": "Is learnt", "labels": {"contributes": {"title": "Contributes"}}},
    },
    "papers": {
        "pixel2021a": {"what": ["pixels"]},
        "pixel2022b": {"what": ["pixels"], "learnt": ["contributes"]},
        "view2021c": {"what": ["views"]},
        "view2023d": {"what": ["views", "pixels"], "learnt": ["contributes"]},
        "tube2022e": {"what": ["tubes"]},
    },
}

SUBTREES: dict[str, Any] = {
    "names": [
        {"name": "pixels", "papers": ["pixel2021a", "pixel2022b"]},
        {"name": "moving pictures", "anchors": ["tube2022e", "tube2023f"]},
    ]
}

SETTINGS: dict[str, Any] = {
    "title": "Six papers",
    "clustering": {"cut": {"n_clusters": 3}},
    "crosscheck": {"n_permutations": 50, "n_resamples": 50, "unfiled": "leave-out"},
    "figures": {"png_dpi": 50},
}


def make_survey(
    folder: Path,
    *,
    papers: Sequence[Mapping[str, Any]] = SIX_PAPERS,
    settings: Mapping[str, Any] | None = None,
    taxonomy: Mapping[str, Any] | None = TAXONOMY,
    subtrees: Mapping[str, Any] | None = SUBTREES,
) -> Path:
    """Write a survey folder; ``settings`` replace whole groups of the default ones."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps(paper, ensure_ascii=False) + "\n" for paper in papers]
    (folder / "papers.jsonl").write_text("".join(lines), encoding="utf-8")
    written = {**SETTINGS, **(settings or {})}
    for name, content in (("taxonomy", taxonomy), ("subtrees", subtrees)):
        if content is not None:
            written[name] = f"{name}.yaml"
            _write_yaml(folder / f"{name}.yaml", content)
    _write_yaml(folder / "survey.yaml", written)
    return folder


def _write_yaml(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(yaml.safe_dump(dict(content), sort_keys=False), encoding="utf-8")


def make_tree(n_papers: int, seed: int = 0, *, has_inversions: bool = False) -> Tree:
    """Merge papers ``p0``, ``p1``, … at random; heights rise unless inversions are asked."""
    rng = np.random.default_rng(seed)
    nodes = list(range(n_papers))
    children = []
    for i in range(n_papers - 1):
        first, second = (nodes.pop(int(rng.integers(len(nodes)))) for _ in range(2))
        children.append((first, second))
        nodes.append(n_papers + i)
    heights = rng.uniform(0.1, 2.0, n_papers - 1)
    return Tree(
        paper_keys=tuple(f"p{i}" for i in range(n_papers)),
        children=np.array(children),
        heights=heights if has_inversions else np.sort(heights),
        linkage="centroid" if has_inversions else "ward",
        metric="euclidean",
    )


def make_layout(
    tree: Tree,
    titles: Sequence[str] | None = None,
    *,
    n_clusters: int | None = None,
    cut_height: float | None = None,
    names: Mapping[str, Sequence[str]] | None = None,
    taxonomy: Taxonomy | None = None,
    **settings: Any,
) -> tuple[DendrogramLayout, Partition, tuple[AttachedName, ...]]:
    """Lay out a tree whose i-th paper key has the i-th title; names by their papers.

    Without ``n_clusters`` the tree is cut at ``cut_height``, else at half its height.
    """
    titles = titles or [f"Title of paper {key}" for key in tree.paper_keys]
    papers = [Paper(key=k, title=t) for k, t in zip(tree.paper_keys, titles, strict=True)]
    if n_clusters is None:
        height = tree.heights.max() / 2 if cut_height is None else cut_height
        partition = cut_at_height(tree, height)
    else:
        partition = cut(tree, n_clusters)
    file = SubtreeFile(
        min_jaccard=0.01,
        names=tuple(SubtreeName(name=n, papers=tuple(k)) for n, k in (names or {}).items()),
    )
    attached = attach_names(tree, file)
    layout = layout_dendrogram(
        tree,
        Corpus(tuple(papers)),
        partition,
        FigureSettings(**settings),
        names=attached,
        taxonomy=taxonomy,
    )
    return layout, partition, attached


@st.composite
def trees(draw: st.DrawFn, *, max_papers: int = 12) -> Tree:
    """Random trees over 2 papers or more, with or without inversions."""
    n_papers = draw(st.integers(2, max_papers))
    return make_tree(n_papers, draw(st.integers(0, 10_000)), has_inversions=draw(st.booleans()))


def drawn_texts(figure: Figure) -> dict[Text, Bbox]:
    """Render a page with Agg; return every visible text with its extent in points."""
    with figure_style(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph [\\s\\S]* missing from font")
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        renderer = canvas.get_renderer()  # type: ignore[no-untyped-call]
        return {
            text: text.get_window_extent(renderer)
            for text in _visible_texts(figure)
            if text.get_visible() and text.get_text().strip()
        }


def _visible_texts(figure: Figure) -> Iterator[Text]:
    yield from figure.texts
    for ax in figure.axes:
        yield from ax.texts
        if ax.axison:
            yield ax.xaxis.label
            yield ax.yaxis.label
            for axis, limits in ((ax.xaxis, ax.get_xlim()), (ax.yaxis, ax.get_ylim())):
                for tick in axis.get_major_ticks():
                    if min(limits) <= tick.get_loc() <= max(limits):
                        yield from (tick.label1, tick.label2)


def leaf_texts(figure: Figure) -> dict[str, Text]:
    """Return the leaf labels of a page by paper key."""
    found = {}
    for ax in figure.axes:
        for text in ax.texts:
            gid = text.get_gid() or ""
            if gid.startswith("leaf-"):
                assert gid not in found, f"{gid} is drawn twice on one page"
                found[gid.removeprefix("leaf-")] = text
    return found


def clipped(figure: Figure, *, tolerance: float = 0.5) -> list[str]:
    """Return the texts that reach beyond the page."""
    width, height = figure.get_size_inches() * 72.0
    return [
        f"{text.get_text()!r} at {box.extents.round(1)} of {width:.0f} x {height:.0f}"
        for text, box in drawn_texts(figure).items()
        if box.x0 < -tolerance
        or box.y0 < -tolerance
        or box.x1 > width + tolerance
        or box.y1 > height + tolerance
    ]


def overlapping(boxes: Mapping[Text, Bbox], *, tolerance: float = 0.5) -> list[str]:
    """Return the pairs of texts whose extents overlap by more than a hair."""
    items = list(boxes.items())
    found = []
    for i, (text, a) in enumerate(items):
        for other, b in items[i + 1 :]:
            across = min(a.x1, b.x1) - max(a.x0, b.x0)
            along = min(a.y1, b.y1) - max(a.y0, b.y0)
            if across > tolerance and along > tolerance:
                found.append(f"{text.get_text()!r} and {other.get_text()!r}")
    return found

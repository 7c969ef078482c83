"""The heat map: similarities in leaf order, blocks of many papers, robust colours, boundaries."""

from typing import Any

import numpy as np
import pytest
from examples import clipped, drawn_texts, make_layout, make_tree, overlapping, trees
from hypothesis import given
from numpy.typing import NDArray

from survey_tools.corpus import Corpus
from survey_tools.cuts import cut
from survey_tools.errors import ParameterError
from survey_tools.figures.heat_map import HeatMapLayout, layout_heat_map, plot_heat_map
from survey_tools.figures.similarity_image import build_similarity_image
from survey_tools.paper import Paper
from survey_tools.settings import FigureSettings
from survey_tools.tree import Tree

# leaf order c, a, b
THREE = Tree(
    paper_keys=("a", "b", "c"),
    children=np.array([[2, 0], [3, 1]]),
    heights=np.array([1.0, 2.5]),
    linkage="average",
    metric="cosine",
)
SIMILARITY = np.array([[1.0, 0.2, 0.7], [0.2, 1.0, 0.1], [0.7, 0.1, 1.0]])


def make_similarity(n_papers: int, seed: int = 0) -> NDArray[np.float64]:
    rows = np.random.default_rng(seed).random((n_papers, 5))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows @ rows.T)


def lay_out(
    tree: Tree,
    similarity: Any = None,
    *,
    n_clusters: int = 2,
    names: dict[str, tuple[str, ...]] | None = None,
    corpus: Corpus | None = None,
    quantity: str = "cosine similarity (no unit)",
    **settings: Any,
) -> HeatMapLayout:
    attached = make_layout(tree, names=names)[2] if names else ()
    return layout_heat_map(
        tree,
        make_similarity(tree.n_papers) if similarity is None else similarity,
        cut(tree, n_clusters),
        FigureSettings(**settings),
        names=attached,
        corpus=corpus,
        quantity=quantity,
    )


def test_the_matrix_stands_in_leaf_order() -> None:
    """Rows and columns follow the leaves c, a, b, whatever the order of the papers."""
    image = build_similarity_image(THREE, SIMILARITY)
    np.testing.assert_allclose(image.pixels, [[1.0, 0.7, 0.1], [0.7, 1.0, 0.2], [0.1, 0.2, 1.0]])
    assert image.edges.tolist() == [0, 1, 2, 3]


@given(trees())
def test_a_pixel_holds_the_similarity_of_its_leaves(tree: Tree) -> None:
    """The pixel of two leaves is what the matrix says of their keys."""
    similarity = make_similarity(tree.n_papers)
    image = build_similarity_image(tree, similarity)
    place = {key: i for i, key in enumerate(tree.paper_keys)}
    for i, row_key in enumerate(tree.keys_in_leaf_order):
        for j, column_key in enumerate(tree.keys_in_leaf_order):
            assert image.pixels[i, j] == similarity[place[row_key], place[column_key]]


def test_many_papers_are_averaged_in_blocks_of_leaves() -> None:
    """Seven leaves in three pixels: blocks of 2, 2 and 3 leaves, each the mean of its pairs."""
    tree = make_tree(7, seed=2)
    similarity = make_similarity(7)
    image = build_similarity_image(tree, similarity, most_pixels=3)
    assert image.edges.tolist() == [0, 2, 4, 7]
    ordered = similarity[np.ix_(tree.leaf_order, tree.leaf_order)]
    for i, j in np.ndindex(3, 3):
        block = ordered[image.edges[i] : image.edges[i + 1], image.edges[j] : image.edges[j + 1]]
        assert image.pixels[i, j] == pytest.approx(block.mean())


def test_a_provider_is_asked_for_blocks_and_gives_the_same_image() -> None:
    """What returns blocks is as good as the matrix, and is never asked for all of a large one."""
    n = 3000
    tree = make_tree(n, seed=1)
    rows = np.random.default_rng(0).random((n, 3)).astype(np.float64)
    asked: list[int] = []

    def provide(i: NDArray[np.intp], j: NDArray[np.intp]) -> NDArray[np.float64]:
        asked.append(len(i) * len(j))
        return np.asarray(rows[i] @ rows[j].T)

    image = build_similarity_image(tree, provide, most_pixels=50)
    whole = build_similarity_image(tree, rows @ rows.T, most_pixels=50)
    np.testing.assert_allclose(image.pixels, whole.pixels)
    assert sum(asked) == n * n
    assert max(asked) <= 2**23


def test_colours_end_at_the_99th_percentile_off_the_diagonal() -> None:
    """A lone outlier and the ones of the diagonal do not wash out the rest."""
    n = 60
    similarity = np.full((n, n), 0.1)
    np.fill_diagonal(similarity, 1.0)
    similarity[3, 7] = similarity[7, 3] = 0.9
    similarity[:20, :20] += 0.1
    image = build_similarity_image(make_tree(n), similarity)
    assert (image.low, image.high) == (0.0, pytest.approx(0.2))
    layout = lay_out(make_tree(n), similarity)
    legend = " ".join(line for text in layout.texts for line in text.lines)
    assert "colours from 0 to 0.2, the 99th percentile" in legend


def test_negative_similarities_widen_the_colours_downwards() -> None:
    """Where the 1st percentile is below 0 the colours begin there, and the legend says so."""
    similarity = np.linspace(-0.5, 0.5, 40 * 40).reshape(40, 40)
    layout = lay_out(make_tree(40), similarity)
    assert layout.image.low == pytest.approx(-0.49, abs=0.01)
    legend = " ".join(line for text in layout.texts for line in text.lines)
    assert f"from {layout.image.low:.3g}, the 1st percentile, to" in legend


@pytest.mark.parametrize("value", [0.0, 0.3])
def test_equal_similarities_have_colours_too(value: float) -> None:
    """A matrix of one value still has an upper end above the lower."""
    image = build_similarity_image(make_tree(5), np.full((5, 5), value))
    assert image.low < image.high


def test_rows_of_the_matrix_stand_beside_their_leaves() -> None:
    """Branches end in the middle of their row, and the matrix is square."""
    layout = lay_out(THREE, SIMILARITY)
    middles = (layout.edges[1:] + layout.edges[:-1]) / 2
    ends = layout.segments[(layout.segments[:, :, 0].max(axis=1) >= layout.leaf_x - 0.06)]
    np.testing.assert_allclose(sorted(ends[:, 0, 1]), middles, atol=0.051)
    assert layout.matrix_x > layout.leaf_x
    assert layout.matrix_x + layout.edges[-1] - layout.edges[0] < layout.width


def test_boundaries_of_clusters_cross_the_matrix() -> None:
    """Each boundary is a line across and a line down at the first leaf of the next cluster."""
    layout = lay_out(THREE, SIMILARITY)  # clusters: c and a; b
    top, bottom = layout.edges[[0, 3]]
    y, x = layout.edges[2], layout.matrix_x + layout.edges[2] - top
    right = layout.matrix_x + bottom - top
    np.testing.assert_allclose(
        layout.boundaries, [[(layout.matrix_x, y), (right, y)], [(x, top), (x, bottom)]]
    )


def test_boundaries_of_very_many_clusters_are_squares_on_the_diagonal() -> None:
    """Lines that would hide the matrix give way to one square a cluster."""
    layout = lay_out(make_tree(600), n_clusters=300)
    assert len(layout.boundaries) == 300
    for square in layout.boundaries:
        width, height = np.ptp(square, axis=0)
        assert width == pytest.approx(height)


def test_few_leaves_are_labelled_by_key_or_as_the_corpus_says() -> None:
    """Without a corpus the key is written; many leaves have no labels."""
    tree = make_tree(12)
    corpus = Corpus(tuple(Paper(key=k, title=f"On {k}") for k in tree.paper_keys))
    for given_corpus, form in ((None, "{}"), (corpus, "On {}")):
        layout = lay_out(tree, corpus=given_corpus)
        labels = [text.lines[0] for text in layout.texts if text.gid.startswith("leaf-")]
        assert labels == [form.format(key) for key in tree.keys_in_leaf_order]
    assert not [text for text in lay_out(make_tree(200)).texts if text.gid.startswith("leaf-")]


@pytest.mark.parametrize("page", ["tall", "a4", "letter"])
@pytest.mark.parametrize("n_papers", [2, 30, 400])
def test_no_text_overlaps_another_or_leaves_the_page(page: str, n_papers: int) -> None:
    """Names, labels, both axes and the legend keep apart."""
    tree = make_tree(n_papers, seed=4)
    nodes = list(tree.subtrees())
    names = {f"a name of node {i}": n.paper_keys for i, n in enumerate(nodes[-1 :: -n_papers // 7])}
    layout = lay_out(
        tree,
        n_clusters=min(n_papers, 25),
        names=names,
        page=page,
        quantity="cosine similarity of sublinear-tf-idf rows of title and abstract (no unit)",
    )
    figure = plot_heat_map(layout)
    assert overlapping(drawn_texts(figure)) == []
    assert clipped(figure) == []


def test_the_colour_bar_names_quantity_metric_and_unit() -> None:
    """What the caller says of the similarities is the title of the colour bar."""
    figure = plot_heat_map(lay_out(THREE, SIMILARITY, quantity="Jaccard similarity (no unit)"))
    assert "Jaccard similarity (no unit)" in {text.get_text() for text in drawn_texts(figure)}


def test_the_legend_says_how_many_are_named() -> None:
    """Where names do not all fit, the largest are written and the legend tells how many."""
    layout = lay_out(make_tree(400), n_clusters=200)
    named = {text.lines[0] for text in layout.texts} & {f"C{i}" for i in range(1, 201)}
    legend = " ".join(line for text in layout.texts for line in text.lines)
    assert f"200 clusters of the cut, the {len(named)} largest named" in legend
    assert "largest named" not in " ".join(
        line for text in lay_out(THREE, SIMILARITY).texts for line in text.lines
    )


def test_a_matrix_of_another_shape_is_refused() -> None:
    """The message says what arrived and what is needed."""
    with pytest.raises(ParameterError, match=r"shape \(2, 3\) arrived for 3 papers; it must be"):
        lay_out(THREE, np.zeros((2, 3)))


def test_a_similarity_that_is_no_number_is_refused() -> None:
    """A paper without terms has no cosine."""
    similarity = SIMILARITY.copy()
    similarity[0, 1] = np.nan
    with pytest.raises(ParameterError, match="1 similarities are not finite numbers"):
        lay_out(THREE, similarity)


def test_a_provider_that_returns_another_shape_is_refused() -> None:
    """Whole rows where a block of given columns was asked would be drawn on wrong papers."""
    with pytest.raises(ParameterError, match=r"block .* \(3, 2\) arrived where \(3, 3\) was asked"):
        lay_out(THREE, lambda *_: np.zeros((3, 2)))

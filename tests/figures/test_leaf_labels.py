"""What is written at a leaf: titles, keys, authors and numbers of the right paper."""

import pytest

from survey_tools.corpus import Corpus
from survey_tools.figures.leaf_labels import break_label, label_texts
from survey_tools.figures.style import text_width
from survey_tools.paper import Paper
from survey_tools.settings import FigureSettings

CORPUS = Corpus(
    (
        Paper(key="b", title="Second by key", authors=("Bo Berg", "Cy Cole"), year=2022),
        Paper(key="a", title="", digest="text"),
        Paper(key="c", title="A third", authors=("Di Dale",), year=2020),
    )
)


@pytest.mark.parametrize(
    ("leaf_label", "expected"),
    [
        ("title", ["A third", "Second by key", "a"]),
        ("short-title", ["A third", "Second by key", "a"]),
        ("key", ["c", "b", "a"]),
        ("author-year", ["Dale (2020)", "Berg and Cole (2022)", "a"]),
        ("number", ["[3]", "[1]", "[2]"]),
        ("number-title", ["[3] A third", "[1] Second by key", "[2] a"]),
    ],
)
def test_each_label_is_of_its_own_paper(leaf_label: str, expected: list[str]) -> None:
    """Numbers count the corpus, whatever the order of the leaves."""
    settings = FigureSettings.model_validate({"leaf_label": leaf_label})
    texts = label_texts(CORPUS, ["c", "b", "a"], settings)
    assert texts == dict(zip("cba", expected, strict=True))


def test_a_short_title_is_one_line_cut_at_a_word() -> None:
    """What does not fit is replaced by an ellipsis; the line is no wider than its room."""
    settings = FigureSettings(leaf_label="short-title")
    title = "Masked image modeling of hidden patches in long videos"
    (line,) = break_label(title, settings, 100.0, 6.5)
    assert line.endswith("…")
    assert title.startswith(line[:-1] + " ")
    assert text_width(line, 6.5) <= 100.0


def test_a_whole_title_goes_on_in_the_next_line() -> None:
    """Nothing of a title is lost where titles are not cut."""
    title = "Masked image modeling of hidden patches in long videos"
    lines = break_label(title, FigureSettings(), 100.0, 6.5)
    assert len(lines) > 1
    assert " ".join(lines) == title

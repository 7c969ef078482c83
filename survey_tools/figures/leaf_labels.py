"""Labels of leaves: what is written at a paper, and on how many lines."""

from collections.abc import Sequence

from survey_tools.corpus import Corpus
from survey_tools.figures.style import clean, shorten, wrap
from survey_tools.settings import FigureSettings

__all__ = ["break_label", "label_texts"]

_ONE_LINE = ("short-title",)


def label_texts(corpus: Corpus, keys: Sequence[str], settings: FigureSettings) -> dict[str, str]:
    """Write the label of every paper, in the order of ``keys``.

    A paper's number is its place in the corpus, from 1; the table of papers resolves it.
    A paper without a title is labelled by its key.
    """
    numbers = {key: f"[{i}]" for i, key in enumerate(corpus.keys, start=1)}
    texts = {}
    for key in keys:
        paper = corpus[key]
        title = clean(paper.title) or key
        texts[key] = {
            "title": title,
            "short-title": title,
            "key": key,
            "author-year": clean(paper.author_year) or key,
            "number": numbers[key],
            "number-title": f"{numbers[key]} {title}",
        }[settings.leaf_label]
    return texts


def break_label(
    text: str, settings: FigureSettings, width_pt: float, size_pt: float
) -> tuple[str, ...]:
    """Break a label into lines no wider than ``width_pt``; a short title is cut to one."""
    if settings.leaf_label in _ONE_LINE:
        return (shorten(text, width_pt, size_pt),)
    return wrap(text, width_pt, size_pt)

"""Verdicts as marks: a shape, a colour and a word each, so that one of them always tells."""

from survey_tools.figures.marks import Dot, DotShape, Marks
from survey_tools.figures.sheet import PlacedText
from survey_tools.figures.style import MUTED, PALETTE, text_width

__all__ = ["look_of", "mark_verdict", "verdict_width"]

_LOOKS: dict[str, tuple[DotShape, str, str]] = {
    "robust": ("full", PALETTE[0], "robust"),
    "fragile": ("half", PALETTE[4], "fragile"),
    "vanished": ("open", PALETTE[1], "vanished"),
    "not in the reference": ("cross", MUTED, "not in the tree"),
    "not tested": ("dash", MUTED, "not tested"),
}
_TEXT_EMS = 1.4  # from the left end of the mark to the word


def look_of(verdict: str) -> tuple[DotShape, str]:
    """Return the shape and the colour of a verdict."""
    shape, colour, _ = _LOOKS[verdict]
    return shape, colour


def verdict_width(size: float) -> float:
    """Width of the longest verdict with its mark, in points."""
    return _TEXT_EMS * size + max(text_width(word, size) for *_, word in _LOOKS.values())


def mark_verdict(verdict: str, x: float, y: float, size: float) -> Marks:
    """Draw the mark of a verdict with its word, from ``x`` rightwards."""
    shape, colour, word = _LOOKS[verdict]
    dot = Dot(x=x + 0.5 * size, y=y, shape=shape, colour=colour, size=0.8 * size)
    text = PlacedText(lines=(word,), x=x + _TEXT_EMS * size, y=y, size=size)
    return Marks(dots=(dot,), texts=(text,))

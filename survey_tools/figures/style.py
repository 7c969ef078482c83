"""What all figures share: palette, text measuring, and saving the same bytes every time."""

import io
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_pdf import FigureCanvasPdf, PdfPages
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

from survey_tools.settings import FigureSettings

__all__ = [
    "INK",
    "LINE_SPACING",
    "MUTED",
    "PALETTE",
    "POINTS_PER_INCH",
    "POINTS_PER_MM",
    "clean",
    "figure_style",
    "render_svg",
    "save_figure",
    "shorten",
    "text_width",
    "wrap",
]

logger = logging.getLogger(__name__)

LINE_SPACING = 1.2  # line height over font size, within wrapped text
POINTS_PER_INCH = 72.0
POINTS_PER_MM = POINTS_PER_INCH / 25.4
# Okabe and Ito's colour-blind-safe palette without black (ink) and yellow (too pale for
# lines on white); https://jfly.uni-koeln.de/color/
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
INK = "#1a1a1a"
MUTED = "#8c8c8c"
_MOST_PIXELS = 2**16 - 1  # width or height of an Agg canvas
_PNG_OPTIONS = {"compress_level": 3}  # a tenth larger than by default, encoded in half the time
_MEASURED_PT = 10.0  # widths grow in proportion to the text size

_SVG_FONT = "font-family: 'DejaVu Sans'"
_STYLE: Any = {
    "font.family": ["DejaVu Sans"],  # ships with matplotlib, so every machine has it
    "pdf.fonttype": 42,  # embed TrueType: journals refuse Type 3
    "svg.fonttype": "none",  # text stays text: searchable and editable
    "text.hinting": "none",  # hinting widens text by up to a tenth, past where it was wrapped
    "axes.linewidth": 0.6,
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}


@contextmanager
def figure_style(*, salt: str = "survey-tools") -> Iterator[None]:
    """Draw with our style on matplotlib's defaults, whatever the user's matplotlibrc says.

    Parameters
    ----------
    salt : str
        Seeds the identifiers inside an SVG; figures that share a page need different ones.
    """
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_STYLE | {"svg.hashsalt": salt})
        yield


def clean(text: str) -> str:
    """Replace control characters and runs of white space by single spaces."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def text_width(text: str, size_pt: float) -> float:
    """Measure one line of text in points, in the figures' font.

    The sum of the characters' advances: kerning is left out, which on running text only
    makes the drawn line a little narrower, and each character is measured only once.
    """
    return sum(map(_advance_in_ems, text)) * size_pt


@cache
def _advance_in_ems(character: str) -> float:
    """Distance from a character to the next one, as the widening of ``nn`` to ``n?n``."""
    return _width_in_ems(f"n{character}n") - _width_in_ems("nn")


@cache
def _width_in_ems(text: str) -> float:
    font = FontProperties(family="DejaVu Sans", size=_MEASURED_PT)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")  # told at saving
        width, _, _ = text_to_path.get_text_width_height_descent(text, font, ismath=False)
    return float(width) / _MEASURED_PT


def wrap(text: str, width_pt: float, size_pt: float) -> tuple[str, ...]:
    """Break a text into lines no wider than ``width_pt``; words too long are split."""
    space = text_width(" ", size_pt)
    lines: list[str] = []
    line, used = "", 0.0
    for word in _fitting_words(clean(text), width_pt, size_pt):
        needed = text_width(word, size_pt)
        if line and used + space + needed > width_pt:
            lines.append(line)
            line, used = word, needed
        else:
            used += (space if line else 0.0) + needed
            line = f"{line} {word}" if line else word
    return (*lines, line)


def shorten(text: str, width_pt: float, size_pt: float) -> str:
    """Cut a text that is wider than ``width_pt`` at a word, with an ellipsis."""
    first, *rest = wrap(text, width_pt - text_width("…", size_pt), size_pt)
    is_short = not rest or text_width(clean(text), size_pt) <= width_pt
    return clean(text) if is_short else f"{first}…"


def _fitting_words(text: str, width_pt: float, size_pt: float) -> Iterator[str]:
    """Yield words, those wider than the line in pieces."""
    for word in text.split(" "):
        if text_width(word, size_pt) <= width_pt:
            yield word
            continue
        start, used = 0, 0.0
        for i, character in enumerate(word):
            advance = text_width(character, size_pt)
            if i > start and used + advance > width_pt:
                yield word[start:i]
                start, used = i, 0.0
            used += advance
        yield word[start:]


def render_svg(page: Figure, *, salt: str) -> str:
    """Render one page as SVG text; the same page and salt give the same text."""
    buffer = io.StringIO()
    with figure_style(salt=salt), _told_once(salt):
        FigureCanvasSVG(page).print_svg(buffer, metadata={"Date": None})  # type: ignore[no-untyped-call]
    # where the font is not installed, a viewer should take one as wide, not its serif default
    return buffer.getvalue().replace(_SVG_FONT, f"{_SVG_FONT}, Verdana, sans-serif")


def save_figure(
    pages: Sequence[Figure],
    folder: Path,
    stem: str,
    settings: FigureSettings,
    *,
    svg: Sequence[str] | None = None,
) -> list[Path]:
    """Write a figure in every format that is set; the same figure gives the same bytes.

    A PDF holds all pages; SVG and PNG get one file a page (``stem-2.svg`` for the second).

    Parameters
    ----------
    svg : sequence of str, optional
        The pages as SVG, where they have been rendered before.
    """
    written: list[Path] = []
    if "pdf" in settings.formats:
        written.append(folder / f"{stem}.pdf")
        metadata = {"CreationDate": None, "ModDate": None}
        with (
            figure_style(salt=stem),
            _told_once(stem),
            PdfPages(written[0], metadata=metadata) as pdf,
        ):
            for page in pages:
                FigureCanvasPdf(page)
                pdf.savefig(page)
    for number, page in enumerate(pages, start=1):
        name = stem if number == 1 else f"{stem}-{number}"
        if "svg" in settings.formats:
            text = svg[number - 1] if svg else render_svg(page, salt=stem)
            written.append(folder / f"{name}.svg")
            written[-1].write_text(text, encoding="utf-8")
        if "png" in settings.formats:
            written.append(folder / f"{name}.png")
            with figure_style(salt=stem), _told_once(stem):
                page.set_dpi(_possible_dpi(page, settings.png_dpi, stem))
                canvas: Any = FigureCanvasAgg(page)
                canvas.print_png(
                    str(written[-1]), metadata={"Software": None}, pil_kwargs=_PNG_OPTIONS
                )
                page.set_dpi(POINTS_PER_INCH)
    return written


def _possible_dpi(page: Figure, dpi: int, stem: str) -> float:
    """Lower the resolution of a page whose PNG would have more pixels than Agg can draw."""
    largest = _MOST_PIXELS / max(page.get_size_inches())
    if dpi <= largest:
        return dpi
    logger.warning("%s: PNG drawn with %.0f instead of %d dots per inch", stem, largest, dpi)
    return float(largest)


@contextmanager
def _told_once(stem: str) -> Iterator[None]:
    """Turn matplotlib's warnings into one log line each, missing glyphs into a count."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    messages = list(dict.fromkeys(str(warning.message) for warning in caught))
    missing = [message for message in messages if message.startswith("Glyph")]
    if missing:
        logger.warning(
            "%s: %d characters are not in the font and show as boxes", stem, len(missing)
        )
    for message in messages:
        if message not in missing:
            logger.warning("%s: %s", stem, message)

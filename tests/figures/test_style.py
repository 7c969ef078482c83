"""Palette, measuring, and files that hold the same bytes on every run."""

import hashlib
import logging
import os
import re
import subprocess
import sys
import zlib
from pathlib import Path

import matplotlib as mpl
import pytest
from examples import make_layout, make_tree
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from survey_tools.figures.dendrogram import draw_dendrogram
from survey_tools.figures.style import (
    PALETTE,
    clean,
    figure_style,
    render_svg,
    save_figure,
    shorten,
    text_width,
    wrap,
)
from survey_tools.settings import FigureSettings

SAVE_ALL = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from examples import make_layout, make_tree
from survey_tools.figures.dendrogram import draw_dendrogram
from survey_tools.figures.style import save_figure
from survey_tools.settings import FigureSettings
tree = make_tree(9, 1)
names = {{"three": tree.subtree(tree.root).paper_keys}}
layout, _, _ = make_layout(tree, names=names)
save_figure(draw_dendrogram(layout), Path(sys.argv[1]), "tree", FigureSettings(png_dpi=50))
"""


def pages(n_papers: int = 5, **settings: object) -> list[Figure]:
    layout, _, _ = make_layout(make_tree(n_papers, 1), **settings)  # type: ignore[arg-type]
    return draw_dendrogram(layout)


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def save_in_new_process(folder: Path, **environment: str) -> dict[str, str]:
    folder.mkdir()
    script = SAVE_ALL.format(tests=str(Path(__file__).parents[1]))
    subprocess.run(
        [sys.executable, "-c", script, str(folder)],
        check=True,
        cwd=Path(__file__).parents[2],
        env={**os.environ, **environment},
    )
    return digests(folder)


def test_two_processes_write_the_same_bytes_whatever_the_user_has_set(tmp_path: Path) -> None:
    """Neither the hash seed, nor a matplotlibrc, nor the time zone changes a byte."""
    config = tmp_path / "config"
    config.mkdir()
    (config / "matplotlibrc").write_text(
        "font.family: serif\nfont.size: 30\npdf.fonttype: 3\nsvg.fonttype: path\n"
        "axes.facecolor: red\ntext.color: green\nlines.linewidth: 9\nsavefig.bbox: tight\n"
        "axes.formatter.use_mathtext: True\nfigure.autolayout: True\ntext.hinting: default\n",
        encoding="utf-8",
    )
    plain = save_in_new_process(tmp_path / "a", PYTHONHASHSEED="1")
    other = save_in_new_process(
        tmp_path / "b",
        PYTHONHASHSEED="2",
        MPLCONFIGDIR=str(config),
        TZ="Asia/Tokyo",
        SOURCE_DATE_EPOCH="1",
    )
    assert sorted(plain) == ["tree.pdf", "tree.png", "tree.svg"]
    assert other == plain


def test_global_settings_leak_neither_in_nor_out(tmp_path: Path) -> None:
    """What a user set before is ignored in our figures and still there afterwards."""
    settings = FigureSettings(png_dpi=50)
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    save_figure(pages(), tmp_path / "a", "tree", settings)
    with mpl.rc_context({"font.size": 31, "axes.grid": True, "savefig.dpi": 7}):
        before = dict(mpl.rcParams)
        save_figure(pages(), tmp_path / "b", "tree", settings)
        assert dict(mpl.rcParams) == before
    assert digests(tmp_path / "b") == digests(tmp_path / "a")


def test_style_is_undone_after_an_error() -> None:
    """An exception inside the style restores the user's settings."""
    before = dict(mpl.rcParams)
    with pytest.raises(KeyError), figure_style():
        mpl.rcParams["no such setting"]
    assert dict(mpl.rcParams) == before


def test_a_pdf_has_no_date_and_embeds_truetype_fonts(tmp_path: Path) -> None:
    """No CreationDate or ModDate; the font is a Type 42 (TrueType) program."""
    save_figure(pages(), tmp_path, "tree", FigureSettings(formats=("pdf",)))
    data = (tmp_path / "tree.pdf").read_bytes()
    for stream in re.findall(rb"stream\r?\n(.*?)endstream", data, re.DOTALL):
        try:
            data += zlib.decompress(stream)
        except zlib.error:
            continue
    assert b"CreationDate" not in data
    assert b"ModDate" not in data
    assert b"/FontFile2" in data
    assert b"/Type3" not in data


def test_an_svg_keeps_its_text_and_has_no_date() -> None:
    """Text stays text, so that it can be searched and edited."""
    (page,) = pages()
    svg = render_svg(page, salt="x")
    assert "Title of paper p3</text>" in svg
    assert "dc:date" not in svg
    assert "<image" not in svg


def test_figures_of_one_page_have_identifiers_of_their_own() -> None:
    """Clip paths referred to by id differ between salts, and every reference is defined."""
    (page,) = pages()
    ids = []
    for salt in ("x", "y"):
        svg = render_svg(page, salt=salt)
        referred = set(re.findall(r"url\(#([^)]+)\)", svg)) | set(
            re.findall(r'href="#([^"]+)"', svg)
        )
        assert referred
        assert referred <= set(re.findall(r'id="([^"]+)"', svg))
        ids.append(referred)
    assert ids[0].isdisjoint(ids[1])


def test_only_the_formats_asked_for_are_written_one_file_a_page(tmp_path: Path) -> None:
    """A PDF holds all pages; of SVG and PNG there is one file a page, and the list is exact."""
    drawn = pages(200, page="a4", font_size_pt=12, min_font_size_pt=12)
    assert len(drawn) > 2
    for formats in (("pdf",), ("svg", "png")):
        settings = FigureSettings(formats=formats, png_dpi=50)  # type: ignore[arg-type]
        folder = tmp_path / formats[0]
        folder.mkdir()
        written = save_figure(drawn, folder, "tree", settings)
        assert sorted(written) == sorted(folder.iterdir())
        expected = {"tree.pdf"} if formats == ("pdf",) else set()
        for suffix in formats:
            if suffix != "pdf":
                expected |= {f"tree.{suffix}"}
                expected |= {f"tree-{n}.{suffix}" for n in range(2, len(drawn) + 1)}
        assert {path.name for path in written} == expected
    pdf = (tmp_path / "pdf" / "tree.pdf").read_bytes()
    assert len(re.findall(rb"/Type /Page\b", pdf)) == len(drawn)


def test_a_png_has_the_resolution_that_was_set(tmp_path: Path) -> None:
    """210 mm at 100 dots per inch are 827 pixels; the page itself stays as it was."""
    (page,) = pages()
    save_figure([page], tmp_path, "tree", FigureSettings(formats=("png",), png_dpi=100))
    with Image.open(tmp_path / "tree.png") as image:
        assert abs(image.width - 827) <= 1
        assert image.info["dpi"][0] == pytest.approx(100, abs=0.1)
        assert "Software" not in image.info
    assert page.dpi == 72


def test_measured_widths_are_the_drawn_widths() -> None:
    """A line measured for wrapping is as wide as the renderer draws it, but for kerning."""
    for text in (
        "A way to learn" * 9,
        "masked image modeling",
        "iiiiiiiii",
        "WWWWWWWWW",
        "0123456789",
    ):
        with figure_style():
            figure = Figure(figsize=(20, 1), dpi=72)
            artist = figure.text(0, 0, text, fontsize=6.5)
            canvas = FigureCanvasAgg(figure)
            drawn = artist.get_window_extent(canvas.get_renderer()).width  # type: ignore[no-untyped-call]
        measured = text_width(text, 6.5)
        assert 0.9 * measured - 1 <= drawn <= measured + 1


def test_characters_without_a_glyph_are_counted_in_one_log_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Chinese titles are drawn as boxes and the reader is told, once, without a warning."""
    layout, _, _ = make_layout(make_tree(2), ["遮蔽", "遮"])
    with caplog.at_level(logging.WARNING):
        settings = FigureSettings(formats=("png",), png_dpi=50)
        save_figure(draw_dendrogram(layout), tmp_path, "tree", settings)
    assert [record.getMessage() for record in caplog.records] == [
        "tree: 2 characters are not in the font and show as boxes"
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\u202eb", "a b"),
        ("a\u00a0b", "a b"),
        (" a  b\r\n", "a b"),
        ("\x07", ""),
        ("é $x$ \\n", "é $x$ \\n"),
    ],
)
def test_cleaning_leaves_one_line_of_printable_text(text: str, expected: str) -> None:
    """Control, format and space characters become single spaces."""
    assert clean(text) == expected


def test_wrapping_by_hand() -> None:
    """A line takes as many words as fit; a word that is too long is split where it must be."""
    width = text_width("aaa bbb", 10)
    assert wrap("aaa bbb ccc", width, 10) == ("aaa bbb", "ccc")
    assert wrap("", width, 10) == ("",)
    assert wrap("aaaaaa", text_width("aaaa", 10), 10) == ("aaaa", "aa")


def test_palette_colours_are_told_apart_in_grey_or_by_colour_blind_eyes() -> None:
    """All colours come from Okabe and Ito's list, and none twice."""
    okabe_ito = {"#000000", "#E69F00", "#56B4E9", "#009E73"}
    okabe_ito |= {"#F0E442", "#0072B2", "#D55E00", "#CC79A7"}
    assert set(PALETTE) <= okabe_ito
    assert len(set(PALETTE)) == len(PALETTE)


def test_a_word_of_a_hundred_thousand_letters_is_split_in_no_time() -> None:
    """Work grows with the letters, not with their square (a second would be a square)."""
    lines = wrap("a" * 100_000, 100, 6.5)
    assert "".join(lines) == "a" * 100_000
    assert max(text_width(line, 6.5) for line in lines) <= 100


def test_a_text_is_shortened_at_a_word() -> None:
    """A text that fits stays; one that does not ends in an ellipsis within the width."""
    assert shorten("short", 100, 6.5) == "short"
    cut = shorten("one two three four five six seven eight nine ten", 60, 6.5)
    assert cut.endswith("…")
    assert text_width(cut, 6.5) <= 60
    assert "one two three four five".startswith(cut[:-1])

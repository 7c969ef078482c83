"""Awesome lists: an entry is read in each of the forms that lists use, with its headings."""

import pytest

from survey_tools.corpus import Corpus
from survey_tools.errors import DataError
from survey_tools.formats.markdown import AwesomeList, parse_markdown
from survey_tools.paper import Paper


def parse(text: str) -> AwesomeList:
    """Parse the text of a file named x.md."""
    return parse_markdown(text.encode(), source="x.md")


def parse_one(text: str) -> Paper:
    """Parse a list that holds one entry and nothing to complain about."""
    result = parse(text)
    assert result.problems == ()
    (paper,) = result.papers
    return paper


def complaints(text: str) -> list[str]:
    """Return what is said about a file."""
    return [str(problem) for problem in parse(text).problems]


P = "https://arxiv.org/abs/2106.08250"
C = "https://github.com/roe/masks"


@pytest.mark.parametrize(
    "text",
    [
        f"- **Masks of Small Things** [[paper]]({P}) [[code]]({C}) (CVPR 2023)",
        f"* [Masks of Small Things]({P}), *CVPR 2023*. [Code]({C})",
        f"1. [CVPR 2023] **Masks of Small Things.** [[pdf]]({P}) [[github]]({C})",
        f"1) (CVPR'23) Masks of Small Things [[PDF]({P}), [Code]({C})]",
        f"- [2023] [CVPR] Masks of Small Things [[paper]]({P}) [[code]]({C})",
        f"- **[CVPR'23]** Masks of Small Things [[paper]]({P}) | [[code]]({C})",
        f"- Masks of Small Things, CVPR 2023. [[paper]]({P}) [[code]]({C})",
        f'+ **MST**: "Masks of Small Things", CVPR, 2023 (*A Lab*). [[Paper]({P})][[Torch]({C})]',
        f"- **MST**: Masks of Small Things [[CVPR'23]({P})] [[code]({C})]",
        f"- [**Masks of Small Things**]({P}) [![Star](https://img.shields.io/x)]({C}) CVPR 2023",
        f"- **[Masks of Small Things]({P})** <br> A. Roe, B. Lee <br> CVPR 2023 <br> [Code]({C})",
        f"- [ ] [Masks of Small Things]({P}) ![](https://img.shields.io/y) [CVPR23] [repo]({C})",
        f'- <a href="{P}">Masks of Small Things</a> (CVPR 2023) <a href="{C}">code</a>',
        f"- Masks of Small Things  \n  A. Roe and B. Lee  \n  CVPR 2023 [[PDF]({P}), [Code]({C})]",
        f"* Masks of Small Things\n\n  A. Roe\n\n  CVPR 2023  [[PDF]({P})]\n\n  [Code]({C})",
        f"- Masks of\n  Small Things [[paper]]({P}) [[code]]({C}) (CVPR 2023)",
        f"- Masks of Small Things.\n  - *CVPR 2023* [[paper]]({P}) [[code]]({C})",
        f"- **Masks of Small Things**\n    - Paper: <{P}>\n    - Code: {C}\n    - (CVPR 2023)",
        f"* **MST**: A. Roe, B. Lee.\n   - Masks of Small Things. [[CVPR'23]({P})] [[code]({C})]",
        f"- [Masks of Small Things]({P}) \\\n[Link to code]({C}) \\\nCVPR 2023",
        f"- [Masks of Small Things][p] CVPR 2023, [code][c]\n\n[p]: {P}\n[c]: {C}",
        "| Venue | Paper | Code |\n|:-:|---|---|\n"
        f"| CVPR 2023 | [Masks of Small Things]({P}) | [here]({C}) |",
        "Title | Conference | Year | Links\n--|--|--|--\n"
        f"Masks of Small Things | CVPR | 2023 | [pdf]({P}) [code]({C})",
        "|Method|Paper|Venue|Code|\n|-|-|-|-|\n"
        f"|Masks of Small Things|[Paper]({P})|CVPR 2023|[Code]({C})|",
    ],
)  # fmt: skip
def test_an_entry_is_read_in_every_usual_form(text: str) -> None:
    """Title, links, venue and year come out the same."""
    paper = parse_one(text)
    assert paper == Paper(
        key="masks2023small",
        title="Masks of Small Things",
        year=2023,
        venue="CVPR",
        arxiv_id="2106.08250",
        url=P,
        code_url=C,
    )


@pytest.mark.parametrize(
    ("text", "title"),
    [
        (f'- **Can Masks Go "Small"? A Study** [[paper]]({P})', 'Can Masks Go "Small"? A Study'),
        (f"- [Masks (MST): 2D to 3D]({P})", "Masks (MST): 2D to 3D"),
        (
            f"- **A Title with *many* Words, Indeed.** [[paper](<{P}>)]",
            "A Title with many Words, Indeed",
        ),
        (f"- 🔥 :star: [Masks_of `Things`]({P})", "Masks_of Things"),
        (f"- [Masks]({P})", "Masks"),
        (f"- [[paper]]({P}) Masks after the link", "Masks after the link"),
        (f"- **Masks** [Masks of Small Things]({P})", "Masks of Small Things"),
        (f"- [Masks of Things [v2]]({P})", "Masks of Things [v2]"),
    ],
)
def test_the_title_is_whole_and_nothing_else(text: str, title: str) -> None:
    """Quotes, brackets and question marks belong to it; marks and stars do not."""
    assert parse_one(text).title == title


def test_labels_are_the_headings_above() -> None:
    """Of every form; a heading ends those of its level and below."""
    result = parse(
        f"# My List [![Awesome](https://x.org/b.svg)](https://x.org)\n"
        f'## Masking <a name="1"></a>\n- [One of them]({P})\n'
        f"### Blocks ###\n- [Two of them]({P})\n"
        f"\nTargets\n-------\n- [Three of them]({P})\n"
        f"<h3>Pixels</h3>\n\n- [Four of them]({P})\n"
    )
    assert [result.labels[paper.key] for paper in result.papers] == [
        ("My List", "Masking"),
        ("My List", "Masking", "Blocks"),
        ("My List", "Targets"),
        ("My List", "Targets", "Pixels"),
    ]


def test_a_bullet_that_names_a_group_is_a_label() -> None:
    """Its bullets are the entries."""
    result = parse(
        f"## M\n- **Small ones**:\n  - [One of them]({P})\n  - Two of them [[pdf]]({P})\n"
        f"- Large ones\n    - Huge\n        - [Three of them]({P})\n"
    )
    assert [result.labels[paper.key] for paper in result.papers] == [
        ("M", "Small ones"),
        ("M", "Small ones"),
        ("M", "Large ones", "Huge"),
    ]


def test_bullets_below_an_entry_may_be_entries() -> None:
    """If they begin with a title that leads to a paper; other links are details."""
    result = parse(
        f"- [One of them](https://x.org/1)\n  - [Two of them](https://x.org/2)\n"
        f"  - extends [Three of them]({P})\n  - [Slides](https://x.org/s)\n"
    )
    assert [(paper.title, paper.url, paper.arxiv_id) for paper in result.papers] == [
        ("One of them", "https://x.org/1", None),
        ("Two of them", "https://x.org/2", None),
    ]


def test_lines_are_those_where_entries_begin() -> None:
    """Comments and code before them count, though what they hold does not."""
    result = parse(
        f"<!--\n- [No paper]({P})\n-->\n```\n- [No paper]({P})\n```\n- [One of them]({P})\n"
        f"more\n\n- [Two of them]({P})\n\n|Title|\n|--|\n|[Three of them]({P})|\n"
    )
    assert {result.lines[paper.key]: paper.title for paper in result.papers} == {
        7: "One of them",
        10: "Two of them",
        14: "Three of them",
    }


def test_a_paper_that_is_listed_twice_is_two_entries() -> None:
    """Each has its own labels."""
    result = parse(f"# A\n- [One of them]({P})\n# B\n- [One of them]({P})\n")
    assert [(paper.key, result.labels[paper.key]) for paper in result.papers] == [
        ("onethem", ("A",)),
        ("onethema", ("B",)),
    ]


def test_links_inside_the_document_are_no_entries() -> None:
    """Nor is prose, nor what stands under contents and licence."""
    text = (
        "# L\n## Contents\n- [Masks](#masks)\n- [x](https://x.org)\n## M\n- [T](./t.md)\n"
        f"- prose without a link\n\nText with [a link of words]({P}).\n\n**Bold** [w]({P})\n"
        "## License\n- [MIT terms](https://x.org/mit)\n"
    )
    assert parse(text).papers == ()
    assert complaints(text) == ["x.md: holds no entry of a list of papers"]


def test_what_is_no_paper_is_named() -> None:
    """Code alone, and links without a title."""
    assert complaints(f"- [roe/masks]({C})\n- [[paper]]({P})\n- [Masks of Things]({P})") == [
        "x.md:1: 'roe/masks' has no link to a paper, no venue, no year; left out",
        "x.md:2: holds a link but no title that can be told; left out",
    ]


def test_a_paper_without_a_link_needs_venue_or_year() -> None:
    """And a title that is told by its form."""
    paper = parse_one("- **Masks of Small Things**, ECCV 2022.\n- plain words, ECCV 2022")
    assert (paper.title, paper.venue, paper.year) == ("Masks of Small Things", "ECCV", 2022)


def test_arxiv_is_no_venue() -> None:
    """But has a year."""
    paper = parse_one(f"- [Arxiv 2021] **Masks of Small Things** [[paper]]({P})")
    assert (paper.venue, paper.year) == (None, 2021)


def test_a_project_page_stands_in_for_code() -> None:
    """If there is none."""
    paper = parse_one(f"- [Masks of Things]({P}) [Project page](https://roe.github.io/masks)")
    assert paper.code_url == "https://roe.github.io/masks"


def test_columns_of_a_table_are_read_by_name() -> None:
    """An id, an unheard-of venue, one word as title, authors; a border inside a cell."""
    result = parse(
        "| Title | Authors | Published in | Year |\n|---|---|---|---|\n"
        "| Masks | Roe, Ana; Lee, Bo | arXiv:2106.08250 | |\n"
        "| A \\| B norms | | Some Letters | 2020 |\n"
        "| | | | |\n"
    )
    assert result.problems == ()
    first, second = result.papers
    assert (first.title, first.authors, first.venue) == ("Masks", ("Ana Roe", "Bo Lee"), None)
    assert first.arxiv_id == "2106.08250"
    assert (second.title, second.venue, second.year) == ("A | B norms", "Some Letters", 2020)


def test_tables_of_other_things_are_passed_over() -> None:
    """A column of titles is what makes a table of papers."""
    assert parse("|Dataset|Size|\n|--|--|\n|[D](https://x.org)|1|\n").papers == ()


def test_the_bundled_list_is_read_in_its_own_form(mim_corpus: Corpus) -> None:
    """Numbered links, and the code on the next line."""
    papers = [paper for paper in mim_corpus if paper.url]
    lines = []
    for i, paper in enumerate(papers, start=1):
        lines.append(f"  {i}. [{paper.title}]({paper.url}) \\")
        if paper.code_url:
            lines.append(f"  [Link to code]({paper.code_url})")
    result = parse("\n".join(["# List", *lines]))
    assert result.problems == ()
    assert [(p.title, p.url, p.code_url) for p in result.papers] == [
        (p.title, p.url, p.code_url) for p in papers
    ]


def test_a_comment_without_an_end_is_named() -> None:
    """What follows is not read, as on every page that shows it."""
    text = f"- [One of them]({P})\n<!-- x\n- [Two of them]({P})\n"
    assert [paper.title for paper in parse(text).papers] == ["One of them"]
    assert complaints(text) == ["x.md:2: a comment (<!--) has no end; what follows is not read"]


@pytest.mark.parametrize("text", ["", "\n", "\ufeff# Heading\n"])
def test_an_empty_list_has_no_papers(text: str) -> None:
    """It is named, and no error."""
    assert complaints(text) == ["x.md: holds no entry of a list of papers"]


def test_a_file_that_is_not_utf8_is_refused() -> None:
    """The line is named."""
    with pytest.raises(DataError, match=r"^x\.md:2: byte 0xe9 is not UTF-8"):
        parse_markdown(b"# L\n- \xe9", source="x.md")


def test_windows_line_ends_and_a_byte_order_mark_change_nothing() -> None:
    """Lines stay the same too."""
    plain = f"# L\n\n- [One of\n  them]({P})\n\n- [Two of them]({P})\n"
    assert parse("\ufeff" + plain.replace("\n", "\r\n")) == parse(plain)


@pytest.mark.parametrize(
    ("text", "n_papers"),
    [
        ("\n".join(" " * i + f"- [a b]({P})" for i in range(1_000)), 1_000),
        ("- " + "[" * 20_000 + f"[a b]({P})", 1),
        ("- " + "*a " * 10_000 + f"[a b]({P})", 1),
        ("- **" + "word " * 20_000 + f"** [paper]({P})", 1),
        ("- a\n" + "b\n" * 20_000, 0),
        ("|a" * 10_000 + "\n" + "|-" * 10_000 + "\n" + "|a" * 10_000, 0),
        ("- [a b](" + "http://" + "(" * 20_000, 0),
        (f"- [a\0b c]({P})", 1),
        ("<!--" * 20_000, 0),
        ("#" * 20_000, 0),
        (f"- [A title of masks]({P})\n" * 3_000, 3_000),
    ],
    ids=["deep", "brackets", "stars", "words", "lines", "pipes", "address", "nul", "comments",
         "marks", "many"],
)  # fmt: skip
def test_hostile_files_are_read_to_their_end(text: str, n_papers: int) -> None:
    """None crashes, and none takes long."""
    assert len(parse(text).papers) == n_papers

r"""BibTeX: broken entries are named and the others read; what is written is read back equal."""

import logging

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from survey_tools.corpus import Corpus
from survey_tools.errors import DataError
from survey_tools.formats.bibtex import parse_bibtex, serialise_bibtex
from survey_tools.formats.references import ReadResult, clean_text
from survey_tools.paper import Paper

# Printable text in normal form, with the signs of TeX and BibTeX more often than by chance.
texts = (
    st.text(
        st.sampled_from("\\{}$%&#_^~-`'\"@=,()AIab1 ")
        | st.characters(exclude_categories=["Cs", "Cc", "Cn", "Zl", "Zp"])
    )
    .map(clean_text)
    .filter(bool)
)
papers = st.builds(
    Paper,
    key=st.text(st.sampled_from("ab0:/.+-_é"), min_size=1),
    title=texts,
    abstract=st.none() | texts,
    digest=st.none() | texts,
    authors=st.lists(texts, max_size=3).map(tuple),
    year=st.none() | st.integers(1000, 2999),
    venue=st.sampled_from([None, "CVPR", "TPAMI", "R&D Letters $x_1$", "Workshop_{a}"]),
    arxiv_id=st.sampled_from([None, "2106.08250", "2106.08250v3", "cs.CV/0601001"]),
    doi=st.sampled_from([None, "10.1000/a_b%c", "10.1002/(SICI)1097<1661::AID>3.0.CO;2-2"]),
    url=st.sampled_from([None, "https://example.org/~a_b?c=%20&d=1#e"]),
    code_url=st.sampled_from([None, "https://github.com/a/b_c"]),
)
corpora = st.lists(papers, min_size=1, max_size=4, unique_by=lambda paper: paper.key).map(
    lambda found: Corpus(tuple(found))
)


def parse(text: str) -> ReadResult:
    """Parse the text of a file named x.bib."""
    return parse_bibtex(text.encode(), source="x.bib")


def parse_fields(fields: str) -> Paper:
    """Parse an entry that has a title and some fields more."""
    result = parse(f"@article{{k, title = {{t}}, {fields}}}")
    assert result.problems == ()
    return result.papers[0]


def complaints(text: str) -> list[str]:
    """Return what is said about a file."""
    return [str(problem) for problem in parse(text).problems]


@given(corpora)
@example(Corpus((Paper(key="a", title="t", authors=("others", "A and B", "Ann B, Jr.", "d'é")),)))
@example(
    Corpus((Paper(key="a", title="t", authors=("A", "and B", "C AND", "Dand, E", "0 &", "$ A")),))
)
@example(Corpus((Paper(key="a", title="@article{b,", abstract="}, @misc{c, title = {x}}"),)))
def test_written_papers_are_read_back_equal(corpus: Corpus) -> None:
    """Whatever signs stand in title, names, abstract and digest."""
    data = serialise_bibtex(corpus)
    result = parse_bibtex(data, source="x.bib")
    assert result.problems == ()
    assert result.papers == corpus.papers
    assert serialise_bibtex(Corpus(result.papers)) == data


def test_the_bundled_papers_come_back(mim_corpus: Corpus) -> None:
    """But for the venue of those that are only on arXiv."""
    result = parse_bibtex(serialise_bibtex(mim_corpus), source="x.bib")
    assert result.problems == ()
    expected = [p if p.venue != "arXiv" else None for p in mim_corpus]
    assert [
        paper if before else None for paper, before in zip(result.papers, expected, strict=True)
    ] == expected


def test_an_entry_is_written_for_people() -> None:
    """Names inverted, capitals protected, signs escaped, the fields in one order."""
    paper = Paper(
        key="roe2022masks",
        title="Masks & $\\ell_1$ in ImageNet",
        authors=("Ana van Roe", "OpenAI", "Bo Lee Jr."),
        year=2022,
        venue="IEEE Transactions on Masks",
        arxiv_id="2106.08250",
        doi="10.1000/a_b",
        abstract="100% of x_1.",
    )
    assert serialise_bibtex(Corpus((paper,))).decode() == (
        "@article{roe2022masks,\n"
        "  title = {Masks \\& {$\\ell_1$} in {ImageNet}},\n"
        "  author = {van Roe, Ana and {OpenAI} and Lee, Jr., Bo},\n"
        "  journal = {IEEE Transactions on Masks},\n"
        "  year = {2022},\n"
        "  eprint = {2106.08250},\n"
        "  archiveprefix = {arXiv},\n"
        "  doi = {10.1000/a_b},\n"
        "  abstract = {100\\% of x\\_1.},\n"
        "}\n"
    )


@pytest.mark.parametrize(
    ("venue", "start"),
    [("CVPR", "@inproceedings{"), ("TPAMI", "@article{"), ("arXiv", "@misc{"), (None, "@misc{")],
)
def test_the_venue_decides_the_type(venue: str | None, start: str) -> None:
    """ArXiv alone is no venue."""
    data = serialise_bibtex(Corpus((Paper(key="k", title="t", venue=venue),)))
    assert data.decode().startswith(start)


def test_keys_that_bibtex_does_not_allow_are_rewritten_apart() -> None:
    """Two must not become one."""
    corpus = Corpus((Paper(key="a,b", title="t"), Paper(key="a{b", title="u")))
    result = parse_bibtex(serialise_bibtex(corpus), source="x.bib")
    assert [paper.key for paper in result.papers] == ["a-b", "a-ba"]


def test_a_broken_entry_costs_no_other() -> None:
    """Line and key of the broken one are named."""
    result = parse(
        "@article{one, title = {First}}\n"
        "@article{two, title = {Second, year = {2020}\n"
        "}\n"
        "@article{three, title = {Third}}\n"
        "@article{four, title {Fourth}}\n"
        "@article{five, title = {Fifth}}\n"
    )
    assert [paper.key for paper in result.papers] == ["one", "three", "five"]
    two, four = (str(problem) for problem in result.problems)
    assert two.startswith("x.bib:2: two: cannot be read, left out: unexpected block start")
    assert four.startswith("x.bib:5: four: cannot be read, left out: expected a '='")


def test_fields_after_a_brace_too_many_are_named() -> None:
    """The entry ended before them, which no other tool says."""
    result = parse("@article{k, title = {t}}, year = {2020}}\n@misc{l, title = {u}}")
    assert [paper.key for paper in result.papers] == ["k", "l"]
    assert [str(problem) for problem in result.problems] == [
        "x.bib:1: fields outside of any entry, left out; does the one before close too early?"
    ]


def test_an_entry_that_does_not_open_is_named() -> None:
    """A lost brace makes it a comment."""
    assert complaints("@misc{k, title = {t}}\n\n@article l, title = {u}\n") == [
        "x.bib:3: text that begins with @ but opens no entry, left out; write @article{key,"
    ]


def test_comments_and_preambles_are_passed_over() -> None:
    """Free text is a comment."""
    result = parse(
        "Made by hand.\n@comment{jabref-meta: x}\n@preamble{{\\foo}}\n%@misc\n@misc{k, title={t}}"
    )
    assert [paper.key for paper in result.papers] == ["k"]
    assert result.problems == ()


def test_macros_are_resolved_and_joined() -> None:
    """Names of macros and fields in any case; months are known."""
    result = parse(
        '@string{cvpr = "Proc. of " # {CVPR}}\n'
        '@InProceedings{k, Title = "A {Title}", BookTitle = CVPR # ", " # 2022, month = jan}'
    )
    assert result.problems == ()
    assert result.papers[0].title == "A Title"
    assert result.papers[0].venue == "Proc. of CVPR, 2022"


def test_a_macro_that_nobody_defined_is_named() -> None:
    """Its name is better than nothing."""
    result = parse("@article{k, title = {t}, journal = tpami}")
    assert result.papers[0].venue == "tpami"
    assert [str(problem) for problem in result.problems] == [
        "x.bib:1: k: macro 'tpami' is not defined; its name is taken"
    ]


def test_macros_of_macros_do_not_grow_without_end() -> None:
    """Each line doubles the text of the one before."""
    lines = [f"@string{{a{i + 1} = a{i} # a{i}}}" for i in range(60)]
    result = parse("\n".join(["@string{a0 = {xxxxxxxxxx}}", *lines, "@misc{k, title = {t} # a60}"]))
    assert len(result.papers[0].title) < 2_000_000
    assert "macros make a value too long; cut off" in {p.sentence for p in result.problems}


def test_of_two_entries_with_one_key_the_second_is_named() -> None:
    """Unless it says the same."""
    first = "@misc{k, title = {One}}\n"
    assert complaints(first + first + "@misc{k, title = {Two}}") == [
        "x.bib:3: k: a second entry with this key (first on line 1) says something else; left out"
    ]


def test_of_two_fields_with_one_name_the_first_counts() -> None:
    """As in BibTeX; the entry is not lost."""
    result = parse("@misc{k, title = {One}, title = {Two}}")
    assert result.papers[0].title == "One"
    assert [str(problem) for problem in result.problems] == [
        "x.bib:1: k: field title stands twice; the first one counts"
    ]


@pytest.mark.parametrize(
    ("value", "authors"),
    [
        ("He, Kaiming and Roe, Ana and others", ("Kaiming He", "Ana Roe")),
        (
            "van der Berg, Hans and King, Jr., Martin L.",
            ("Hans van der Berg", "Martin L. King Jr."),
        ),
        (
            "Ludwig van Beethoven and {OpenAI and Friends}",
            ("Ludwig van Beethoven", "OpenAI and Friends"),
        ),
        (r"M{\"u}ller, J{\"o}rg AND {\L}uk {\v{C}}ech", ("Jörg Müller", "Łuk Čech")),
        (r"Roe, Ana and \"Ozturk, Bo and \.Ilkay Lee", ("Ana Roe", "Bo Özturk", "İlkay Lee")),
        ("Donald~E. Knuth\n and\n Leslie Lamport", ("Donald E. Knuth", "Leslie Lamport")),
    ],
)
def test_names_are_brought_into_printed_order(value: str, authors: tuple[str, ...]) -> None:
    """Von and Jr where they belong; braces keep a name whole."""
    assert parse_fields(f"author = {{{value}}}").authors == authors


def test_names_separated_by_commas_are_named() -> None:
    """BibTeX would make one odd person of them."""
    result = parse("@misc{k, title = {t}, author = {He, K., Roe, A., Lee, B.}}")
    assert result.papers[0].authors == ("He, K., Roe, A., Lee, B.",)
    assert [str(problem) for problem in result.problems] == [
        "x.bib:1: k: author 'He, K., Roe, A., Lee, B.' is no name (too many commas), "
        "kept as it is; write First Last and First Last"
    ]


@pytest.mark.parametrize(
    "fields",
    [
        "eprint = {2106.08250}, archiveprefix = {arXiv}",
        "eprint = {arXiv:2106.08250}",
        "eprint = 2106.08250",
        "eprint = {2106.08250}, eprinttype = {arxiv}, eprintclass = {cs.CV}",
        "arxivId = {2106.08250}",
        "doi = {10.48550/arXiv.2106.08250}",
        "url = {https://arxiv.org/abs/2106.08250}",
        "journal = {arXiv preprint arXiv:2106.08250}",
        "journal = {CoRR}, volume = {abs/2106.08250}",
        r"howpublished = {\url{https://arxiv.org/pdf/2106.08250.pdf}}",
        "note = {arXiv:2106.08250, to appear}",
    ],
)
def test_an_arxiv_id_is_found_in_every_usual_place(fields: str) -> None:
    """And arXiv is neither venue nor publisher of the DOI."""
    paper = parse_fields(fields)
    assert paper.arxiv_id == "2106.08250"
    assert paper.venue is None
    assert paper.doi is None


def test_an_eprint_of_another_archive_is_no_arxiv_id() -> None:
    """HAL and others number too."""
    assert parse_fields("eprint = {2106.08250}, eprinttype = {hal}").arxiv_id is None


def test_biblatex_names_of_fields_are_known() -> None:
    """Date, journaltitle, subtitle."""
    paper = parse_fields("subtitle = {s}, date = {2022-05}, journaltitle = {Some Journal}")
    assert (paper.title, paper.year, paper.venue) == ("t: s", 2022, "Some Journal")


def test_a_cross_reference_gives_year_and_book_title() -> None:
    """The volume itself is no paper of the list."""
    result = parse(
        "@inproceedings{k, title = {t}, crossref = {v}}\n"
        "@proceedings{v, title = {The Volume}, year = {2021}}"
    )
    assert [(p.key, p.venue, p.year) for p in result.papers] == [("k", "The Volume", 2021)]


def test_a_paper_keeps_its_links() -> None:
    """Escapes go, a tilde stays."""
    paper = parse_fields(r"url = {https://x.org/~a\_b}, doi = {https://doi.org/10.1000/X}")
    assert (paper.url, paper.doi) == ("https://x.org/~a_b", "10.1000/X")


@pytest.mark.parametrize("text", ["", " \n\r\n", "\ufeff"])
def test_an_empty_file_has_no_papers(text: str) -> None:
    """It is named, and no error: an empty library is one."""
    assert parse(text) == ReadResult(papers=(), problems=parse(text).problems)
    assert complaints(text) == ["x.bib: holds no entry"]


def test_text_without_an_entry_is_no_bibtex() -> None:
    """The file is of another kind."""
    with pytest.raises(DataError, match=r"^x\.bib: holds no BibTeX entry; one begins with @art"):
        parse("TY  - JOUR\nTI  - t\nER  - \n")


def test_a_file_that_is_not_utf8_is_refused() -> None:
    """The line is named."""
    with pytest.raises(DataError, match=r"^x\.bib:2: byte 0xe9 is not UTF-8"):
        parse_bibtex(b"@misc{k,\n title = {\xe9}}", source="x.bib")


def test_windows_line_ends_and_a_byte_order_mark_change_nothing() -> None:
    """Lines of problems stay the same too."""
    plain = "@misc{k,\n  title = {a\n b}\n}\n\n@misc{l}\n"
    assert parse("\ufeff" + plain.replace("\n", "\r\n")) == parse(plain)
    assert complaints(plain) == ["x.bib:6: l: has neither title nor text; left out"]


def test_the_log_of_the_parser_does_not_reach_stderr() -> None:
    """Without any handler Python writes warnings there; they are told as problems."""
    handlers = logging.getLogger("bibtexparser").handlers
    assert any(isinstance(handler, logging.NullHandler) for handler in handlers)


@pytest.mark.parametrize(
    ("text", "n_papers"),
    [
        ("@misc{k, title = {" + "{" * 50_000 + "x" + "}" * 50_000 + "}}", 1),
        ("@misc{k, title = {" + "x " * 500_000 + "}}", 1),
        ('@misc{k, title = "' + '"x' * 20_000 + '"}', 1),
        ("@misc{k, title = {a\0b}}", 1),
        ("@misc{k, title = {x}, author = {" + "A B and " * 10_000 + "C D}}", 1),
        ("@misc{k" * 5_000, 0),
        ("@misc{k, title = {x}" + ", f = {y}" * 10_000 + "}", 1),
        ("@" * 100_000 + "{k, title = {x}}", 1),
        ("@misc{, title = {x}}\n" * 2_000, 2_000),
    ],
    ids=["braces", "huge", "quotes", "nul", "authors", "open", "fields", "ats", "keyless"],
)
def test_hostile_files_are_read_to_their_end(text: str, n_papers: int) -> None:
    """None crashes, and none takes long."""
    assert len(parse(text).papers) == n_papers


def test_ten_thousand_entries_are_read() -> None:
    """And every one of them."""
    entry = "@inproceedings{k%d, title = {A Title of Masks}, author = {Roe, Ana and Lee, Bo}}\n"
    assert len(parse("".join(entry % i for i in range(10_000))).papers) == 10_000

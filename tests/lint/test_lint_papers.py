"""Rules about papers: what is filed, what is not, what stands there twice."""

from lint_examples import found, lint

from survey_tools.paper import Paper

TITLES = {"he2022masked": "Masked autoencoders", "xie2022simmim": "Simple masked modelling"}
AXES = """\
axes:
  what:
    description: What is hidden.
    labels:
      pixels: {description: Of an image.}
      views: {description: Of a scene.}
papers:
"""  # papers stand from line 8


def test_a_filed_paper_that_the_survey_lacks_is_an_error_with_the_key_that_is_meant() -> None:
    """Only keys that are not filed yet can be meant."""
    findings = lint(
        AXES + "  he2022maskd: {what: [pixels]}\n  xie2022simmim: {what: [views]}\n", TITLES
    )
    assert found(findings, "T101") == [
        ("taxonomy.yaml:8", "the survey holds no paper 'he2022maskd'")
    ]
    finding = next(f for f in findings if f.code == "T101")
    assert finding.severity == "error"
    assert finding.hint == "did you mean 'he2022masked', which is not filed?"
    assert str(finding) == (
        "taxonomy.yaml:8: T101 error: the survey holds no paper 'he2022maskd' "
        "(did you mean 'he2022masked', which is not filed?)"
    )


def test_an_unknown_paper_without_likely_key_may_be_removed() -> None:
    """Where all papers are filed, none is offered."""
    text = AXES + "  zzz: {what: [pixels]}\n  he2022masked: {}\n  xie2022simmim: {}\n"
    finding = next(f for f in lint(text, TITLES) if f.code == "T101")
    assert finding.hint == "remove the entry, or add the paper to the survey"


def test_a_paper_that_is_not_filed_is_named_at_the_papers() -> None:
    """It has no line of its own."""
    findings = lint(AXES + "  xie2022simmim: {what: [views]}\n", TITLES)
    assert found(findings, "T102") == [
        ("taxonomy.yaml:7", "'he2022masked' is a paper of the survey and not filed")
    ]


def test_a_paper_without_any_label_is_named_on_its_line() -> None:
    """An empty list is no label either."""
    text = AXES + "  he2022masked: {what: [pixels]}\n  xie2022simmim:\n    what: []\n"
    assert found(lint(text, TITLES), "T103") == [
        ("taxonomy.yaml:9", "'xie2022simmim' has no label on any axis")
    ]


def test_nearly_equal_titles_are_named_with_both_lines() -> None:
    """Case and punctuation make no difference; a number, a negation or another word do."""
    titles = {
        "a": "Masked autoencoders are scalable learners of vision",
        "b": "Masked Auto-Encoders are scalable learners of vision!",
        "c": "Masked autoencoders are scalable learners of vision 2",
        "d": "Masked autoencoders are not scalable learners of vision",
    }
    text = AXES + "".join(f"  {key}: {{what: [pixels]}}\n" for key in titles)
    findings = lint(text, titles)
    assert found(findings, "T104") == [
        (
            "taxonomy.yaml:9",
            "titles of 'a' and 'b' are 99 % alike: "
            "'Masked Auto-Encoders are scalable learners of vision!'",
        )
    ]
    hint = next(f.hint for f in findings if f.code == "T104")
    assert hint == "if they are one paper, keep one; 'a' stands on line 8"


def test_equal_titles_of_papers_with_two_arxiv_ids_are_two_papers() -> None:
    """An editorial appears every year."""
    papers = [
        Paper(key="a", title="Editorial of the year", arxiv_id="2101.00001"),
        Paper(key="b", title="Editorial of the year", arxiv_id="2201.00001"),
        Paper(key="c", title="Editorial of the year"),
    ]
    text = AXES + "  a: {what: [pixels]}\n  b: {what: [pixels]}\n  c: {what: [pixels]}\n"
    messages = [message for _, message in found(lint(text, papers), "T104")]
    assert messages == [
        "titles of 'a' and 'c' are equal: 'Editorial of the year'",
        "titles of 'b' and 'c' are equal: 'Editorial of the year'",
    ]


def test_papers_with_one_id_are_named_whatever_their_titles() -> None:
    """A version is no part of an arXiv id, case no part of a DOI."""
    papers = [
        Paper(key="a", title="Preprint of old", arxiv_id="2101.00001v1"),
        Paper(key="b", title="Another name", arxiv_id="2101.00001", doi="10.1000/AB"),
        Paper(key="c", title="Third thing", doi="10.1000/ab"),
    ]
    text = AXES + "  a: {what: [pixels]}\n  b: {what: [pixels]}\n  c: {what: [pixels]}\n"
    assert (
        found(lint(text, papers), "T105")
        == [
            ("taxonomy.yaml:10", "'b' and 'c' have one DOI, 10.1000/ab"),
            ("taxonomy.yaml:9", "'a' and 'b' have one arXiv id, 2101.00001"),
        ][::-1]
    )


def test_missing_evidence_is_a_note_where_others_have_it() -> None:
    """A file without any evidence is not asked for it."""
    with_some = AXES + (
        "  he2022masked: {what: [{label: pixels, evidence: section 3}, views]}\n"
        "  xie2022simmim: {what: [views, pixels]}\n"
    )
    findings = lint(with_some, TITLES)
    assert found(findings, "T106") == [
        ("taxonomy.yaml:8", "'he2022masked' has 1 label without evidence: views"),
        ("taxonomy.yaml:9", "'xie2022simmim' has 2 labels without evidence: views, pixels"),
    ]
    assert {f.severity for f in findings if f.code == "T106"} == {"note"}
    without = AXES + "  he2022masked: {what: [views]}\n  xie2022simmim: {what: [views, pixels]}\n"
    assert found(lint(without, TITLES), "T106") == []

"""Rules about a companion list: the same papers under headings that name the cells."""

import pytest
from lint_examples import Found, found, lint

from survey_tools.documents import parse_yaml
from survey_tools.lint.cell_names import CellNames
from survey_tools.paper import Paper
from survey_tools.taxonomy import parse_taxonomy

PAPERS = (
    Paper(key="p1", title="Masking by blocks of patches", arxiv_id="2101.00001"),
    Paper(key="p2", title="A loss on hidden tokens", doi="10.1000/p2"),
    Paper(key="p3", title="Both a mask and a loss", url="https://example.org/p3.pdf"),
    Paper(key="p4", title="Another mask with another loss"),
    Paper(key="p5", title="Masked learning explained in theory and practice"),
)
TEXT = """\
axes:
  masking-strategy: {title: Masking strategy, labels: {contributes: {}}}
  objective-function: {title: Objective function, labels: {contributes: {}}}
  theory: {title: Theoretical analysis, labels: {contributes: {}}}
papers:
  p1: {masking-strategy: [contributes]}
  p2: {objective-function: [contributes]}
  p3: {masking-strategy: [contributes], objective-function: [contributes]}
  p4: {masking-strategy: [contributes], objective-function: [contributes]}
  p5: {theory: [contributes]}
"""
README = """\
# A list of papers

## 1. MASKING STRATEGIES (1)
1. [Another name for blocks](https://arxiv.org/abs/2101.00001v3) (2021)

## Objective Function
- [A title that moved](https://doi.org/10.1000/p2)

## Objective Function & Masking Strategy
1. [Untitled draft](https://www.example.org/p3.pdf)
2. [Another mask, with another loss](https://example.org/p4)

## Theoretical analysis
### 2023
* [Masked learning explained in theory and practise](https://example.org/p5)
"""


def of_companion(text: str, readme: str) -> dict[str, list[Found]]:
    """Return the findings of the rules about companions, by code."""
    findings = lint(text, PAPERS, readme)
    return {f.code: found(findings, f.code) for f in findings if f.code.startswith("T4")}


def test_the_same_filing_in_other_words_gives_no_finding() -> None:
    """Numbered or bulleted; matched by id, DOI, link, title and nearly equal title."""
    assert of_companion(TEXT, README) == {}
    assert [f for f in lint(TEXT, PAPERS) if f.code.startswith("T4")] == []


def test_papers_of_one_side_are_named_there() -> None:
    """In the list by its line, in the taxonomy by the paper's line."""
    readme = README.replace(
        "- [A title that moved](https://doi.org/10.1000/p2)",
        "- [Quite another paper](https://example.org/other) (2020)",
    )
    assert of_companion(TEXT, readme) == {
        "T401": [
            (
                "README.md:7",
                "'Quite another paper', under 'Objective Function', is no paper of the survey",
            )
        ],
        "T402": [("taxonomy.yaml:7", "'p2' is not in README.md: 'A loss on hidden tokens'")],
    }


def test_a_listed_paper_that_the_taxonomy_does_not_file_is_named() -> None:
    """The survey knows it, so the hint is another one."""
    text = TEXT.replace("  p1: {masking-strategy: [contributes]}\n", "")
    findings = of_companion(text, README)
    assert findings["T401"] == [
        ("README.md:4", "'p1', under '1. MASKING STRATEGIES (1)', is not filed in the taxonomy")
    ]
    assert "T402" not in findings


def test_a_paper_in_another_cell_is_named_with_both_cells() -> None:
    """The hint leads to its line in the list."""
    text = TEXT.replace("p1: {masking-strategy", "p1: {theory").replace(
        "p5: {theory", "p5: {masking-strategy"
    )
    assert of_companion(text, README) == {
        "T404": [
            (
                "taxonomy.yaml:6",
                "'p1' is filed in 'Theoretical analysis'; README.md has it under "
                "'1. MASKING STRATEGIES (1)'",
            ),
            (
                "taxonomy.yaml:10",
                "'p5' is filed in 'Masking strategy'; README.md has it under "
                "'Theoretical analysis'",
            ),
        ]
    }
    hints = [f.hint for f in lint(text, PAPERS, README) if f.code == "T404"]
    assert hints == [f"correct the side that is wrong; see README.md:{n}" for n in (4, 15)]


def test_a_heading_of_another_name_is_paired_by_its_papers() -> None:
    """Its other papers are then compared like those of a cell."""
    readme = (
        README.replace("Objective Function & Masking Strategy", "Mixed")
        .replace(
            "\n## Theoretical",
            "3. [Masking by blocks of patches](https://example.org/x)\n\n## Theoretical",
        )
        .replace("1. [Another name for blocks](https://arxiv.org/abs/2101.00001v3) (2021)\n", "")
    )
    assert of_companion(TEXT, readme) == {
        "T403": [
            (
                "README.md:9",
                "heading 'Mixed' names no cell of the taxonomy; its papers are filed in "
                "'Masking strategy + Objective function' (2), 'Masking strategy' (1)",
            ),
            (
                "taxonomy.yaml:6",
                "no heading of README.md names 'Masking strategy' (1 paper)",
            ),
        ],
        "T404": [
            (
                "taxonomy.yaml:6",
                "'p1' is filed in 'Masking strategy'; README.md has it under 'Mixed'",
            )
        ],
        "T405": [("taxonomy.yaml:5", "3 cells in README.md, 4 in the taxonomy")],
    }
    hints = {f.hint for f in lint(TEXT, PAPERS, readme) if f.code == "T403"}
    assert hints == {"rename one of the two", "file the papers alike on both sides"}


def test_a_cell_that_the_list_parts_in_two_is_named() -> None:
    """So the survey's paper and its README differ: one cell of it is two there."""
    readme = README.replace("2. [Another mask", "## Of all kinds\n2. [Another mask")
    assert of_companion(TEXT, readme) == {
        "T403": [
            (
                "README.md:12",
                "heading 'Of all kinds' names no cell of the taxonomy; its papers are filed in "
                "'Masking strategy + Objective function' (1)",
            )
        ],
        "T405": [("taxonomy.yaml:5", "5 cells in README.md, 4 in the taxonomy")],
    }


def test_a_paper_listed_twice_counts_where_it_agrees() -> None:
    """One of its places is right, so it is no paper of another cell."""
    readme = README + "* [Masking by blocks of patches](https://example.org/x)\n"
    assert of_companion(TEXT, readme) == {
        "T406": [
            (
                "README.md:16",
                "'p1' stands twice, under '1. MASKING STRATEGIES (1)' and 'Theoretical analysis'",
            )
        ]
    }


def test_entries_that_cannot_be_read_are_passed_on() -> None:
    """With the line of the list."""
    readme = README + "* [Some tool](https://example.org/tool)\n* [here](https://example.org/a)\n"
    assert of_companion(TEXT, readme)["T407"] == [
        ("README.md:17", "holds a link but no title that can be told; left out")
    ]


def test_entries_without_heading_are_no_cell_of_a_name() -> None:
    """A flat list says nothing of cells, and lint says so once for the list."""
    readme = "- [Masking by blocks of patches](https://arxiv.org/abs/2101.00001)\n"
    findings = of_companion(TEXT, readme)
    assert findings["T403"][0] == (
        "README.md:1",
        "heading '(no heading)' names no cell of the taxonomy; its papers are filed in "
        "'Masking strategy' (1)",
    )


TWO_AXES = """\
axes:
  target:
    title: Reconstruction target
    labels: {pixels: {title: Raw pixels}, tokens: {}}
  mask:
    labels: {pixels: {}, blocks: {title: 3D blocks and tubes}}
papers:
  p1: {target: [pixels]}
  p2: {mask: [pixels]}
  p3: {target: [tokens], mask: [blocks]}
  p4: {}
"""


@pytest.mark.parametrize(
    ("headings", "cell"),
    [
        (["Raw pixels"], "target: pixels"),
        (["Reconstruction targets", "Raw Pixels"], "target: pixels"),
        (["Target: raw pixels"], None),  # half a name, half a title
        (["target", "pixels"], "target: pixels"),
        (["mask", "pixels"], "mask: pixels"),
        (["pixels"], None),  # of two axes
        (["Tubes, 3D block + token"], "target: tokens + mask: blocks"),
        (["Tokens and blocks", "2023"], "target: tokens + mask: blocks"),
        (["None"], "none"),
        (["2.1 Mask: pixels [7 papers]", "Further reading"], "mask: pixels"),
        (["2023"], None),
        ([], None),
    ],
)
def test_headings_find_cells_of_axes_with_several_labels(
    headings: list[str], cell: str | None
) -> None:
    """By names or titles, with the axis or without it where that is clear."""
    taxonomy = parse_taxonomy(parse_yaml(TWO_AXES.encode(), source="t.yaml"))
    assert CellNames(taxonomy).place(headings).cell == cell


def test_a_heading_may_name_the_broader_labels_too() -> None:
    """The cell is that of the narrower label."""
    text = """\
axes: {target: {labels: {features: {}, tokens: {parent: features}, pixels: {}}}}
papers: {p1: {target: [tokens]}, p2: {target: [features, tokens, pixels]}, p3: {target: [pixels]}}
"""
    names = CellNames(parse_taxonomy(parse_yaml(text.encode(), source="t.yaml")))
    for heading in ("Tokens", "Features and tokens"):
        assert names.place([heading]).cell == "target: tokens"
    for heading in ("Tokens and pixels", "Pixels, tokens, features"):
        assert names.place([heading]).cell == "target: tokens + target: pixels"
    assert names.place(["Features"]).cell is None


def test_the_innermost_heading_in_letters_stands_for_an_unknown_cell() -> None:
    """Years below it do not."""
    taxonomy = parse_taxonomy(parse_yaml(TWO_AXES.encode(), source="t.yaml"))
    assert CellNames(taxonomy).place(["Papers", "Odd ones", "2023"]).heading == "Odd ones"
    assert CellNames(taxonomy).place(["2023"]).heading == ""

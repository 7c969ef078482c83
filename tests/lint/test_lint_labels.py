"""Rules about labels, and about the numbers that a survey states."""

import pytest
from lint_examples import found, lint

from survey_tools.errors import DataError
from survey_tools.lint.labels import singular

TITLES = {"p1": "First of all", "p2": "Second thoughts", "p3": "Third time lucky"}


def test_unused_and_lonely_labels_are_named_on_their_lines() -> None:
    """A narrower label counts for the broader one, which is then not unused."""
    text = """\
axes:
  what:
    labels:
      image: {}
      pixels: {parent: image}
      patches: {parent: image}
      views: {}
papers:
  p1: {what: [pixels]}
  p2: {what: [patches]}
  p3: {what: [patches]}
"""
    findings = lint(text, TITLES)
    assert found(findings, "T201") == [
        ("taxonomy.yaml:7", "no paper has label 'views' of axis 'what'")
    ]
    assert found(findings, "T202") == [
        ("taxonomy.yaml:5", "one paper alone has label 'pixels' of axis 'what': 'p1'")
    ]


def test_axes_and_labels_without_description_are_named() -> None:
    """Blanks describe nothing."""
    text = """\
axes:
  what:
    labels:
      pixels: {description: "  "}
      views: {description: Of a scene.}
  why:
    description: The reason.
    labels:
      speed: {title: Speed}
papers: {}
"""
    assert found(lint(text, TITLES), "T203") == [
        ("taxonomy.yaml:2", "axis 'what' has no description"),
        ("taxonomy.yaml:4", "label 'pixels' of axis 'what' has no description"),
        ("taxonomy.yaml:9", "label 'speed' of axis 'why' has no description"),
    ]


@pytest.mark.parametrize(
    ("first", "second", "is_one"),
    [
        ("Mask Tokens", "mask-token", True),  # case, sign, plural
        ("pre-training", "pretraining", True),
        ("tokeniser", "tokenizer", True),
        ("reconstrution", "reconstruction", True),
        ("supervised", "unsupervised", False),
        ("2D images", "3D images", False),
        ("mask", "task", False),
        ("image", "imago", False),  # too short for a typo
        ("class", "clas", False),
    ],
)
def test_one_label_spelt_in_two_ways_is_named(first: str, second: str, is_one: bool) -> None:
    """In names and titles, in either order, on one axis only."""
    for one, other in ((first, second), (second, first)):
        text = (
            f"axes:\n  what:\n    labels:\n      {one!r}: {{}}\n"
            f"      {other!r}: {{}}\npapers: {{}}\n"
        )
        expected = [("taxonomy.yaml:5", f"label {other!r} of axis 'what' looks like label {one!r}")]
        assert found(lint(text, TITLES), "T204") == (expected if is_one else [])
        titled = (
            f"axes:\n  what:\n    labels:\n      aaa: {{title: {one!r}}}\n"
            f"      zzz: {{title: {other!r}}}\npapers: {{}}\n"
        )
        assert bool(found(lint(titled, TITLES), "T204")) == is_one
        apart = (
            f"axes:\n  what:\n    labels: {{{one!r}: {{}}}}\n"
            f"  why:\n    labels: {{{other!r}: {{}}}}\npapers: {{}}\n"
        )
        assert found(lint(apart, TITLES), "T204") == []


def test_stated_numbers_are_compared_one_by_one() -> None:
    """Two sources may state two numbers; only the wrong one is named, on its line."""
    text = """\
stated:
  - {what: papers, count: 3, source: the abstract}
  - {what: papers, count: 4, source: section 2}
  - {what: labels, count: 3, source: section 3}
  - {what: axes, count: 1, source: section 3}
  - what: cells
    count: 2
    source: figure 1
axes:
  what:
    labels: {pixels: {}, views: {}}
  why:
    labels: {speed: {}}
papers:
  p1: {what: [pixels]}
  p2: {what: [pixels], why: [speed]}
  p3: {}
"""
    assert found(lint(text, TITLES), "T301") == [
        ("taxonomy.yaml:3", "4 filed papers, says section 2; here are 3"),
        ("taxonomy.yaml:5", "1 axes, says section 3; here are 2"),
        ("taxonomy.yaml:6", "2 combined cells, says figure 1; here are 3"),
    ]


def test_words_lose_the_plural_alone() -> None:
    """Short words and double s keep theirs."""
    assert singular("mask tokens of classless gas strategies") == (
        "mask token of classless gas strategy"
    )


@pytest.mark.parametrize(
    ("entry", "complaint"),
    [
        ("{what: paper, count: 1, source: s}", "stated.0.what: input should be 'papers'"),
        ("{what: papers, count: -1, source: s}", "stated.0.count: input should be greater than"),
        ("{what: papers, count: '1', source: s}", "stated.0.count: input should be a valid int"),
        ("{what: papers, count: 1}", "stated.0.source: is required but missing"),
    ],
)
def test_a_stated_number_needs_what_how_many_and_where(entry: str, complaint: str) -> None:
    """The line of the entry is named."""
    text = f"stated:\n  - {entry}\naxes: {{what: {{labels: {{pixels: {{}}}}}}}}\npapers: {{}}\n"
    with pytest.raises(DataError) as caught:
        lint(text, TITLES)
    assert str(caught.value).startswith(f"taxonomy.yaml:2: {complaint}")

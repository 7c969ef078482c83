"""Taxonomy: labels, classes and cells, and every fault of the file that holds them."""

from collections import Counter
from pathlib import Path

import pytest

from survey_tools.corpus import Corpus
from survey_tools.errors import DataError, ParameterError
from survey_tools.formats.jsonl import read_papers
from survey_tools.paper import Paper
from survey_tools.taxonomy import Taxonomy, read_taxonomy

MIM = Path(__file__).parents[1] / "data" / "mim"

# What is hidden (with a hierarchy), and whether something is learnt (a single label).
TEXT = """\
title: Toy
annotator: Ada
axes:
  hidden:
    title: What is hidden
    labels:
      pixels: {title: Pixels, description: Of an image.}
      patches: {parent: pixels}
      views: {}
  learnt:
    otherwise: fixed
    labels: {contributes: {}}
papers:
  p1: {hidden: [pixels]}
  p2: {hidden: [views, pixels], learnt: [contributes]}
  p3: {learnt: [{label: contributes, evidence: section 3, annotator: Bo}]}
  p4: {}
  p5: {hidden: [patches], learnt: []}
  p6: {hidden: [{label: pixels}]}
"""
CORPUS = Corpus(tuple(Paper(key=f"p{i}", title="t") for i in range(1, 8)))


def read(folder: Path, text: str = TEXT, corpus: Corpus | None = None) -> Taxonomy:
    """Read a taxonomy from a file of this text."""
    (folder / "t.yaml").write_text(text, encoding="utf-8")
    return read_taxonomy(folder / "t.yaml", corpus)


def complaint(folder: Path, text: str, corpus: Corpus | None = None) -> str:
    """Return what is said, without the folder, about a taxonomy that must be refused."""
    with pytest.raises(DataError) as caught:
        read(folder, text, corpus)
    return str(caught.value).removeprefix(f"{folder}/")


def with_axes(axes: str) -> str:
    """Return a taxonomy with other axes (from line 2) and no papers."""
    return f"axes:\n{axes}papers: {{}}\n"


def with_papers(papers: str) -> str:
    """Return the toy taxonomy with other papers, from line 14."""
    return TEXT.partition("  p1:")[0] + papers


def test_axes_and_labels_come_in_the_order_of_the_file(tmp_path: Path) -> None:
    """A missing title is the name, a missing class ``none``."""
    taxonomy = read(tmp_path)
    hidden, learnt = taxonomy.axes
    assert hidden.label_names == ("pixels", "patches", "views")
    assert (hidden.title, hidden.otherwise) == ("What is hidden", "none")
    assert (learnt.title, learnt.otherwise) == ("learnt", "fixed")
    assert (hidden.labels[0].title, hidden.labels[0].description) == ("Pixels", "Of an image.")
    assert (hidden.labels[1].title, hidden.labels[1].parent) == ("patches", "pixels")
    assert taxonomy.filed_keys == ("p1", "p2", "p3", "p4", "p5", "p6")


def test_assignments_carry_evidence_and_annotator(tmp_path: Path) -> None:
    """The annotator of the file decided where an entry names none."""
    found = {
        (given.paper_key, given.label): (given.axis, given.evidence, given.annotator)
        for given in read(tmp_path).assignments
    }
    assert found == {
        ("p1", "pixels"): ("hidden", "", "Ada"),
        ("p2", "views"): ("hidden", "", "Ada"),
        ("p2", "pixels"): ("hidden", "", "Ada"),
        ("p2", "contributes"): ("learnt", "", "Ada"),
        ("p3", "contributes"): ("learnt", "section 3", "Bo"),
        ("p5", "patches"): ("hidden", "", "Ada"),
        ("p6", "pixels"): ("hidden", "", "Ada"),
    }


def test_label_sets_follow_the_order_of_the_axis(tmp_path: Path) -> None:
    """p2 was written views first; a parent is not added to its child."""
    assert read(tmp_path).label_sets("hidden") == {
        "p1": ("pixels",),
        "p2": ("pixels", "views"),
        "p3": (),
        "p4": (),
        "p5": ("patches",),
        "p6": ("pixels",),
    }


def test_classes_are_sets_of_labels(tmp_path: Path) -> None:
    """Known classes stand first, in the order of the axis, then ``otherwise``, then joint ones."""
    classes = read(tmp_path).classes("hidden")
    assert classes.group_names == ("pixels", "patches", "none", "pixels + views")
    assert classes.members("pixels") == ("p1", "p6")
    assert classes.members("none") == ("p3", "p4")
    assert classes.sizes.tolist() == [2, 1, 2, 1]


def test_classes_of_chosen_papers_hold_no_other(tmp_path: Path) -> None:
    """The order is that of the request."""
    classes = read(tmp_path).classes("learnt", iter(["p4", "p2"]))
    assert classes.as_mapping() == {"p4": "fixed", "p2": "contributes"}
    assert classes.paper_keys == ("p4", "p2")


def test_cells_join_the_labels_of_all_axes(tmp_path: Path) -> None:
    """A single label gives its axis's name; the largest cell stands first, then by name."""
    cells = read(tmp_path).cells()
    assert cells.as_mapping() == {
        "p1": "hidden: pixels",
        "p2": "hidden: pixels + hidden: views + learnt",
        "p3": "learnt",
        "p4": "none",
        "p5": "hidden: patches",
        "p6": "hidden: pixels",
    }
    assert cells.group_names == (
        "hidden: pixels",
        "hidden: patches",
        "hidden: pixels + hidden: views + learnt",
        "learnt",
        "none",
    )


def test_a_label_that_a_narrower_one_implies_is_left_out(tmp_path: Path) -> None:
    """[z, x] is [z] where x is above z, however far and whoever gave it; y and v stay two."""
    axes = "  a:\n    labels: {x: {}, z: {parent: y}, y: {parent: x}, v: {parent: x}}\n"
    papers = """\
papers:
  p1: {a: [z]}
  p2: {a: [x, z]}
  p3: {a: [z, y, {label: x, annotator: Bo}]}
  p4: {a: [x]}
  p5: {a: [x, v, y]}
"""
    taxonomy = read(tmp_path, f"axes:\n{axes}{papers}")
    assert taxonomy.label_sets("a") == {
        "p1": ("z",),
        "p2": ("z",),
        "p3": ("z",),
        "p4": ("x",),
        "p5": ("y", "v"),
    }
    assert taxonomy.classes("a").as_mapping() == {
        "p1": "z",
        "p2": "z",
        "p3": "z",
        "p4": "x",
        "p5": "y + v",
    }
    assert taxonomy.cells().sizes.tolist() == [3, 1, 1]
    assert taxonomy.cell_titles() == {name: name for name in taxonomy.cells().group_names}
    assert len(taxonomy.assignments) == 10  # what was written stays


def test_papers_that_are_not_filed_are_named(tmp_path: Path) -> None:
    """No class is invented for them."""
    taxonomy = read(tmp_path, corpus=CORPUS)
    with pytest.raises(ParameterError, match=r"^papers not filed in the taxonomy: p7, p8$"):
        taxonomy.classes("hidden", ["p1", "p7", "p8"])
    with pytest.raises(ParameterError, match=r"^papers not filed in the taxonomy: p7$"):
        taxonomy.cells(["p7"])


def test_ancestors_run_from_the_nearest(tmp_path: Path) -> None:
    """Three levels, worked by hand."""
    axes = "  a:\n    labels: {x: {}, z: {parent: y}, y: {parent: x}}\n"
    taxonomy = read(tmp_path, with_axes(axes))
    assert [taxonomy.ancestors("a", name) for name in "zyx"] == [("y", "x"), ("x",), ()]


def test_unknown_axes_and_labels_are_named(tmp_path: Path) -> None:
    """With the nearest known name."""
    taxonomy = read(tmp_path)
    with pytest.raises(ParameterError, match=r"^unknown axis 'hiden'; did you mean 'hidden'\?$"):
        taxonomy.classes("hiden")
    with pytest.raises(ParameterError, match=r"^unknown axis 'hiden'"):
        taxonomy.label_sets("hiden")
    with pytest.raises(ParameterError, match=r"^unknown label 'pixel'; did you mean 'pixels'\?$"):
        taxonomy.ancestors("hidden", "pixel")


def test_a_taxonomy_may_leave_papers_of_the_corpus_unfiled(tmp_path: Path) -> None:
    """p7 is in the corpus and under no class."""
    assert "p7" not in read(tmp_path, corpus=CORPUS).filed_keys


def test_a_paper_that_the_corpus_lacks_is_refused(tmp_path: Path) -> None:
    """The line is the paper's and the nearest key is offered."""
    papers = with_papers("  p1: {}\n  p77: {}\n")
    assert complaint(tmp_path, papers, CORPUS) == (
        "t.yaml:15: papers.p77: unknown paper; correct it (did you mean 'p7'?) or leave it out by "
        "the setting crosscheck.unknown=leave-out"
    )


def test_all_papers_that_the_corpus_lacks_are_named_at_once(tmp_path: Path) -> None:
    """The first five, with their number and the line of the first."""
    papers = with_papers("".join(f"  p{i}: {{}}\n" for i in range(5, 81, 9)))
    assert complaint(tmp_path, papers, CORPUS) == (
        "t.yaml:15: papers.p14: unknown paper, one of p14, p23, p32, p41, p50, … (8 in all); "
        "correct them (did you mean 'p4'?) or leave them out by the setting "
        "crosscheck.unknown=leave-out"
    )


@pytest.mark.parametrize(
    ("papers", "expected"),
    [
        (
            "  p1:\n    hiden: [pixels]\n",
            "15: papers.p1.hiden: unknown axis; did you mean 'hidden'",
        ),
        (
            "  p1:\n    hidden:\n    - views\n    - pixel\n",
            "17: papers.p1.hidden.1: unknown label 'pixel'; did you mean 'pixels'?",
        ),
        (
            "  p1: {hidden: [{label: pixel}]}\n",
            "14: papers.p1.hidden.0: unknown label 'pixel'; did you mean 'pixels'?",
        ),
        (
            "  p1:\n    hidden:\n    - views\n    - label: views\n",
            "17: papers.p1.hidden.1: label 'views' stands twice",
        ),
        ("  p1: {}\n  p1: {}\n", "15: key 'p1' stands twice (first on line 14)"),
        ("  p1: {hidden: [views], hidden: []}\n", "14: key 'hidden' stands twice"),
        ("  2106.08250: {}\n", "14: key 2106.08250 is read as a float; write it in quotes"),
        ("  no: {}\n", '14: key no is read as a bool; write it in quotes: "no"'),
        ("  p1: {hidden: [no]}\n", "14: papers.p1.hidden.0: no is read as the truth value False"),
        ("  p1: {hidden: views}\n", "14: papers.p1.hidden: input should be a valid array"),
        ("  p1: {hidden: }\n", "14: papers.p1.hidden: input should be a valid array, but None"),
        ("  p1:\n", "14: papers.p1: input should be an object, but None arrived"),
        ("  p1: &x {}\n  p2: *x\n", "15: alias *x is not allowed; write the value out"),
        ("  p1: {hidden: [{lable: views}]}\n", "14: papers.p1.hidden.0.lable: unknown; did you"),
    ],
)
def test_a_faulty_paper_is_named_with_its_line(tmp_path: Path, papers: str, expected: str) -> None:
    """Axes, labels, repetitions, words that YAML reads as something else."""
    assert complaint(tmp_path, with_papers(papers)).startswith(f"t.yaml:{expected}")


@pytest.mark.parametrize(
    ("axes", "expected"),
    [
        (
            "  a:\n    labels:\n      x: {}\n      yy: {parent: xx}\n",
            "5: axes.a.labels.yy.parent: unknown label 'xx'; did you mean 'x'?",
        ),
        (
            "  a:\n    labels:\n      x: {parent: x}\n",
            "4: axes.a.labels.x.parent: parents form a circle: x -> x",
        ),
        (
            "  a:\n    labels:\n      w: {parent: x}\n      x: {parent: y}\n      y: {parent: x}\n",
            "4: axes.a.labels.w.parent: parents form a circle: x -> y -> x",
        ),
        (
            "  a: {labels: {x: {}}}\n  b: {labels: {y: {parent: x}}}\n",
            "3: axes.b.labels.y.parent: unknown label 'x'; nothing is allowed here",
        ),
        (
            "  a:\n    otherwise: x\n    labels: {x: {}}\n",
            "3: axes.a.otherwise: 'x' is a label of the axis; name another",
        ),
        ("  a: {labels: {none: {}}}\n", "2: axes.a.otherwise: 'none' is a label of the axis"),
        ("  a: {labels: {}}\n", "2: axes.a.labels: dictionary should have at least 1 item"),
        ("  a: {}\n", "2: axes.a.labels: is required but missing"),
        ("  a: {lables: {x: {}}}\n", "2: axes.a.lables: unknown; did you mean 'labels'? (and 1"),
        ("  a: {labels: {x: }}\n", "2: axes.a.labels.x: input should be an object, but None"),
    ],
)
def test_a_faulty_axis_is_named_with_its_line(tmp_path: Path, axes: str, expected: str) -> None:
    """Parents, the class of the others, missing and misspelt groups."""
    assert complaint(tmp_path, with_axes(axes)).startswith(f"t.yaml:{expected}")


@pytest.mark.parametrize(
    ("axes", "expected"),
    [
        ("  a: {labels: {x: {}, y: {}, x + y: {}}}\n", "axes.a.labels.x + y: name 'x + y' must"),
        ("  a: {labels: {x +: {}}}\n", "axes.a.labels.x +: name 'x +' must hold text and no"),
        ('  a: {labels: {"": {}}}\n', "axes.a.labels.: name '' must hold text"),
        ("  a: {otherwise: x + y, labels: {x: {}, y: {}}}\n", "axes.a.otherwise: name 'x + y'"),
        ("  a + b: {labels: {x: {}}}\n", "axes.a + b: name 'a + b' must hold text"),
        ('  "a: x": {labels: {x: {}}}\n', "axes.a: x: the name of an axis must not hold ': '"),
        ("  a/b: {labels: {x: {}}}\n", "axes.a/b: the name of an axis must not hold '/'"),
        ("  none: {labels: {x: {}}}\n", "axes.none: 'none' is the name of a result"),
        ("  cells: {labels: {x: {}}}\n", "axes.cells: 'cells' is the name of a result"),
    ],
)
def test_names_that_could_be_mistaken_are_refused(tmp_path: Path, axes: str, expected: str) -> None:
    """Papers with x and y would fall into one class with those labelled ``x + y``."""
    assert complaint(tmp_path, with_axes(axes)).startswith(f"t.yaml:2: {expected}")


def test_a_plus_within_a_word_joins_nothing(tmp_path: Path) -> None:
    """C++ is a fine label."""
    taxonomy = read(tmp_path, "axes: {a: {labels: {C++: {}, D: {}}}}\npapers: {p: {a: [C++, D]}}\n")
    assert taxonomy.classes("a").group_names == ("C++ + D",)


@pytest.mark.parametrize("missing", ["axes", "papers"])
def test_axes_and_papers_are_required(tmp_path: Path, missing: str) -> None:
    """Without one of them there is no taxonomy."""
    lines = {"axes": "axes: {a: {labels: {x: {}}}}\n", "papers": "papers: {}\n"}
    text = "".join(line for name, line in lines.items() if name != missing)
    assert complaint(tmp_path, text) == f"t.yaml:1: {missing}: is required but missing"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """The path stands in the message."""
    with pytest.raises(DataError, match=r"t\.yaml: no such file$"):
        read_taxonomy(tmp_path / "t.yaml")


@pytest.fixture(scope="module")
def mim() -> Taxonomy:
    """Return the bundled taxonomy, checked against the bundled papers."""
    return read_taxonomy(MIM / "taxonomy.yaml", read_papers(MIM / "papers.jsonl"))


def test_the_bundled_taxonomy_agrees_with_the_survey(mim: Taxonomy) -> None:
    """Papers of each kind of contribution, as counted in the survey's companion list."""
    counts = Counter(given.axis for given in mim.assignments)
    assert counts == {
        "masking-strategy": 92,
        "target-features": 55,
        "objective-function": 57,
        "model-architecture": 44,
        "downstream-task": 43,
        "theoretical-analysis": 12,
    }
    for axis, n_papers in counts.items():
        classes = mim.classes(axis)
        assert classes.sizes.tolist() == [n_papers, 180 - n_papers]
        assert classes.group_names == ("contributes", "other")


def test_the_bundled_cells_file_every_paper_once(mim: Taxonomy) -> None:
    """Twenty combined cells of 180 papers; their labels add up to all 303 assignments."""
    cells = mim.cells()
    assert (cells.n_groups, cells.n_papers, int(cells.sizes.sum())) == (20, 180, 180)
    assert "none" not in cells.group_names
    n_labels = sum(len(name.split(" + ")) for name in cells.as_mapping().values())
    assert n_labels == len(mim.assignments) == 303


def test_the_bundled_taxonomy_files_the_bundled_papers(mim: Taxonomy) -> None:
    """No paper is missing on either side."""
    assert set(mim.filed_keys) == set(read_papers(MIM / "papers.jsonl").keys)

"""Annotators: who is compared on which papers, and where they disagree."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from survey_tools.corpus import Corpus
from survey_tools.crosscheck.annotators import AnnotatorComparison, compare_annotators
from survey_tools.crosscheck.filings import Filing, join_keys, split_annotators
from survey_tools.documents import parse_yaml
from survey_tools.errors import ParameterError
from survey_tools.paper import Paper
from survey_tools.taxonomy import parse_taxonomy

AXES = {"hidden": ["pixels", "patches"], "learnt": ["contributes"]}
Filed = Mapping[str, Mapping[str, Sequence[str]]]


def filing(name: str, filed: Filed, axes: Mapping[str, Sequence[str]] = AXES) -> Filing:
    """File papers: paper -> axis -> labels."""
    content = {
        "axes": {
            axis: {"labels": {label: {} for label in labels}} for axis, labels in axes.items()
        },
        "papers": filed,
    }
    document = parse_yaml(json.dumps(content).encode(), source=f"{name}.yaml")
    return Filing(name=name, taxonomy=parse_taxonomy(document), corpus=None)


def compare(*filings: Filing) -> AnnotatorComparison:
    return compare_annotators(filings, seed=1, n_resamples=50, allow_few=True)


def values(comparison: AnnotatorComparison) -> dict[str, list[tuple[str, float]]]:
    """Return names and values of the indices, by axis."""
    return {
        axis.name: [(index.name, index.value) for index in axis.agreement.indices]
        for axis in comparison.axes
    }


ADA = filing(
    "Ada",
    {
        "p1": {"hidden": ["pixels"]},
        "p2": {"hidden": ["pixels", "patches"]},
        "p3": {"learnt": ["contributes"]},
        "p4": {"hidden": ["patches"], "learnt": ["contributes"]},
        "p5": {},
    },
)
BO = filing(
    "Bo",
    {
        "p4": {"hidden": ["patches"]},
        "p3": {"learnt": ["contributes"]},
        "p2": {"hidden": ["patches"]},
        "p1": {"hidden": ["pixels"]},
        "p6": {"hidden": ["pixels"]},
    },
)


def test_papers_of_all_are_compared_and_others_named() -> None:
    """In the order of the first annotator, whatever the second one's."""
    comparison = compare(ADA, BO)
    assert comparison.names == ("Ada", "Bo")
    assert comparison.paper_keys == ("p1", "p2", "p3", "p4")
    assert comparison.missing == {"Ada": ("p6",), "Bo": ("p5",)}
    assert [axis.name for axis in comparison.axes] == ["hidden", "learnt", "combined cells"]
    assert {axis.agreement.n_papers for axis in comparison.axes} == {4}


def test_disagreements_are_listed_by_paper_and_axis() -> None:
    """With the labels of both; combined cells follow from the axes and are not listed."""
    comparison = compare(ADA, BO)
    assert [(d.paper_key, d.axis, d.labels) for d in comparison.disagreements] == [
        ("p2", "hidden", (("pixels", "patches"), ("patches",))),
        ("p4", "learnt", (("contributes",), ())),
    ]
    assert [axis.n_equal for axis in comparison.axes] == [3, 3, 2]


def test_kappa_of_two_is_worked_out_by_hand() -> None:
    """Label sets are categories, and none at all is one of them.

    hidden: 3 of 4 alike. Ada has pixels, both, none, patches once each; Bo has patches twice,
    pixels and none once. By chance (1*1 + 1*0 + 1*1 + 1*2) / 16 = 1/4, so kappa is
    (3/4 - 1/4) / (3/4) = 2/3. learnt: 3 of 4 alike, 2 and 1 with it: by chance
    (2*1 + 2*3) / 16 = 1/2, kappa 1/2. Cells: Ada's four differ; Bo has patches twice:
    2 of 4 alike, by chance (1 + 0 + 1 + 0) / 16, kappa (1/2 - 1/8) / (7/8) = 3/7.
    """
    cohen = {name: indices[0] for name, indices in values(compare(ADA, BO)).items()}
    assert all(name.startswith("Cohen") for name, _ in cohen.values())
    assert cohen["hidden"][1] == pytest.approx(2 / 3)
    assert cohen["learnt"][1] == pytest.approx(1 / 2)
    assert cohen["combined cells"][1] == pytest.approx(3 / 7)


def test_order_of_annotators_and_papers_moves_no_value() -> None:
    """Agreement has no first and second."""
    once, again = values(compare(ADA, BO)), values(compare(BO, ADA))
    for axis, indices in once.items():
        assert dict(again[axis]) == pytest.approx(dict(indices))


def test_names_of_labels_play_no_role() -> None:
    """Relabelled alike on both sides."""
    axes = {"hidden": ["u", "v"], "learnt": ["w"]}
    new = {"pixels": "v", "patches": "u", "contributes": "w"}
    renamed = []
    for one in (ADA, BO):
        filed = {
            key: {
                axis: [new[label] for label in one.taxonomy.label_sets(axis)[key]] for axis in AXES
            }
            for key in one.taxonomy.filed_keys
        }
        renamed.append(filing(one.name, filed, axes))
    once, again = values(compare(ADA, BO)), values(compare(*renamed))
    for axis, indices in once.items():
        assert dict(again[axis]) == pytest.approx(dict(indices))


def test_three_annotators_share_the_papers_of_all() -> None:
    """Fleiss and Krippendorff remain; Cohen is for two."""
    cy = filing("Cy", {"p1": {"hidden": ["pixels"]}, "p2": {}, "p4": {"hidden": ["patches"]}})
    comparison = compare(ADA, BO, cy)
    assert comparison.paper_keys == ("p1", "p2", "p4")
    assert comparison.missing["Cy"] == ("p3", "p5", "p6")
    assert comparison.axes[0].agreement.n_annotators == 3
    names = [name for name, _ in values(comparison)["hidden"]]
    assert names
    assert not any(name.startswith("Cohen") for name in names)
    assert comparison.disagreements[0].labels == (("pixels", "patches"), ("patches",), ())


def test_axes_and_labels_of_some_are_named() -> None:
    """Such an axis is left out, such a label counts as one that the others did not give."""
    cy = filing(
        "Cy",
        {"p1": {"hidden": ["views"], "why": ["speed"]}, "p2": {"hidden": ["patches"]}},
        {"hidden": ["patches", "views"], "why": ["speed"]},
    )
    comparison = compare(ADA, cy)
    assert [axis.name for axis in comparison.axes] == ["hidden", "combined cells"]
    assert comparison.axes_apart == {"learnt": ("Ada",), "why": ("Cy",)}
    assert comparison.labels_apart == {("hidden", "pixels"): ("Ada",), ("hidden", "views"): ("Cy",)}
    assert comparison.disagreements[0].labels == (("pixels",), ("views",))


def test_too_few_papers_are_refused_with_their_number() -> None:
    """Unless asked for; with none in common there is nothing to ask for."""
    with pytest.raises(ParameterError, match=r"^4 papers in common \(Ada files 5, Bo files 5\)"):
        compare_annotators([ADA, BO], seed=0)
    with pytest.raises(ParameterError, match=r"Ada lacks p6; Bo lacks p5; --few goes on"):
        compare_annotators([ADA, BO], seed=0)
    other = filing("Cy", {"q": {}})
    with pytest.raises(ParameterError, match=r"^0 papers in common .* lacks q; .*p5$"):
        compare(ADA, other)
    with pytest.raises(ParameterError, match="1 filing arrived"):
        compare(ADA)
    with pytest.raises(ParameterError, match="Ada arrived twice"):
        compare(ADA, ADA)


def test_annotators_of_one_file_are_parted_by_their_labels() -> None:
    """A paper without label is the file's annotator's; a label may stand there once for each."""
    text = """\
annotator: Ada
axes:
  hidden: {labels: {pixels: {}, patches: {}}}
  learnt: {labels: {contributes: {}}}
papers:
  p1: {hidden: [pixels, {label: pixels, annotator: Bo}]}
  p2: {hidden: [{label: patches, annotator: Bo}], learnt: [contributes]}
  p3: {hidden: [pixels]}
  p4: {}
  p5: {learnt: [{label: contributes, annotator: Bo}]}
"""
    taxonomy = parse_taxonomy(parse_yaml(text.encode(), source="t.yaml"))
    whole = Filing(name="t.yaml", taxonomy=taxonomy, corpus=None)
    ada, bo = split_annotators(whole)
    assert (ada.name, ada.taxonomy.filed_keys) == ("Ada", ("p1", "p2", "p3", "p4"))
    assert (bo.name, bo.taxonomy.filed_keys) == ("Bo", ("p1", "p2", "p5"))
    assert bo.taxonomy.label_sets("hidden") == {"p1": ("pixels",), "p2": ("patches",), "p5": ()}
    comparison = compare(ada, bo)
    assert [(d.paper_key, d.axis) for d in comparison.disagreements] == [
        ("p2", "hidden"),
        ("p2", "learnt"),
    ]
    unowned = replace(whole, taxonomy=replace(taxonomy, annotator=None))
    assert [f.taxonomy.filed_keys for f in split_annotators(unowned)] == [
        ("p1", "p2", "p3"),
        ("p1", "p2", "p5"),
    ]


def test_a_label_and_what_it_implies_are_one_label() -> None:
    """One annotator writes the broader label beside the narrower one, the other does not."""
    axes = "axes: {hidden: {labels: {pixels: {}, patches: {parent: pixels}}}}\n"
    given = {"Ada": ("[patches]", "[pixels]"), "Bo": ("[pixels, patches]", "[patches]")}
    filings = []
    for name, (first, second) in given.items():
        text = f"{axes}papers: {{p1: {{hidden: {first}}}, p2: {{hidden: {second}}}}}\n"
        taxonomy = parse_taxonomy(parse_yaml(text.encode(), source=name))
        filings.append(Filing(name=name, taxonomy=taxonomy, corpus=None))
    comparison = compare(*filings)
    assert [axis.n_equal for axis in comparison.axes] == [1, 1]
    assert [(d.paper_key, d.labels) for d in comparison.disagreements] == [
        ("p2", (("pixels",), ("patches",)))
    ]


def test_what_one_taxonomy_implies_counts_for_all() -> None:
    """Where only one names the parent; parents that contradict each other imply nothing more."""
    below, above, flat = (
        "top: {}, kid: {parent: top}",
        "top: {parent: kid}, kid: {}",
        "top: {}, kid: {}",
    )
    for hierarchies, expected in [
        ((below, flat), (("kid",), ("kid",))),
        ((flat, below), (("kid",), ("kid",))),
        ((below, above, flat), (("kid",), ("top",), ("top", "kid"))),
    ]:
        filings = []
        for i, labels in enumerate(hierarchies):
            text = f"axes: {{a: {{labels: {{{labels}}}}}}}\npapers: {{p1: {{a: [kid, top]}}}}\n"
            taxonomy = parse_taxonomy(parse_yaml(text.encode(), source="t.yaml"))
            filings.append(Filing(name=f"{i}", taxonomy=taxonomy, corpus=None))
        comparison = compare(*filings)
        are_equal = len(set(expected)) == 1
        assert [axis.n_equal for axis in comparison.axes] == [are_equal, are_equal]
        assert [found.labels for found in comparison.disagreements] == [expected] * (not are_equal)


def with_papers(name: str, papers: Sequence[Paper]) -> Filing:
    """File every paper under the label of its first letter's place."""
    filed = {paper.key: {"hidden": ["pixels"]} for paper in papers}
    return replace(filing(name, filed), corpus=Corpus(tuple(papers)))


def test_papers_of_two_surveys_get_the_keys_of_the_first() -> None:
    """By arXiv id, DOI, title, key, the surer one where two match one."""
    first = with_papers(
        "A",
        [
            Paper(key="a", title="One of a kind", arxiv_id="2101.00001"),
            Paper(key="b", title="Two of a kind", doi="10.1000/B"),
            Paper(key="c", title="Three of a kind"),
            Paper(key="d", title="Four of a kind", arxiv_id="2101.00004"),
        ],
    )
    second = with_papers(
        "B",
        [
            Paper(key="x", title="Renamed since", arxiv_id="2101.00001v2"),
            Paper(key="y", title="Renamed too", doi="10.1000/b"),
            Paper(key="z", title="Three of a kind!"),
            Paper(key="c", title="Three of a kind"),
            Paper(key="d", title="Another", arxiv_id="2202.00001"),
            Paper(key="w", title="Unheard of"),
        ],
    )
    joined = join_keys([first, second])
    assert joined[0] == first
    # z is c's double, and d is another paper of that key
    assert joined[1].taxonomy.filed_keys == ("a", "b", "z", "c", "d (B)", "w")
    assert {a.paper_key for a in joined[1].taxonomy.assignments} == {*joined[1].taxonomy.filed_keys}
    assert joined[1].corpus is not None
    assert joined[1].corpus["a"].title == "Renamed since"
    comparison = compare(*joined)
    assert comparison.paper_keys == ("a", "b", "c")
    assert comparison.missing == {"A": ("z", "d (B)", "w"), "B": ("d",)}


def test_one_key_for_two_papers_matches_neither() -> None:
    """Two surveys may call different papers by one key; title, DOI or arXiv id tell.

    he2022 and xu2022 are swapped; li2022 and bao2022 are other papers there; wu2022 has a
    misprint, ma2022 an arXiv id there alone, and no title here.
    """
    first = with_papers(
        "A",
        [
            Paper(key="he2022", title="Masked autoencoders", arxiv_id="2111.06377"),
            Paper(key="xu2022", title="A simple framework for masked images"),
            Paper(key="li2022", title="Exploring plain backbones"),
            Paper(key="bao2022", title="Pre-training of transformers", doi="10.1000/x"),
            Paper(
                key="wu2022",
                title="Denoising masked autoencoders help robust classification of images",
            ),
            Paper(key="ma2022", title="", doi="https://doi.org/10.1000/M"),
        ],
    )
    second = with_papers(
        "B",
        [
            Paper(key="he2022", title="A Simple Framework for Masked Images"),
            Paper(key="xu2022", title="Masked autoencoders", arxiv_id="2111.06377v2"),
            Paper(key="li2022", title="Uniform masking of pyramids"),
            Paper(key="bao2022", title="Pre-training of transformer", doi="10.1000/y"),
            Paper(
                key="wu2022",
                title="Denoising masked autoencoders help robust clasification of images",
            ),
            Paper(
                key="ma2022", title="Text", arxiv_id="2201.00001", doi="10.48550/arXiv.2201.00001"
            ),
        ],
    )
    assert join_keys([first, second])[1].taxonomy.filed_keys == (
        "xu2022",
        "he2022",
        "li2022 (B)",
        "bao2022 (B)",
        "wu2022",
        "ma2022",
    )


def test_of_papers_with_one_title_those_of_one_key_match() -> None:
    """Two editorials here and there."""
    papers = [Paper(key=key, title="Editorial") for key in ("e1", "e2")]
    joined = join_keys([with_papers("A", papers), with_papers("B", papers[::-1])])
    assert joined[1].taxonomy.filed_keys == ("e2", "e1")


def test_a_filed_paper_without_text_is_known_by_its_key() -> None:
    """A taxonomy may file papers that its survey lacks, if settings leave them out."""
    known = Paper(key="a", title="One of a kind")
    first = with_papers("A", [known, Paper(key="b", title="Two of a kind")])
    second = replace(
        filing("B", {"x": {}, "b": {}, "y": {}}),
        corpus=Corpus((replace(known, key="x"),)),
    )
    assert join_keys([first, second])[1].taxonomy.filed_keys == ("a", "b", "y")


def test_filings_without_papers_keep_their_keys() -> None:
    """They are taken for keys of the survey that is known."""
    known = with_papers("A", [Paper(key="p1", title="One"), Paper(key="p2", title="Two")])
    assert join_keys([ADA, known]) == (ADA, known)
    assert join_keys([ADA, BO]) == (ADA, BO)


def test_titles_of_the_first_survey_are_shown() -> None:
    """A disagreement names the paper as a reader knows it."""
    papers = [Paper(key="p1", title="One"), Paper(key="p2", title="Two")]
    ours = replace(
        filing("A", {"p1": {"hidden": ["pixels"]}, "p2": {}}), corpus=Corpus(tuple(papers))
    )
    theirs = filing("B", {"p1": {}, "p2": {}})
    (found,) = compare(theirs, ours).disagreements
    assert (found.title, found.labels) == ("One", ((), ("pixels",)))

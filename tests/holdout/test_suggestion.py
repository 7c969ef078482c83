"""Suggestions: obvious labels get high probabilities, filed papers are skipped."""

import numpy as np
import pytest
import yaml
from toys import toy_corpus, toy_labels, toy_taxonomy

from survey_tools.corpus import Corpus
from survey_tools.documents import parse_yaml
from survey_tools.errors import ParameterError
from survey_tools.holdout.suggestion import ANNOTATOR, Suggestions, suggest, write_fragment
from survey_tools.paper import Paper
from survey_tools.settings import HoldoutSettings, TextSettings
from survey_tools.taxonomy import Taxonomy, parse_taxonomy

LABELS = toy_labels(30)
NEW = Corpus(
    (
        Paper(key="new1", title="pixel noise01 pixel"),
        Paper(key="2106.08250", title="token token video video noise02"),
        Paper(key="new3", title="noise03 noise04 noise05"),
    )
)


def suggest_for(
    new: Corpus, corpus: Corpus | None = None, taxonomy: Taxonomy | None = None
) -> Suggestions:
    return suggest(
        corpus or toy_corpus(LABELS),
        new,
        taxonomy or toy_taxonomy(LABELS),
        TextSettings(),
        HoldoutSettings(),
        seed=0,
        stop_words=frozenset(),
    )


def test_probabilities_follow_the_words() -> None:
    """More than 0.8 where the word of the label stands in the title, less than 0.2 elsewhere."""
    found = suggest_for(NEW)
    assert len(found.suggestions) == 9
    assert found.n_filed == 30
    for suggestion in found.suggestions:
        stands = suggestion.label in suggestion.title
        assert suggestion.probability > 0.8 if stands else suggestion.probability < 0.2
        assert (suggestion.terms[:1] == (suggestion.label,)) == stands
        assert set(suggestion.terms) <= set(suggestion.title.split())


def test_the_order_of_papers_changes_nothing() -> None:
    """Neither of the filed nor of the new ones, but for the order of the suggestions."""
    corpus = toy_corpus(LABELS)
    turned = suggest_for(
        Corpus(NEW.papers[::-1]),
        Corpus(corpus.papers[::-1]),
        toy_taxonomy(dict(reversed(LABELS.items()))),
    )
    by_place = {(s.paper_key, s.label): s for s in turned.suggestions}
    for suggestion in suggest_for(NEW).suggestions:
        other = by_place[suggestion.paper_key, suggestion.label]
        assert other.probability == pytest.approx(suggestion.probability, abs=1e-12)
        assert other.terms == suggestion.terms


def test_other_new_papers_change_nothing() -> None:
    """Nothing is learnt from papers without labels."""
    alone = suggest_for(NEW.select(["new1"])).suggestions
    assert alone == suggest_for(NEW).suggestions[:3]


def test_papers_filed_already_are_named_with_their_keys() -> None:
    """By key, arXiv id of another version, DOI in another writing, title in another writing."""
    labels = toy_labels(10, seed=1)
    corpus = toy_corpus(labels)
    old = [*corpus.papers]
    old[3] = Paper(key="p003", title="one", arxiv_id="2106.08250v1")
    old[4] = Paper(key="p004", title="Masked {Tokens}: a Study")
    old[5] = Paper(key="p005", title="a preprint", doi="https://doi.org/10.1109/CVPR.2022.1")
    old[6] = Paper(key="p006", title="another", doi="10.48550/arXiv.2106.08250")
    new = Corpus(
        (
            Paper(key="p001", title="something else"),
            Paper(key="he2021", title="two", arxiv_id="2106.08250v3"),
            Paper(key="xu2022", title="Masked tokens: a study", doi="10.1109/cvpr.2022.1"),
            Paper(key="li2022", title="masked tokens - a study", doi="10.1109/other"),
            Paper(key="ho2023", title=corpus.papers[7].title + " more"),
        )
    )
    found = suggest_for(new, Corpus(tuple(old)), toy_taxonomy(labels))
    assert found.already_filed == (
        ("p001", "p001"),
        ("he2021", "p003"),
        ("xu2022", "p005"),
        ("li2022", "p004"),
    )
    assert {s.paper_key for s in found.suggestions} == {"ho2023"}


def test_papers_of_the_survey_that_are_not_filed_get_suggestions() -> None:
    """The corpus may hold more papers than the taxonomy files."""
    some = {key: LABELS[key] for key in list(LABELS)[:20]}
    corpus = toy_corpus(LABELS)
    found = suggest_for(corpus.select(list(LABELS)[18:22]), corpus, toy_taxonomy(some))
    assert [key for key, _ in found.already_filed] == ["p018", "p019"]
    assert {s.paper_key for s in found.suggestions} == {"p020", "p021"}


def test_papers_without_a_known_term_are_named() -> None:
    """Nothing speaks for or against any label."""
    found = suggest_for(Corpus((*NEW.papers, Paper(key="odd", title="qwertz uiop"))))
    assert found.wordless_keys == ("odd",)
    assert "odd" not in {s.paper_key for s in found.suggestions}


def test_only_filed_papers_leave_nothing_to_suggest() -> None:
    """No new paper is left: no suggestion and no error."""
    corpus = toy_corpus(LABELS)
    found = suggest_for(corpus.select(["p001"]), corpus)
    assert found.suggestions == ()
    assert yaml.safe_load(write_fragment(found, toy_taxonomy(LABELS), min_probability=0.5)) == {
        "papers": {}
    }


def test_the_fragment_is_a_part_of_a_taxonomy() -> None:
    """Pasted below the filed papers it passes the door, with evidence and annotator."""
    fragment = write_fragment(suggest_for(NEW), toy_taxonomy(LABELS), min_probability=0.5)
    pasted = yaml.safe_load(fragment)["papers"]
    assert list(pasted) == ["new1", "2106.08250"]
    assert [entry["label"] for entry in pasted["2106.08250"]["what"]] == ["token", "video"]
    assert "# no label reaches probability 0.5: new3" in fragment.splitlines()
    labels = {word: {} for word in ("pixel", "token", "video")}
    whole = {"axes": {"what": {"labels": labels}}, "papers": pasted}
    text = yaml.safe_dump(whole, sort_keys=False)
    taxonomy = parse_taxonomy(parse_yaml(text.encode(), source="t.yaml"), NEW)
    first = taxonomy.assignments[0]
    assert (first.paper_key, first.label, first.annotator) == ("new1", "pixel", ANNOTATOR)
    assert first.evidence == "probability over 0.99; pixel"


def test_of_a_label_and_its_broader_one_the_narrower_is_written() -> None:
    """A paper with pixel is a paper with raw anyway."""
    taxonomy = toy_taxonomy(LABELS, parents={"pixel": "raw", "video": "raw"})
    found = suggest_for(NEW, taxonomy=taxonomy)
    raw = {s.paper_key: s.probability for s in found.suggestions if s.label == "raw"}
    assert raw["new1"] > 0.5
    fragment = yaml.safe_load(write_fragment(found, taxonomy, min_probability=0.5))
    assert [entry["label"] for entry in fragment["papers"]["new1"]["what"]] == ["pixel"]


def test_labels_that_cannot_be_learnt_are_named() -> None:
    """A label of one paper gets no probability."""
    labels = {key: [word for word in mine if word != "video"] for key, mine in LABELS.items()}
    labels["p000"].append("video")
    found = suggest_for(NEW, toy_corpus(labels), toy_taxonomy(labels))
    assert {s.label for s in found.suggestions} == {"pixel", "token"}
    assert found.notes == ("What: 1 label not testable: video (1 paper).",)


def test_an_empty_taxonomy_is_refused() -> None:
    """Labels cannot be learnt from one paper."""
    with pytest.raises(ParameterError, match="files 1 of 30 papers; labels can be learnt from 2"):
        suggest_for(NEW, taxonomy=toy_taxonomy({"p000": []}))


def test_probabilities_are_calibrated() -> None:
    """With a label at a third of the papers and no word to tell it, all get about a third."""
    rng = np.random.default_rng(3)
    labels = {f"p{i:02}": ["pixel"] if i % 3 == 0 else [] for i in range(60)}
    corpus = toy_corpus({key: [] for key in labels})
    titles = [" ".join(rng.choice([f"noise{i:02}" for i in range(30)], 4)) for _ in range(20)]
    new = Corpus(tuple(Paper(key=f"n{i}", title=title) for i, title in enumerate(titles)))
    found = suggest_for(new, corpus, toy_taxonomy(labels))
    assert np.mean([s.probability for s in found.suggestions]) == pytest.approx(1 / 3, abs=0.1)

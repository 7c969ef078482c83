"""The choices behind a dendrogram: levels, idle levels, and what does not go together."""

import pytest

from survey_tools.errors import ParameterError
from survey_tools.robustness.setting import FACTORS, Setting, parse_level
from survey_tools.settings import ClusteringSettings, CutSettings, TextSettings


def own(**changed) -> Setting:
    """Return Ward on tf-idf of title and abstract, three clusters."""
    setting = Setting.of_survey(TextSettings(), ClusteringSettings(), 3)
    return setting.replace(**changed) if changed else setting


def test_a_survey_has_a_setting() -> None:
    """Every factor has the level that the survey's settings give it."""
    text = TextSettings(
        fields=("title",), ngram_range=(1, 2), weighting="bm25", norm="l1", min_df=2, max_df=0.5
    )
    clustering = ClusteringSettings(
        linkage="average", metric="cosine", rows="lsa", n_components=7, cut=CutSettings(gap=True)
    )
    assert Setting.of_survey(text, clustering, 4).levels() == {
        "text": "title",
        "stop_words": "english",
        "stemming": "none",
        "ngrams": "1-2",
        "min_df": 2,
        "max_df": 0.5,
        "weighting": "bm25",
        "norm": "l1",
        "reduction": "lsa-7",
        "algorithm": "average",
        "metric": "cosine",
        "library": "scipy",
        "n_clusters": 4,
    }


def test_settings_of_the_text_come_back() -> None:
    """The text settings of the survey's own setting are its own, also what is no factor."""
    for text in (
        TextSettings(fields=("abstract", "title"), smooth_idf=False, max_features=9),
        TextSettings(fields=("abstract",), stemming="porter", norm="none", weighting="binary"),
        TextSettings(analyser="characters", ngram_range=(3, 5), stop_words="words.txt"),
    ):
        setting = Setting.of_survey(text, ClusteringSettings(), 3)
        assert setting.text_settings(text) == text


def test_a_level_changes_the_settings_of_the_text() -> None:
    """Another level of a text factor is another setting of the text."""
    text = own(ngrams="char-3-5", text="title", max_df=0.9).text_settings(TextSettings())
    assert (text.analyser, text.ngram_range, text.fields) == ("characters", (3, 5), ("title",))
    assert text.max_df == 0.9


def test_vectors_brought_along_have_no_choices() -> None:
    """Embeddings depend on no choice of terms, so there is nothing to vary."""
    clustering = ClusteringSettings(rows="embeddings")
    with pytest.raises(ParameterError, match=r"clustering.rows is embeddings, which no choice"):
        Setting.of_survey(TextSettings(), clustering, 3)


@pytest.mark.parametrize(
    ("changed", "idle"),
    [
        ({"algorithm": "hdbscan"}, {"library", "n_clusters"}),
        ({"algorithm": "affinity-propagation"}, {"library", "n_clusters"}),
        ({"algorithm": "k-means"}, {"library"}),
        ({"algorithm": "spectral", "metric": "cosine"}, {"library"}),
        ({"algorithm": "weighted"}, {"library"}),
        ({"algorithm": "average", "metric": "jaccard"}, {"weighting", "norm"}),
        ({"algorithm": "average"}, set()),
    ],
)
def test_idle_levels_are_blank(changed: dict, idle: set) -> None:
    """Levels that change nothing are None, so that equal runs are one run."""
    levels = own(**changed).levels()
    assert {name for name, level in levels.items() if level is None} == idle


def test_settings_that_differ_in_idle_levels_are_equal() -> None:
    """Two numbers of clusters are one setting of an algorithm that finds the number itself."""
    assert own(algorithm="hdbscan", n_clusters=3) == own(algorithm="hdbscan", n_clusters=9)
    assert own(algorithm="ward", n_clusters=3) != own(algorithm="ward", n_clusters=9)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"metric": "cosine"}, "ward linkage measures distances to centroids"),
        ({"algorithm": "k-means", "metric": "cosine"}, "k-means has no cosine distances"),
        ({"algorithm": "spectral"}, "spectral has no euclidean distances"),
        ({"algorithm": "hdbscan", "metric": "jaccard"}, "hdbscan has no jaccard distances"),
        (
            {"algorithm": "average", "metric": "jaccard", "reduction": "lsa-50"},
            "jaccard distances compare terms",
        ),
    ],
)
def test_levels_that_do_not_go_together(changed: dict, why: str) -> None:
    """A combination without meaning says why."""
    assert why in own(**changed).why_meaningless()


def test_levels_that_go_together() -> None:
    """A combination with a meaning has nothing to say."""
    assert own().why_meaningless() is None
    assert own(algorithm="average", metric="jaccard").why_meaningless() is None
    assert own(algorithm="spectral", metric="cosine").why_meaningless() is None


def test_chance() -> None:
    """k-means, spectral clustering and the reduction draw random numbers; the others do not."""
    assert not own().uses_chance
    assert not own(algorithm="affinity-propagation").uses_chance
    assert own(algorithm="k-means").uses_chance
    assert own(reduction="lsa-50").uses_chance


def test_levels_round_trip() -> None:
    """A setting read from its levels is the setting, idle levels included."""
    for setting in (own(), own(algorithm="hdbscan"), own(algorithm="average", metric="jaccard")):
        assert Setting.from_levels(setting.levels()) == setting


@pytest.mark.parametrize(
    ("factor", "level", "message"),
    [
        ("ngram", "1-2", "unknown factor 'ngram'; did you mean 'ngrams'?"),
        ("algorithm", "wards", "algorithm: 'wards' is no level; did you mean 'ward'?"),
        ("weighting", "idf", "weighting: 'idf' is no level"),
        ("ngrams", "3-1", "ngrams: '3-1' is no range of n-grams; write shortest-longest"),
        ("ngrams", [1, 2], "is no range of n-grams"),
        ("reduction", "lsa", "reduction: 'lsa' is no reduction; write none or lsa-50"),
        ("reduction", "lsa-0", "is no reduction"),
        ("min_df", 0, "min_df: 0 is neither papers"),
        ("min_df", True, "min_df: True is neither papers"),
        ("max_df", 1, "max_df: 1 is one paper, and terms of one paper join none; write 1.0"),
        ("max_df", 1.5, "max_df: 1.5 is neither papers"),
        ("n_clusters", 0, "n_clusters: 0 is no number of clusters"),
        ("n_clusters", 2.0, "n_clusters: 2.0 is no number of clusters"),
    ],
)
def test_wrong_levels_are_named(factor: str, level: object, message: str) -> None:
    """A factor or level that does not exist is refused; the nearest one is named."""
    with pytest.raises(ParameterError) as caught:
        parse_level(factor, level)
    assert message in str(caught.value)


def test_a_needed_level_must_not_be_blank() -> None:
    """A plan that leaves out the number of clusters of Ward's tree is refused."""
    levels = {**own().levels(), "n_clusters": None}
    with pytest.raises(ParameterError, match="n_clusters is null but ward needs a level of it"):
        Setting.from_levels(levels)
    del levels["n_clusters"]
    with pytest.raises(ParameterError, match="a setting lacks n_clusters"):
        Setting.from_levels(levels)
    with pytest.raises(ParameterError, match="unknown factor 'linkage'"):
        Setting.from_levels({**own().levels(), "linkage": "ward"})


def test_one_paper_is_not_all_papers() -> None:
    """1 and 1.0 are two levels, in sets and mappings, too."""
    one, whole = own(min_df=1), own(min_df=1.0)
    assert one != whole
    assert len({one, whole, own(min_df=1)}) == 2
    assert one.without_algorithm() != whole.without_algorithm()


def test_terms_are_equal_without_the_algorithm() -> None:
    """What comes after the weighting does not tell terms apart."""
    assert own(algorithm="average", n_clusters=5).without_algorithm() == own().without_algorithm()
    assert own(norm="l1").without_algorithm() != own().without_algorithm()
    assert set(own().levels()) == set(FACTORS)

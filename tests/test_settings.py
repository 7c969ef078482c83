"""Settings: what is allowed, and the sentence that meets what is not."""

from typing import Any

import pytest
from pydantic import ValidationError

from survey_tools.documents import parse_yaml
from survey_tools.errors import DataError
from survey_tools.settings import (
    ClusteringSettings,
    CutSettings,
    LinkageMethod,
    Metric,
    SurveySettings,
    TextSettings,
    check_linkage,
)


def read(text: str) -> SurveySettings:
    """Read a ``survey.yaml`` whose first line is its title."""
    return parse_yaml(f"title: t\n{text}".encode(), source="s.yaml").validate(SurveySettings)


def complaint(text: str) -> str:
    """Return what is said about settings that must be refused."""
    with pytest.raises(DataError) as caught:
        read(text)
    return str(caught.value)


def test_a_title_is_enough() -> None:
    """All other settings have the documented defaults."""
    settings = read("")
    assert settings.papers == "papers.jsonl"
    assert settings.taxonomy is None
    assert settings.clustering.linkage == "ward"
    assert settings.clustering.cut.n_clusters == 10
    assert settings.text.fields == ("title", "abstract")
    assert settings == SurveySettings(title="t")


def test_settings_come_back_from_their_own_dump() -> None:
    """The manifest holds a dump, from which the run can be repeated."""
    settings = read(
        "seed: 7\ntext: {ngram_range: [1, 2], min_df: 0.1, fields: [abstract]}\n"
        "clustering: {linkage: average, metric: cosine, cut: {height: 0.5}}\n"
        "figures: {formats: [svg], columns: 2}\n"
    )
    assert SurveySettings.model_validate(settings.model_dump(mode="json")) == settings
    assert SurveySettings.model_validate_json(settings.model_dump_json(), strict=True) == settings


def test_settings_cannot_be_changed_in_place() -> None:
    """What the manifest prints is what was used."""
    with pytest.raises(ValidationError, match="frozen"):
        read("").seed = 1


@pytest.mark.parametrize("linkage", ["ward", "centroid", "median"])
@pytest.mark.parametrize("metric", ["cosine", "cityblock", "jaccard"])
def test_centroid_linkages_need_euclidean_distances(linkage: LinkageMethod, metric: Metric) -> None:
    """The sentence says why, and two ways out."""
    assert check_linkage(linkage, metric) == (
        f"{linkage} linkage measures distances to centroids and has no meaning with {metric} "
        "distances; use metric euclidean (on l2-normalised rows it orders pairs as cosine does) "
        "or average linkage"
    )


@pytest.mark.parametrize(
    ("linkage", "metric"),
    [("ward", "euclidean"), ("median", "euclidean"), ("average", "cosine"), ("single", "jaccard")],
)
def test_other_pairs_of_linkage_and_metric_pass(linkage: LinkageMethod, metric: Metric) -> None:
    """Linkages of pairs take any distance."""
    assert check_linkage(linkage, metric) is None
    assert ClusteringSettings(linkage=linkage, metric=metric).metric == metric


def test_ward_with_cosine_is_refused_in_a_file() -> None:
    """Also where Ward is only the default."""
    expected = "s.yaml:3: clustering: ward linkage measures distances to centroids"
    assert complaint("# x\nclustering:\n  metric: cosine\n").startswith(expected)


@pytest.mark.parametrize(
    ("cut", "got"),
    [
        ("{}", "none"),
        ("{inconsistency_depth: 3}", "none"),
        ("{n_clusters: ~}", "none"),
        ("{n_clusters: 2, height: 1}", "n_clusters and height"),
        ("{gap: true, silhouette: true}", "gap and silhouette"),
        ("{inconsistency: 1, height: 0, n_clusters: 2}", "n_clusters and height and inconsistency"),
    ],
)
def test_a_tree_is_cut_in_exactly_one_way(cut: str, got: str) -> None:
    """None, or two of them, leave the cut open."""
    assert complaint(f"clustering:\n  cut: {cut}\n") == (
        f"s.yaml:3: clustering.cut: give one of n_clusters, height, inconsistency, gap, "
        f"silhouette; {got} arrived"
    )


@pytest.mark.parametrize(
    "cut",
    [{"n_clusters": 1}, {"height": 0.0}, {"inconsistency": 0}, {"gap": True}, {"silhouette": True}],
)
def test_each_way_to_cut_is_enough_alone(cut: dict[str, Any]) -> None:
    """Zero is a height, and no absence of one."""
    settings = CutSettings(**cut)
    unused = {"inconsistency_depth": 2, "fewest": 2, "most": 40}
    assert settings.model_dump(exclude_none=True) == {**cut, **unused}


def test_bounds_of_a_cut_are_ordered() -> None:
    """The fewest clusters are no more than the most."""
    assert complaint("clustering:\n  cut: {gap: true, fewest: 9, most: 3}\n") == (
        "s.yaml:3: clustering.cut: fewest 9 is more than most 3; swap them"
    )


def test_a_way_to_cut_is_left_out_rather_than_false() -> None:
    """Only true is a choice."""
    assert "clustering.cut.gap: input should be True, but False arrived" in complaint(
        "clustering:\n  cut: {gap: false, n_clusters: 3}\n"
    )


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("[2, 1]", "ngram_range: [2, 1] runs backwards; write [shortest, longest]"),
        ("[0, 1]", "ngram_range.0: input should be greater than or equal to 1, but 0 arrived"),
        ("[1]", "ngram_range: has too few items; [1] arrived"),
        ("2", "ngram_range: input should be a valid array, but 2 arrived"),
        ("[1, 2.0]", "ngram_range.1: input should be a valid integer, but 2.0 arrived"),
    ],
)
def test_a_range_of_ngrams_runs_from_shortest_to_longest(given: str, expected: str) -> None:
    """Two whole numbers from one, in order."""
    assert complaint(f"text:\n  ngram_range: {given}\n") == f"s.yaml:3: text.{expected}"


def test_a_range_of_ngrams_may_be_a_single_length() -> None:
    """Bigrams alone."""
    assert read("text: {ngram_range: [2, 2]}").text.ngram_range == (2, 2)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("(", "'(' is not a regular expression: missing ), unterminated subpattern at position 0"),
        ("(a)|(b)", "'(a)|(b)' has 2 capturing groups; at most one is allowed"),
    ],
)
def test_a_token_pattern_is_a_regular_expression(pattern: str, expected: str) -> None:
    """With two groups no match would be a single token."""
    assert complaint(f"text:\n  token_pattern: '{pattern}'\n") == (
        f"s.yaml:3: text.token_pattern: {expected}"
    )


@pytest.mark.parametrize("pattern", ["(a)b", "(?:a)(?:b)", r"\w+"])
def test_one_capturing_group_at_most(pattern: str) -> None:
    """Groups that do not capture do not count."""
    assert TextSettings(token_pattern=pattern).token_pattern == pattern


@pytest.mark.parametrize("name", ["/etc/passwd", "../x", "a/../../x", ".."])
@pytest.mark.parametrize("setting", ["papers", "taxonomy", "subtrees", "text.stop_words"])
def test_files_lie_inside_the_survey_folder(setting: str, name: str) -> None:
    """A survey from elsewhere reads nothing of ours."""
    group, _, last = setting.rpartition(".")
    text = f"{group}: {{{last}: {name}}}\n" if group else f"{last}: {name}\n"
    assert complaint(text) == f"s.yaml:2: {setting}: {name!r} must lie inside the survey folder"


def test_files_may_lie_in_a_folder_of_the_survey() -> None:
    """Dots in a name lead nowhere."""
    settings = read("papers: data/..papers.jsonl\ntext: {stop_words: words/de.txt}\n")
    assert settings.papers == "data/..papers.jsonl"
    assert settings.text.stop_words == "words/de.txt"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("2106.08250", "arxiv_id: 2106.08250 is read as the number 2106.0825; write it in quotes"),
        ('"2106.0825"', "arxiv_id: arXiv id '2106.0825' needs 5 digits after the point; was it"),
    ],
)
def test_the_arxiv_id_of_a_survey_is_quoted(given: str, expected: str) -> None:
    """The number is seen before its zero is lost, and after."""
    assert complaint(f"arxiv_id: {given}\n").startswith(f"s.yaml:2: {expected}")


@pytest.mark.parametrize(
    ("given", "kind"), [("3", int), ("0.25", float), ("1", int), ("1.0", float)]
)
@pytest.mark.parametrize("limit", ["min_df", "max_df"])
def test_a_whole_document_limit_counts_and_a_fraction_is_a_share(
    limit: str, given: str, kind: type
) -> None:
    """``1`` is one paper and ``1.0`` all of them; the type carries the difference."""
    value = getattr(read(f"text: {{{limit}: {given}}}").text, limit)
    assert type(value) is kind
    assert value == float(given)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("1.5", "a valid integer or input should be less than or equal to 1, but 1.5 arrived"),
        ("yes", "a valid integer or input should be a valid number, but True arrived"),
        ('"3"', "a valid integer or input should be a valid number, but '3' arrived"),
        (".inf", "a valid integer or input should be a finite number, but inf arrived"),
        ("0", "greater than or equal to 1 or input should be greater than 0, but 0"),
        ("-1", "greater than or equal to 1 or input should be greater than 0, but -1"),
    ],
)
def test_a_document_limit_says_both_that_are_allowed(given: str, expected: str) -> None:
    """One problem, told with both forms."""
    text = complaint(f"text:\n  min_df: {given}\n")
    assert text.startswith(f"s.yaml:3: text.min_df: input should be {expected}")
    assert "more)" not in text


@pytest.mark.parametrize("value", [".inf", ".nan"])
@pytest.mark.parametrize("setting", ["text.bm25_k1", "clustering.cut.height", "figures.width_mm"])
def test_endless_numbers_are_refused(setting: str, value: str) -> None:
    """No JSON manifest could hold them."""
    *groups, last = setting.split(".")
    text = "".join(f"{'  ' * i}{group}:\n" for i, group in enumerate(groups))
    text += f"{'  ' * len(groups)}{last}: {value}\n"
    expected = f"s.yaml:{len(groups) + 2}: {setting}: input should be a finite number, but "
    assert complaint(text).startswith(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("seed: -1\n", "seed: input should be greater than or equal to 0, but -1 arrived"),
        ("seed: yes\n", "seed: input should be a valid integer, but True arrived"),
        ("text: {norm: L2}\n", "text.norm: input should be 'l1', 'l2' or 'none', but 'L2' arrived"),
        ("text: {stemming: no}\n", "text.stemming: input should be 'none', 'porter' or 'snowball'"),
        ("text: {fields: []}\n", "text.fields: tuple should have at least 1 item"),
        ("text: {fields: [title, body]}\n", "text.fields.1: input should be 'title' or 'abstract'"),
        ("text: ward\n", "text: input should be an object, but 'ward' arrived"),
        ("figures: {columns: 3}\n", "figures.columns: input should be 1 or 2, but 3 arrived"),
        ("figures: {formats: [gif]}\n", "figures.formats.0: input should be 'pdf', 'svg' or 'png'"),
        ("crosscheck: {confidence: 1}\n", "crosscheck.confidence: input should be less than 1"),
        ("clustering: {cut: {n_clusters: 0}}\n", "clustering.cut.n_clusters: input should be gre"),
    ],
)
def test_values_out_of_range_are_refused(text: str, expected: str) -> None:
    """File, line, full name, what is allowed, what arrived."""
    assert complaint(text).startswith(f"s.yaml:2: {expected}")

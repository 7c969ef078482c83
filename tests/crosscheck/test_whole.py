"""The whole cross-check: what is left out, what it adds up to, what it says in words."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest
from scipy.cluster import hierarchy
from scipy.spatial.distance import pdist

from survey_tools.corpus import Corpus
from survey_tools.crosscheck.axes import CELLS
from survey_tools.crosscheck.verdicts import (
    judge_labels,
    judge_papers,
    judge_trees,
    list_verdicts,
)
from survey_tools.crosscheck.whole import Crosscheck, crosscheck
from survey_tools.errors import ParameterError
from survey_tools.paper import Paper
from survey_tools.partition import Partition
from survey_tools.settings import CrosscheckSettings, TextSettings
from survey_tools.taxonomy import Taxonomy
from survey_tools.text import Features, build_features
from survey_tools.tree import Tree

FEW = CrosscheckSettings(n_permutations=199, n_resamples=50)
TOPICS = {
    "mask": "mask patch random visible encoder",
    "sound": "audio spectrogram speech wave listener",
    "point": "cloud point lidar scene voxel",
}
TaxonomyBuilder = Callable[..., Taxonomy]


def write_papers(n: int) -> Features:
    """Texts of three topics in turn, with some words that all may have."""
    rng = np.random.default_rng(0)
    common = ["method", "model", "image", "network", "result", "training"]
    papers = []
    for i in range(n):
        topic = [*TOPICS.values()][i % 3].split()
        words = [*rng.choice(topic, 8), *rng.choice(common, 3)]
        papers.append(Paper(key=f"k{i:02d}", title=" ".join(words)))
    return build_features(Corpus(papers=tuple(papers)), TextSettings(), stop_words=frozenset())


def check(
    features: Features,
    taxonomy: Taxonomy,
    settings: CrosscheckSettings = FEW,
    *,
    seed: int = 0,
    n_clusters: int = 3,
) -> Crosscheck:
    """Merge the papers by Ward's linkage, cut three clusters, and cross-check."""
    merges = hierarchy.linkage(pdist(features.matrix.toarray()), "ward")
    tree = Tree.from_linkage(merges, features.paper_keys, linkage="ward", metric="euclidean")
    codes = hierarchy.fcluster(merges, n_clusters, "maxclust")
    named = {key: f"C{code}" for key, code in zip(features.paper_keys, codes, strict=True)}
    clusters = Partition.from_mapping(named)
    return crosscheck(tree, clusters, features, taxonomy, settings, seed=seed)


def file_by_topic(keys: Sequence[str]) -> dict[str, dict[str, list[str]]]:
    """File every paper under its topic, and under nothing on a second axis."""
    topics = [*TOPICS]
    return {key: {"topic": [topics[int(key[1:]) % 3]]} for key in keys}


@pytest.fixture
def features() -> Features:
    """Thirty papers of three topics."""
    return write_papers(30)


@pytest.fixture
def found(features: Features, make_taxonomy: TaxonomyBuilder) -> Crosscheck:
    """Check a taxonomy that the texts carry out."""
    return check(features, make_taxonomy({"topic": [*TOPICS]}, file_by_topic(features.paper_keys)))


def test_a_taxonomy_that_the_texts_carry_is_found_everywhere(found: Crosscheck) -> None:
    """Clusters, label sets, sub-trees, whole tree and papers all agree with it."""
    topic = found.axes[0]
    assert topic.agreement.index("ARI").value == 1.0
    assert found.overlaps["topic"].index("Omega").value == pytest.approx(1.0)
    assert all(place.f1 == 1.0 for place in found.labels)
    assert all(place.q_value == pytest.approx(1 / 200) for place in found.labels)
    assert {(node.axis, node.label) for node in found.enriched} >= {("topic", t) for t in TOPICS}
    assert found.trees is not None
    assert found.trees.agreement.index("cophenetic correlation").value > 0.8
    assert found.trees.untangled.after < 0.05 < found.trees.untangled.before
    assert all(each.score < 0 for each in found.papers)


def test_its_verdicts_say_so(found: Crosscheck) -> None:
    """In the order axes, labels, tree, papers."""
    said = dict(list_verdicts(found))
    assert list(said) == [
        "Topic",
        "Combined cells",
        "Labels in the tree",
        "The tree as a whole",
        "Single papers",
    ]
    assert said["Topic"].startswith("Better than chance; agreement is almost perfect")
    assert said["Labels in the tree"].startswith("6 of 3 labels and 3 cells have a sub-tree")
    assert "Topic: mask (F1 1.00)" in said["Labels in the tree"]
    assert "Topic: mask (cell) (F1 1.00)" in said["Labels in the tree"]
    assert said["The tree as a whole"].startswith("Papers that the tree joins early carry more")
    assert "contradict none beyond chance (least q = 1)" in said["Single papers"]


def test_a_taxonomy_at_random_is_found_nowhere(
    features: Features, make_taxonomy: TaxonomyBuilder
) -> None:
    """And the verdicts say that, too."""
    dealt = np.random.default_rng(3).permutation(features.paper_keys)
    filed = {
        str(key): given
        for key, given in zip(dealt, file_by_topic(features.paper_keys).values(), strict=True)
    }
    found = check(features, make_taxonomy({"topic": [*TOPICS]}, filed))
    assert judge_labels(found).startswith("Of 3 labels and 3 cells none has a sub-tree that fits")
    assert found.trees is not None
    assert judge_trees(found.trees).startswith("Papers that the tree joins early carry no more")
    assert "No better than chance" in found.axes[0].verdict


def test_unfiled_papers_are_refused_unless_they_may_be_left_out(
    features: Features, make_taxonomy: TaxonomyBuilder
) -> None:
    """The message names them and the setting; left out, they count nowhere."""
    filed = file_by_topic(features.paper_keys[:-2])
    filed["zz"] = {"topic": ["mask"]}  # filed, not clustered
    taxonomy = make_taxonomy({"topic": [*TOPICS]}, filed)
    with pytest.raises(
        ParameterError,
        match=r"does not file 2 clustered papers of 30: k28, k29; .*crosscheck.unfiled=leave-out",
    ):
        check(features, taxonomy)
    found = check(features, taxonomy, FEW.model_copy(update={"unfiled": "leave-out"}))
    assert found.unfiled_keys == ("k28", "k29")
    assert found.missing_keys == ("zz",)
    assert found.n_papers == 28
    assert all(axis.agreement.n_papers == 28 for axis in found.axes)
    assert {each.paper_key for each in found.papers} == set(features.paper_keys[:-2])
    assert found.trees is not None
    assert found.trees.taxonomy_tree.n_papers == 28


def test_filed_papers_that_are_not_clustered_are_named(
    features: Features, make_taxonomy: TaxonomyBuilder
) -> None:
    """In the order of the taxonomy, the first five in words; the others are checked as ever."""
    filed = file_by_topic(features.paper_keys)
    taxonomy = make_taxonomy({"topic": [*TOPICS]}, filed)
    whole = check(features, taxonomy)
    assert whole.missing_keys == ()
    assert "Filed, not clustered" not in dict(list_verdicts(whole))
    gone = {key: {"topic": ["mask"]} for key in ("z1", "a9", "z2", "z3", "z4", "z5")}
    found = check(features, make_taxonomy({"topic": [*TOPICS]}, gone | filed))
    assert found.missing_keys == (*gone,)
    assert (found.labels, found.papers) == (whole.labels, whole.papers)
    assert dict(list_verdicts(found))["Filed, not clustered"] == (
        "The taxonomy files 6 papers that are not clustered and take no part: z1, a9, z2, z3, z4, "
        "… (6 in all)."
    )
    one = replace(found, missing_keys=("z1",))
    assert dict(list_verdicts(one))["Filed, not clustered"] == (
        "The taxonomy files 1 paper that is not clustered and takes no part: z1."
    )


def file_variously(keys: Sequence[str]) -> dict[str, dict[str, list[str]]]:
    """File the papers by topic, and every one under its own set of seven labels."""
    by_topic = file_by_topic(keys)
    letters = "abcdefg"
    return {
        key: by_topic[key] | {"many": [a for j, a in enumerate(letters) if (i + 1) >> j & 1]}
        for i, key in enumerate(keys)
    }


def test_too_many_label_sets_are_left_out_by_name(make_taxonomy: TaxonomyBuilder) -> None:
    """As many sets as papers against dozens of clusters; the other axis is compared."""
    features = write_papers(90)
    filed = file_variously(features.paper_keys)
    found = check(
        features, make_taxonomy({"topic": [*TOPICS], "many": [*"abcdefg"]}, filed), n_clusters=60
    )
    n_pairs = 90 * found.axes[0].agreement.n_clusters
    assert n_pairs > 4000
    assert set(found.overlaps) == {"topic"}
    assert found.uncompared_sets == {"many": n_pairs, CELLS: n_pairs}
    assert {axis.name for axis in found.axes} == {"topic", "many", CELLS}
    said = dict(list_verdicts(found))
    assert [*said][2:5] == ["Combined cells", "Label sets", "Labels in the tree"]
    pairs = f"({n_pairs:,} pairs of a cluster and a label set)"
    assert f"of Many {pairs}; Combined cells {pairs}: at most 4,000 pairs" in said["Label sets"]
    assert "Topic" not in said["Label sets"]


def test_the_other_axes_do_not_feel_one_with_too_many_sets(
    features: Features, make_taxonomy: TaxonomyBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is left out draws no chance from those that are compared."""
    filed = file_variously(features.paper_keys)
    axes = {"many": [*"abcdefg"], "topic": [*TOPICS]}
    whole = check(features, make_taxonomy(axes, filed))
    assert (set(whole.overlaps), whole.uncompared_sets) == ({"many", "topic", CELLS}, {})
    assert "Label sets" not in dict(list_verdicts(whole))
    monkeypatch.setattr("survey_tools.crosscheck.whole.MOST_CELLS", 3 * 30 - 1)
    found = check(features, make_taxonomy(axes, filed))
    assert found.uncompared_sets == {"many": 3 * 30, CELLS: 3 * 30}
    assert found.overlaps == {"topic": whole.overlaps["topic"]}


@pytest.mark.parametrize("n_filed", [0, 1])
def test_too_few_filed_papers_are_refused(
    features: Features, make_taxonomy: TaxonomyBuilder, n_filed: int
) -> None:
    """Whatever may be left out."""
    taxonomy = make_taxonomy({"topic": [*TOPICS]}, file_by_topic(features.paper_keys[:n_filed]))
    settings = FEW.model_copy(update={"unfiled": "leave-out"})
    with pytest.raises(
        ParameterError, match=f"files {n_filed} of 30 clustered papers; a cross-check needs"
    ):
        check(features, taxonomy, settings)


def test_two_papers_have_neither_neighbours_nor_whole_trees(
    features: Features, make_taxonomy: TaxonomyBuilder
) -> None:
    """What two papers allow is computed."""
    settings = FEW.model_copy(update={"unfiled": "leave-out"})
    taxonomy = make_taxonomy({"topic": [*TOPICS]}, file_by_topic(features.paper_keys[:2]))
    found = check(features, taxonomy, settings)
    assert (found.papers, found.trees, found.enriched) == ((), None, ())
    assert [title for title, _ in list_verdicts(found)] == [
        "Topic",
        "Combined cells",
        "Labels in the tree",
    ]


def test_large_surveys_go_without_whole_trees(
    features: Features, make_taxonomy: TaxonomyBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Indices over all pairs of papers end where pairs become too many."""
    monkeypatch.setattr("survey_tools.crosscheck.whole._MOST_FOR_TREES", 29)
    taxonomy = make_taxonomy({"topic": [*TOPICS]}, file_by_topic(features.paper_keys))
    assert check(features, taxonomy).trees is None


def test_without_permutations_nothing_is_called_tested(
    features: Features, make_taxonomy: TaxonomyBuilder
) -> None:
    """Every verdict that would rest on chance says that it does not."""
    settings = CrosscheckSettings(n_permutations=0, n_resamples=0)
    taxonomy = make_taxonomy({"topic": [*TOPICS]}, file_by_topic(features.paper_keys))
    said = dict(list_verdicts(check(features, taxonomy, settings)))
    for name in ("Topic", "Labels in the tree", "The tree as a whole"):
        assert said[name].startswith("Not tested against chance"), name


def test_axes_of_one_label_and_labels_on_all_papers_are_no_obstacle(
    features: Features, make_taxonomy: TaxonomyBuilder
) -> None:
    """An axis that all papers are on, one that none is on, one with a single paper."""
    keys = features.paper_keys
    filed: Mapping[str, dict[str, list[str]]] = {
        key: {"all": ["x"]} | ({"one": ["z"]} if key == "k03" else {}) for key in keys
    }
    axes = {"all": ["x"], "none": ["y"], "one": ["z"]}
    found = check(features, make_taxonomy(axes, filed))
    places = {(place.axis, place.label): place for place in found.labels}
    assert ("none", "y") not in places
    assert places["all", "x"].p_value == 1.0
    assert all(np.isfinite(index.value) for a in found.overlaps.values() for index in a.indices)
    assert "nothing to agree on" in found.axes[0].verdict


def test_the_seed_and_nothing_else_decides(
    features: Features, make_taxonomy: TaxonomyBuilder
) -> None:
    """The same seed gives the same p-values, another one others."""
    dealt = np.random.default_rng(3).permutation(features.paper_keys)
    filed = dict(zip(map(str, dealt), file_by_topic(features.paper_keys).values(), strict=True))
    taxonomy = make_taxonomy({"topic": [*TOPICS]}, filed)
    one, again = check(features, taxonomy, seed=1), check(features, taxonomy, seed=1)
    other = check(features, taxonomy, seed=2)
    assert (one.labels, one.overlaps) == (again.labels, again.overlaps)
    assert one.labels != other.labels


def test_disputed_filings_are_counted(found: Crosscheck) -> None:
    """A filing is contradicted where any label of its axis is, not the one shown alone."""
    worst = replace(found.papers[0], q_value=0.5, least_q_value=0.01)
    said = judge_papers(replace(found, papers=(worst, *found.papers[1:])))
    assert said.startswith("The nearest papers contradict 1 of 30 filings")
    assert "adjusted over all papers and labels" in said
    doubtful = [replace(each, q_value=1.0, least_q_value=0.25) for each in found.papers]
    assert "none beyond chance (least q = 0.25)" in judge_papers(
        replace(found, papers=(*doubtful,))
    )


def test_a_paper_with_several_labels_is_judged_by_all_of_them(
    make_taxonomy: TaxonomyBuilder,
) -> None:
    """Two foreign labels on one paper: the nearest papers contradict the filing once."""
    features = write_papers(60)
    filed = file_by_topic(features.paper_keys)
    filed["k00"] = {"topic": ["sound", "point"]}
    found = check(features, make_taxonomy({"topic": [*TOPICS]}, filed))
    each = next(each for each in found.papers if each.paper_key == "k00")
    assert each.least_q_value <= min(each.q_value, 0.05)
    assert judge_papers(found).startswith("The nearest papers contradict 1 of 60 filings")


def test_one_and_no_labels_read_well(features: Features, make_taxonomy: TaxonomyBuilder) -> None:
    """No plural for one; where no paper carries a label there is no best cell to name."""
    keys = features.paper_keys
    axes = {"topic": [*TOPICS]}
    empty = check(features, make_taxonomy(axes, {key: {} for key in keys}))
    assert judge_labels(empty) == (
        "No paper carries a label: there is none to look for in the tree."
    )
    alike = check(features, make_taxonomy(axes, {key: {"topic": ["mask"]} for key in keys}))
    assert judge_labels(alike) == (
        "Of 1 label and 1 cell none has a sub-tree that fits it better than chance; the surest is "
        "Topic: mask (cell) (F1 1.00, 1.00 by chance, q = 1). 0 sub-trees hold more papers of some "
        "label than chance puts there."
    )
    only = replace(alike.labels[0], q_value=0.01)
    said = judge_labels(replace(alike, labels=(only, alike.labels[1])))
    assert said.startswith(
        "1 of 1 label and 1 cell has a sub-tree that fits it better than chance: Topic: mask (cell)"
    )


def test_one_sub_tree_holds(found: Crosscheck) -> None:
    """And several hold."""
    said = judge_labels(replace(found, enriched=found.enriched[:1]))
    assert said.endswith(" 1 sub-tree holds more papers of some label than chance puts there.")
    n_nodes = len({node.node for node in found.enriched})
    assert f" {n_nodes} sub-trees hold more papers" in judge_labels(found)


def test_the_bundled_survey_is_checked_whole(mim_result) -> None:
    """All 180 papers, six axes, every label and cell."""
    found, taxonomy = mim_result.crosscheck, mim_result.taxonomy
    assert found.n_papers == 180
    assert len(found.papers) == 180 * 6
    n_cells = taxonomy.cells().n_groups
    assert len(found.labels) == 6 + n_cells
    assert set(found.overlaps) == {axis.name for axis in taxonomy.axes} | {CELLS}
    by_label = {place.label: place for place in found.labels if place.axis == CELLS}
    for name, size in zip(taxonomy.cells().group_names, taxonomy.cells().sizes, strict=True):
        assert by_label[name].n_papers == size

"""Papers against labels: witnesses by hand and by scikit-learn, planted errors, invariance."""

import numpy as np
import pytest
from scipy import sparse
from scipy.stats import false_discovery_control, hypergeom
from sklearn.metrics import silhouette_samples

from survey_tools.cover import Cover
from survey_tools.crosscheck.papers import PaperDisagreement, examine_papers
from survey_tools.errors import ParameterError
from survey_tools.partition import Partition
from survey_tools.settings import TextSettings
from survey_tools.text import Counts, Features, weight_terms

COUNTS = TextSettings(weighting="counts", norm="none")


def build(rows: np.ndarray, keys: tuple[str, ...] | None = None) -> Features:
    """Make features of raw counts."""
    counts = Counts(
        paper_keys=keys or tuple(f"p{i:02d}" for i in range(len(rows))),
        terms=np.array([f"t{j}" for j in range(rows.shape[1])], dtype=object),
        matrix=sparse.csr_array(rows.astype(np.int64)),
    )
    return weight_terms(counts, COUNTS)


def two_topics(n: int = 24, seed: int = 0) -> tuple[Features, Partition, list[bool]]:
    """Papers of two topics with words of their own and some in common, in turn."""
    rng = np.random.default_rng(seed)
    is_first = [i % 2 == 0 for i in range(n)]
    rows = rng.integers(0, 3, (n, 12))
    for i, first in enumerate(is_first):
        rows[i, :4] += 4 * first
        rows[i, 4:8] += 4 * (not first)
    features = build(rows)
    topics = ["first" if first else "second" for first in is_first]
    clusters = Partition.from_mapping(dict(zip(features.paper_keys, topics, strict=True)))
    return features, clusters, is_first


def label(features: Features, carriers: list[bool]) -> dict[str, Cover]:
    """Put one label on some papers."""
    keys = features.paper_keys
    carried = {key: ["x"] if has else [] for key, has in zip(keys, carriers, strict=True)}
    return {"axis": Cover.from_mapping(carried, group_order=["x"])}


def find(found: tuple[PaperDisagreement, ...], key: str) -> PaperDisagreement:
    """Return the row of a paper."""
    return next(each for each in found if each.paper_key == key)


def test_planted_errors_come_first() -> None:
    """A label taken from one paper of its topic and given to one of the other."""
    features, clusters, carriers = two_topics()
    carriers[4], carriers[7] = False, True
    found = examine_papers(features, clusters, label(features, carriers))
    assert {each.paper_key for each in found[:2]} == {"p04", "p07"}
    assert all(each.score > 0.6 for each in found[:2])
    assert all(each.score < 0 for each in found[2:])
    assert all(each.q_value < 0.05 for each in found[:2])
    assert set(find(found, "p04").terms) <= {
        "t0",
        "t1",
        "t2",
        "t3",
        *(f"t{j}" for j in range(8, 12)),
    }
    assert find(found, "p04").terms[0] in {"t0", "t1", "t2", "t3"}
    assert find(found, "p07").terms[0] in {"t4", "t5", "t6", "t7"}
    assert (find(found, "p04").carries, find(found, "p07").carries) == (False, True)


def test_witnesses_by_hand() -> None:
    """Paper p04 lacks the label; 11 of 22 others carry it... each witness from its definition."""
    features, clusters, carriers = two_topics()
    carriers[4] = False
    found = find(examine_papers(features, clusters, label(features, carriers), n_nearest=5), "p04")
    assert (found.n_nearest_with, found.n_nearest) == (5, 5)
    draws = hypergeom(23, 11, 5)
    assert found.nearest == pytest.approx(draws.cdf(4) - draws.sf(5))
    mates = hypergeom(23, 11, 11)
    assert found.cluster == pytest.approx(mates.cdf(10))
    assert found.probability is None
    assert found.classifier is None
    voices = [found.nearest, found.cluster, found.silhouette_rank]
    assert found.score == pytest.approx(np.mean(voices))


def test_silhouettes_equal_scikit_learn() -> None:
    """With one label and its absence as two groups; a paper without it has the sign turned."""
    features, clusters, carriers = two_topics(seed=3)
    carriers[0], carriers[3] = False, True
    found = examine_papers(features, clusters, label(features, carriers))
    expected = silhouette_samples(features.matrix.toarray(), carriers, metric="cosine")
    for key, has, value in zip(features.paper_keys, carriers, expected, strict=True):
        assert find(found, key).silhouette == pytest.approx(value if has else -value, abs=1e-12)


def test_a_classifier_is_the_fourth_witness() -> None:
    """A probability of 0.9 for a label of frequency 1/2 speaks for it by 0.8, 0.1 against it."""
    features, clusters, carriers = two_topics()
    known = {("axis", "x"): {"p00": 0.1, "p01": 0.9}}
    found = examine_papers(features, clusters, label(features, carriers), probabilities=known)
    carrier, other = find(found, "p00"), find(found, "p01")
    assert (carrier.classifier, other.classifier) == (pytest.approx(-0.8), pytest.approx(0.8))
    voices = [-carrier.nearest, -carrier.cluster, -carrier.silhouette_rank, 0.8]
    assert carrier.score == pytest.approx(np.mean(voices))
    assert find(found, "p02").classifier is None


def test_random_labels_are_beyond_no_chance() -> None:
    """Labels at random: scores lie about 0, and hardly a q-value is small."""
    features, clusters, _ = two_topics(n=60, seed=1)
    rng = np.random.default_rng(2)
    means, n_small = [], 0
    for _ in range(20):
        carriers = list(rng.random(60) < 0.3)
        found = examine_papers(features, clusters, label(features, carriers))
        means.append(np.mean([each.score for each in found]))
        n_small += sum(each.q_value <= 0.05 for each in found) > 0
    assert abs(np.mean(means)) < 0.1
    assert n_small <= 4


def test_papers_that_are_all_equally_far_contradict_nothing() -> None:
    """No paper shares a term with another, so nothing is known, though labels follow the keys."""
    features = build(np.eye(60))
    clusters = Partition.from_mapping(dict.fromkeys(features.paper_keys, "one"))
    found = examine_papers(features, clusters, label(features, [i < 10 for i in range(60)]))
    assert {each.n_nearest for each in found} == {59}
    assert {each.n_nearest_with for each in found if not each.carries} == {10}
    assert {each.n_nearest_with for each in found if each.carries} == {9}
    assert [each.nearest for each in found] == pytest.approx([0.0] * 60)
    assert {each.q_value for each in found} == {1.0}


def test_tied_papers_count_together_in_test_and_ridit() -> None:
    """Three of each text: two copies are nearest, of the next texts all or none are asked."""
    texts = np.array([[4, 0, 0, 0], [3, 1, 0, 0], [0, 0, 4, 0], [0, 0, 3, 1]])
    rows = np.repeat(texts, 3, axis=0) * np.tile([[1], [3], [7]], (4, 1))
    carriers = [True, True, False, *[True] * 3, *[False] * 6]
    features = build(rows)
    clusters = Partition.from_mapping(dict.fromkeys(features.paper_keys, "one"))
    found = examine_papers(features, clusters, label(features, carriers), n_nearest=3)
    for i, n_with in enumerate([4, 4, 5, 4, 4, 4, *[0] * 6]):
        each = find(found, f"p{i:02d}")
        assert (each.n_nearest_with, each.n_nearest) == (n_with, 5)
        draws = hypergeom(11, 5 - carriers[i], 5)
        assert each.nearest == pytest.approx(draws.cdf(n_with - 1) - draws.sf(n_with))
    tails = [
        hypergeom(11, 5 - has, 5).cdf(n) if has else hypergeom(11, 5, 5).sf(n - 1)
        for has, n in zip(carriers, [4, 4, 5, 4, 4, 4, *[0] * 6], strict=True)
    ]
    expected = false_discovery_control(tails)
    for key, q in zip(features.paper_keys, expected, strict=True):
        assert find(found, key).q_value == pytest.approx(q)


def test_the_least_q_of_an_axis_is_over_all_its_labels() -> None:
    """The label that all witnesses dispute most need not be the one the nearest contradict."""
    features, clusters, is_first = two_topics(n=40, seed=4)
    rng = np.random.default_rng(0)
    carried = {
        key: ["topic"] * first + [name for name in ("a", "b") if rng.random() < 0.3]
        for key, first in zip(features.paper_keys, is_first, strict=True)
    }
    # its nearest papers give p00 the topic; its cluster and the classifier do not, nor the label a
    carried["p00"] = ["a"]
    clusters = Partition.from_mapping(clusters.as_mapping() | {"p00": "second"})
    known = {("axis", "topic"): {"p00": 0.0}, ("axis", "a"): {"p00": 0.0}}
    cover = Cover.from_mapping(carried, group_order=["topic", "a", "b"])
    found = examine_papers(features, clusters, {"axis": cover}, probabilities=known)
    alone = {name: {} for name in cover.group_names}
    for name in alone:  # every test again, label by label; adjusted over all of them below
        column = cover.members[:, [cover.group_names.index(name)]]
        single = Cover(paper_keys=cover.paper_keys, group_names=(name,), members=column)
        for each in examine_papers(features, clusters, {"axis": single}):
            others = int(column.sum()) - each.carries
            draws = hypergeom(39, others, each.n_nearest)
            n_with = each.n_nearest_with
            alone[name][each.paper_key] = (
                draws.cdf(n_with) if each.carries else draws.sf(n_with - 1)
            )
    pairs = [(name, key) for name in alone for key in alone[name]]
    adjusted = false_discovery_control([alone[name][key] for name, key in pairs])
    q_of = dict(zip(pairs, adjusted, strict=True))
    for each in found:
        q_values = {name: q_of[name, each.paper_key] for name in alone}
        assert each.q_value == pytest.approx(q_values[each.label])
        assert each.least_q_value == pytest.approx(min(q_values.values()))
        assert q_values[each.least_q_label] == pytest.approx(each.least_q_value)
    first = find(found, "p00")
    assert (first.label, first.least_q_label) == ("a", "topic")
    assert first.least_q_value <= 0.05 < first.q_value


def test_the_order_of_papers_and_labels_does_not_matter() -> None:
    """Keys, not positions: every side may list papers in its own order."""
    features, clusters, carriers = two_topics(seed=5)
    keys = features.paper_keys
    carried = {
        key: ["x"] * has + ["y"] * (i % 3 == 0)
        for i, (key, has) in enumerate(zip(keys, carriers, strict=True))
    }
    one = examine_papers(features, clusters, {"axis": Cover.from_mapping(carried)})
    turned = dict(reversed(carried.items()))
    mapping = dict(reversed(clusters.as_mapping().items()))
    two = examine_papers(
        features,
        Partition.from_mapping(mapping),
        {"axis": Cover.from_mapping(turned, group_order=["x", "y"])},
    )
    assert one == two


def test_a_lonely_cluster_a_lonely_label_and_a_label_on_all() -> None:
    """Nothing is undefined; who cannot know is not asked."""
    features = build(np.random.default_rng(0).integers(1, 4, (6, 5)))
    clusters = Partition.from_mapping(dict(zip(features.paper_keys, "abbbbb", strict=True)))
    carried = {key: ["all"] + ["one"] * (i == 0) for i, key in enumerate(features.paper_keys)}
    cover = Cover.from_mapping(carried, group_order=["all", "one", "none"])
    found = examine_papers(
        features, clusters, {"axis": cover, "empty": Cover.from_mapping(dict.fromkeys(carried, ()))}
    )
    assert {each.axis for each in found} == {"axis"}
    assert len(found) == 6
    assert find(found, "p00").cluster is None
    assert all(np.isfinite(each.score) for each in found)
    assert {each.label for each in found} <= {"all", "one"}


def test_other_papers_are_refused() -> None:
    """By name."""
    features, clusters, carriers = two_topics()
    cover = Cover.from_mapping({"p00": ["x"], "zz": []})
    with pytest.raises(ParameterError, match=r"texts and axis 'axis' hold different papers: p01"):
        examine_papers(features, clusters, {"axis": cover})
    with pytest.raises(ParameterError, match=r"texts and clusters hold different papers"):
        examine_papers(features, clusters.restrict(["p00", "p01"]), label(features, carriers))
    few = build(np.eye(2))
    pair = Partition.from_mapping({"p00": "a", "p01": "a"})
    with pytest.raises(ParameterError, match="need at least 3 papers; 2 arrived"):
        examine_papers(few, pair, label(few, [True, False]))

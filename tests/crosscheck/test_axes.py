"""Clusters x taxonomy: tables that add up, tests that are adjusted, verdicts in words."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import false_discovery_control

from survey_tools.crosscheck.axes import CELLS, AxisCrosscheck, compare_axes
from survey_tools.partition import Partition
from survey_tools.settings import CrosscheckSettings
from survey_tools.taxonomy import Taxonomy, read_taxonomy

FEW = CrosscheckSettings(n_permutations=199, n_resamples=0)
UNTESTED = CrosscheckSettings(n_permutations=0, n_resamples=0)


def compare(
    clusters: Partition, taxonomy: Taxonomy, settings: CrosscheckSettings, **options: Any
) -> tuple[AxisCrosscheck, ...]:
    """Compare the axes on the papers that the taxonomy files."""
    filed = set(taxonomy.filed_keys)
    clusters = clusters.restrict([key for key in clusters.paper_keys if key in filed])
    return compare_axes(clusters, taxonomy, settings, **options)


def pick(axes: tuple[AxisCrosscheck, ...], name: str) -> AxisCrosscheck:
    """Return an axis by name."""
    return next(axis for axis in axes if axis.name == name)


def read_cell(axis: AxisCrosscheck, cluster: str, column: str) -> int:
    """Return one count by the names of its row and column."""
    return int(axis.contingency[axis.cluster_names.index(cluster), axis.column_names.index(column)])


@pytest.fixture
def small_taxonomy(make_taxonomy) -> Taxonomy:
    """Two axes; paper b has both masking labels, c none at all, z is not clustered."""
    return make_taxonomy(
        {"masking": ["random", "guided"], "target": ["pixel", "token"]},
        {
            "a": {"masking": ["random"], "target": ["pixel"]},
            "b": {"masking": ["guided", "random"], "target": ["token"]},
            "c": {},
            "d": {"masking": ["guided"]},
            "z": {"masking": ["guided"], "target": ["pixel"]},
        },
    )


@pytest.fixture
def small_clusters(make_partition) -> Partition:
    """Four filed papers and one, y, that the taxonomy does not file, alone in its cluster."""
    return make_partition({"a": "C1", "b": "C1", "c": "C2", "d": "C2", "y": "C3"})


def test_several_labels_count_in_each_column(
    small_clusters: Partition, small_taxonomy: Taxonomy
) -> None:
    """Paper b counts under random and under guided, so C1's row adds up to three of two papers."""
    axis = pick(compare(small_clusters, small_taxonomy, UNTESTED, seed=0), "masking")
    assert axis.cluster_names == ("C1", "C2")
    assert axis.cluster_sizes.tolist() == [2, 2]
    assert axis.column_names == ("random", "guided", "other")
    assert axis.contingency.tolist() == [[2, 1, 0], [0, 1, 1]]
    assert axis.agreement.n_classes == 4  # random; guided; both; none of them


def test_columns_without_a_paper_are_left_out(
    small_clusters: Partition, small_taxonomy: Taxonomy
) -> None:
    """Only labels that a clustered paper carries have a column."""
    without_b = small_clusters.restrict(["a", "c", "d"])
    axis = pick(compare(without_b, small_taxonomy, UNTESTED, seed=0), "target")
    assert axis.column_names == ("pixel", "other")
    assert axis.contingency.tolist() == [[1, 0], [0, 2]]


def test_combined_cells_count_every_paper_once(
    small_clusters: Partition, small_taxonomy: Taxonomy
) -> None:
    """The cells come last, one for each combination of labels over all axes."""
    result = compare(small_clusters, small_taxonomy, UNTESTED, seed=0)
    assert [axis.name for axis in result] == ["masking", "target", CELLS]
    cells = result[-1]
    assert read_cell(cells, "C1", "masking: random + target: pixel") == 1
    assert read_cell(cells, "C1", "masking: random + masking: guided + target: token") == 1
    assert read_cell(cells, "C2", "none") == 1
    assert read_cell(cells, "C2", "masking: guided") == 1
    assert cells.contingency.sum() == 4


def test_bundled_survey_adds_up(mim_result) -> None:
    """Every table's totals are those of the taxonomy and of the clusters."""
    result, taxonomy = mim_result.crosscheck, mim_result.taxonomy
    filed = set(taxonomy.filed_keys) & set(mim_result.partition.paper_keys)
    assert result.n_papers == len(filed)
    assert set(result.unfiled_keys) == set(mim_result.partition.paper_keys) - filed
    for axis in result.axes:
        assert axis.cluster_sizes.sum() == result.n_papers
        assert axis.contingency.shape == (len(axis.cluster_names), len(axis.column_names))
        if axis.name == CELLS:
            assert axis.contingency.sum(axis=1).tolist() == axis.cluster_sizes.tolist()
            continue
        n_carrying = dict.fromkeys(axis.column_names, 0)
        for key, labels in taxonomy.label_sets(axis.name).items():
            for label in labels or (taxonomy.axis(axis.name).otherwise,):
                n_carrying[label] += key in filed
        assert dict(zip(axis.column_names, axis.contingency.sum(axis=0), strict=True)) == n_carrying
        assert (axis.contingency.max(axis=1) <= axis.cluster_sizes).all()


def test_q_values_are_scipys(mim_result) -> None:
    """ARI and AMI of all axes and the cells are adjusted together (Benjamini-Hochberg)."""
    axes = mim_result.crosscheck.axes
    p_values = [axis.agreement.index(name).p_value for axis in axes for name in ("ARI", "AMI")]
    q_values = [axis.q_values[name] for axis in axes for name in ("ARI", "AMI")]
    assert len(p_values) == 14
    assert q_values == pytest.approx(false_discovery_control(p_values), abs=1e-15)
    assert q_values != pytest.approx(p_values)


@given(data=st.data(), n=st.integers(4, 14))
def test_order_and_names_change_no_result(
    data: st.DataObject, n: int, make_taxonomy, make_partition
) -> None:
    """Papers in another order, in clusters of other names, give the same figures."""
    keys = [f"k{i:02d}" for i in range(n)]
    group_of = {key: data.draw(st.sampled_from("XYZ")) for key in keys}
    filed = {
        key: {"axis": data.draw(st.lists(st.sampled_from(["p", "q"]), unique=True))}
        for key in keys[1:]
    }
    order = data.draw(st.permutations(keys))
    settings = CrosscheckSettings(n_permutations=30, n_resamples=0)
    one = compare(
        make_partition(group_of), make_taxonomy({"axis": ["p", "q"]}, filed), settings, seed=1
    )
    other = compare(
        make_partition({key: f"other {group_of[key]}" for key in order}),
        make_taxonomy({"axis": ["p", "q"]}, {key: filed[key] for key in order if key in filed}),
        settings,
        seed=1,
    )
    for mine, theirs in zip(one, other, strict=True):
        assert mine.column_names == theirs.column_names
        for name in ("ARI", "AMI"):
            assert mine.q_values[name] == theirs.q_values[name]
            mine_index, their_index = mine.agreement.index(name), theirs.agreement.index(name)
            assert mine_index.value == pytest.approx(their_index.value, abs=1e-9)
            assert mine_index.chance == pytest.approx(their_index.chance, abs=1e-9)
        for cluster in mine.cluster_names:
            for column in mine.column_names:
                expected = read_cell(mine, cluster, column)
                assert read_cell(theirs, f"other {cluster}", column) == expected


def test_another_axis_at_the_end_moves_no_figure(make_taxonomy, make_partition) -> None:
    """Chance is drawn axis by axis: the first axis keeps its p-values when one is added."""
    rng = np.random.default_rng(5)
    keys = [f"k{i:02d}" for i in range(40)]
    clusters = make_partition({key: f"C{rng.integers(4)}" for key in keys})
    filed = {key: {"one": [f"l{rng.integers(3)}"]} for key in keys}
    more = {key: {**labels, "two": [f"l{rng.integers(2)}"]} for key, labels in filed.items()}
    labels = ["l0", "l1", "l2"]
    settings = CrosscheckSettings(n_permutations=99, n_resamples=50)
    alone = compare(clusters, make_taxonomy({"one": labels}, filed), settings, seed=3)
    both = compare(clusters, make_taxonomy({"one": labels, "two": labels}, more), settings, seed=3)
    assert pick(alone, "one").agreement == pick(both, "one").agreement
    again = compare(clusters, make_taxonomy({"one": labels}, filed), settings, seed=4)
    assert pick(again, "one").agreement != pick(alone, "one").agreement


# ---------------------------------------------------------------- verdicts


def judge(
    make_taxonomy, clusters: list[int], classes: list[int], settings: CrosscheckSettings = FEW
) -> str:
    """Return the verdict on one axis."""
    keys = [f"k{i:03d}" for i in range(len(clusters))]
    names = {key: f"C{code + 1}" for key, code in zip(keys, clusters, strict=True)}
    labels = [f"label{code}" for code in range(max(classes) + 1)]
    filed = {key: {"axis": [labels[code]]} for key, code in zip(keys, classes, strict=True)}
    taxonomy = make_taxonomy({"axis": labels}, filed)
    return pick(compare(Partition.from_mapping(names), taxonomy, settings, seed=2), "axis").verdict


def test_verdict_on_planted_perfect_agreement(make_taxonomy) -> None:
    """Clusters that are the classes: 1 / 200 is the smallest p-value of 199 relabellings."""
    codes = [i % 4 for i in range(40)]
    assert judge(make_taxonomy, codes, codes) == (
        "Better than chance; agreement is almost perfect "
        "(ARI 1.000, q = 0.005; AMI 1.000, q = 0.005)."
    )


def test_verdict_on_random_labels(make_taxonomy) -> None:
    """Labels dealt without regard to the clusters are no better than chance."""
    rng = np.random.default_rng(1)
    verdict = judge(make_taxonomy, *(rng.integers(0, 4, (2, 80)).tolist()))
    assert re.fullmatch(
        r"No better than chance \(ARI -?0\.0\d\d, q = [\d.]+; AMI -?0\.0\d\d, q = [\d.]+\)\.",
        verdict,
    )


def test_verdict_on_random_labels_is_rarely_wrong(make_taxonomy) -> None:
    """Of 60 random taxonomies hardly one is called better than chance (5 % expected at most)."""
    n_wrong = 0
    for seed in range(60):
        rng = np.random.default_rng([6, seed])
        verdict = judge(make_taxonomy, *(rng.integers(0, 4, (2, 60)).tolist()))
        n_wrong += not verdict.startswith("No better than chance")
    assert n_wrong <= 8  # 8 or more of 60 at 5 % happen once in a hundred


@pytest.mark.parametrize(
    ("n_kept", "word"), [(28, "slight"), (50, "fair"), (66, "moderate"), (82, "substantial")]
)
def test_verdict_names_the_strength(make_taxonomy, n_kept: int, word: str) -> None:
    """The larger of ARI and AMI is put into Landis and Koch's words, by steps of 0.2."""
    classes = np.arange(100) % 2
    clusters = classes.copy()
    clusters[n_kept:] = (np.arange(100 - n_kept) // 2) % 2  # the rest is dealt evenly
    verdict = judge(make_taxonomy, clusters.tolist(), classes.tolist())
    values = [float(text) for text in re.findall(r"(?:ARI|AMI) (-?[\d.]+)", verdict)]
    bounds = {"slight": 0.0, "fair": 0.2, "moderate": 0.4, "substantial": 0.6}
    assert bounds[word] <= max(values) < bounds[word] + 0.2
    assert f"agreement is {word}" in verdict


def test_verdict_where_one_index_alone_is_better(make_taxonomy) -> None:
    """Both q-values are told when only one of the two indices beats chance."""
    found = set()
    for seed in range(40):
        rng = np.random.default_rng([9, seed])
        classes = rng.integers(0, 3, 60)
        clusters = np.where(rng.random(60) < 0.22, classes, rng.integers(0, 5, 60))
        verdict = judge(make_taxonomy, clusters.tolist(), classes.tolist())
        match = re.fullmatch(
            r"Better than chance by (ARI|AMI) -?[\d.]+, q = ([\d.]+), "
            r"not by (ARI|AMI) -?[\d.]+, q = ([\d.]+); agreement is \w+\.",
            verdict,
        )
        if match:
            assert match[1] != match[3]
            assert float(match[2]) <= 0.05 < float(match[4]) + 0.0005
            found.add(match[1])
    assert found


def test_verdict_on_one_class(make_taxonomy) -> None:
    """An axis on which all papers carry the same label tells nothing apart."""
    verdict = judge(make_taxonomy, [0, 0, 1, 1], [0, 0, 0, 0])
    assert verdict == "Every paper is in one class: nothing to agree on."


def test_verdict_on_one_cluster(make_taxonomy) -> None:
    """Nor does a single cluster."""
    verdict = judge(make_taxonomy, [0, 0, 0, 0], [0, 0, 1, 1])
    assert verdict == "There is one cluster only: nothing to agree on."


def test_verdict_on_one_cluster_and_one_class(make_taxonomy) -> None:
    """scikit-learn gives 1.00 here, which would read as perfect agreement."""
    verdict = judge(make_taxonomy, [0, 0, 0, 0], [0, 0, 0, 0])
    assert verdict == "Every paper is in one class: nothing to agree on."


def test_verdict_on_papers_all_alone(make_taxonomy) -> None:
    """As many clusters as papers, all relabellings alike: there is nothing to test."""
    verdict = judge(make_taxonomy, list(range(12)), [0, 1, 2] * 4)
    assert verdict == ("Every paper stands alone in its class or its cluster: nothing to agree on.")


def test_verdict_without_relabellings(make_taxonomy) -> None:
    """n_permutations = 0: values are told, no q-value is, and nothing is claimed."""
    codes = [i % 4 for i in range(40)]
    assert judge(make_taxonomy, codes, codes, UNTESTED) == (
        "Not tested against chance; it would be almost perfect (ARI 1.000; AMI 1.000)."
    )


def test_without_relabellings_there_are_no_q_values(
    small_clusters: Partition, small_taxonomy: Taxonomy
) -> None:
    """None, not zero."""
    for axis in compare(small_clusters, small_taxonomy, UNTESTED, seed=0):
        assert axis.q_values == {"ARI": None, "AMI": None}


# ---------------------------------------------------------------- refusals and progress


def test_progress_rises_to_the_end(small_clusters: Partition, small_taxonomy: Taxonomy) -> None:
    """Two axes and the cells: 0, 1, 2 and 3 of 3."""
    told = []
    compare(
        small_clusters,
        small_taxonomy,
        UNTESTED,
        seed=0,
        progress=lambda n_done, n_all: told.append((n_done, n_all)),
    )
    assert told == [(0, 3), (1, 3), (2, 3), (3, 3)]


def test_axes_that_cannot_be_tested_leave_the_others_q_values_alone(make_taxonomy) -> None:
    """Five axes with one class each add no test, so no correction."""
    codes = [i % 4 for i in range(24)]
    keys = [f"k{i:03d}" for i in range(24)]
    clusters = Partition.from_mapping(
        {
            key: f"C{(code + i % 3) % 4}"
            for i, (key, code) in enumerate(zip(keys, codes, strict=True))
        }
    )
    labels = {"axis": ["a", "b", "c", "d"]}
    filed = {key: {"axis": ["abcd"[code]]} for key, code in zip(keys, codes, strict=True)}
    alone = compare(clusters, make_taxonomy(labels, filed), FEW, seed=2)
    idle = {f"idle{i}": ["same"] for i in range(5)}
    more = {key: by | {axis: ["same"] for axis in idle} for key, by in filed.items()}
    beside = compare(clusters, make_taxonomy(labels | idle, more), FEW, seed=2)
    assert pick(beside, "idle0").q_values == {"ARI": None, "AMI": None}
    assert pick(alone, "axis").q_values["ARI"] is not None
    assert sum(q is not None for axis in beside for q in axis.q_values.values()) == 4


def test_a_paper_counts_under_its_broader_labels_too(tmp_path: Path) -> None:
    """A label's parent gets the paper as well, once, also when both are given."""
    (tmp_path / "taxonomy.yaml").write_text(
        "axes:\n  task:\n    labels:\n      any: {title: Any task}\n      box: {parent: any}\n"
        "papers:\n  a: {task: [box]}\n  b: {task: [box, any]}\n  c: {task: [any]}\n  d: {}\n"
    )
    clusters = Partition.from_mapping(dict.fromkeys("abcd", "C1"))
    result = compare(clusters, read_taxonomy(tmp_path / "taxonomy.yaml"), FEW, seed=0)
    axis = pick(result, "task")
    assert axis.column_names == ("any", "box", "none")
    assert axis.column_titles == ("Any task", "box", "none")
    assert axis.contingency.tolist() == [[3, 2, 1]]


def test_cells_are_titled_by_axes_and_labels(tmp_path: Path) -> None:
    """Figures print titles where tables hold names."""
    (tmp_path / "taxonomy.yaml").write_text(
        "axes:\n  one: {title: First axis, labels: {x: {}}}\n"
        "  two: {title: Second, labels: {y: {title: Y label}, z: {}}}\n"
        "papers:\n  a: {one: [x], two: [y]}\n  b: {}\n"
    )
    clusters = Partition.from_mapping({"a": "C1", "b": "C2"})
    cells = pick(compare(clusters, read_taxonomy(tmp_path / "taxonomy.yaml"), FEW, seed=0), CELLS)
    assert set(zip(cells.column_names, cells.column_titles, strict=True)) == {
        ("one + two: y", "First axis + Second: Y label"),
        ("none", "none"),
    }

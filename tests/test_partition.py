"""Partition: every paper in exactly one named group."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from survey_tools.errors import ParameterError
from survey_tools.partition import Partition, align

mappings = st.dictionaries(st.text(max_size=3), st.sampled_from("xyz"), min_size=1, max_size=8)


def make() -> Partition:
    """Return a and c in X, b in Y."""
    return Partition(paper_keys=("a", "b", "c"), group_names=("X", "Y"), codes=np.array([0, 1, 0]))


def test_sizes_members_and_mapping_of_a_small_partition() -> None:
    """Worked by hand."""
    partition = make()
    assert (partition.n_papers, partition.n_groups) == (3, 2)
    assert partition.sizes.tolist() == [2, 1]
    assert partition.members("X") == ("a", "c")
    assert partition.as_mapping() == {"a": "X", "b": "Y", "c": "X"}


@given(mappings)
def test_a_mapping_comes_back(group_of: dict[str, str]) -> None:
    """Keys keep their order, sizes add up, groups stand in the order of their first paper."""
    partition = Partition.from_mapping(group_of)
    assert list(partition.as_mapping().items()) == list(group_of.items())
    assert partition.sizes.sum() == len(group_of)
    assert partition.group_names == tuple(dict.fromkeys(group_of.values()))


@given(mappings, st.permutations("wxyz"))
def test_the_order_of_groups_can_be_given(group_of: dict[str, str], order: list[str]) -> None:
    """Names without a paper are left out; nobody changes group."""
    partition = Partition.from_mapping(group_of, group_order=iter(order))
    assert partition.as_mapping() == group_of
    assert [name for name in order if name in partition.group_names] == [*partition.group_names]
    assert (partition.sizes > 0).all()


def test_no_papers_make_no_groups() -> None:
    """The empty partition has zero of both."""
    partition = Partition.from_mapping({})
    assert (partition.n_papers, partition.n_groups, partition.sizes.tolist()) == (0, 0, [])


def test_an_order_that_lacks_a_group_is_refused() -> None:
    """Papers would be lost."""
    with pytest.raises(ParameterError, match=r"^group_order lacks Y$"):
        Partition.from_mapping({"a": "X", "b": "Y"}, group_order=["X"])


@pytest.mark.parametrize(
    ("keys", "names", "codes", "problem"),
    [
        (("a", "a"), ("X",), [0, 0], "holds every paper once; a key stands twice"),
        (("a", "b"), ("X", "X"), [0, 1], "two groups of a partition have one name"),
        (("a", "b"), ("X", "Y"), [0, 0], "every paper needs a group and every group a paper"),
        (("a", "b"), ("X",), [0, 1], "every paper needs a group and every group a paper"),
        (("a", "b"), ("X",), [0], "every paper needs a group and every group a paper"),
        (("a", "b"), ("X", "Y"), [0, -1], "every paper needs a group and every group a paper"),
        (("a", "b"), ("X",), [[0], [0]], "every paper needs a group and every group a paper"),
    ],
)
def test_what_is_no_partition_is_refused(
    keys: tuple[str, ...], names: tuple[str, ...], codes: list[int], problem: str
) -> None:
    """Doubled keys or names, empty groups, codes without a name, a paper without code."""
    with pytest.raises(ParameterError, match=problem):
        Partition(paper_keys=keys, group_names=names, codes=np.array(codes))


def test_codes_are_copied_and_locked() -> None:
    """Neither the giver's array nor ours can move a paper."""
    codes = np.array([0, 1, 0])
    partition = Partition(paper_keys=("a", "b", "c"), group_names=("X", "Y"), codes=codes)
    codes[0] = 1
    assert partition.members("X") == ("a", "c")
    with pytest.raises(ValueError, match="read-only"):
        partition.codes[0] = 1


def test_an_unknown_group_is_named_with_the_known() -> None:
    """The message lists what there is."""
    with pytest.raises(ParameterError, match=r"^no group 'Z'; groups: X, Y$"):
        make().members("Z")


def test_restrict_keeps_the_order_asked_for_and_drops_empty_groups() -> None:
    """The order of groups is that of the whole."""
    assert list(make().restrict(["c", "b"]).as_mapping().items()) == [("c", "X"), ("b", "Y")]
    assert make().restrict(iter(["b"])).group_names == ("Y",)
    assert make().restrict(["b", "a"]).group_names == ("X", "Y")


def test_restrict_refuses_papers_it_does_not_hold() -> None:
    """All of them are named."""
    with pytest.raises(ParameterError, match=r"^papers not in the partition: y, z$"):
        make().restrict(["a", "y", "z"])


@given(mappings, st.randoms(use_true_random=False))
def test_aligned_codes_belong_to_the_same_papers(group_of: dict[str, str], random: object) -> None:
    """However the papers are shuffled, equal partitions align to equal codes."""
    shuffled = list(group_of.items())
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    order = sorted(set(group_of.values()))
    ours, theirs = align(
        Partition.from_mapping(group_of, group_order=order),
        Partition.from_mapping(dict(shuffled), group_order=order),
    )
    assert ours.tolist() == theirs.tolist()
    assert ours.tolist() == [order.index(group_of[key]) for key in sorted(group_of)]


def test_partitions_of_other_papers_are_not_aligned() -> None:
    """What only one of them holds is named, with the way out."""
    other = Partition.from_mapping({"a": "X", "b": "Y", "d": "X"})
    expected = r"hold different papers: c, d; restrict both to the papers they share$"
    with pytest.raises(ParameterError, match=expected):
        align(make(), other)

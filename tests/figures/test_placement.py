"""Texts that want one place keep apart, the largest stay, and letters count on."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from survey_tools.figures.placement import choose_largest, letter_code, spread


@given(
    st.lists(st.tuples(st.floats(-50, 150), st.floats(0.5, 8.0)), min_size=1, max_size=12),
)
def test_spread_texts_keep_apart_within_their_room(items: list[tuple[float, float]]) -> None:
    """No two centres are nearer than half of both heights, and none leaves the room."""
    wanted, heights = [w for w, _ in items], [h for _, h in items]
    centres = spread(wanted, heights, 0.0, 100.0)
    order = np.argsort(wanted, kind="stable")
    half = np.array(heights)[order] / 2
    moved = centres[order]
    assert (np.diff(moved) >= half[1:] + half[:-1] - 1e-6).all()
    assert moved[0] - half[0] >= -1e-6
    assert moved[-1] + half[-1] <= 100.0 + 1e-6


def test_spread_moves_texts_as_little_as_possible() -> None:
    """Two texts that want one place move by half a height each; a third, far off, stays."""
    np.testing.assert_allclose(spread([20.0, 20.0, 70.0], [4.0] * 3, 0.0, 100.0), [18, 22, 70])
    np.testing.assert_allclose(spread([99.0, 1.0], [4.0] * 2, 0.0, 100.0), [98, 2])


def test_the_largest_are_named_where_not_all_fit() -> None:
    """By size, of equals the first, until the room is full; in their own order."""
    assert choose_largest([5, 9, 5, 7], [10.0] * 4, 30.0) == [0, 1, 3]
    assert choose_largest([1, 1], [10.0] * 2, 30.0) == [0, 1]


def test_a_text_far_from_the_others_and_one_at_the_edge_give_way_least() -> None:
    """Two centres at 10 part by half each; texts beyond an end of the room come inside."""
    np.testing.assert_allclose(spread([10.0, 10.0, 50.0], [4.0] * 3, 0.0, 60.0), [8, 12, 50])
    np.testing.assert_allclose(spread([0.0, 59.0], [4.0, 6.0], 0.0, 60.0), [2, 57])


@pytest.mark.parametrize(
    ("i", "code"), [(0, "A"), (25, "Z"), (26, "AA"), (27, "AB"), (701, "ZZ"), (702, "AAA")]
)
def test_letters_count_on(i: int, code: str) -> None:
    """As columns of a spreadsheet do."""
    assert letter_code(i) == code

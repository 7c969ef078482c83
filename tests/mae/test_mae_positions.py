"""Positions in two dimensions, for the grid of the model and for others."""

import math

import pytest
import torch
from torch.nn import functional

from survey_tools.errors import ParameterError
from survey_tools.mae.positions import PositionTable, compute_sin_cos, resize_positions


def test_positions_of_a_hand_worked_grid() -> None:
    """Sines and cosines of the column come first, then those of the row; patches row by row."""
    table = compute_sin_cos((2, 3), 8)
    assert table.shape == (6, 8)
    row, column = 1, 2
    slow = 0.01  # 10000^(-1 / 2)
    expected = [
        *(math.sin(column), math.sin(column * slow), math.cos(column), math.cos(column * slow)),
        *(math.sin(row), math.sin(row * slow), math.cos(row), math.cos(row * slow)),
    ]
    assert table[row * 3 + column].tolist() == pytest.approx(expected, abs=1e-7)
    assert table[0].tolist() == [0, 0, 1, 1, 0, 0, 1, 1]


def test_no_two_places_have_the_same_position() -> None:
    """All positions of a rectangular grid differ."""
    table = compute_sin_cos((7, 13), 16)
    distances = torch.cdist(table, table) + 10 * torch.eye(91)
    assert distances.min() > 0.1


def test_width_must_be_a_multiple_of_four() -> None:
    """Two axes with a sine and a cosine each need a multiple of 4."""
    with pytest.raises(ParameterError, match="width=6: two axes need a multiple of 4"):
        compute_sin_cos((2, 2), 6)


def test_learned_positions_are_resized_in_two_dimensions() -> None:
    """Inside, a table linear in row and column stays nearly so; in 1-d it would not."""
    rows, columns = torch.meshgrid(torch.arange(8.0), torch.arange(6.0), indexing="ij")
    table = torch.stack([rows.flatten(), columns.flatten()], dim=1)
    finer = resize_positions(table, (8, 6), (16, 12)).reshape(16, 12, 2)
    inside = finer[4:-4, 4:-4]  # (8, 4, 2)
    row = ((torch.arange(4, 12) + 0.5) / 2 - 0.5)[:, None].expand(8, 4)
    column = ((torch.arange(4, 8) + 0.5) / 2 - 0.5)[None].expand(8, 4)
    bend = 3 / 64 + 1e-6  # what torch's cubic (a = -0.75) makes of a line a quarter between places
    assert (inside - torch.stack([row, column], dim=2)).abs().max() <= bend


def test_resizing_equals_torch_on_each_feature() -> None:
    """Each feature is a picture that is resized by itself."""
    table = torch.randn(20, 3, generator=torch.Generator().manual_seed(0))
    resized = resize_positions(table, (4, 5), (7, 3))
    for feature in range(3):
        picture = table[:, feature].reshape(1, 1, 4, 5)
        expected = functional.interpolate(picture, size=(7, 3), mode="bicubic", align_corners=False)
        assert torch.allclose(resized[:, feature].reshape(7, 3), expected[0, 0])


def test_the_same_grid_is_left_alone() -> None:
    """Without another size nothing is interpolated."""
    table = torch.randn(20, 4)
    assert resize_positions(table, (4, 5), (4, 5)) is table
    assert torch.equal(compute_sin_cos((4, 5), 8, trained_grid=(4, 5)), compute_sin_cos((4, 5), 8))


def test_computed_positions_of_a_finer_grid_are_what_bicubic_approximates() -> None:
    """Away from the border, computing at the places between agrees with interpolation."""
    exact = compute_sin_cos((28, 28), 32, trained_grid=(14, 14)).reshape(28, 28, 32)
    cubic = resize_positions(compute_sin_cos((14, 14), 32), (14, 14), (28, 28)).reshape(28, 28, 32)
    assert (exact - cubic)[4:-4, 4:-4].abs().max() < 0.04


@pytest.mark.parametrize("kind", ["sin-cos", "learned", "loaded"])
def test_table_trains_and_saves_only_what_it_should(kind: str) -> None:
    """Learned positions get gradients, loaded ones are saved, computed ones neither."""
    table = PositionTable((2, 3), 8, kind=kind, cls_token=True)
    assert table().shape == (7, 8)
    assert not table()[0].any()
    assert table().requires_grad == (kind == "learned")
    assert ("table" in table.state_dict()) == (kind != "sin-cos")
    assert table((4, 6)).shape == (25, 8)
    assert torch.equal(table((4, 6))[0], table()[0])

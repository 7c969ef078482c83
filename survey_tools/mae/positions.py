"""Where a patch stands: fixed sines and cosines in two dimensions, for any grid of patches."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from survey_tools.errors import ParameterError
from survey_tools.mae.config import Positions

__all__ = ["PositionTable", "compute_sin_cos", "resize_positions"]

_TEMPERATURE = 10_000.0  # Vaswani et al., arXiv:1706.03762, section 3.5


def compute_sin_cos(
    grid: tuple[int, int], width: int, *, trained_grid: tuple[int, int] | None = None
) -> Tensor:
    """Compute positions of patches as sines and cosines of their column and row.

    A quarter of the features each: sines and cosines of the column, then of the row, at
    frequencies 10000^(-i / (width / 4)). Published checkpoints have the column first.

    Parameters
    ----------
    grid : tuple of int
        Rows and columns of patches.
    width : int
        Features, a multiple of 4.
    trained_grid : tuple of int, optional
        The grid a model was trained on: then the patches of another grid stand between those,
        at the centres of their pixels, as interpolation would put them, but exactly.

    Returns
    -------
    Tensor of float32, shape (rows * columns, width)

    Raises
    ------
    ParameterError
        If the width is no multiple of 4.

    References
    ----------
    .. [1] Chen, Xie and He, An Empirical Study of Training Self-Supervised Vision Transformers,
       arXiv:2104.02057, section 4; Vaswani et al., section 3.5, for each axis.
    """
    if width % 4:
        raise ParameterError(f"width={width}: two axes need a multiple of 4")
    trained = trained_grid or grid
    rows, columns = (
        (torch.arange(n, dtype=torch.float64) + 0.5) * (n_trained / n) - 0.5
        for n, n_trained in zip(grid, trained, strict=True)
    )
    frequencies = _TEMPERATURE ** (-torch.arange(width // 4, dtype=torch.float64) / (width // 4))
    by_column = columns[:, None] * frequencies  # (columns, width / 4)
    by_row = rows[:, None] * frequencies  # (rows, width / 4)
    across = torch.cat([by_column.sin(), by_column.cos()], dim=1)  # (columns, width / 2)
    down = torch.cat([by_row.sin(), by_row.cos()], dim=1)  # (rows, width / 2)
    shape = (*grid, width // 2)
    table = torch.cat([across[None].expand(shape), down[:, None].expand(shape)], dim=2)
    return table.reshape(grid[0] * grid[1], width).float()  # (rows * columns, width)


def resize_positions(table: Tensor, grid: tuple[int, int], new_grid: tuple[int, int]) -> Tensor:
    """Interpolate positions to another grid, bicubic in both dimensions.

    Parameters
    ----------
    table : Tensor, shape (rows * columns, width)
        Of the patches alone, without that of a cls token.

    Returns
    -------
    Tensor, shape (new_rows * new_columns, width)
        The table itself if the grids are the same.

    References
    ----------
    .. [1] Dosovitskiy et al., arXiv:2010.11929, section 3.2.
    """
    if new_grid == grid:
        return table
    width = table.shape[1]
    picture = table.reshape(1, *grid, width).permute(0, 3, 1, 2)  # (1, width, rows, columns)
    resized = functional.interpolate(picture, size=new_grid, mode="bicubic", align_corners=False)
    return resized.permute(0, 2, 3, 1).reshape(-1, width)  # (new_rows * new_columns, width)


class PositionTable(nn.Module):
    """Positions of a grid of patches, and of the cls token before them if there is one.

    Sines and cosines are computed, not saved; the cls token's position is then 0. Learned ones
    are trained, loaded ones fixed as they came.

    Attributes
    ----------
    table : Tensor, shape (n_before + rows * columns, width)
        A row for the cls token first, if there is one.
    """

    table: Tensor

    def __init__(
        self, grid: tuple[int, int], width: int, *, kind: Positions, cls_token: bool
    ) -> None:
        super().__init__()
        self.grid, self.width, self.kind = grid, width, kind
        self.n_before = int(cls_token)
        fixed = self._with_cls(compute_sin_cos(grid, width))
        if kind == "sin-cos":
            self.register_buffer("table", fixed, persistent=False)
        else:
            self.table = nn.Parameter(fixed, requires_grad=kind == "learned")

    def forward(self, grid: tuple[int, int] | None = None) -> Tensor:
        """Return the table of a grid, its own unless another is given.

        Returns
        -------
        Tensor, shape (n_before + rows * columns, width)
        """
        if grid is None or grid == self.grid:
            return self.table
        if self.kind == "sin-cos":
            fixed = compute_sin_cos(grid, self.width, trained_grid=self.grid)
            return self._with_cls(fixed.to(self.table.device))
        before, patches = self.table[: self.n_before], self.table[self.n_before :]
        return torch.cat([before, resize_positions(patches, self.grid, grid)])

    def _with_cls(self, positions: Tensor) -> Tensor:
        return torch.cat([positions.new_zeros(self.n_before, self.width), positions])

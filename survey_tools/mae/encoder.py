"""The encoder: a ViT that sees only the patches it is given."""

import torch
from torch import Tensor, nn

from survey_tools.errors import ParameterError
from survey_tools.mae.blocks import Block, draw_token, draw_weights, make_linear, take
from survey_tools.mae.config import ModelConfig
from survey_tools.mae.masking import Mask
from survey_tools.mae.patches import patchify
from survey_tools.mae.positions import PositionTable

__all__ = ["Encoder"]


class Encoder(nn.Module):
    """A pre-norm ViT on visible patches, on all patches, or with mask tokens in it.

    Its first weights are drawn on the CPU from the generator.

    References
    ----------
    .. [1] He et al., arXiv:2111.06377, section 3, "MAE encoder".
    """

    def __init__(self, config: ModelConfig, *, generator: torch.Generator) -> None:
        super().__init__()
        width = config.encoder_width
        self.config = config
        self.embed = make_linear(config.patch_values, width)
        self.cls_token = draw_token(width, generator) if config.cls_token else None
        self.positions = PositionTable(
            config.grid, width, kind=config.positions, cls_token=config.cls_token
        )
        self.blocks = nn.ModuleList(
            Block(width, config.encoder_heads, config.mlp_ratio, config.layer_norm_eps)
            for _ in range(config.encoder_depth)
        )
        self.norm = nn.LayerNorm(width, eps=config.layer_norm_eps)
        draw_weights(self, generator)

    @property
    def n_before(self) -> int:
        """Tokens before those of the patches: 1 with a cls token, else 0."""
        return self.positions.n_before

    def forward(
        self,
        patches: Tensor,
        mask: Mask | None = None,
        *,
        grid: tuple[int, int] | None = None,
    ) -> Tensor:
        """Encode the visible patches, or all of them without a mask.

        Masked patches are not even embedded: nothing here depends on them, nor do they cost.

        Parameters
        ----------
        patches : Tensor, shape (batch, n_patches, values)
        grid : tuple of int, optional
            Rows and columns, if they are not those of the config.

        Returns
        -------
        Tensor, shape (batch, n_before + n_kept, width)
            After the last LayerNorm; visible patches in the order of ``mask.visible``.

        Raises
        ------
        ParameterError
            If the patches or the mask do not fit the grid.
        """
        positions = self._positions_for(patches, mask, grid)
        if mask is None:
            tokens = self.embed(patches) + positions[self.n_before :]
        else:
            visible = self.embed(take(patches, mask.visible))  # (batch, n_kept, width)
            tokens = visible + positions[self.n_before + mask.visible]
        return self._run_blocks(tokens, positions)

    def forward_with_mask_tokens(
        self,
        patches: Tensor,
        mask: Mask,
        mask_token: Tensor,
        *,
        grid: tuple[int, int] | None = None,
    ) -> Tensor:
        """Encode all places, with a token in the place of every masked patch.

        Parameters
        ----------
        patches : Tensor, shape (batch, n_patches, values)
        mask_token : Tensor, shape (width,)
            Of the method that asks: the encoder has none.

        Returns
        -------
        Tensor, shape (batch, n_before + n_patches, width)
            Patches in their places.

        References
        ----------
        .. [1] Bao et al., BEiT, arXiv:2106.08254; Xie et al., SimMIM, arXiv:2111.09886.
        """
        positions = self._positions_for(patches, mask, grid)
        embedded = self.embed(patches)  # (batch, n_patches, width)
        tokens = torch.where(mask.is_masked[:, :, None], mask_token.to(embedded.dtype), embedded)
        return self._run_blocks(tokens + positions[self.n_before :], positions)

    def encode_images(self, images: Tensor) -> Tensor:
        """Encode whole images, also of another size: positions are interpolated.

        Parameters
        ----------
        images : Tensor, shape (batch, channels, height, width)

        Returns
        -------
        Tensor, shape (batch, n_before + n_patches, width)

        Raises
        ------
        ParameterError
            If a side is not divisible by the patch, or the channels are others.
        """
        p, q = self.config.patch_size
        patches = patchify(images, (p, q))
        return self(patches, grid=(images.shape[2] // p, images.shape[3] // q))  # type: ignore[no-any-return]

    def _positions_for(
        self, patches: Tensor, mask: Mask | None, grid: tuple[int, int] | None
    ) -> Tensor:
        rows, columns = grid or self.config.grid
        wanted = (rows * columns, self.config.patch_values)
        if tuple(patches.shape[1:]) != wanted:
            raise ParameterError(
                f"{patches.shape[1]} patches of {patches.shape[2]} values arrived; the model "
                f"takes {rows} x {columns} patches of {wanted[1]} values"
            )
        if mask is not None and tuple(mask.restore.shape) != tuple(patches.shape[:2]):
            raise ParameterError(
                f"a mask of {len(mask.restore)} images of {mask.n_patches} patches does not fit "
                f"{len(patches)} images of {patches.shape[1]} patches; draw one for this batch"
            )
        table: Tensor = self.positions(grid)  # (n_before + n_patches, width)
        return table

    def _run_blocks(self, tokens: Tensor, positions: Tensor) -> Tensor:
        if self.cls_token is not None:
            first = (self.cls_token + positions[0]).to(tokens.dtype)
            first = first.expand(len(tokens), 1, -1)  # (batch, 1, width)
            tokens = torch.cat([first, tokens], dim=1)  # (batch, 1 + n, width)
        for block in self.blocks:
            tokens = block(tokens)
        out: Tensor = self.norm(tokens)
        return out

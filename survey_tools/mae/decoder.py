"""The decoder: light, with one learnable token for every masked patch."""

import torch
from torch import Tensor, nn

from survey_tools.mae.blocks import Block, draw_token, draw_weights, make_linear, take
from survey_tools.mae.config import ModelConfig
from survey_tools.mae.masking import Mask
from survey_tools.mae.positions import PositionTable

__all__ = ["Decoder"]


class Decoder(nn.Module):
    """Predicts what the masked patches hold from the encoded visible ones.

    The tokens run in the order cls, visible, masked, each with the position of its place:
    attention does not care for order, so none has to be put back. Only what the loss needs is
    computed: in the last block and the head, the masked tokens alone.

    Parameters
    ----------
    n_outputs : int, optional
        Values predicted for a patch; by default its pixels.

    References
    ----------
    .. [1] He et al., arXiv:2111.06377, section 3, "MAE decoder" and "Simple implementation".
    """

    def __init__(
        self, config: ModelConfig, *, generator: torch.Generator, n_outputs: int | None = None
    ) -> None:
        super().__init__()
        width = config.decoder_width
        self.embed = make_linear(config.encoder_width, width)
        self.mask_token = draw_token(width, generator)
        self.positions = PositionTable(
            config.grid, width, kind=config.positions, cls_token=config.cls_token
        )
        self.blocks = nn.ModuleList(
            Block(width, config.decoder_heads, config.mlp_ratio, config.layer_norm_eps)
            for _ in range(config.decoder_depth)
        )
        self.norm = nn.LayerNorm(width, eps=config.layer_norm_eps)
        self.head = make_linear(width, n_outputs or config.patch_values)
        draw_weights(self, generator)

    def forward(
        self,
        encoded: Tensor,
        mask: Mask,
        *,
        all_patches: bool = False,
        has_mask_tokens: bool = False,
        grid: tuple[int, int] | None = None,
    ) -> Tensor:
        """Predict the masked patches, or all.

        Parameters
        ----------
        encoded : Tensor, shape (batch, n_before + n_kept, encoder_width)
            What the encoder made of the visible patches.
        has_mask_tokens : bool
            Whether the encoder had mask tokens of its own: ``encoded`` is then of shape (batch,
            n_before + n_patches, encoder_width), patches in their places, and the decoder adds
            none.
        all_patches : bool
            Predict the visible ones too: for pictures and for losses on them.
        grid : tuple of int, optional
            Rows and columns, if they are not those of the config.

        Returns
        -------
        Tensor, shape (batch, n_masked, n_outputs) or (batch, n_patches, n_outputs)
            Masked patches in the order of ``mask.masked``; all patches in their places.
        """
        place = self._reorder if has_mask_tokens else self._place
        tokens = place(encoded, mask, self.positions(grid))
        for block in self.blocks[:-1]:
            tokens = block(tokens)
        n_masked = mask.masked.shape[1]
        tokens = self.blocks[-1](tokens, None if all_patches else n_masked)
        if all_patches:
            tokens = take(tokens[:, self.positions.n_before :], mask.restore)  # (batch, n, width)
        out: Tensor = self.head(self.norm(tokens))
        return out

    def _place(self, encoded: Tensor, mask: Mask, positions: Tensor) -> Tensor:
        """Give the visible tokens their positions and add those of the masked patches.

        Returns
        -------
        Tensor, shape (batch, n_before + n_patches, decoder_width)
        """
        n_before = self.positions.n_before
        seen = self._list_seen(mask)  # (batch, n_before + n_kept)
        visible = self.embed(encoded) + positions[seen]  # (batch, n_before + n_kept, width)
        masked = self.mask_token + positions[n_before + mask.masked]  # (batch, n_masked, width)
        return torch.cat([visible, masked], dim=1)

    def _reorder(self, encoded: Tensor, mask: Mask, positions: Tensor) -> Tensor:
        """Bring masked places, which the encoder has computed, to the end.

        Returns
        -------
        Tensor, shape (batch, n_before + n_patches, decoder_width)
        """
        masked = self.positions.n_before + mask.masked
        order = torch.cat([self._list_seen(mask), masked], dim=1)  # (batch, n_before + n_patches)
        tokens: Tensor = self.embed(take(encoded, order)) + positions[order]
        return tokens

    def _list_seen(self, mask: Mask) -> Tensor:
        n_before = self.positions.n_before
        first = torch.arange(n_before, device=mask.visible.device).expand(len(mask.visible), -1)
        return torch.cat([first, n_before + mask.visible], dim=1)

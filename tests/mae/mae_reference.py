"""Hugging Face's ViTMAE with every weight drawn, as a reference for ours."""

import torch
from transformers import ViTMAEConfig, ViTMAEForPreTraining

from survey_tools.mae.published_folder import config_from_published

SHAPES = {
    # image, patch, channels, encoder (width, blocks, heads), decoder, ratio: at sizes that differ
    "4 x 4 patches, 1 channel": (16, 4, 1, (32, 2, 4), (16, 1, 2), 0.75),
    "8 x 8 patches, 3 channels": (32, 4, 3, (128, 6, 4), (64, 2, 4), 0.75),
    "14 x 14 patches, 2 channels": (112, 8, 2, (48, 3, 3), (32, 2, 2), 0.5),
}


def build_reference(name: str, *, norm_pix: bool, seed: int = 0) -> ViTMAEForPreTraining:
    """Build a reference of a named shape; its own first weights leave positions and tokens at 0."""
    image, patch, channels, encoder, decoder, ratio = SHAPES[name]
    config = ViTMAEConfig(
        image_size=image,
        patch_size=patch,
        num_channels=channels,
        hidden_size=encoder[0],
        num_hidden_layers=encoder[1],
        num_attention_heads=encoder[2],
        intermediate_size=4 * encoder[0],
        decoder_hidden_size=decoder[0],
        decoder_num_hidden_layers=decoder[1],
        decoder_num_attention_heads=decoder[2],
        decoder_intermediate_size=4 * decoder[0],
        mask_ratio=ratio,
        norm_pix_loss=norm_pix,
    )
    model = ViTMAEForPreTraining(config)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for key, value in model.state_dict().items():
            is_scale = "norm" in key and key.endswith("weight")
            spread = 0.5 / value.shape[-1] ** 0.5 if value.ndim == 2 else 0.3
            value.normal_(mean=1.0 if is_scale else 0.0, std=spread, generator=generator)
    return model.eval()


def our_config(model: ViTMAEForPreTraining):
    """Return the config of ours that the reference's config describes."""
    return config_from_published(model.config.to_dict())

"""Weights <-> names and shapes of Hugging Face's ViTMAE, in which the published models come."""

import re
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from survey_tools.errors import DataError, ParameterError, abbreviate
from survey_tools.mae.config import ModelConfig, Positions
from survey_tools.mae.model import MaskedAutoencoder
from survey_tools.mae.positions import compute_sin_cos

__all__ = ["check_layout", "from_published", "to_published"]

_BLOCK_PARTS = (
    ("attention_norm", "layernorm_before"),
    ("attention.project", "attention.output.dense"),
    ("mlp_norm", "layernorm_after"),
    ("mlp.widen", "intermediate.dense"),
    ("mlp.narrow", "output.dense"),
)
_PARTS = (
    ("encoder.norm", "vit.layernorm"),
    ("decoder.embed", "decoder.decoder_embed"),
    ("decoder.norm", "decoder.decoder_norm"),
    ("decoder.head", "decoder.decoder_pred"),
)
_TOKENS = (
    ("encoder.cls_token", "vit.embeddings.cls_token"),
    ("decoder.mask_token", "decoder.mask_token"),
)
_TABLES = {
    "encoder.positions.table": "vit.embeddings.position_embeddings",
    "decoder.positions.table": "decoder.decoder_pos_embed",
}
_PATCH = "vit.embeddings.patch_embeddings.projection"
# transformers 5 has other names in memory than on disk, and its save_pretrained writes
# 'decoder_encoder.layer' (5.24); all are brought to those of transformers 4
_RENAMED = tuple(
    (re.compile(pattern), name)
    for pattern, name in (
        (r"^vit\.layers\.", "vit.encoder.layer."),
        (r"^decoder\.decoder_encoder\.layer\.", "decoder.decoder_layers."),
        (r"\.attention\.q_proj\.", ".attention.attention.query."),
        (r"\.attention\.k_proj\.", ".attention.attention.key."),
        (r"\.attention\.v_proj\.", ".attention.attention.value."),
        (r"\.attention\.o_proj\.", ".attention.output.dense."),
        (r"\.mlp\.fc1\.", ".intermediate.dense."),
        (r"\.mlp\.fc2\.", ".output.dense."),
    )
)
_SAME_POSITIONS = 1e-5  # published tables were computed in another order


def check_layout(config: ModelConfig) -> None:
    """Refuse a model that the published layout has no place for.

    Raises
    ------
    ParameterError
        If images or patches are not square or there is no cls token.
    """
    for name in ("image_size", "patch_size"):
        height, width = getattr(config, name)
        if height != width:
            raise ParameterError(
                f"{name}={height} x {width}: Hugging Face's ViTMAE takes square ones only; "
                "keep this model as a checkpoint of ours"
            )
    if not config.cls_token:
        raise ParameterError(
            "cls_token=False: Hugging Face's ViTMAE always has one; "
            "keep this model as a checkpoint of ours"
        )


def to_published(model: MaskedAutoencoder) -> dict[str, Tensor]:
    """Return the weights by the published names, in the published shapes.

    Positions are written out, computed or not.

    Returns
    -------
    dict of str to Tensor
        Copies, on the CPU; names as in transformers 4, which transformers 5 reads too.

    Raises
    ------
    ParameterError
        If the layout has no place for such a model.
    """
    check_layout(model.config)
    return {
        name: value.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, value in _to_theirs(model).items()
    }


def from_published(tensors: Mapping[str, Tensor], config: ModelConfig) -> MaskedAutoencoder:
    """Build a model of published weights.

    Parameters
    ----------
    tensors : mapping of str to Tensor
        By the names of transformers 4 or 5.
    config : ModelConfig
        Its ``positions`` are not asked: they are ``sin-cos`` if the tensors hold those that
        `compute_sin_cos` gives, else ``loaded``.

    Raises
    ------
    DataError
        If tensors are missing, unknown, not finite, or of another shape than the config's.
    ParameterError
        If the layout has no place for such a model.
    """
    check_layout(config)
    theirs = {_rename(name): value.float() for name, value in tensors.items()}
    wanted = _list_shapes(config)
    if missing := sorted(set(wanted) - set(theirs)):
        raise DataError(
            f"weights are missing: {abbreviate(missing, 3)}; is it a ViTMAE with decoder?"
        )
    if unknown := sorted(set(theirs) - set(wanted)):
        raise DataError(f"weights are unknown: {abbreviate(unknown, 3)}; is the config another's?")
    for name, shape in wanted.items():
        if tuple(theirs[name].shape) != shape:
            raise DataError(
                f"{name} has shape {tuple(theirs[name].shape)}, but its config asks for {shape}"
            )
        if not bool(theirs[name].isfinite().all()):
            raise DataError(f"{name} holds NaN or infinite weights; take an earlier checkpoint")
    ours = _to_ours(theirs, config)
    kind: Positions = "sin-cos" if _are_sin_cos(ours, config) else "loaded"
    config = ModelConfig.from_dict(config.to_dict() | {"positions": kind})
    model = MaskedAutoencoder(config, generator=torch.Generator())  # all drawn is replaced
    if kind == "sin-cos":
        ours = {name: value for name, value in ours.items() if name not in _TABLES}
    model.load_state_dict(ours)
    return model


def _pair_names(config: ModelConfig) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Pair our names with theirs, three for queries, keys and values, where shapes are the same."""
    pairs = list(_PARTS)
    for ours, theirs, depth in (
        ("encoder.blocks", "vit.encoder.layer", config.encoder_depth),
        ("decoder.blocks", "decoder.decoder_layers", config.decoder_depth),
    ):
        for i in range(depth):
            pairs += [(f"{ours}.{i}.{a}", f"{theirs}.{i}.{b}") for a, b in _BLOCK_PARTS]
            for kind in ("weight", "bias"):
                parts = (f"{theirs}.{i}.attention.attention.{c}" for c in ("query", "key", "value"))
                yield f"{ours}.{i}.attention.qkv.{kind}", tuple(f"{c}.{kind}" for c in parts)
    for ours, theirs in pairs:
        for kind in ("weight", "bias"):
            yield f"{ours}.{kind}", (f"{theirs}.{kind}",)


def _rename(name: str) -> str:
    for pattern, replacement in _RENAMED:
        name = pattern.sub(replacement, name)
    return name


def _list_shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    with torch.device("meta"):
        model = MaskedAutoencoder(config, generator=torch.Generator("cpu"))
    return {name: tuple(value.shape) for name, value in _to_theirs(model).items()}


def _to_theirs(model: MaskedAutoencoder) -> dict[str, Tensor]:
    config, ours = model.config, model.state_dict()
    size, channels = config.patch_size[0], config.n_channels
    kernel = ours["encoder.embed.weight"].reshape(-1, size, size, channels)  # (width, p, q, c)
    theirs = {
        f"{_PATCH}.weight": kernel.permute(0, 3, 1, 2),  # (width, c, p, q)
        f"{_PATCH}.bias": ours["encoder.embed.bias"],
    }
    for our_name, their_name in _TOKENS:
        theirs[their_name] = ours[our_name][None, None]  # (1, 1, width)
    for positions, their_name in zip(
        (model.encoder.positions, model.decoder.positions), _TABLES.values(), strict=True
    ):
        theirs[their_name] = positions.table[None]  # (1, 1 + n_patches, width)
    for our_name, their_names in _pair_names(config):
        parts = ours[our_name].chunk(len(their_names))
        theirs.update(zip(their_names, parts, strict=True))
    return theirs


def _to_ours(theirs: Mapping[str, Tensor], config: ModelConfig) -> dict[str, Tensor]:
    kernel = theirs[f"{_PATCH}.weight"].permute(0, 2, 3, 1)  # (width, p, q, c)
    ours = {
        "encoder.embed.weight": kernel.reshape(len(kernel), -1),  # (width, p * q * c)
        "encoder.embed.bias": theirs[f"{_PATCH}.bias"],
    }
    for our_name, their_name in _TOKENS:
        ours[our_name] = theirs[their_name].reshape(-1)  # (width,)
    for our_name, their_name in _TABLES.items():
        ours[our_name] = theirs[their_name][0]  # (1 + n_patches, width)
    for our_name, their_names in _pair_names(config):
        ours[our_name] = torch.cat([theirs[name] for name in their_names])
    return ours


def _are_sin_cos(ours: Mapping[str, Tensor], config: ModelConfig) -> bool:
    for name in _TABLES:
        table = ours[name]
        fixed = compute_sin_cos(config.grid, table.shape[1])  # (n_patches, width)
        if bool(table[0].any()) or float((table[1:] - fixed).abs().max()) > _SAME_POSITIONS:
            return False
    return True

"""Folders as Hugging Face's ``save_pretrained`` writes them: config.json and the weights."""

import contextlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from survey_tools.documents import decode_utf8, read_bytes
from survey_tools.errors import DataError, OutputError, ParameterError
from survey_tools.mae.checkpoint import DAMAGES
from survey_tools.mae.config import ModelConfig
from survey_tools.mae.layout import check_layout, from_published, to_published
from survey_tools.mae.model import MaskedAutoencoder

__all__ = [
    "config_from_published",
    "config_to_published",
    "is_published",
    "read_folder",
    "write_folder",
]

_CONFIG, _SAFE, _PICKLED = "config.json", "model.safetensors", "pytorch_model.bin"
_SAME = {
    "n_channels": "num_channels",
    "encoder_width": "hidden_size",
    "encoder_depth": "num_hidden_layers",
    "encoder_heads": "num_attention_heads",
    "decoder_width": "decoder_hidden_size",
    "decoder_depth": "decoder_num_hidden_layers",
    "decoder_heads": "decoder_num_attention_heads",
    "mask_ratio": "mask_ratio",
    "norm_pix": "norm_pix_loss",
    "layer_norm_eps": "layer_norm_eps",
}
# what transformers takes for a key that config.json leaves out (ViTMAEConfig, 5.24)
_DEFAULTS: Mapping[str, Any] = {
    "image_size": 224,
    "patch_size": 16,
    "num_channels": 3,
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
    "decoder_hidden_size": 512,
    "decoder_num_hidden_layers": 8,
    "decoder_num_attention_heads": 16,
    "decoder_intermediate_size": 2048,
    "mask_ratio": 0.75,
    "norm_pix_loss": False,
    "layer_norm_eps": 1e-12,
}
_ONLY: Mapping[str, Any] = {
    "model_type": "vit_mae",
    "hidden_act": "gelu",
    "qkv_bias": True,
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
}


def config_to_published(config: ModelConfig) -> dict[str, Any]:
    """Return what Hugging Face's config.json says of a model.

    Raises
    ------
    ParameterError
        If the layout has no place for such a model.
    """
    check_layout(config)
    return {
        "architectures": ["ViTMAEForPreTraining"],
        **_ONLY,
        "dtype": "float32",
        "image_size": config.image_size[0],
        "patch_size": config.patch_size[0],
        "intermediate_size": round(config.mlp_ratio * config.encoder_width),
        "decoder_intermediate_size": round(config.mlp_ratio * config.decoder_width),
        **{theirs: getattr(config, ours) for ours, theirs in _SAME.items()},
    }


def config_from_published(data: Mapping[str, Any]) -> ModelConfig:
    """Build the config that a config.json describes.

    Raises
    ------
    ParameterError
        If it describes another kind of model, or one that this kernel does not have.
    """
    for name, only in _ONLY.items():
        if data.get(name, only) != only:
            raise ParameterError(f"{name}={data[name]!r}: only {only!r} is known here")
    values = {name: data.get(name, default) for name, default in _DEFAULTS.items()}
    config = ModelConfig.from_dict(
        {ours: values[theirs] for ours, theirs in _SAME.items()}
        | {"image_size": values["image_size"], "patch_size": values["patch_size"]}
        | {"mlp_ratio": _find_ratio(values)}
    )
    check_layout(config)
    return config


def is_published(folder: Path) -> bool:
    """Say whether a folder holds weights under the names that ``save_pretrained`` gives them."""
    return any((folder / name).is_file() for name in (_SAFE, _PICKLED))


def read_folder(folder: Path) -> MaskedAutoencoder:
    """Read a model from a local folder: config.json and model.safetensors or pytorch_model.bin.

    The loss on normalised pixels and the mask ratio are those of the config. Note that
    Hugging Face's model keeps ``int(n * (1 - ratio))`` patches, ours the nearest number.

    Raises
    ------
    DataError
        If a file is missing or damaged, or weights and config do not fit.
    """
    path = folder / _CONFIG
    try:
        data = json.loads(decode_utf8(read_bytes(path), str(path)))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: is no JSON ({error})") from None
    if not isinstance(data, dict):
        raise DataError(f"{path}: an object with the fields of a model is wanted")
    try:
        return from_published(_read_weights(folder), config_from_published(data))
    except ParameterError as error:
        raise DataError(f"{path}: {error}") from None


def write_folder(model: MaskedAutoencoder, folder: Path) -> None:
    """Write a model so that Hugging Face's ``ViTMAEForPreTraining.from_pretrained`` reads it.

    Files of the same names are replaced, each whole; learned positions come back as loaded ones.

    Raises
    ------
    ParameterError
        If the layout has no place for such a model.
    OutputError
        If the folder cannot be written.
    """
    text = json.dumps(config_to_published(model.config), indent=2, sort_keys=True) + "\n"
    tensors = to_published(model)
    partial = {name: folder / f".{name}.partial-{os.getpid()}" for name in (_SAFE, _CONFIG)}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        save_file(tensors, partial[_SAFE], metadata={"format": "pt"})
        partial[_CONFIG].write_text(text, encoding="utf-8")
        for name, path in partial.items():
            path.replace(folder / name)
    except (OSError, safetensors.SafetensorError) as error:
        raise OutputError(f"{folder}: cannot be written ({error})") from None
    finally:
        for path in partial.values():
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)


def _find_ratio(values: Mapping[str, Any]) -> float:
    """Find the one ratio of both MLPs; the encoder's and the decoder's must agree."""
    ratios = []
    for hidden, width in (
        ("intermediate_size", "hidden_size"),
        ("decoder_intermediate_size", "decoder_hidden_size"),
    ):
        for name in (hidden, width):
            if type(values[name]) is not int or values[name] < 1:
                raise ParameterError(
                    f"{name}={values[name]!r}: a whole number of at least 1 is wanted"
                )
        ratios.append(values[hidden] / values[width])
    if round(ratios[0] * values["decoder_hidden_size"]) != values["decoder_intermediate_size"]:
        raise ParameterError(
            f"the MLPs of encoder and decoder are {ratios[0]:g} and {ratios[1]:g} times as wide "
            "as their tokens; only one ratio for both is known here"
        )
    return float(ratios[0])


def _read_weights(folder: Path) -> Mapping[str, Tensor]:
    safe, pickled = folder / _SAFE, folder / _PICKLED
    if safe.exists():
        try:
            return load_file(safe)
        except (OSError, safetensors.SafetensorError) as error:
            raise DataError(f"{safe}: is no whole safetensors file ({error})") from None
    if not pickled.exists():
        if any(folder.glob("*.index.json")):
            raise DataError(f"{folder}: the weights are in several files; save them as one")
        raise DataError(f"{folder}: holds neither {_SAFE} nor {_PICKLED}")
    try:
        tensors = torch.load(pickled, map_location="cpu", weights_only=True)
    except DAMAGES:
        raise DataError(f"{pickled}: is no whole file of weights; fetch it again") from None
    if not isinstance(tensors, dict) or not all(isinstance(t, Tensor) for t in tensors.values()):
        raise DataError(f"{pickled}: holds something else than weights by name")
    return tensors

"""The frozen record of a masked autoencoder: what must be known to build it again."""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from survey_tools.documents import nearest
from survey_tools.errors import ParameterError
from survey_tools.mae.counts import count_kept

__all__ = ["NAMED_SIZES", "ModelConfig", "Positions", "describe_difference", "named_config"]

Positions = Literal["sin-cos", "learned", "loaded"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelConfig:
    """Shape of a masked autoencoder; the defaults are those of the paper for ViT-B.

    Attributes
    ----------
    image_size, patch_size : tuple of int
        Height and width, in pixels.
    n_channels : int
    encoder_width, encoder_depth, encoder_heads : int
        Features of a token, blocks, attention heads.
    decoder_width, decoder_depth, decoder_heads : int
    mlp_ratio : float
        Hidden features of an MLP per feature of a token.
    mask_ratio : float
        Share of the patches that the encoder does not see, above 0 and below 1.
    norm_pix : bool
        Whether the target is each patch normalised by its own mean and variance.
    layer_norm_eps : float
        Added to the variance in every LayerNorm: 1e-6 in ViT, 1e-12 in Hugging Face's ViTMAE.
    cls_token : bool
        Whether an extra token without a patch runs along.
    positions : {"sin-cos", "learned", "loaded"}
        Fixed sines and cosines, trained, or fixed as a checkpoint brought them.

    Raises
    ------
    ParameterError
        If the sizes do not fit together.

    References
    ----------
    .. [1] He et al., Masked Autoencoders Are Scalable Vision Learners, arXiv:2111.06377,
       section 3 and appendix A.1.
    """

    image_size: tuple[int, int] = (224, 224)
    patch_size: tuple[int, int] = (16, 16)
    n_channels: int = 3
    encoder_width: int = 768
    encoder_depth: int = 12
    encoder_heads: int = 12
    decoder_width: int = 512
    decoder_depth: int = 8
    decoder_heads: int = 16
    mlp_ratio: float = 4.0
    mask_ratio: float = 0.75
    norm_pix: bool = True
    layer_norm_eps: float = 1e-6
    cls_token: bool = True
    positions: Positions = "sin-cos"

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            _check_type(field.name, getattr(self, field.name))
        self._check_patches()
        if self.norm_pix and self.patch_values < 2:
            raise ParameterError(
                "norm_pix=True: a patch of one value has no variance; take larger patches or false"
            )
        self._check_widths("encoder", self.encoder_width, self.encoder_heads)
        self._check_widths("decoder", self.decoder_width, self.decoder_heads)
        count_kept(self.n_patches, self.mask_ratio)

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of patches."""
        return (
            self.image_size[0] // self.patch_size[0],
            self.image_size[1] // self.patch_size[1],
        )

    @property
    def n_patches(self) -> int:
        """Patches of an image."""
        return self.grid[0] * self.grid[1]

    @property
    def n_kept(self) -> int:
        """Patches of an image that the encoder sees."""
        return count_kept(self.n_patches, self.mask_ratio)

    @property
    def patch_values(self) -> int:
        """Values of a patch: its pixels times the channels."""
        return self.patch_size[0] * self.patch_size[1] * self.n_channels

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain data that JSON and YAML can hold, pairs as lists."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in dataclasses.asdict(self).items()
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "ModelConfig":
        """Build the config that ``to_dict`` wrote; a size may be one number for both sides.

        Raises
        ------
        ParameterError
            If a field is unknown or its value is not allowed; fields left out take their default.
        """
        known = [field.name for field in dataclasses.fields(cls)]
        values: dict[str, Any] = {}
        for name, value in data.items():
            if name not in known:
                raise ParameterError(f"{name}: no field of a model; {nearest(name, known)}")
            if name in _PAIRS and isinstance(value, int):
                value = (value, value)
            values[name] = tuple(value) if isinstance(value, list) else value
        return cls(**values)

    def _check_patches(self) -> None:
        for side, image, patch in zip(
            ("height", "width"), self.image_size, self.patch_size, strict=True
        ):
            if image < patch:
                raise ParameterError(
                    f"image {side} {image} is smaller than a patch of {patch} pixels; "
                    "enlarge the images or take smaller patches"
                )
            if image % patch:
                raise ParameterError(
                    f"image {side} {image} is not divisible by the patch {side} {patch}; "
                    f"crop to {image - image % patch} or take other patches"
                )

    def _check_widths(self, part: str, width: int, heads: int) -> None:
        if width % heads:
            raise ParameterError(
                f"{part}_heads={heads} does not divide {part}_width={width}; take a divisor"
            )
        if width % 4:
            raise ParameterError(
                f"{part}_width={width}: the positions need a sine and a cosine for each of two "
                "axes; take a multiple of 4"
            )


_PAIRS = ("image_size", "patch_size")
_ABOVE_ZERO = ("mlp_ratio", "layer_norm_eps")


def _check_type(name: str, value: object) -> None:
    """Refuse what is of another type than its field: True is no number, 4.0 no count."""
    if name in _PAIRS:
        is_pair = isinstance(value, tuple) and len(value) == 2
        if not is_pair or not all(type(side) is int and side >= 1 for side in value):  # type: ignore[attr-defined]
            raise ParameterError(f"{name}={value!r}: height and width in whole pixels are wanted")
    elif name in ("norm_pix", "cls_token"):
        if type(value) is not bool:
            raise ParameterError(f"{name}={value!r}: true or false is wanted")
    elif name == "positions":
        if value not in get_args(Positions):
            allowed = ", ".join(get_args(Positions))
            raise ParameterError(f"{name}={value!r}: one of {allowed} is wanted")
    elif name in _ABOVE_ZERO or name == "mask_ratio":
        if type(value) not in (int, float) or not math.isfinite(value):  # type: ignore[arg-type]
            raise ParameterError(f"{name}={value!r}: a finite number is wanted")
        if name in _ABOVE_ZERO and value <= 0:  # type: ignore[operator]
            raise ParameterError(f"{name}={value!r}: a number above 0 is wanted")
    elif type(value) is not int or value < 1:
        raise ParameterError(f"{name}={value!r}: a whole number of at least 1 is wanted")


def describe_difference(a: ModelConfig, b: ModelConfig) -> str | None:
    """Say in which fields two configs differ, ``encoder_depth: 12 and 6``; None if in none."""
    differing = [
        f"{field.name}: {getattr(a, field.name)!r} and {getattr(b, field.name)!r}"
        for field in dataclasses.fields(ModelConfig)
        if getattr(a, field.name) != getattr(b, field.name)
    ]
    return "; ".join(differing) or None


def _sized(
    image: int, patch: int, encoder: tuple[int, int, int], decoder: tuple[int, int, int]
) -> ModelConfig:
    return ModelConfig(
        image_size=(image, image),
        patch_size=(patch, patch),
        encoder_width=encoder[0],
        encoder_depth=encoder[1],
        encoder_heads=encoder[2],
        decoder_width=decoder[0],
        decoder_depth=decoder[1],
        decoder_heads=decoder[2],
    )


# width, blocks, heads. Base, large and huge: Dosovitskiy et al., arXiv:2010.11929, table 1, with
# the decoder of He et al., table 1 (their default). Tiny and small: Touvron et al. (DeiT),
# arXiv:2012.12877, table 1, with decoders that keep MAE's proportion. tiny32: ours, for images
# of 32 pixels on a CPU.
NAMED_SIZES: Mapping[str, ModelConfig] = {
    "tiny32": _sized(32, 4, (128, 6, 4), (64, 2, 4)),
    "tiny": _sized(224, 16, (192, 12, 3), (128, 4, 4)),
    "small": _sized(224, 16, (384, 12, 6), (256, 4, 8)),
    "base": _sized(224, 16, (768, 12, 12), (512, 8, 16)),
    "large": _sized(224, 16, (1024, 24, 16), (512, 8, 16)),
    "huge": _sized(224, 14, (1280, 32, 16), (512, 8, 16)),
}


def named_config(name: str) -> ModelConfig:
    """Return the config of a named size: tiny32, tiny, small, base, large or huge.

    Raises
    ------
    ParameterError
        If no size has that name.
    """
    if name not in NAMED_SIZES:
        raise ParameterError(f"size {name!r} is not known; {nearest(name, list(NAMED_SIZES))}")
    return NAMED_SIZES[name]

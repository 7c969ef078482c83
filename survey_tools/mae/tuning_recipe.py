"""How a pre-trained encoder is trained further with labels: all of it, or a linear head alone."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from survey_tools.documents import nearest
from survey_tools.errors import ParameterError
from survey_tools.mae.recipe import Recipe, is_number

__all__ = ["Pooling", "Trained", "TuningRecipe"]

Trained = Literal["all", "head"]
Pooling = Literal["mean", "cls"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TuningRecipe:
    """A recipe for labels.

    Attributes
    ----------
    recipe : Recipe
        Length, batch, rates and the rest.
    trained : {"all", "head"}
        Fine-tuning, or a linear head on frozen features, which a batch norm without weights
        brings to one scale.
    pooling : {"mean", "cls"}
        What the head gets: the mean of the patches' tokens, or the cls token.
    layer_decay : float
        Rate of a block over that of the block above it, above 0 and at most 1.
    drop_path : float
        Share of images that skip a branch in the last block, growing evenly from 0 in the
        first; 0 or more, below 1.
    label_smoothing : float
        Share of the target that goes to all classes alike; 0 or more, below 1.
    mixup, cutmix : float
        Parameter of the beta distribution of the mixing share; 0 for none. With both, half of
        the batches get one and half the other.

    Raises
    ------
    ParameterError
        If a value is not allowed.

    References
    ----------
    .. [1] He et al., arXiv:2111.06377, tables 9 and 10 and appendix A.1.
    .. [2] Clark et al., ELECTRA, arXiv:2003.10555 (layer-wise decay); Huang et al., Deep
       networks with stochastic depth, arXiv:1603.09382 (drop path); Szegedy et al.,
       arXiv:1512.00567, section 7 (label smoothing); Zhang et al., arXiv:1710.09412 (mixup); Yun
       et al., arXiv:1905.04899 (cutmix).
    """

    recipe: Recipe
    trained: Trained = "all"
    pooling: Pooling = "mean"
    layer_decay: float = 1.0
    drop_path: float = 0.0
    label_smoothing: float = 0.0
    mixup: float = 0.0
    cutmix: float = 0.0

    def __post_init__(self) -> None:
        for name, allowed in (("trained", get_args(Trained)), ("pooling", get_args(Pooling))):
            if getattr(self, name) not in allowed:
                raise ParameterError(
                    f"{name}={getattr(self, name)!r}: one of {', '.join(allowed)} is wanted"
                )
        for name in ("layer_decay", "drop_path", "label_smoothing", "mixup", "cutmix"):
            value = getattr(self, name)
            if not is_number(value) or value < 0:
                raise ParameterError(f"{name}={value!r}: a finite number of 0 or more is wanted")
        if not 0 < self.layer_decay <= 1:
            raise ParameterError(
                f"layer_decay={self.layer_decay:g}: above 0 and at most 1 is wanted"
            )
        for name in ("drop_path", "label_smoothing"):
            if getattr(self, name) >= 1:
                raise ParameterError(f"{name}={getattr(self, name):g}: below 1 is wanted")
        if self.trained == "head" and (self.drop_path or self.layer_decay != 1.0):
            raise ParameterError(
                "trained='head' leaves the encoder as it is; drop_path and layer_decay have no "
                "meaning: leave them out"
            )

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain data that JSON and YAML can hold."""
        return {**dataclasses.asdict(self), "recipe": self.recipe.to_dict()}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "TuningRecipe":
        """Build the recipe that ``to_dict`` wrote.

        Raises
        ------
        ParameterError
            If a field is unknown, or its value is not allowed.
        """
        known = [field.name for field in dataclasses.fields(cls)]
        for name in data:
            if name not in known:
                raise ParameterError(f"{name}: no field of a tuning recipe; {nearest(name, known)}")
        if "recipe" not in data:
            raise ParameterError("a tuning recipe without recipe: give length, batch and rates")
        return cls(**{**data, "recipe": Recipe.from_dict(data["recipe"])})

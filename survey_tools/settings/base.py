"""What all groups of settings share."""

from pathlib import PurePath
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

__all__ = [
    "Settings",
    "Share",
    "check_inside",
]

Share = Annotated[float, Field(ge=0.0, le=1.0)]


class Settings(BaseModel):
    """A frozen group of settings; unknown names are refused."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False
    )


def check_inside(name: str | None) -> str | None:
    """Refuse the name of a file that lies outside the survey folder."""
    if name is not None and (PurePath(name).is_absolute() or ".." in PurePath(name).parts):
        raise ValueError(f"{name!r} must lie inside the survey folder")
    return name

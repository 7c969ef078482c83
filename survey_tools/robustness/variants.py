"""A reviewer's own settings: a YAML file of named variants of the survey's setting."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from survey_tools.documents import read_yaml
from survey_tools.errors import DataError, ParameterError
from survey_tools.robustness.setting import Setting, parse_level

__all__ = ["Variant", "VariantFile", "read_variants"]


class Variant(BaseModel):
    """One variant: what it is called, and the levels in which it differs from the survey."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    name: Annotated[str, Field(min_length=1)]
    """Name as it is printed."""
    levels: Annotated[Mapping[str, str | int | float], Field(min_length=1)]
    """Choice -> level, for example ngrams: 1-2; all other choices stay the survey's."""


class VariantFile(BaseModel):
    """The file of ``robustness --settings``."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    variants: Annotated[tuple[Variant, ...], Field(min_length=1)]
    """Variants, each of which is one run."""


def read_variants(path: Path, own: Setting) -> dict[str, Setting]:
    """Read a reviewer's settings: name -> setting.

    Raises
    ------
    DataError
        Naming file, line and key of an unknown choice or level, a repeated name, or levels that
        do not go together.
    """
    document = read_yaml(path)
    file = document.validate(VariantFile)
    settings: dict[str, Setting] = {}
    for i, variant in enumerate(file.variants):
        where = document.at("variants", i, "name")
        if variant.name in settings:
            raise DataError(f"{where}: {variant.name!r} stands twice")
        levels = {}
        for name, level in variant.levels.items():
            try:
                levels[name] = parse_level(name, level)
            except ParameterError as error:
                raise DataError(f"{document.at('variants', i, 'levels', name)}: {error}") from None
        setting = own.replace(**levels)
        if problem := setting.why_meaningless():
            raise DataError(f"{where}: {variant.name!r} has no meaning: {problem}")
        if setting == own:
            raise DataError(f"{where}: {variant.name!r} is the survey's own setting")
        settings[variant.name] = setting
    return settings

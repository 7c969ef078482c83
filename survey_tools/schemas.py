"""JSON Schemas of the files that people write, for editors that check and complete YAML."""

import json

from pydantic import BaseModel

from survey_tools.claims.file import ClaimFile
from survey_tools.documents import nearest
from survey_tools.errors import ParameterError
from survey_tools.settings import SurveySettings
from survey_tools.subtrees import SubtreeFile
from survey_tools.taxonomy import TaxonomyFile

__all__ = ["SCHEMAS", "schema_text"]

SCHEMAS: dict[str, type[BaseModel]] = {
    "survey": SurveySettings,
    "taxonomy": TaxonomyFile,
    "subtrees": SubtreeFile,
    "claims": ClaimFile,
}


def schema_text(name: str) -> str:
    """Return the JSON Schema (draft 2020-12) of one of ``SCHEMAS``."""
    if name not in SCHEMAS:
        raise ParameterError(f"no schema {name!r}; {nearest(name, [*SCHEMAS])}")
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **SCHEMAS[name].model_json_schema(),
    }
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"

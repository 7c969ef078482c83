"""JSON Schemas: the files that editors read equal the models that check."""

import json
from pathlib import Path
from typing import Any

import pytest

from survey_tools.documents import read_yaml
from survey_tools.errors import ParameterError
from survey_tools.schemas import SCHEMAS, schema_text

DATA = Path(__file__).parents[1] / "data"


def test_there_is_a_file_for_every_schema_and_no_other() -> None:
    """Adding a model without its schema fails here."""
    files = {path.name for path in (DATA / "schemas").iterdir()}
    assert files == {f"{name}.schema.json" for name in SCHEMAS}


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_exported_schema_is_up_to_date(name: str) -> None:
    """Byte for byte; regenerate the file when a model changes."""
    path = DATA / "schemas" / f"{name}.schema.json"
    assert path.read_bytes() == schema_text(name).encode()


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_property_is_described_and_no_other_allowed(name: str) -> None:
    """Editors show the description and underline what is unknown."""
    schema: dict[str, Any] = json.loads(schema_text(name))
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    for place in (schema, *schema.get("$defs", {}).values()):
        assert place["additionalProperties"] is False
        assert place["properties"]
        for field, described in place["properties"].items():
            assert described.get("description"), field


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_bundled_files_pass_their_models(name: str) -> None:
    """The bundled survey is the first example that people copy."""
    path = DATA / "mim" / f"{name}.yaml"
    model = read_yaml(path).validate(SCHEMAS[name])
    assert isinstance(model, SCHEMAS[name])
    first = path.read_text(encoding="utf-8").partition("\n")[0]
    assert first == f"# yaml-language-server: $schema=../schemas/{name}.schema.json"


def test_an_unknown_schema_is_named() -> None:
    """The nearest known one is offered."""
    with pytest.raises(ParameterError, match=r"no schema 'survy'; did you mean 'survey'\?"):
        schema_text("survy")

"""The door for files that people write: bytes -> checked YAML -> pydantic model.

Every complaint names the file, the line, the key, what arrived and what is allowed.
YAML is read without object tags, without aliases (so that no alias bomb can grow),
and without repeated keys; keys must be text.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from survey_tools.errors import DataError

__all__ = [
    "YamlDocument",
    "decode_utf8",
    "describe_problem",
    "nearest",
    "parse_yaml",
    "read_bytes",
    "read_yaml",
]

Model = TypeVar("Model", bound=BaseModel)
KeyPath = tuple[str | int, ...]

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_SCALAR_TAGS = {f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null")}
_PLAIN_WORDS = {int: "the number", float: "the number", bool: "the truth value"}
_N_INPUT_CHARACTERS = 60


def read_bytes(path: Path) -> bytes:
    """Read a file whole.

    Raises
    ------
    DataError
        If there is no such file or it cannot be read.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from None


def decode_utf8(data: bytes, source: str) -> str:
    """Decode UTF-8 (a byte-order mark is tolerated), naming the line of the first bad byte."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{source}:{line}: byte 0x{data[error.start]:02x} is not UTF-8; save the file as UTF-8"
        ) from None


def nearest(name: str, known: Iterator[str] | list[str] | tuple[str, ...]) -> str:
    """Say which known name is meant: ``; did you mean 'linkage'?``, or the allowed ones."""
    known = sorted(known)
    close = get_close_matches(name, known, n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]!r}?"
    shown = ", ".join(known[:12]) + (", …" if len(known) > 12 else "")
    return f"allowed: {shown}" if known else "nothing is allowed here"


def describe_problem(error: ErrorDetails, known_fields: list[str], raw: str | None = None) -> str:
    """Turn one pydantic error into a sentence: what arrived, what is allowed.

    Parameters
    ----------
    known_fields : list of str
        Names allowed where an unknown one arrived.
    raw : str or None
        The value as it was written in the file, where that differs from its meaning.
    """
    arrived = error["input"]
    match error["type"]:
        case "extra_forbidden":
            return f"unknown; {nearest(str(error['loc'][-1]), known_fields)}"
        case "missing" | "missing_keyword_only_argument":
            return "is required but missing"
        case "string_type" if isinstance(arrived, (bool, int, float)):
            written = raw if raw is not None else str(arrived)
            return (
                f"{written} is read as {_PLAIN_WORDS[type(arrived)]} {arrived}; "
                f'write it in quotes: "{written}"'
            )
        case "value_error":
            return error["msg"].removeprefix("Value error, ")
    message = error["msg"][0].lower() + error["msg"][1:]
    text = repr(arrived)
    if len(text) > _N_INPUT_CHARACTERS:
        text = text[:_N_INPUT_CHARACTERS] + "…"
    return f"{message}, but {text} arrived"


@dataclass(frozen=True, slots=True)
class YamlDocument:
    """A YAML file as plain data that remembers the line of every key and item.

    Attributes
    ----------
    source : str
        The file, as messages name it.
    data : dict
        Mappings, lists, text, numbers, truth values and None.
    lines : dict
        Line (from 1) of every key path, for example ``("text", "min_df")``.
    raw : dict
        Every scalar as it was written.
    """

    source: str
    data: dict[str, Any]
    lines: dict[KeyPath, int] = field(repr=False)
    raw: dict[KeyPath, str] = field(repr=False)

    def at(self, *path: str | int) -> str:
        """Say where a key path stands: ``survey.yaml:12: text.min_df``."""
        known = path
        while known and known not in self.lines:
            known = known[:-1]
        line = self.lines.get(known, 1)
        name = ".".join(str(part) for part in path)
        return f"{self.source}:{line}: {name}" if name else f"{self.source}:{line}"

    def validate(self, model: type[Model]) -> Model:
        """Check the data against a model.

        Raises
        ------
        DataError
            Naming file, line, key, what arrived and what is allowed; if there are
            several problems, the first one and the number of the others.
        """
        try:
            return model.model_validate(self.data)
        except ValidationError as error:
            problems = error.errors(include_url=False)
            first = problems[0]
            path = self._written_path(first["loc"])
            fields = _known_fields(model, path[:-1])
            sentence = describe_problem(first, fields, self.raw.get(path))
            others = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
            raise DataError(f"{self.at(*path)}: {sentence}{others}") from None

    def _written_path(self, location: tuple[int | str, ...]) -> KeyPath:
        """Drop what pydantic adds to a location (names of union branches, '[key]')."""
        path: KeyPath = ()
        for part in location:
            if (*path, part) in self.lines or part == location[-1]:
                path = (*path, part)
        if path not in self.lines and path[:-1] in self.lines and path[:-1]:
            is_branch = not isinstance(_dig(self.data, path[:-1]), dict)
            return path[:-1] if is_branch else path
        return path


def _dig(data: Any, path: KeyPath) -> Any:
    for part in path:
        data = data[part]
    return data


def _known_fields(model: type[BaseModel], path: KeyPath) -> list[str]:
    """List the field names allowed at a key path of a model."""
    schema = model.model_json_schema()
    places = [schema]
    for part in path:
        places = [
            inner for place in places for inner in _schemas_below(_resolve(place, schema), part)
        ]
    names = {
        name
        for place in places
        for option in _options(place, schema)
        for name in option.get("properties", {})
    }
    return sorted(names)


def _resolve(place: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in place:
        place = schema["$defs"][place["$ref"].rsplit("/", 1)[-1]]
    return place


def _options(place: dict[str, Any], schema: dict[str, Any]) -> list[dict[str, Any]]:
    place = _resolve(place, schema)
    return [_resolve(option, schema) for option in place.get("anyOf", [place])]


def _schemas_below(place: dict[str, Any], part: str | int) -> list[dict[str, Any]]:
    found = []
    for option in place.get("anyOf", [place]):
        if isinstance(part, int) and "items" in option:
            found.append(option["items"])
        elif part in option.get("properties", {}):
            found.append(option["properties"][part])
        elif isinstance(option.get("additionalProperties"), dict):
            found.append(option["additionalProperties"])
    return found


def read_yaml(path: Path) -> YamlDocument:
    """Read a YAML file whose top level is a mapping.

    Raises
    ------
    DataError
        If the file is missing, not UTF-8, not YAML, or uses tags, aliases, repeated
        keys or keys that are not text.
    """
    return parse_yaml(read_bytes(path), source=str(path))


def parse_yaml(data: bytes, *, source: str) -> YamlDocument:
    """Parse YAML bytes; see `read_yaml`."""
    text = decode_utf8(data, source)
    for event in _checked(lambda: yaml.parse(text, Loader=_Loader), source):
        if isinstance(event, yaml.AliasEvent):
            line = event.start_mark.line + 1 if event.start_mark else 1
            raise DataError(
                f"{source}:{line}: alias *{event.anchor} is not allowed; write the value out"
            )
    loader = _Loader(text)
    try:
        node = next(_checked(lambda: iter([loader.get_single_node()]), source))
    finally:
        loader.dispose()
    if node is None:
        raise DataError(f"{source}:1: the file is empty")
    if not isinstance(node, yaml.MappingNode):
        raise DataError(f"{source}:{node.start_mark.line + 1}: expected keys and values here")
    document = YamlDocument(source, {}, {}, {})
    document.data.update(_build(node, (), document))
    return document


def _checked(produce: Any, source: str) -> Iterator[Any]:
    """Iterate a YAML parser, turning its errors into ours."""
    try:
        yield from produce()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f":{mark.line + 1}" if mark else ""
        raise DataError(f"{source}{line}: not valid YAML: {error.problem}") from None
    except yaml.YAMLError as error:
        raise DataError(f"{source}: not valid YAML: {' '.join(str(error).split())}") from None
    except RecursionError:
        raise DataError(f"{source}: nested too deeply") from None


def _build(node: yaml.Node, path: KeyPath, document: YamlDocument) -> Any:
    """Turn a composed node into plain data, noting lines and refusing what is unsafe."""
    line = node.start_mark.line + 1
    where = f"{document.source}:{line}"
    document.lines.setdefault(path, line)
    if isinstance(node, yaml.ScalarNode):
        return _build_scalar(node, path, document, where)
    if isinstance(node, yaml.SequenceNode):
        if node.tag != "tag:yaml.org,2002:seq":
            raise DataError(f"{where}: tag {node.tag!r} is not allowed")
        return [_build(item, (*path, i), document) for i, item in enumerate(node.value)]
    if node.tag != "tag:yaml.org,2002:map":
        raise DataError(f"{where}: tag {node.tag!r} is not allowed")
    mapping: dict[str, Any] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        where = f"{document.source}:{line}"
        if not isinstance(key_node, yaml.ScalarNode):
            raise DataError(f"{where}: a key must be text")
        key = key_node.value
        if key_node.tag != "tag:yaml.org,2002:str":
            kind = key_node.tag.rsplit(":", 1)[-1]
            raise DataError(f'{where}: key {key} is read as a {kind}; write it in quotes: "{key}"')
        if key in mapping:
            first = document.lines[(*path, key)]
            raise DataError(f"{where}: key {key!r} stands twice (first on line {first})")
        document.lines[(*path, key)] = line
        mapping[key] = _build(value_node, (*path, key), document)
    return mapping


def _build_scalar(
    node: yaml.ScalarNode, path: KeyPath, document: YamlDocument, where: str
) -> str | int | float | bool | None:
    document.raw[path] = node.value
    if node.tag not in _SCALAR_TAGS:
        if node.tag == "tag:yaml.org,2002:timestamp":
            return str(node.value)  # a date is text here, as it was written
        raise DataError(f"{where}: tag {node.tag!r} is not allowed")
    try:
        value: str | int | float | bool | None
        value = yaml.constructor.SafeConstructor().construct_object(node)
    except (ValueError, yaml.YAMLError):
        raise DataError(f"{where}: {node.value!r} does not fit its tag {node.tag!r}") from None
    return value

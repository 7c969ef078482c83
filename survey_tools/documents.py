"""The door for files that people write: bytes -> checked YAML -> pydantic model.

Every complaint names the file, the line, the key, what arrived and what is allowed.
YAML is read without object tags, without aliases (so that no alias bomb can grow),
without repeated keys and without deep nesting; keys must be text.
"""

import copy
import json
from collections.abc import Iterator, Mapping
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
_NOT_IN_FILE = 0  # line of a value that an option gave
_N_LEVELS = 100  # a survey's files need 7; libyaml's composer overflows the C stack at some 50,000


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
    except ValueError as error:  # a NUL character in the name
        raise DataError(f"{str(path)!r}: cannot be read ({error})") from None


def decode_utf8(data: bytes, source: str) -> str:
    """Decode UTF-8 (a byte-order mark is tolerated), naming the line of the first bad byte."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        after_mark = error.object  # what the positions count in: data without a byte-order mark
        line = after_mark.count(b"\n", 0, error.start) + 1
        byte = after_mark[error.start]
        raise DataError(
            f"{source}:{line}: byte 0x{byte:02x} is not UTF-8; save the file as UTF-8"
        ) from None


def nearest(name: str, known: Iterator[str] | list[str] | tuple[str, ...]) -> str:
    """Say which known name is meant, ``did you mean 'linkage'?``, or which ones are allowed."""
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
        case "extra_forbidden" | "unexpected_keyword_argument":
            return f"unknown; {nearest(str(error['loc'][-1]), known_fields)}"
        case "missing" | "missing_keyword_only_argument":
            if isinstance(error["loc"][-1], int):
                return f"has too few items; {arrived!r} arrived"
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
    return f"{message}, but {_shorten(arrived)} arrived"


def _shorten(arrived: Any) -> str:
    text = repr(arrived)
    return text if len(text) <= _N_INPUT_CHARACTERS else text[:_N_INPUT_CHARACTERS] + "…"


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
        Line (from 1) of every key path, for example ``("text", "min_df")``; 0 for a value
        that an option gave.
    raw : dict
        Every scalar as it was written.
    """

    source: str
    data: dict[str, Any]
    lines: dict[KeyPath, int] = field(repr=False)
    raw: dict[KeyPath, str] = field(repr=False)

    def replace(self, values: Mapping[str, Any]) -> "YamlDocument":
        """Return the document with values replaced by dotted name, as options do.

        Raises
        ------
        DataError
            If a name leads through a value that holds no settings.
        """
        changed = YamlDocument(self.source, copy.deepcopy(self.data), {**self.lines}, {**self.raw})
        for name, value in values.items():
            path = tuple(name.split("."))
            place = changed.data
            for depth, part in enumerate(path[:-1], start=1):
                changed.lines.setdefault(path[:depth], _NOT_IN_FILE)
                place = place.setdefault(part, {})
                if not isinstance(place, dict):
                    raise DataError(f"option {name}: {part!r} holds no settings")
            place[path[-1]] = value
            changed.lines[path] = _NOT_IN_FILE
            changed.raw.pop(path, None)
        return changed

    def at(self, *path: str | int) -> str:
        """Say where a key path stands: ``survey.yaml:12: text.min_df``."""
        known = path
        while known and known not in self.lines:
            known = known[:-1]
        if self.lines.get(known) == _NOT_IN_FILE:
            return f"option {'.'.join(str(part) for part in path)}"
        place = f"{self.source}:{self.lines[known]}" if known in self.lines else self.source
        name = ".".join(str(part) for part in path)
        return f"{place}: {name}" if name else place

    def validate(self, model: type[Model]) -> Model:
        """Check the data against a model, strictly: a number in quotes is no number.

        Raises
        ------
        DataError
            Naming file, line, key, what arrived and what is allowed; if there are
            several problems, the first one and the number of the others.
        """
        try:
            # by way of JSON, because strict Python input would refuse lists for tuples
            return model.model_validate_json(json.dumps(self.data, default=str), strict=True)
        except ValidationError as error:
            problems: dict[KeyPath, list[ErrorDetails]] = {}
            for problem in error.errors(include_url=False):
                problems.setdefault(self._written_path(problem), []).append(problem)
            # of the branches of a union, only those are meant that fail deepest
            outer = {path[:n] for path in problems for n in range(len(path))}
            meant = [path for path in problems if path not in outer]
            # a misspelt key is also a missing one; the misspelling says more
            path, *others = sorted(meant, key=lambda p: problems[p][0]["type"] == "missing")
            fields = _known_fields(model, path[:-1])
            sentences = [describe_problem(p, fields, self.raw.get(path)) for p in problems[path]]
            branches = [sentence.partition(", but ")[0] for sentence in sentences[:-1]]
            sentence = " or ".join([*branches, sentences[-1]])
            more = f" (and {len(others)} more)" if others else ""
            raise DataError(f"{self.at(*path)}: {sentence}{more}") from None

    def _written_path(self, problem: ErrorDetails) -> KeyPath:
        """Drop what pydantic adds to a location (names of union branches, '[key]')."""
        path: KeyPath = ()
        place: Any = self.data
        for part in problem["loc"]:
            is_key = isinstance(place, dict) and part in place
            if is_key or (isinstance(place, list) and part in range(len(place))):
                place = place[part]
                path = (*path, part)
        last = problem["loc"][-1] if problem["type"] == "missing" else 0
        return (*path, last) if isinstance(last, str) else path


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
    n_levels = 0
    for event in _checked(lambda: yaml.parse(text, Loader=_Loader), text, source):
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.AliasEvent):
            raise DataError(
                f"{source}:{line}: alias *{event.anchor} is not allowed; write the value out"
            )
        n_levels += isinstance(event, yaml.CollectionStartEvent)
        n_levels -= isinstance(event, yaml.CollectionEndEvent)
        if n_levels > _N_LEVELS:
            raise DataError(f"{source}:{line}: nested too deeply; {_N_LEVELS} levels are allowed")
    loader = _Loader(text)
    try:
        node = next(_checked(lambda: iter([loader.get_single_node()]), text, source))
    finally:
        loader.dispose()
    if node is None:
        raise DataError(f"{source}:1: the file is empty")
    if not isinstance(node, yaml.MappingNode):
        raise DataError(f"{source}:{node.start_mark.line + 1}: expected keys and values here")
    document = YamlDocument(source, {}, {}, {})
    document.data.update(_build(node, (), document))
    return document


def _checked(produce: Any, text: str, source: str) -> Iterator[Any]:
    """Iterate a YAML parser, turning its errors into ours."""
    try:
        yield from produce()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f":{mark.line + 1}" if mark else ""
        problem = ", ".join(part for part in (error.context, error.problem) if part)
        raise DataError(f"{source}{line}: not valid YAML: {problem}") from None
    except yaml.reader.ReaderError as error:  # its position counts bytes or characters
        n_line = text.count("\n", 0, text.find(chr(error.character))) + 1
        raise DataError(
            f"{source}:{n_line}: not valid YAML: character #x{error.character:04x}: {error.reason}"
        ) from None
    except yaml.YAMLError as error:
        raise DataError(f"{source}: not valid YAML: {' '.join(str(error).split())}") from None


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
    except (ValueError, LookupError, yaml.YAMLError):
        raise DataError(
            f"{where}: {_shorten(node.value)} does not fit its tag {node.tag!r}"
        ) from None
    return value

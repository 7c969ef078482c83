"""The YAML door: nothing unsafe comes in, and every complaint names file, line and key."""

import re
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict

from survey_tools.documents import YamlDocument, decode_utf8, nearest, parse_yaml, read_yaml
from survey_tools.errors import DataError
from survey_tools.settings import SurveySettings
from survey_tools.subtrees import SubtreeFile
from survey_tools.taxonomy import TaxonomyFile


class Leaf(BaseModel):
    model_config = ConfigDict(extra="forbid")

    label: str
    evidence: str = ""


class Model(BaseModel):
    """A small model with every shape that survey files have."""

    model_config = ConfigDict(extra="forbid")

    name: str = ""
    count: int = 0
    share: float = 0.5
    is_on: bool = True
    pair: tuple[int, int] = (1, 1)
    kind: Literal["ward", "average"] = "ward"
    leaf: Leaf | None = None
    items: dict[str, tuple[str | Leaf, ...]] = {}


def parse(text: str | bytes) -> YamlDocument:
    """Parse YAML that is named ``f.yaml``."""
    return parse_yaml(text.encode() if isinstance(text, str) else text, source="f.yaml")


def complaint(text: str | bytes, model: type[BaseModel] = Model) -> str:
    """Return what is said about YAML that must be refused."""
    with pytest.raises(DataError) as caught:
        parse(text).validate(model)
    return str(caught.value)


def test_plain_data_come_in_with_their_lines() -> None:
    """Every scalar kind, nested, and the line of every key and item."""
    document = parse("a: text\nb:\n  - 1\n  - {c: 0.5}\nd: yes\n\ne: ~\n")
    assert document.data == {"a": "text", "b": [1, {"c": 0.5}], "d": True, "e": None}
    assert document.lines[("b",)] == 2
    assert document.lines[("b", 1, "c")] == 4
    assert document.lines[("e",)] == 7
    assert document.raw[("d",)] == "yes"


def test_a_place_that_is_not_written_takes_the_line_above_it() -> None:
    """A missing key is looked for where its group stands."""
    document = parse("\na:\n  b: 1\n")
    assert document.at("a", "b") == "f.yaml:3: a.b"
    assert document.at("a", "z") == "f.yaml:2: a.z"
    assert document.at() == "f.yaml:2"


def test_a_byte_order_mark_and_crlf_are_tolerated() -> None:
    """Lines are counted as in the plain file."""
    document = parse(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n")
    assert (document.data, document.at("b")) == ({"a": 1, "b": 2}, "f.yaml:2: b")


def test_dates_are_text_as_written() -> None:
    """A title may be a date, even an impossible one."""
    assert parse("a: 2024-08-12\nb: 2024-99-99\n").data == {"a": "2024-08-12", "b": "2024-99-99"}


@pytest.mark.parametrize("word", ["no", "2106.08250", "~", "2024-08-12"])
def test_quoted_keys_and_values_stay_text(word: str) -> None:
    """Quotes are the cure that the messages prescribe."""
    assert parse(f'"{word}": "{word}"\n').data == {word: word}


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """The path stands in the message."""
    path = tmp_path / "none.yaml"
    with pytest.raises(DataError, match=rf"^{re.escape(str(path))}: no such file$"):
        read_yaml(path)


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing\n", b"\xef\xbb\xbf"])
def test_an_empty_file_is_refused(text: str | bytes) -> None:
    """Comments are nothing."""
    assert complaint(text) == "f.yaml:1: the file is empty"


@pytest.mark.parametrize("text", ["- a\n", "word\n", "# x\n---\n~\n", "[a, b]\n", "12\n"])
def test_a_top_level_without_keys_is_refused(text: str) -> None:
    """A list, a word or nothing is no settings file."""
    assert re.fullmatch(r"f.yaml:[13]: expected keys and values here", complaint(text))


def test_several_documents_are_refused() -> None:
    """The second one would be lost silently."""
    expected = "f.yaml:2: not valid YAML: expected a single document in the stream, but found"
    assert complaint("a: 1\n---\nb: 2\n").startswith(expected)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: 1\n\tb: 2\n", 2),
        ("\ta: 1\n", 1),
        ("a: 1\nb: c: d\n", 2),
        ("a: 1\nb: [1, 2\nc: 3\n", 3),
        ('a: 1\nb: "open\n', 3),
        ("a: 1\n  b: 2\n", 2),
        ("a: 1\nb: @x\n", 2),
        ('a: 1\nb: "\\uD800"\n', 2),
    ],
)
def test_syntax_errors_name_their_line(text: str, line: int) -> None:
    """Tabs, colons, open brackets and quotes, indentation, halves of surrogate pairs."""
    assert complaint(text).startswith(f"f.yaml:{line}: not valid YAML: ")


@pytest.mark.parametrize("before", ["a: 1\n", "ééé: 1\n", "# €\n"])
@pytest.mark.parametrize(("character", "code"), [("\0", "0000"), ("\a", "0007")])
def test_control_characters_name_their_line(before: str, character: str, code: str) -> None:
    """NUL bytes too; letters of several bytes before them move no line."""
    text = complaint(f"{before}b: x{character}y\nc: 1\n")
    assert text.startswith(f"f.yaml:2: not valid YAML: character #x{code}: ")


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_bytes_that_are_not_utf8_name_their_line(mark: bytes) -> None:
    """A byte-order mark moves neither the line nor the byte."""
    expected = "f.yaml:2: byte 0xe9 is not UTF-8; save the file as UTF-8"
    assert complaint(mark + b"a: 1\n\xe9") == expected


def test_utf16_is_refused_in_its_first_line() -> None:
    """What some editors call Unicode."""
    with pytest.raises(DataError, match=r"^f:1: byte 0xff is not UTF-8"):
        decode_utf8("a: 1\n".encode("utf-16"), "f")


@pytest.mark.parametrize("text", ["a: 1\nb: 2\na: 3\n", '"a": 1\nb: 2\na: 1\n'])
def test_a_repeated_key_names_both_lines(text: str) -> None:
    """YAML would keep the last of two, whether quoted or not."""
    assert complaint(text) == "f.yaml:3: key 'a' stands twice (first on line 1)"


def test_a_repeated_key_is_seen_inside_lists_and_groups() -> None:
    """The check holds at every depth."""
    expected = "f.yaml:4: key 'c' stands twice (first on line 3)"
    assert complaint("a:\n  - b:\n      c: 1\n      c: 2\n") == expected


def test_one_key_in_two_groups_is_no_repetition() -> None:
    """Only keys of one group exclude each other."""
    assert parse("a: {c: 1}\nb: {c: 2}\n").data == {"a": {"c": 1}, "b": {"c": 2}}


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        ("2106.08250", "float"),
        ("2106", "int"),
        ("no", "bool"),
        ("on", "bool"),
        ("~", "null"),
        ("2024-08-12", "timestamp"),
        ("<<", "merge"),
    ],
)
def test_a_key_that_is_not_text_is_refused(key: str, kind: str) -> None:
    """An id would lose its zero, and ``no`` become false."""
    expected = f'f.yaml:3: key {key} is read as a {kind}; write it in quotes: "{key}"'
    assert complaint(f"papers:\n  a: {{}}\n  {key}: {{}}\n") == expected


@pytest.mark.parametrize("key", ["? [a]\n: b\n", "? {a: 1}\n: b\n", "{{a: 1}: 2}\n"])
def test_a_key_that_is_a_collection_is_refused(key: str) -> None:
    """Python could not even hash it."""
    assert complaint(key) == "f.yaml:1: a key must be text"


@pytest.mark.parametrize(
    "value",
    [
        "!!python/object/apply:os.system [ls]",
        "!!python/object:os.system {}",
        "!!python/name:os.system",
        "!!binary aGk=",
        "!!set {a}",
        "!!omap [a: 1]",
        "!own x",
    ],
)
def test_object_tags_are_refused(value: str) -> None:
    """Nothing but plain data comes in; no code runs."""
    assert re.fullmatch(r"f.yaml:2: tag '.*' is not allowed", complaint(f"a: 1\nb: {value}\n"))


def test_a_tag_on_a_key_or_on_the_whole_file_is_refused() -> None:
    """Tags are looked for everywhere."""
    assert complaint("!!python/x a: 1\n").startswith("f.yaml:1: key a is read as a python/x")
    assert complaint("!!set {a}\n") == "f.yaml:1: tag 'tag:yaml.org,2002:set' is not allowed"


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("!!int abc", "int"),
        ('!!int ""', "int"),
        ('!!float ""', "float"),
        ("!!bool maybe", "bool"),
        pytest.param("9" * 5000, "int", id="5000 digits"),
    ],
)
def test_a_scalar_that_does_not_fit_its_tag_is_refused(value: str, kind: str) -> None:
    """PyYAML raises four kinds of error here; the user sees one, of one short line."""
    text = complaint(f"a: {value}\n")
    assert text.startswith("f.yaml:1: '")
    assert text.endswith(f" does not fit its tag 'tag:yaml.org,2002:{kind}'")
    assert len(text) < 150


@pytest.mark.parametrize(
    "text", ["a: &x 1\nb: *x\n", "a: &x [*x]\n# two lines\n", "&x a: 1\n*x : 2\n"]
)
def test_an_alias_is_refused(text: str) -> None:
    """As value, inside itself, and as key."""
    assert re.fullmatch(
        r"f.yaml:[12]: alias \*x is not allowed; write the value out", complaint(text)
    )


def test_an_alias_bomb_does_not_grow() -> None:
    """Nine levels of nine aliases would be 387 million words."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 9)]
    assert complaint("\n".join(lines)).startswith("f.yaml:2: alias *a0 is not allowed")


def test_an_anchor_without_an_alias_is_harmless() -> None:
    """It names a value that nobody repeats."""
    assert parse("a: &x 1\n").data == {"a": 1}


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        "a: " + "[" * 100_000 + "]" * 100_000,
        "{a: " * 100_000,
        "a: " + "{a: " * 500 + "1" + "}" * 500,
        "- " * 100_000,
        "? " * 100_000,
        "[{a: " * 100_000,
        "".join(" " * depth + "a:\n" for depth in range(1_500)),
    ],
    ids=["open", "list", "mappings", "both", "dashes", "questions", "mixed", "indented"],
)
def test_deep_nesting_is_refused_and_overflows_no_stack(text: str) -> None:
    """The composer of libyaml would crash the process, and ours raise RecursionError."""
    assert re.fullmatch(r"f.yaml:\d+: nested too deeply; 100 levels are allowed", complaint(text))


def test_a_hundred_levels_are_read() -> None:
    """The limit is far beyond what a survey needs, and exact."""
    assert parse("a: " + "[" * 99 + "]" * 99).data
    assert "nested too deeply" in complaint("a: " + "[" * 100 + "]" * 100)


@pytest.mark.parametrize("word", ["survey.yaml", "name", ""])
def test_nearest_of_nothing_is_nothing(word: str) -> None:
    """Where no name is allowed, the message says so."""
    assert nearest(word, []) == "nothing is allowed here"


def test_nearest_names_a_close_name_or_lists_the_allowed() -> None:
    """One guess if there is a good one, else the first dozen in order."""
    assert nearest("lnkage", ["metric", "linkage"]) == "did you mean 'linkage'?"
    assert nearest("zzz", ["b", "a"]) == "allowed: a, b"
    many = [f"n{i:02d}" for i in range(13)]
    assert nearest("zzz", many) == f"allowed: {', '.join(many[:12])}, …"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "name: 2106.08250\n",
            "2106.08250 is read as the number 2106.0825; "
            'write it in quotes: "2106.08250"',
        ),
        ("name: 1:30\n", '1:30 is read as the number 90; write it in quotes: "1:30"'),
        ("name: no\n", 'no is read as the truth value False; write it in quotes: "no"'),
        ("name:\n", "input should be a valid string, but None arrived"),
        ("name: [a]\n", "input should be a valid string, but ['a'] arrived"),
        ("count: 1.5\n", "input should be a valid integer, but 1.5 arrived"),
        ('count: "5"\n', "input should be a valid integer, but '5' arrived"),
        ("count: yes\n", "input should be a valid integer, but True arrived"),
        ("share: on\n", "input should be a valid number, but True arrived"),
        ('share: "0.5"\n', "input should be a valid number, but '0.5' arrived"),
        ('is_on: "no"\n', "input should be a valid boolean, but 'no' arrived"),
        ("is_on: 1\n", "input should be a valid boolean, but 1 arrived"),
        ("kind: wards\n", "input should be 'ward' or 'average', but 'wards' arrived"),
        ("kind: no\n", "input should be 'ward' or 'average', but False arrived"),
        ("pair: [1]\n", "has too few items; [1] arrived"),
        ("pair: 1\n", "input should be a valid array, but 1 arrived"),
        ("leaf: word\n", "input should be an object, but 'word' arrived"),
        ("leaf: [1]\n", "input should be an object, but [1] arrived"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_named_with_what_is_allowed(text: str, expected: str) -> None:
    """Nothing is quietly turned into another type."""
    key = text.partition(":")[0]
    assert complaint(f"# first line\n{text}") == f"f.yaml:2: {key}: {expected}"


def test_a_whole_number_may_stand_for_a_fraction() -> None:
    """``1`` is a fine share."""
    assert parse("share: 1\n").validate(Model).share == 1.0


def test_a_long_value_is_cut_in_the_message() -> None:
    """A pasted abstract does not fill the screen."""
    assert complaint(f"count: {'x' * 500}\n").endswith(f"but '{'x' * 59}… arrived")


def test_a_missing_key_is_named_at_its_group() -> None:
    """The line is that of the group which lacks it."""
    assert complaint("name: x\nleaf:\n  evidence: y\n") == (
        "f.yaml:2: leaf.label: is required but missing"
    )


def test_an_unknown_key_may_bear_the_name_of_its_group() -> None:
    """``leaf.leaf`` is not mistaken for ``leaf``."""
    text = complaint("leaf:\n  label: x\n  leaf: y\n")
    assert text.startswith("f.yaml:3: leaf.leaf: unknown; ")


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ("{lable: x}", "items.a.1.lable: unknown; did you mean 'label'? (and 1 more)"),
        ("{label: x, evidnce: y}", "items.a.1.evidnce: unknown; did you mean 'evidence'?"),
        ("{label: 3}", 'items.a.1.label: 3 is read as the number 3; write it in quotes: "3"'),
        ("3", 'items.a.1: 3 is read as the number 3; write it in quotes: "3" or'),
    ],
)
def test_of_two_allowed_forms_the_one_that_is_meant_is_explained(item: str, expected: str) -> None:
    """A mapping is judged as a mapping and a word as a word."""
    assert complaint(f"items:\n  a:\n    - x\n    - {item}\n").startswith(f"f.yaml:4: {expected}")


def test_several_problems_are_counted() -> None:
    """The first is told in full; forms of one value count once."""
    text = complaint("count: x\nshare: y\nitems: {a: [3]}\n")
    assert text.startswith("f.yaml:1: count: ")
    assert text.endswith("(and 2 more)")


@pytest.mark.parametrize(
    ("model", "text", "expected"),
    [
        (SurveySettings, "title: t\nsed: 1\n", "2: sed: unknown; did you mean 'seed'?"),
        (
            SurveySettings,
            "title: t\ntext:\n  norm: l2\n  min_fd: 1\n",
            "4: text.min_fd: unknown; did you mean 'min_df'?",
        ),
        (
            SurveySettings,
            "title: t\nclustering:\n  cut:\n    hieght: 2\n",
            "4: clustering.cut.hieght: unknown; did you mean 'height'?",
        ),
        (
            TaxonomyFile,
            "axes:\n  a:\n    labels:\n      x: {tittle: X}\npapers: {}\n",
            "4: axes.a.labels.x.tittle: unknown; did you mean 'title'?",
        ),
        (
            TaxonomyFile,
            "axes:\n  a:\n    labels: {x: {}}\n    otherwize: y\npapers: {}\n",
            "4: axes.a.otherwize: unknown; did you mean 'otherwise'?",
        ),
        (
            TaxonomyFile,
            "axes: {a: {labels: {x: {}}}}\npapers:\n  p:\n    a:\n    - {label: x, anotator: y}\n",
            "5: papers.p.a.0.anotator: unknown; did you mean 'annotator'?",
        ),
        (
            SubtreeFile,
            "names:\n  - name: x\n    papers: [p]\n  - name: y\n    ancors: [p, q]\n",
            "5: names.1.ancors: unknown; did you mean 'anchors'?",
        ),
    ],
)  # fmt: skip
def test_an_unknown_key_names_the_nearest_at_every_depth(
    model: type[BaseModel], text: str, expected: str
) -> None:
    """The line is that of the key itself."""
    assert complaint(text, model) == f"f.yaml:{expected}"


def test_values_given_besides_the_file_are_checked_like_it() -> None:
    """The full name of a setting stands in the complaint, without a line that it has not."""
    with pytest.raises(DataError) as caught:
        YamlDocument("options", {"leaf": {"lable": "x", "label": "y"}}, {}, {}).validate(Model)
    assert str(caught.value) == "options: leaf.lable: unknown; did you mean 'label'?"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1}, b"x"])
def test_values_that_no_yaml_file_holds_are_refused_too(value: Any) -> None:
    """Options are parsed elsewhere and may hold anything."""
    with pytest.raises(DataError, match=r"^options: count: input should be a valid integer"):
        YamlDocument("options", {"count": value}, {}, {}).validate(Model)

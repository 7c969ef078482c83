"""Every command that README shows exists: programs, commands, options, make targets, files."""

import re
import shlex
from pathlib import Path

import pytest
from typer.main import get_command

from survey_tools.cli import app

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def shown_commands(program: str) -> list[list[str]]:
    """Command lines of a program in code blocks and code spans, split as a shell does."""
    blocks = re.findall(r"^```[^\n]*\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
    blocks += re.findall(r"(?<!`)`([^`\n]+)`(?!`)", README)
    found = []
    for line in "\n".join(blocks).replace("\\\n", " ").splitlines():
        for part in re.split(r"&&|\||;", line.removeprefix("$ ")):
            try:
                words = shlex.split(part, comments=True)
            except ValueError:  # an apostrophe in printed output
                continue
            if words and Path(words[0]).name == program:
                found.append(words[1:])
    return found


def unknown_words(arguments: list[str]) -> list[str]:
    """Return the command or the options in a command line that the program does not have."""
    root = get_command(app)
    commands = root.commands  # type: ignore[attr-defined]
    names = [word for word in arguments if not word.startswith("-")]
    if not names:
        options = {name for parameter in root.params for name in parameter.opts} | {"--help", "-h"}
        return [word for word in arguments if word not in options]
    if names[0] not in commands:
        return [names[0]]
    command = commands[names[0]]
    if hasattr(command, "commands"):  # a group of commands
        if len(names) < 2 or names[1] not in command.commands:
            return names[:2]
        command = command.commands[names[1]]
    known = {name for parameter in command.params for name in parameter.opts}
    given = [word.partition("=")[0] for word in arguments if re.match(r"--?[a-z]", word)]
    return [name for name in given if name not in known | {"--help", "-h"}]


def make_targets() -> set[str]:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z][a-z-]*):", text, re.MULTILINE))


def test_every_survey_tools_command_in_readme_exists() -> None:
    """Commands and options are those of the program."""
    commands = shown_commands("survey-tools")
    assert commands, "README shows no survey-tools command"
    wrong = {" ".join(arguments): unknown_words(arguments) for arguments in commands}
    assert {line: words for line, words in wrong.items() if words} == {}


def test_every_make_target_in_readme_exists() -> None:
    """README opens with make demo and make test, and names no target that is not there."""
    shown = {word for words in shown_commands("make") for word in words if "=" not in word}
    assert {"demo", "test"} <= shown
    assert shown <= make_targets()


def test_every_file_that_readme_links_to_exists() -> None:
    """Pictures and documents with a relative path lie in the repository."""
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", README) + re.findall(r'src="([^"]+)"', README)
    local = [link for link in links if not re.match(r"[a-z]+:", link)]
    assert [link for link in local if not (ROOT / link).exists()] == []


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("run data/mim -o out/mim", []),
        ("rum data/mim", ["rum"]),
        ("taxonomy lint data/mim --strict", []),
        ("taxonomy lind data/mim", ["taxonomy", "lind"]),
        ("taxonomy agree a.yaml --strict", ["--strict"]),
        ("run --no-such-option 3", ["--no-such-option"]),
        ("run --set=text.min_df=3 -k 5", []),
        ("--version", []),
        ("--verison", ["--verison"]),
    ],
)
def test_unknown_words_are_told_from_known_ones(line: str, expected: list[str]) -> None:
    """The check itself: it must be able to fail."""
    assert unknown_words(shlex.split(line)) == expected

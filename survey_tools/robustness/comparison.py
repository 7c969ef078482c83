"""Two robustness cards of one survey: what differs."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from survey_tools.documents import read_bytes
from survey_tools.errors import DataError, abbreviate, count

__all__ = ["CARD", "compare_cards", "read_card"]

CARD = "card.json"
_NOTABLE = 0.1  # change of a mean Jaccard score that is told; below it two quick runs differ


def read_card(folder: Path) -> dict[str, Any]:
    """Read the card of an output folder.

    Raises
    ------
    DataError
        If there is none, or it is damaged.
    """
    path = folder / CARD if folder.is_dir() else folder
    try:
        card: dict[str, Any] = json.loads(read_bytes(path))
        _check(card)
    except ValueError as error:
        raise DataError(f"{path}: is no robustness card ({error})") from None
    return card


def _check(card: Any) -> None:
    wanted: dict[str, type] = {
        "title": str,
        "names": list,
        "clusters": list,
        "setting": dict,
        "rule": dict,
    }
    for name, kind in wanted.items():
        if not isinstance(card, dict) or not isinstance(card.get(name), kind):
            raise ValueError(f"it lacks {name}")
    for target in (*card["names"], *card["clusters"]):
        parts: dict[str, type] = {"name": str, "n_papers": int, "verdict": str, "runs": dict}
        for name, kind in parts.items():
            if not isinstance(target, dict) or not isinstance(target.get(name), kind):
                raise ValueError(f"a cluster lacks {name}")
        if not all(
            isinstance(score, dict) and "mean_jaccard" in score for score in target["runs"].values()
        ):
            raise ValueError("a cluster lacks its scores")


def compare_cards(card: Mapping[str, Any], other: Mapping[str, Any]) -> tuple[str, ...]:
    """Say in sentences how this card differs from another.

    Settings, verdicts and mean Jaccard scores of clusters with the same name are compared;
    clusters of two cuts have the same name only by their number, so that they are compared
    only where they hold as many papers.
    """
    if card["title"] != other["title"]:
        return (f"The other run is of another survey, {other['title']!r}; nothing is compared.",)
    sentences = []
    mine, theirs = card["setting"], other["setting"]
    changed = [
        f"{name} {mine.get(name)} (other: {theirs.get(name)})"
        for name in sorted(mine.keys() | theirs.keys())
        if mine.get(name) != theirs.get(name)
    ]
    sentences.append(
        f"settings differ: {', '.join(changed)}" if changed else "both have the same setting"
    )
    for kind, noun in (("names", "name"), ("clusters", "cluster")):
        sentences += _compare_targets(card[kind], other[kind], noun)
    if card["rule"] != other["rule"]:
        sentences.append("the rules of the verdicts differ")
    return tuple(f"Against the other run: {sentence}." for sentence in sentences)


def _compare_targets(mine: list[Any], theirs: list[Any], noun: str) -> list[str]:
    ours = {(target["name"], target["n_papers"]): target for target in mine}
    others = {(target["name"], target["n_papers"]): target for target in theirs}
    both = sorted(ours.keys() & others.keys())
    verdicts, scores = [], []
    for key in both:
        a, b = ours[key], others[key]
        if a["verdict"] != b["verdict"]:
            verdicts.append(f"{key[0]} {a['verdict']} (other: {b['verdict']})")
        moved = {
            family: (a["runs"][family]["mean_jaccard"], b["runs"][family]["mean_jaccard"])
            for family in a["runs"].keys() & b["runs"].keys()
        }
        notable = [
            f"{family} {x:.2f} (other: {y:.2f})"
            for family, (x, y) in sorted(moved.items())
            if x is not None and y is not None and abs(x - y) >= _NOTABLE
        ]
        if notable:
            scores.append(f"{key[0]} {', '.join(notable)}")
    sentences = []
    only = len(ours) + len(others) - 2 * len(both)
    if only:
        sentences.append(f"{count(only, noun)} stand in one run only, or hold other papers")
    if both:
        same = len(both) - len(verdicts)
        sentences.append(f"the verdict is the same for {same} of {len(both)} {noun}s")
    if verdicts:
        sentences.append(f"verdicts that differ: {'; '.join(verdicts)}")
    if scores:
        sentences.append(
            f"mean Jaccard scores that differ by {_NOTABLE:g} or more: {abbreviate(scores, 8)}"
        )
    return sentences

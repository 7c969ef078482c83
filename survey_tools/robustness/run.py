"""One run of a plan: a setting, a resample, a corpus; and its line in ``plan.jsonl``."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

import numpy as np

from survey_tools.documents import nearest
from survey_tools.errors import ParameterError
from survey_tools.robustness.setting import Setting

__all__ = ["CorpusKind", "Resample", "Run", "draw_rng"]

Resample = Literal[
    "none",
    "papers-subsample",
    "papers-bootstrap",
    "terms-bootstrap",
    "one-paper-out",
    "paper-order",
    "seed",
    "terms-multiscale",
]
"""What is drawn anew: nothing; a share of the papers; papers with replacement, each kept once;
terms with replacement; all papers but one; the order of the papers; the seed of algorithms that
use chance; terms at another scale, many times."""

CorpusKind = Literal["own", "shuffled", "one-topic"]
"""The survey's papers; their terms dealt anew; papers drawn from one distribution of terms."""

_RESAMPLES: tuple[str, ...] = get_args(Resample)
_CORPORA: tuple[str, ...] = get_args(CorpusKind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What one line of a plan asks for; all chance in it is keyed, so any machine can run it.

    Attributes
    ----------
    setting : Setting
    resample : str
    draw : int
        Which of the draws of this resample.
    corpus : {"own", "shuffled", "one-topic"}
    corpus_draw : int
        Which of the null corpora.
    scale : float
        Terms drawn, in shares of all terms (multiscale only).
    n_replicates : int
        Draws in this run (multiscale only).
    """

    setting: Setting
    resample: Resample = "none"
    draw: int = 0
    corpus: CorpusKind = "own"
    corpus_draw: int = 0
    scale: float = 1.0
    n_replicates: int = 1

    @property
    def run_id(self) -> str:
        """First 16 hexadecimal digits of the sha256 of what is asked for."""
        text = json.dumps(self._content(), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def _content(self) -> dict[str, Any]:
        others = (field.name for field in fields(self) if field.name != "setting")
        return {"setting": self.setting.levels(), **{name: getattr(self, name) for name in others}}

    def to_line(self) -> str:
        """Write the run as a line of ``plan.jsonl``, without the end of line."""
        return json.dumps({"run": self.run_id, **self._content()}, ensure_ascii=False)

    @classmethod
    def from_line(cls, line: str, *, where: str) -> "Run":
        """Read a line of ``plan.jsonl``.

        Parameters
        ----------
        where : str
            File and line, for messages.

        Raises
        ------
        ParameterError
            If it is no run, or its id is not that of its content.
        """
        try:
            content = json.loads(line)
        except ValueError as error:
            raise ParameterError(f"{where}: is no JSON ({error})") from None
        names = {"run"} | {field.name for field in fields(cls)}
        if not isinstance(content, dict):
            raise ParameterError(f"{where}: is no JSON object")
        for name in content:
            if name not in names:
                raise ParameterError(f"{where}: unknown {name!r}; {nearest(name, tuple(names))}")
        if missing := sorted(names - content.keys()):
            raise ParameterError(f"{where}: lacks {', '.join(missing)}")
        return cls._checked(content, where)

    @classmethod
    def _checked(cls, content: Mapping[str, Any], where: str) -> "Run":
        for name, allowed in (("resample", _RESAMPLES), ("corpus", _CORPORA)):
            if content[name] not in allowed:
                raise ParameterError(
                    f"{where}: {name}: {content[name]!r}; {nearest(str(content[name]), allowed)}"
                )
        for name in ("draw", "corpus_draw", "n_replicates"):
            if type(content[name]) is not int or content[name] < 0:
                raise ParameterError(f"{where}: {name}: {content[name]!r}; give a whole number")
        if not isinstance(content["setting"], dict):
            raise ParameterError(f"{where}: setting is no object of factors and levels")
        if type(content["scale"]) not in (int, float) or not 0 < content["scale"] < np.inf:
            raise ParameterError(f"{where}: scale: {content['scale']!r}; give a number above 0")
        try:
            setting = Setting.from_levels(content["setting"])
        except ParameterError as error:
            raise ParameterError(f"{where}: {error}") from None
        run = cls(
            setting=setting,
            scale=float(content["scale"]),
            **{
                name: content[name]
                for name in ("resample", "draw", "corpus", "corpus_draw", "n_replicates")
            },
        )
        if run.run_id != content["run"]:
            raise ParameterError(
                f"{where}: run {content['run']!r} should be {run.run_id!r}; its content was "
                "changed, write the plan anew (robustness --plan-only)"
            )
        return run


def draw_rng(seed: int, what: Resample | CorpusKind, *draws: int) -> np.random.Generator:
    """Return the generator of one draw: the same for every setting, corpus and machine."""
    return np.random.default_rng([seed, (*_RESAMPLES, *_CORPORA).index(what), *draws])

"""The plan: which settings and resamples are run, as data; ``plan.jsonl`` has one run a line."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np
from scipy.stats import qmc

from survey_tools.documents import decode_utf8, read_bytes
from survey_tools.errors import DataError, ParameterError
from survey_tools.robustness.run import CorpusKind, Resample, Run
from survey_tools.robustness.setting import FACTORS, Level, Setting, parse_level
from survey_tools.settings import RobustnessSettings

__all__ = ["Design", "Plan", "build_plan", "list_levels", "read_plan", "sort_runs", "write_plan"]

_LEVELS: dict[str, tuple[Level, ...]] = {
    "text": ("title", "abstract", "both"),
    "stop_words": ("none", "english"),
    "stemming": ("none", "porter", "snowball"),
    "ngrams": ("1-1", "1-2", "1-3", "2-2", "char-3-5"),
    "min_df": (1, 2, 3),
    "max_df": (0.5, 1.0),
    "weighting": ("counts", "binary", "tf-idf", "sublinear-tf-idf", "bm25"),
    "norm": ("none", "l1", "l2"),
    "reduction": ("none", "lsa-50", "lsa-100"),
    "algorithm": (
        "ward",
        "average",
        "complete",
        "weighted",
        "single",
        "k-means",
        "spectral",
        "hdbscan",
        "affinity-propagation",
    ),
    "metric": ("euclidean", "cosine"),
    "library": ("scipy", "scikit-learn"),
}
_OTHER_NUMBERS = (2 / 3, 4 / 3)  # clusters, in shares of the survey's own number
_MOST_COMBINATIONS = 1_000_000
_REPLICATES_AT_ONCE = 25  # bootstrap trees a run: about a tenth of a second
_SEED_OF_DESIGN = 2  # apart from the resamples' keys


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """Combinations of choices.

    Attributes
    ----------
    name : str
    cells : tuple of Setting
        One for each combination; combinations that differ in idle levels alone are equal.
    levels : tuple of mapping of str to level
        The levels asked for in each cell, idle ones too.
    n_meaningless : int
        Combinations left out because their levels do not go together.
    """

    name: str
    cells: tuple[Setting, ...]
    levels: tuple[Mapping[str, Level], ...]
    n_meaningless: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All runs, each once, in an order that lets neighbours share their work."""

    runs: tuple[Run, ...]
    designs: tuple[Design, ...]

    def count_by_resample(self) -> dict[str, int]:
        """Count the runs of each kind."""
        return dict(Counter(_kind_of(run) for run in self.runs))


def _kind_of(run: Run) -> str:
    kind = "settings" if run.resample == "none" else run.resample
    return kind if run.corpus == "own" else f"{kind} of {run.corpus} corpora"


def list_levels(
    settings: RobustnessSettings, own: Setting, stop_words: Iterable[str] = ()
) -> dict[str, tuple[Level, ...]]:
    """List the levels of every factor: those of ``survey.yaml`` or the defaults, and the own.

    Parameters
    ----------
    stop_words : iterable of str
        Further lists of stop words that the survey folder has.

    Raises
    ------
    ParameterError
        If a factor or a level is unknown; the message names the nearest.
    """
    given = {
        name: tuple(parse_level(name, level) for level in levels)
        for name, levels in settings.factors.items()
    }
    own_levels = own.levels()
    listed = {}
    for name in FACTORS:
        own_level = own_levels[name]
        default = _LEVELS.get(name, ())
        if name == "n_clusters" and isinstance(own_level, int):
            default = tuple(max(2, round(own_level * share)) for share in _OTHER_NUMBERS)
        elif name == "stop_words":
            default = (*default, *stop_words)
        levels = [*given.get(name, default)]
        if own_level is not None:
            levels.append(own_level)
        # 1 (paper) and 1.0 (of all papers) are two levels
        listed[name] = tuple({(type(level), level): level for level in levels}.values())
    return listed


def build_plan(
    settings: RobustnessSettings,
    own: Setting,
    *,
    n_papers: int,
    seed: int,
    extra: Iterable[Setting] = (),
    stop_words: Iterable[str] = (),
    is_large_allowed: bool = False,
) -> Plan:
    """Plan the runs of a robustness analysis.

    Resamples and null corpora are run at the survey's own setting; chance of the algorithms
    in every setting that changes one choice.

    Parameters
    ----------
    extra : iterable of Setting
        A reviewer's own settings.
    is_large_allowed : bool
        Whether the plan may hold more runs than ``settings.most_runs``.

    Raises
    ------
    ParameterError
        If a factor or level is unknown, or the plan is too large; the message gives its size.
    """
    levels = list_levels(settings, own, stop_words)
    if "full-grid" in settings.designs and not is_large_allowed:
        size = math.prod(len(values) for values in levels.values())
        if size > _MOST_COMBINATIONS:  # more take too long to be listed and told apart
            _refuse(size, settings, "combinations", n_papers)
    designs = tuple(_combine(name, levels, own, settings, seed) for name in settings.designs)
    runs = [Run(setting=own)]
    runs += [Run(setting=cell) for design in designs for cell in design.cells]
    runs += [Run(setting=setting) for setting in extra]
    single = {cell for design in designs if design.name == "one-at-a-time" for cell in design.cells}
    for setting in (own, *single):
        if setting.uses_chance:
            runs += _repeat(setting, "seed", settings.number("n_seeds"))
    runs += list(_resamples(settings, own, n_papers))
    for corpus in ("shuffled", "one-topic"):
        runs += list(_null_runs(settings, own, corpus))
    unique = sort_runs(runs)
    if len(unique) > settings.most_runs and not is_large_allowed:
        _refuse(len(unique), settings, "runs", n_papers)
    return Plan(runs=unique, designs=designs)


def _refuse(size: int, settings: RobustnessSettings, what: str, n_papers: int) -> None:
    # 50 ms a run: the mean over a Latin hypercube of 180 papers
    hours = size * 0.05 * max(1.0, (n_papers / 180) ** 2) / 3600
    raise ParameterError(
        f"the plan has {size:,} {what}, more than robustness.most_runs ({settings.most_runs:,}); "
        f"they would take about {hours:.2g} hours of one core; name fewer levels, "
        "take the latin-hypercube design, or say --yes"
    )


def _repeat(setting: Setting, resample: Resample, n_draws: int) -> list[Run]:
    return [Run(setting=setting, resample=resample, draw=draw) for draw in range(n_draws)]


def _resamples(settings: RobustnessSettings, own: Setting, n_papers: int) -> Iterator[Run]:
    yield from _repeat(own, "papers-subsample", settings.number("n_subsamples"))
    yield from _repeat(own, "papers-bootstrap", settings.number("n_paper_bootstraps"))
    if own.metric != "jaccard":  # how often a term is drawn changes nothing there
        yield from _repeat(own, "terms-bootstrap", settings.number("n_term_bootstraps"))
    yield from _repeat(own, "paper-order", settings.number("n_orders"))
    if settings.one_paper_out:
        yield from _repeat(own, "one-paper-out", n_papers)
    yield from _multiscale(settings, own, settings.number("n_replicates"), "own")


def _null_runs(settings: RobustnessSettings, own: Setting, corpus: CorpusKind) -> Iterator[Run]:
    for i in range(settings.number("n_nulls")):
        yield Run(setting=own, corpus=corpus, corpus_draw=i)
        n_subsamples = settings.number("n_null_subsamples")
        for run in _repeat(own, "papers-subsample", n_subsamples):
            yield replace(run, corpus=corpus, corpus_draw=i)
    if settings.number("n_nulls"):
        yield from _multiscale(settings, own, settings.number("n_null_replicates"), corpus)


def _multiscale(
    settings: RobustnessSettings, own: Setting, n_replicates: int, corpus: CorpusKind
) -> Iterator[Run]:
    if own.linkage is None or own.reduction != "none" or own.metric == "jaccard":
        return  # there is no tree, or terms cannot be drawn after their reduction, or not twice
    for scale in dict.fromkeys(settings.scales):
        for draw, first in enumerate(range(0, n_replicates, _REPLICATES_AT_ONCE)):
            yield Run(
                setting=own,
                resample="terms-multiscale",
                draw=draw,
                corpus=corpus,
                scale=scale,
                n_replicates=min(_REPLICATES_AT_ONCE, n_replicates - first),
            )


def _change_one(levels: Mapping[str, tuple[Level, ...]], own: Setting) -> Design:
    own_levels = {name: level for name, level in own.levels().items() if level is not None}
    asked = [own_levels]
    for name in FACTORS:
        asked += [
            {**own_levels, name: level}
            for level in levels[name]
            if repr(level) != repr(own_levels.get(name))
        ]
    return _design("one-at-a-time", asked, own)


def _sample(
    levels: Mapping[str, tuple[Level, ...]], own: Setting, n_cells: int, seed: int
) -> Design:
    """Draw a Latin hypercube; algorithm and metric are one factor: not all pairs have a meaning."""
    pairs = [
        pair
        for pair in product(levels["algorithm"], levels["metric"])
        if not own.replace(algorithm=pair[0], metric=pair[1], reduction="none").why_meaningless()
    ]
    single = [name for name in FACTORS if name not in ("algorithm", "metric") and levels[name]]
    sizes = np.array([*(len(levels[name]) for name in single), len(pairs)])
    if not n_cells:
        return Design(name="latin-hypercube", cells=(), levels=(), n_meaningless=0)
    rng = np.random.default_rng([seed, _SEED_OF_DESIGN])
    points = qmc.LatinHypercube(len(sizes), rng=rng).random(n_cells)
    drawn = np.floor(points * sizes).astype(int)
    asked = []
    for row in drawn.tolist():
        cell = {name: levels[name][i] for name, i in zip(single, row[:-1], strict=True)}
        cell["algorithm"], cell["metric"] = pairs[row[-1]]
        asked.append(cell)
    return _design("latin-hypercube", asked, own)


def _cross(levels: Mapping[str, tuple[Level, ...]], own: Setting) -> Design:
    names = [name for name in FACTORS if levels[name]]
    combinations = product(*(levels[name] for name in names))
    asked = [dict(zip(names, combination, strict=True)) for combination in combinations]
    return _design("full-grid", asked, own)


def _combine(
    name: str,
    levels: Mapping[str, tuple[Level, ...]],
    own: Setting,
    settings: RobustnessSettings,
    seed: int,
) -> Design:
    if name == "one-at-a-time":
        return _change_one(levels, own)
    if name == "latin-hypercube":
        return _sample(levels, own, settings.number("n_settings"), seed)
    return _cross(levels, own)


def _design(name: str, asked: Iterable[Mapping[str, Level]], own: Setting) -> Design:
    cells, kept, n_meaningless = [], [], 0
    for levels in asked:
        cell = own.replace(**levels)
        if cell.why_meaningless():
            n_meaningless += 1
            continue
        cells.append(cell)
        kept.append({factor: levels[factor] for factor in FACTORS if factor in levels})
    return Design(name=name, cells=tuple(cells), levels=tuple(kept), n_meaningless=n_meaningless)


def sort_runs(runs: Iterable[Run]) -> tuple[Run, ...]:
    """Sort runs, each once, so that neighbours share their work."""
    return tuple(sorted(dict.fromkeys(runs), key=_sort_key))


def _sort_key(run: Run) -> tuple[str, ...]:
    """Sort by what is shared: corpus, tokens, counts, weights, distances, tree, cut."""
    levels = [f"{level:>12}" for level in map(str, run.setting.levels().values())]
    place = f"{run.corpus_draw:06d}", run.resample, f"{run.scale:.6f}", f"{run.draw:07d}"
    return run.corpus, *levels, *place


def write_plan(path: Path, runs: Iterable[Run]) -> None:
    """Write ``plan.jsonl``, one run a line."""
    path.write_text("".join(run.to_line() + "\n" for run in runs), encoding="utf-8")


def read_plan(path: Path) -> tuple[Run, ...]:
    """Read ``plan.jsonl``.

    Raises
    ------
    DataError
        Naming file and line of what is no run, or stands twice.
    """
    runs: dict[Run, int] = {}
    for number, line in enumerate(decode_utf8(read_bytes(path), str(path)).splitlines(), start=1):
        if not line.strip():
            continue
        where = f"{path}:{number}"
        try:
            run = Run.from_line(line, where=where)
        except ParameterError as error:
            raise DataError(str(error)) from None
        if run in runs:
            raise DataError(f"{where}: run {run.run_id} stands in line {runs[run]} already")
        runs[run] = number
    if not runs:
        raise DataError(f"{path}: holds no run")
    return tuple(runs)

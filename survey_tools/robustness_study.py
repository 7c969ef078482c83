"""A robustness run: read a study, plan, run what is missing, write card, tables and figures."""

import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from survey_tools import __version__
from survey_tools.analysis import analyse, list_versions
from survey_tools.figures.robustness_pages import draw_robustness
from survey_tools.figures.style import render_svg, save_figure
from survey_tools.output import MANIFEST, digest_of_file, list_files, replace_folder
from survey_tools.progress import CountProgress, ignore_progress
from survey_tools.report.robustness_page import render_card, render_section
from survey_tools.report.robustness_section import SECTION
from survey_tools.report.robustness_tables import list_tables
from survey_tools.report.tables import write_csv
from survey_tools.results import StudyResult
from survey_tools.robustness.assessment import assess
from survey_tools.robustness.card import RobustnessCard, write_card
from survey_tools.robustness.comparison import CARD, compare_cards, read_card
from survey_tools.robustness.engines import EngineChoice, open_engine
from survey_tools.robustness.material import Material, Target, list_clusters
from survey_tools.robustness.plan import build_plan, read_plan
from survey_tools.robustness.runner import run_plan, take_shard
from survey_tools.robustness.setting import Setting
from survey_tools.robustness.store import PLAN, open_store
from survey_tools.robustness.variants import read_variants
from survey_tools.robustness_material import describe_material, gather_material
from survey_tools.study import Study, read_study
from survey_tools.tree_formats import to_newick

__all__ = ["RobustnessRequest", "RobustnessRun", "run_robustness"]

_COMMAND = "robustness"
_MOST_IN_TABLE = 1000  # papers up to which the co-association is written: 5 MB


@dataclass(frozen=True, slots=True, kw_only=True)
class RobustnessRequest:
    """How a robustness run is done, beside the settings of the survey.

    Attributes
    ----------
    engine : EngineChoice
    store : Path
        Folder of outcomes.
    variants : Path or None
        YAML file of a reviewer's own settings.
    against : Path or None
        Output folder of another robustness run to compare with.
    restart : bool
        Remove the outcomes of earlier runs first.
    plan_only : bool
        Write the plan to the store and stop.
    shard : pair of int or None
        Number of a part of the plan and of all parts; only its runs are done, no card.
    is_large_allowed : bool
        Whether the plan may hold more runs than ``robustness.most_runs``.
    """

    engine: EngineChoice
    store: Path
    variants: Path | None = None
    against: Path | None = None
    restart: bool = False
    plan_only: bool = False
    shard: tuple[int, int] | None = None
    is_large_allowed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RobustnessRun:
    """What a run of the command did; ``card`` is None where no card was to be made."""

    card: RobustnessCard | None
    comparison: tuple[str, ...]
    n_planned: int
    n_done: int
    store: Path
    notes: tuple[str, ...]


def run_robustness(
    folder: Path,
    out: Path,
    request: RobustnessRequest,
    *,
    overrides: Mapping[str, Any] | None = None,
    progress: CountProgress = ignore_progress,
) -> RobustnessRun:
    """Run the plan of a survey, go on where an earlier run stopped, and write the card.

    Parameters
    ----------
    progress : callable, optional
        Called as ``progress(n_runs_done, n_runs)``.

    Raises
    ------
    SurveyToolsError
        If the data, the settings or the disk do not allow it; outcomes so far stay in the store,
        and the output folder is as it was before.
    """
    study = read_study(folder, overrides)
    result = analyse(study, with_crosscheck=False)
    settings = study.settings.robustness
    own = Setting.of_survey(
        study.settings.text, study.settings.clustering, result.partition.n_groups
    )
    variants = read_variants(request.variants, own) if request.variants else {}
    other = read_card(request.against) if request.against else None
    targets, is_in_reference = _list_targets(result)
    plan = build_plan(
        settings,
        own,
        n_papers=len(study.corpus),
        seed=study.settings.seed,
        extra=variants.values(),
        is_large_allowed=request.is_large_allowed,
    )
    lists = {run.setting.stop_words for run in plan.runs}
    material = gather_material(study, result, own, targets, stop_words=lists)
    about = describe_material(material)
    planned = plan.runs
    if request.shard is not None and (request.store / PLAN).is_file():
        planned = read_plan(request.store / PLAN)  # parts of one plan, whoever does them
    with open_store(
        request.store, about, planned, shard=request.shard, restart=request.restart
    ) as (store, writer):
        runs = planned if request.shard is None else take_shard(planned, *request.shard)
        if not request.plan_only:
            with open_engine(request.engine) as engine:
                run_plan(
                    material,
                    runs,
                    store,
                    writer,
                    engine,
                    n_workers=request.engine.n_workers,
                    progress=progress,
                )
    done = store.done()
    n_done = sum(run.run_id in done for run in plan.runs)
    card: RobustnessCard | None = None
    comparison: tuple[str, ...] = ()
    if not request.plan_only and request.shard is None:
        found = assess(plan, store, material, targets, is_in_reference, settings.rule, variants)
        card = write_card(study.settings.title, found)
        comparison = compare_cards(card.as_data(), other) if other else ()
        finished = _Finished(
            study=study, result=result, material=material, card=card, comparison=comparison
        )
        _write(folder, out, finished)
    return RobustnessRun(
        card=card,
        comparison=comparison,
        n_planned=len(plan.runs),
        n_done=n_done,
        store=request.store,
        notes=result.warnings,
    )


def _list_targets(result: StudyResult) -> tuple[tuple[Target, ...], tuple[bool, ...]]:
    """List what is sought: the flat clusters, then the named sub-trees.

    A name that the tree does not have is sought by the papers that it was meant for.
    """
    targets = list(list_clusters(result.partition))
    is_in_reference = [True] * len(targets)
    for name in result.names:
        keys = name.subtree.paper_keys if name.is_found else name.meant_keys
        kind = "name" if name.is_found else "meant"
        targets.append(Target(name=name.name, kind=kind, paper_keys=tuple(sorted(keys))))
        is_in_reference.append(name.is_found)
    return tuple(targets), tuple(is_in_reference)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Finished:
    """What the outputs are made of."""

    study: Study
    result: StudyResult
    material: Material
    card: RobustnessCard
    comparison: tuple[str, ...]


def _write(folder: Path, out: Path, finished: _Finished) -> None:
    """Write card, tables, figures and manifest; the same outcomes give the same bytes."""
    kept = folder.parent if folder.is_file() else folder
    with replace_folder(out, command=_COMMAND, protected=[kept, Path.cwd()]) as partial:
        result = finished.card.result
        figures = finished.study.settings.figures
        drawn = draw_robustness(finished.card, finished.result.partition, figures)
        svg = {
            name: [render_svg(page, salt=f"{name}-{i}") for i, page in enumerate(pages)]
            for name, pages in drawn.items()
        }
        (partial / "figures").mkdir()
        for name, pages in drawn.items():
            save_figure(pages, partial / "figures", name, figures, svg=svg[name])
        (partial / "tables").mkdir()
        for name, table in list_tables(result):
            if name != "co-association" or len(result.paper_keys) <= _MOST_IN_TABLE:
                write_csv(table, partial / "tables" / f"{name}.csv")
        if result.consensus_tree is not None:
            newick = to_newick(result.consensus_tree)
            (partial / "consensus.nwk").write_text(newick, encoding="utf-8")
        card = json.dumps(finished.card.as_data(), indent=2, ensure_ascii=False, allow_nan=False)
        (partial / CARD).write_text(card + "\n", encoding="utf-8")
        manifest = _describe_run(finished)
        section = render_section(finished.card, finished.comparison, svg)
        (partial / SECTION).write_text(section, encoding="utf-8")
        page = render_card(finished.card, section, manifest)
        (partial / "card.html").write_text(page, encoding="utf-8")
        outputs = {name: digest_of_file(partial / name) for name in list_files(partial)}
        text = json.dumps({**manifest, "outputs": outputs}, indent=2, ensure_ascii=False)
        (partial / MANIFEST).write_text(text + "\n", encoding="utf-8")


def _describe_run(finished: _Finished) -> dict[str, Any]:
    """Collect everything another person needs to repeat a run and compare."""
    study = finished.study
    versions = {"survey-tools": __version__, "Python": platform.python_version()}
    computing = ("numpy", "scipy", "scikit-learn", "nltk", "numba", "pandas", "matplotlib")
    return {
        "command": _COMMAND,
        "versions": versions | list_versions(computing),
        "seed": study.settings.seed,
        "inputs": dict(study.digests),
        "corpus_digest": study.corpus.digest,
        "material": finished.material.digest,
        "overrides": dict(study.overrides),
        "settings": study.settings.model_dump(mode="json"),
        "warnings": list(finished.result.warnings),
    }

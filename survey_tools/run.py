"""A whole run: read a study, analyse it, write figures, tables, report and manifest."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from matplotlib.figure import Figure

from survey_tools.analysis import analyse, list_versions
from survey_tools.crosscheck.axes import CELLS
from survey_tools.crosscheck.whole import Crosscheck
from survey_tools.distances import measure_similarity
from survey_tools.errors import DataError, ParameterError
from survey_tools.figures.crosscheck_pages import draw_crosscheck
from survey_tools.figures.style import render_svg, save_figure
from survey_tools.figures.tree_figure import draw_tree
from survey_tools.output import MANIFEST, digest_of_file, list_files, replace_folder
from survey_tools.progress import StageProgress, ignore_progress
from survey_tools.report import crosscheck_tables, tables
from survey_tools.report.claims_section import ClaimsSection, read_claims_section
from survey_tools.report.page import render_report
from survey_tools.report.robustness_section import RobustnessSection, read_section
from survey_tools.report.setup import write_setup
from survey_tools.results import StudyResult
from survey_tools.study import SETTINGS_FILE, Study, read_study
from survey_tools.text import count_text_sources
from survey_tools.tree_formats import to_graphml, to_json, to_newick

__all__ = ["Command", "run_study"]

Command = Literal["run", "cluster", "crosscheck", "report"]
_PRINTING = ("matplotlib", "pandas", "Jinja2", "pydantic", "PyYAML")


def run_study(
    folder: Path,
    out: Path,
    *,
    command: Command = "run",
    overrides: Mapping[str, Any] | None = None,
    robustness: Path | None = None,
    claims: Path | None = None,
    progress: StageProgress = ignore_progress,
) -> StudyResult:
    """Run one command on a survey folder and write its output folder.

    ``cluster`` writes tree, clusters and dendrogram; ``crosscheck`` the agreement with the
    taxonomy; ``report`` the page alone; ``run`` all of it. Every command writes a manifest.

    Parameters
    ----------
    robustness : Path, optional
        Output folder of a robustness run of the same survey with the same settings, whose
        section the report takes over.
    claims : Path, optional
        Output folder of ``survey-tools claims`` on the same claims, whose section it takes over.

    Raises
    ------
    ParameterError
        If ``robustness`` or ``claims`` is given to a command that writes no report.
    SurveyToolsError
        If the data, the settings or the disk do not allow it; the output folder is then
        as it was before.
    """
    for name, other in (("robustness", robustness), ("claims", claims)):
        if other is not None and command not in ("run", "report"):
            raise ParameterError(f"{command!r} writes no report that could hold a {name} section")
    kept = [folder.parent if folder.is_file() else folder, Path.cwd()]
    kept += [other for other in (robustness, claims) if other is not None]
    with replace_folder(out, command=command, protected=kept) as partial:
        progress("reading", 0.0)
        study = read_study(folder, overrides)
        if command == "crosscheck" and study.taxonomy is None:
            raise DataError(
                f"{folder / SETTINGS_FILE}: names no taxonomy, so there is nothing to cross-check"
            )
        section = None if robustness is None else _read_section(robustness, study)
        sections = _Sections(
            robustness=section,
            claims=None if claims is None else read_claims_section(claims, folder),
        )
        result = analyse(study, with_crosscheck=command != "cluster", progress=progress)
        _write_outputs(study, result, partial, command, sections, progress)
    progress("done", 1.0)
    return result


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sections:
    """Sections of other commands' runs that the report takes over."""

    robustness: RobustnessSection | None
    claims: ClaimsSection | None


def _read_section(robustness: Path, study: Study) -> RobustnessSection:
    return read_section(
        robustness,
        study.settings,
        corpus_digest=study.corpus.digest,
        input_digests=study.digests,
    )


def _write_outputs(
    study: Study,
    result: StudyResult,
    folder: Path,
    command: Command,
    sections: "_Sections",
    progress: StageProgress,
) -> None:
    section = sections.robustness
    setup = write_setup(result)
    manifest = _describe_run(study, command, result)
    if section is not None:
        manifest["inputs"][f"robustness/{MANIFEST}"] = section.manifest_digest
    if sections.claims is not None:
        manifest["inputs"][f"claims/{MANIFEST}"] = sections.claims.manifest_digest
    (folder / "setup.txt").write_text(setup + "\n", encoding="utf-8")
    progress("figures", 0.0)
    support = None
    if section is not None:
        support = {
            key: section.support[cluster]
            for key, cluster in result.partition.as_mapping().items()
            if cluster in section.support
        }
    drawn = _draw(result, command, support)
    svg: dict[str, list[str]] = {}
    if command in ("run", "report") or "svg" in result.settings.figures.formats:
        for i, (name, pages) in enumerate(drawn.items()):
            progress("figures", i / (2 * len(drawn)))
            svg[name] = [render_svg(page, salt=name) for page in pages]
    if command != "report":
        (folder / "tables").mkdir()
        (folder / "figures").mkdir()
        _write_tables(result, folder / "tables", command)
        for i, (name, pages) in enumerate(drawn.items()):
            progress("figures", (i + len(drawn)) / (2 * len(drawn)))
            save_figure(pages, folder / "figures", name, result.settings.figures, svg=svg.get(name))
    if command in ("run", "cluster"):
        written = {"nwk": to_newick, "graphml": to_graphml, "json": to_json}
        for ending, serialise in written.items():
            (folder / f"tree.{ending}").write_text(serialise(result.tree), encoding="utf-8")
    if command in ("run", "report"):
        progress("report", 0.0)
        page = render_report(
            result,
            setup=setup,
            figures=svg,
            manifest=manifest,
            robustness=None if section is None else section.html,
            claims=None if sections.claims is None else sections.claims.html,
        )
        (folder / "report.html").write_text(page, encoding="utf-8")
    outputs = {name: digest_of_file(folder / name) for name in list_files(folder)}
    text = json.dumps({**manifest, "outputs": outputs}, indent=2, ensure_ascii=False)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")


def _draw(
    result: StudyResult, command: Command, support: Mapping[str, float] | None
) -> dict[str, list[Figure]]:
    """Draw the figures that a command prints, by name, each a list of pages."""
    drawn: dict[str, list[Figure]] = {}
    if command != "crosscheck":
        drawn["dendrogram"] = draw_tree(
            result.tree,
            result.corpus,
            result.partition,
            result.settings.figures,
            names=result.names,
            taxonomy=result.taxonomy,
            support=support,
            cut_height=result.settings.clustering.cut.height,
            clusters=result.clusters,
            similarity=measure_similarity(result.features),
        )
    if result.crosscheck is not None:
        drawn |= draw_crosscheck(
            result.crosscheck,
            result.clusters,
            result.partition,
            result.corpus,
            result.settings.figures,
        )
    return drawn


def _write_tables(result: StudyResult, folder: Path, command: Command) -> None:
    if command != "crosscheck":
        tables.write_csv(tables.paper_table(result), folder / "papers.csv")
        clusters = tables.cluster_table(result)
        tables.write_csv(clusters, folder / "clusters.csv")
        shown = clusters[["cluster", "n_papers", "silhouette", "terms_class_tf_idf"]]
        tables.write_latex(shown, folder / "clusters.tex")
        tables.write_csv(tables.merge_table(result), folder / "merges.csv")
        if result.names:
            tables.write_csv(tables.name_table(result), folder / "subtrees.csv")
    if result.crosscheck is not None:
        agreement = tables.agreement_table(result.crosscheck)
        tables.write_csv(agreement, folder / "agreement.csv")
        tables.write_latex(agreement, folder / "agreement.tex")
        for name, table in tables.contingency_tables(result.crosscheck).items():
            stem = "cells" if name == CELLS else name
            tables.write_csv(table, folder / f"contingency-{stem}.csv", index=True)
        _write_crosscheck(result, result.crosscheck, folder)


def _write_crosscheck(result: StudyResult, crosscheck: Crosscheck, folder: Path) -> None:
    labels = crosscheck_tables.label_table(crosscheck)
    tables.write_csv(labels, folder / "labels.csv")
    shown = labels[["title", "n_papers", "size", "n_common", "f1", "chance", "p_value", "q_value"]]
    tables.write_latex(shown, folder / "labels.tex")
    written = {
        "enrichment": crosscheck_tables.enrichment_table(crosscheck),
        "overlap": crosscheck_tables.overlap_table(crosscheck),
        "check-first": crosscheck_tables.disagreement_table(crosscheck, result.corpus),
    }
    if crosscheck.trees is not None:
        written["trees"] = crosscheck_tables.tree_agreement_table(crosscheck.trees)
        written["cuts"] = crosscheck_tables.cut_table(crosscheck.trees.cuts)
    for name, table in written.items():
        tables.write_csv(table, folder / f"{name}.csv")


def _describe_run(study: Study, command: Command, result: StudyResult) -> dict[str, Any]:
    """Collect everything another person needs to repeat a run and compare."""
    certificate = result.certificate
    return {
        "command": command,
        "versions": {**result.versions, **list_versions(_PRINTING)},
        "seed": study.settings.seed,
        "inputs": dict(study.digests),
        "corpus_digest": study.corpus.digest,
        "text_sources": count_text_sources(study.corpus, study.settings.text.fields),
        "n_papers": len(study.corpus),
        "n_terms": len(result.features.terms),
        "n_clusters": result.partition.n_groups,
        "certificate": None if certificate is None else asdict(certificate),
        "overrides": dict(study.overrides),
        "settings": study.settings.model_dump(mode="json"),
        "warnings": list(result.warnings),
    }

"""A survey folder -> the whole run -> an output folder with figures, tables and report."""

import json
import logging
import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from matplotlib.figure import Figure

from survey_tools import __version__
from survey_tools.clusters import describe_clusters
from survey_tools.corpus import Corpus
from survey_tools.crosscheck import CELLS, crosscheck
from survey_tools.distances import measure_distances
from survey_tools.documents import parse_yaml, read_bytes
from survey_tools.errors import DataError, ParameterError
from survey_tools.figures.contingency import draw_contingency
from survey_tools.figures.dendrogram import draw_dendrogram
from survey_tools.figures.layout import layout_dendrogram
from survey_tools.figures.style import render_svg, save_figure
from survey_tools.formats.jsonl import parse_papers
from survey_tools.linkage.routes import build_tree
from survey_tools.output import MANIFEST, list_files, replace_folder, sha256_of
from survey_tools.report import tables
from survey_tools.report.page import render_report
from survey_tools.report.setup import write_setup
from survey_tools.results import StudyResult
from survey_tools.settings import SurveySettings
from survey_tools.subtrees import AttachedName, SubtreeFile, attach_names, parse_subtrees
from survey_tools.taxonomy import Taxonomy, parse_taxonomy
from survey_tools.text import build_features, count_text_sources, parse_stop_words, read_stop_words
from survey_tools.tree import cut_by_settings, to_newick

__all__ = ["Command", "Study", "analyse", "bundled_survey", "read_study", "run_study"]

logger = logging.getLogger(__name__)

Command = Literal["run", "cluster", "crosscheck", "report"]
Progress = Callable[[str, float], None]
SETTINGS_FILE = "survey.yaml"
_WAYS_TO_CUT = tuple(f"clustering.cut.{way}" for way in ("n_clusters", "height", "inconsistency"))
_COMPUTING = ("numpy", "scipy", "scikit-learn")
_PRINTING = ("matplotlib", "pandas", "Jinja2", "pydantic", "PyYAML")


def _silent(stage: str, share: float) -> None:
    """Report progress to nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """A survey folder, read and checked.

    Attributes
    ----------
    overrides : mapping of str to Any
        Settings given besides ``survey.yaml``, by dotted name.
    digests : mapping of str to str
        sha256 of every input file, by its name in the folder.
    """

    folder: Path
    settings: SurveySettings
    overrides: Mapping[str, Any]
    corpus: Corpus
    taxonomy: Taxonomy | None
    subtree_file: SubtreeFile
    stop_words: frozenset[str]
    digests: Mapping[str, str]


def bundled_survey() -> Path:
    """Return the folder of the bundled survey, "Masked Image Modeling: A Survey".

    Raises
    ------
    DataError
        If the package was installed without its data.
    """
    package = Path(__file__).parent
    for data in (package / "data", package.parent / "data"):  # installed; in a checkout
        if (data / "mim" / SETTINGS_FILE).is_file():
            return data / "mim"
    raise DataError("the bundled survey is not installed; name a survey folder")


def read_study(folder: Path, overrides: Mapping[str, Any] | None = None) -> Study:
    """Read a survey folder: ``survey.yaml`` and the files that it names.

    Parameters
    ----------
    overrides : mapping of str to Any, optional
        Settings by dotted name (``"clustering.linkage"``) that replace those of the file.

    Raises
    ------
    DataError
        If a file is missing or wrong; the message names file, line and key.
    """
    overrides = dict(overrides or {})
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; a survey is a folder with {SETTINGS_FILE}")
    digests: dict[str, str] = {}

    def read(name: str) -> tuple[bytes, str]:
        """Read an input once: what is parsed is what the manifest's digest is of."""
        data = read_bytes(folder / name)
        digests[name] = sha256_of(data)
        return data, str(folder / name)

    settings = _parse_settings(*read(SETTINGS_FILE), overrides)
    data, source = read(settings.papers)
    corpus = parse_papers(data, source=source)
    taxonomy, subtree_file = None, SubtreeFile()
    if settings.taxonomy is not None:
        data, source = read(settings.taxonomy)
        taxonomy = parse_taxonomy(parse_yaml(data, source=source), corpus)
    if settings.subtrees is not None:
        data, source = read(settings.subtrees)
        subtree_file = parse_subtrees(parse_yaml(data, source=source), corpus)
    if settings.text.stop_words in ("none", "english"):
        stop_words = read_stop_words(settings.text.stop_words, folder)
    else:
        data, source = read(settings.text.stop_words)
        stop_words = parse_stop_words(data, source=source)
    return Study(
        folder=folder,
        settings=settings,
        overrides=overrides,
        corpus=corpus,
        taxonomy=taxonomy,
        subtree_file=subtree_file,
        stop_words=stop_words,
        digests=digests,
    )


def _parse_settings(data: bytes, source: str, overrides: Mapping[str, Any]) -> SurveySettings:
    document = parse_yaml(data, source=source)
    settings = document.validate(SurveySettings)
    if not overrides:
        return settings
    if any(name in overrides for name in _WAYS_TO_CUT):  # one way replaces another
        unset = dict.fromkeys(_WAYS_TO_CUT)
        overrides = {**unset, **overrides}
    return document.replace(overrides).validate(SurveySettings)


def analyse(
    study: Study, *, with_crosscheck: bool = True, progress: Progress = _silent
) -> StudyResult:
    """Compute everything that figures, tables and report show; write nothing.

    Parameters
    ----------
    progress : callable
        Called as ``progress(stage, share_of_the_stage_done)``.

    Raises
    ------
    DataError, ParameterError
        If data or settings allow no clustering.
    """
    settings = study.settings
    if len(study.corpus) < 2:
        raise ParameterError(
            f"{settings.papers}: one paper cannot be clustered; at least 2 are needed"
        )
    wanted = settings.clustering.cut.n_clusters
    if wanted is not None and wanted > len(study.corpus):
        raise ParameterError(
            f"{wanted} clusters asked of {len(study.corpus)} papers; "
            "lower clustering.cut.n_clusters"
        )
    progress("text", 0.0)
    features = build_features(study.corpus, settings.text, stop_words=study.stop_words)
    progress("tree", 0.0)
    distances = measure_distances(features, settings.clustering.metric)
    tree = build_tree(distances, settings.clustering)
    partition = cut_by_settings(tree, settings.clustering.cut)
    progress("clusters", 0.0)
    clusters = describe_clusters(features, distances, partition)
    names = attach_names(tree, study.subtree_file)
    checked = None
    if with_crosscheck and study.taxonomy is not None:
        checked = crosscheck(
            partition,
            study.taxonomy,
            settings.crosscheck,
            seed=settings.seed,
            progress=lambda n_done, n_all: progress("cross-check", n_done / n_all),
        )
    versions = {"survey-tools": __version__, "Python": platform.python_version()}
    stemmer = ("nltk",) if settings.text.stemming != "none" else ()
    versions |= _versions((*_COMPUTING, *stemmer))
    return StudyResult(
        settings=settings,
        corpus=study.corpus,
        features=features,
        distances=distances,
        tree=tree,
        partition=partition,
        clusters=clusters,
        names=names,
        taxonomy=study.taxonomy,
        crosscheck=checked,
        versions=versions,
        warnings=_warnings(study, names),
    )


@cache
def _versions(names: tuple[str, ...]) -> dict[str, str]:
    """Look up the installed versions of libraries, once."""
    return {name: version(name) for name in names}


def _warnings(study: Study, names: tuple[AttachedName, ...]) -> tuple[str, ...]:
    """Say what a reader of the results must know before believing them."""
    found = []
    sources = count_text_sources(study.corpus, study.settings.text.fields)
    if sources["digest"]:
        found.append(
            f"{sources['digest']} of {len(study.corpus)} papers are described by a digest in the "
            "survey's own words, not by the authors' abstract; clusters of abstracts may differ."
        )
    if "abstract" in study.settings.text.fields and sources["none"]:
        found.append(
            f"{sources['none']} of {len(study.corpus)} papers have neither abstract nor digest and "
            "are described by their title alone."
        )
    drifted = [name.warning for name in names if name.is_found and name.warning]
    lost = [name.name for name in names if not name.is_found]
    if lost:
        found.append(
            f"{len(lost)} of {len(names)} named sub-trees were not found in this tree: "
            f"{', '.join(lost)}."
        )
    return (*found, *drifted)


def run_study(
    folder: Path,
    out: Path,
    *,
    command: Command = "run",
    overrides: Mapping[str, Any] | None = None,
    progress: Progress = _silent,
) -> StudyResult:
    """Run one command on a survey folder and write its output folder.

    ``cluster`` writes tree, clusters and dendrogram; ``crosscheck`` the agreement with the
    taxonomy; ``report`` the page alone; ``run`` all of it. Every command writes a manifest.

    Raises
    ------
    SurveyToolsError
        If the data, the settings or the disk do not allow it; the output folder is then
        as it was before.
    """
    with replace_folder(out, command=command, protected=[folder, Path.cwd()]) as partial:
        progress("reading", 0.0)
        study = read_study(folder, overrides)
        if command == "crosscheck" and study.taxonomy is None:
            raise DataError(
                f"{folder / SETTINGS_FILE}: names no taxonomy, so there is nothing to cross-check"
            )
        result = analyse(study, with_crosscheck=command != "cluster", progress=progress)
        _write_outputs(study, result, partial, command, progress)
    progress("done", 1.0)
    return result


def _write_outputs(
    study: Study, result: StudyResult, folder: Path, command: Command, progress: Progress
) -> None:
    setup = write_setup(result)
    manifest = _describe_run(study, command, result)
    (folder / "setup.txt").write_text(setup + "\n", encoding="utf-8")
    progress("figures", 0.0)
    drawn = _draw(result, command)
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
        (folder / "tree.nwk").write_text(to_newick(result.tree), encoding="utf-8")
    if command in ("run", "report"):
        progress("report", 0.0)
        page = render_report(result, setup=setup, figures=svg, manifest=manifest)
        (folder / "report.html").write_text(page, encoding="utf-8")
    outputs = {name: sha256_of((folder / name).read_bytes()) for name in list_files(folder)}
    text = json.dumps({**manifest, "outputs": outputs}, indent=2, ensure_ascii=False)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")


def _draw(result: StudyResult, command: Command) -> dict[str, list[Figure]]:
    """Draw the figures that a command prints, by name, each a list of pages."""
    drawn: dict[str, list[Figure]] = {}
    if command != "crosscheck":
        layout = layout_dendrogram(
            result.tree,
            result.corpus,
            result.partition,
            result.settings.figures,
            names=result.names,
            taxonomy=result.taxonomy,
            cut_height=result.settings.clustering.cut.height,
        )
        drawn["dendrogram"] = draw_dendrogram(layout)
    if result.crosscheck is not None:
        axes = [axis for axis in result.crosscheck.axes if axis.name != CELLS]
        cells = [axis for axis in result.crosscheck.axes if axis.name == CELLS]
        drawn["contingency-axes"] = [draw_contingency(axes, result.clusters)]
        drawn["contingency-cells"] = [draw_contingency(cells, result.clusters)]
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


def _describe_run(study: Study, command: Command, result: StudyResult) -> dict[str, Any]:
    """Collect everything another person needs to repeat a run and compare."""
    return {
        "command": command,
        "versions": {**result.versions, **_versions(_PRINTING)},
        "seed": study.settings.seed,
        "inputs": dict(study.digests),
        "corpus_digest": study.corpus.digest,
        "text_sources": count_text_sources(study.corpus, study.settings.text.fields),
        "n_papers": len(study.corpus),
        "n_terms": len(result.features.terms),
        "n_clusters": result.partition.n_groups,
        "overrides": dict(study.overrides),
        "settings": study.settings.model_dump(mode="json"),
        "warnings": list(result.warnings),
    }

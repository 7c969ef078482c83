"""A survey folder -> the whole run -> an output folder with figures, tables and report."""

import json
import logging
import platform
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import numpy as np
import yaml
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy import sparse
from sklearn.preprocessing import normalize

from survey_tools import __version__
from survey_tools.clusters import SilhouetteOfCuts, describe_clusters
from survey_tools.corpus import Corpus
from survey_tools.crosscheck import CELLS, crosscheck
from survey_tools.cuts import cut_by_settings, find_finest_cut
from survey_tools.distances import PairDistances
from survey_tools.documents import parse_yaml, read_bytes
from survey_tools.errors import DataError, ParameterError
from survey_tools.figures.contingency import draw_contingency
from survey_tools.figures.similarity_image import SimilarityProvider
from survey_tools.figures.style import render_svg, save_figure
from survey_tools.figures.tree_figure import draw_tree
from survey_tools.formats.embeddings import read_embeddings
from survey_tools.formats.files import read_references
from survey_tools.formats.jsonl import parse_papers
from survey_tools.linkage.certificate import certify_tree
from survey_tools.linkage.routes import build_tree, choose_distances
from survey_tools.output import (
    MANIFEST,
    digest_of_file,
    list_files,
    replace_folder,
    sha256_of,
)
from survey_tools.partition import Partition
from survey_tools.report import tables
from survey_tools.report.page import render_report
from survey_tools.report.setup import write_setup
from survey_tools.results import StudyResult
from survey_tools.rows import analyse_latent_semantics, normalise_rows
from survey_tools.settings import SurveySettings
from survey_tools.subtrees import AttachedName, SubtreeFile, attach_names, parse_subtrees
from survey_tools.taxonomy import Taxonomy, parse_taxonomy
from survey_tools.text import (
    Features,
    build_features,
    count_text_sources,
    parse_stop_words,
    read_stop_words,
)
from survey_tools.tree import Tree
from survey_tools.tree_formats import to_graphml, to_json, to_newick

__all__ = [
    "Command",
    "Study",
    "analyse",
    "bundled_survey",
    "read_settings",
    "read_study",
    "run_study",
]

logger = logging.getLogger(__name__)

Command = Literal["run", "cluster", "crosscheck", "report"]
Progress = Callable[[str, float], None]
SETTINGS_FILE = "survey.yaml"
_WAYS_TO_CUT = tuple(
    f"clustering.cut.{way}"
    for way in ("n_clusters", "height", "inconsistency", "gap", "silhouette")
)
_CHAINED_SHARE = 0.9  # our choice; Ward's largest of 10 clusters of 60,000 abstracts holds 0.2
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
    embeddings : ndarray of float64, shape (n_papers, n_dimensions), or None
        Vectors in the order of the sorted keys, where the settings ask for them.
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
    embeddings: NDArray[np.float64] | None
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
    """Read a survey folder, ``survey.yaml`` and the files that it names; or a file of papers.

    Parameters
    ----------
    folder : Path
        A survey folder; or a file of papers in any format that can be imported, which is
        analysed with the default settings.
    overrides : mapping of str to Any, optional
        Settings by dotted name (``"clustering.linkage"``) that replace those of the file.

    Raises
    ------
    DataError
        If a file is missing or wrong; the message names file, line and key.
    """
    overrides = dict(overrides or {})
    if folder.is_file():
        return _read_file_of_papers(folder, overrides)
    if not folder.is_dir():
        raise DataError(
            f"{folder}: no such folder; a survey is a folder with {SETTINGS_FILE}, or a file of "
            "papers"
        )
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
    embeddings = _read_embeddings(folder, settings, corpus, digests)
    return Study(
        folder=folder,
        settings=settings,
        overrides=overrides,
        corpus=corpus,
        taxonomy=taxonomy,
        subtree_file=subtree_file,
        stop_words=stop_words,
        embeddings=embeddings,
        digests=digests,
    )


def _read_file_of_papers(path: Path, overrides: Mapping[str, Any]) -> Study:
    """Make a study of a file of papers; other files are sought beside it."""
    settings = _parse_file_settings(path, overrides)
    read = read_references(path)
    for problem in read.problems:
        logger.warning("%s", problem)
    corpus = Corpus(papers=read.papers)
    digests = {path.name: digest_of_file(path)}
    embeddings = _read_embeddings(path.parent, settings, corpus, digests)
    return Study(
        folder=path,
        settings=settings,
        overrides=overrides,
        corpus=corpus,
        taxonomy=None,
        subtree_file=SubtreeFile(),
        stop_words=read_stop_words(settings.text.stop_words, path.parent),
        embeddings=embeddings,
        digests=digests,
    )


def read_settings(
    folder: Path, overrides: Mapping[str, Any] | None = None
) -> tuple[Path, SurveySettings]:
    """Return the file of papers of a survey folder (or of itself) and the settings.

    Raises
    ------
    DataError
        If ``survey.yaml`` is missing or wrong.
    """
    if folder.is_file():
        return folder, _parse_file_settings(folder, overrides or {})
    path = folder / SETTINGS_FILE
    settings = _parse_settings(read_bytes(path), str(path), overrides or {})
    return folder / settings.papers, settings


def _parse_file_settings(path: Path, overrides: Mapping[str, Any]) -> SurveySettings:
    """Return the settings of a file of papers: the defaults, with some replaced."""
    text = yaml.safe_dump({"title": path.stem, "papers": path.name}, allow_unicode=True)
    return _parse_settings(text.encode(), str(path), overrides)


def _read_embeddings(
    folder: Path, settings: SurveySettings, corpus: Corpus, digests: dict[str, str]
) -> NDArray[np.float64] | None:
    """Read the vectors that the settings ask for, in the order of the sorted keys."""
    if settings.clustering.rows != "embeddings":
        return None
    if settings.embeddings is None:
        raise DataError(
            "clustering.rows: embeddings are asked for and none are named; set embeddings (and "
            "embedding_keys) in survey.yaml or by --set"
        )
    keys = settings.embedding_keys
    names = [settings.embeddings] if keys is None else [settings.embeddings, keys]
    vectors = read_embeddings(
        folder / settings.embeddings,
        None if keys is None else folder / keys,
        corpus.sorted_by_key().keys,
    )
    digests.update({name: digest_of_file(folder / name) for name in names})
    return vectors


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
    dense = _dense_rows(study, features)
    distances = choose_distances(features, settings.clustering, dense=dense)
    tree = build_tree(
        distances,
        settings.clustering,
        progress=lambda n_done, n_all: progress("tree", n_done / n_all),
    )
    certificate = None
    if settings.clustering.certify:
        progress("certificate", 0.0)
        certificate = certify_tree(
            tree,
            distances,
            progress=lambda n_done, n_all: progress("certificate", n_done / n_all),
        )
    progress("clusters", 0.0)
    partition = _cut(tree, distances, settings)
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
        certificate=certificate,
        partition=partition,
        clusters=clusters,
        names=names,
        taxonomy=study.taxonomy,
        crosscheck=checked,
        versions=versions,
        warnings=_warnings(study, names, partition),
    )


def _dense_rows(study: Study, features: Features) -> NDArray[np.float64] | None:
    """Return the rows to cluster instead of terms; vectors brought along keep their lengths."""
    clustering = study.settings.clustering
    if clustering.rows == "lsa":
        return analyse_latent_semantics(features, clustering.n_components, seed=study.settings.seed)
    if study.embeddings is not None and clustering.metric == "cosine":
        return normalise_rows(study.embeddings, features.paper_keys)
    return study.embeddings


def _cut(tree: Tree, distances: PairDistances, settings: SurveySettings) -> Partition:
    cutting = settings.clustering.cut
    if not cutting.silhouette:
        return cut_by_settings(tree, cutting)
    finest = find_finest_cut(tree, fewest=cutting.fewest, most=cutting.most)
    return cut_by_settings(tree, cutting, measure=SilhouetteOfCuts(distances, finest))


@cache
def _versions(names: tuple[str, ...]) -> dict[str, str]:
    """Look up the installed versions of libraries, once."""
    return {name: version(name) for name in names}


def _warnings(
    study: Study, names: tuple[AttachedName, ...], partition: Partition
) -> tuple[str, ...]:
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
    largest = int(partition.sizes.max())
    if partition.n_groups > 1 and largest >= _CHAINED_SHARE * partition.n_papers:
        found.append(
            f"One of {partition.n_groups} clusters holds {largest} of {partition.n_papers} papers: "
            f"{study.settings.clustering.linkage} linkage parts single papers from the rest here "
            "(chaining); another linkage or cut says more."
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
    kept = folder.parent if folder.is_file() else folder
    with replace_folder(out, command=command, protected=[kept, Path.cwd()]) as partial:
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
        written = {"nwk": to_newick, "graphml": to_graphml, "json": to_json}
        for ending, serialise in written.items():
            (folder / f"tree.{ending}").write_text(serialise(result.tree), encoding="utf-8")
    if command in ("run", "report"):
        progress("report", 0.0)
        page = render_report(result, setup=setup, figures=svg, manifest=manifest)
        (folder / "report.html").write_text(page, encoding="utf-8")
    outputs = {name: digest_of_file(folder / name) for name in list_files(folder)}
    text = json.dumps({**manifest, "outputs": outputs}, indent=2, ensure_ascii=False)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")


def _draw(result: StudyResult, command: Command) -> dict[str, list[Figure]]:
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
            cut_height=result.settings.clustering.cut.height,
            clusters=result.clusters,
            similarity=measure_similarity(result.features),
        )
    if result.crosscheck is not None:
        axes = [axis for axis in result.crosscheck.axes if axis.name != CELLS]
        cells = [axis for axis in result.crosscheck.axes if axis.name == CELLS]
        drawn["contingency-axes"] = [draw_contingency(axes, result.clusters)]
        drawn["contingency-cells"] = [draw_contingency(cells, result.clusters)]
    return drawn


def measure_similarity(features: Features) -> SimilarityProvider:
    """Return what gives blocks of the cosine similarities of papers by their terms."""
    rows = sparse.csr_array(normalize(features.matrix))
    return lambda i, j: np.asarray((rows[i] @ rows[j].T).toarray())


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
    certificate = result.certificate
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
        "certificate": None if certificate is None else asdict(certificate),
        "overrides": dict(study.overrides),
        "settings": study.settings.model_dump(mode="json"),
        "warnings": list(result.warnings),
    }

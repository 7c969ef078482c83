"""A file of very many papers -> micro-clusters -> exact tree -> an output folder."""

import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from survey_tools import __version__
from survey_tools.condense import setup, tables
from survey_tools.condense.condensing import condense_papers
from survey_tools.condense.engines import EngineChoice, open_engine
from survey_tools.condense.merging import (
    check_condensable,
    merge_condensed,
    needs_unit_rows,
)
from survey_tools.condense.record import Condensed
from survey_tools.condense.scratch import open_scratch
from survey_tools.condensing_check import (
    CondensingCheck,
    agreement_table,
    check_condensing,
    describe_check,
)
from survey_tools.cuts import cut_by_settings
from survey_tools.errors import ParameterError
from survey_tools.figures.collapsed import draw_collapsed, layout_collapsed
from survey_tools.figures.style import save_figure
from survey_tools.output import MANIFEST, digest_of_file, list_files, replace_folder, sha256_of
from survey_tools.partition import Partition
from survey_tools.progress import StageProgress, ignore_progress
from survey_tools.report.tables import write_csv
from survey_tools.settings import SurveySettings
from survey_tools.text import read_stop_words
from survey_tools.tree import Tree
from survey_tools.tree_formats import to_newick

__all__ = ["CondensedResult", "run_condensed"]

COMMAND = "cluster"
_LIBRARIES = ("numpy", "scipy", "scikit-learn", "numba", "pandas", "pyarrow", "pydantic")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CondensedResult:
    """What a condensed run found.

    Attributes
    ----------
    tree : Tree
        Its leaves are micro-clusters by name, in the order of ``condensed.names``.
    partition : Partition
        Micro-clusters in clusters.
    check : CondensingCheck or None
        What condensing cost, on the sample; None where none was drawn.
    """

    settings: SurveySettings
    condensed: Condensed
    tree: Tree
    partition: Partition
    check: CondensingCheck | None
    versions: Mapping[str, str]

    @property
    def sentences(self) -> tuple[str, ...]:
        """What a reader must know before believing the tree: what condensing lost and cost."""
        loss = setup.describe_loss(self.condensed)
        return (loss,) if self.check is None else (loss, describe_check(self.check))


def run_condensed(
    source: Path,
    out: Path,
    *,
    settings: SurveySettings,
    engine: EngineChoice | None = None,
    scratch: Path | None = None,
    progress: StageProgress = ignore_progress,
) -> CondensedResult:
    """Cluster a file of papers by way of micro-clusters and write the output folder.

    Parameters
    ----------
    source : Path
        JSON lines (also gzipped), Parquet, CSV or TSV; every paper needs a key.
    out : Path
        Output folder; replaced whole, and only if survey-tools wrote it.
    settings : SurveySettings
        Condense (which must be there), text, clustering, seed, and of cross-check the numbers
        of relabellings and half-samples. A file of stop words is sought beside ``source``.
    engine : EngineChoice, optional
        Who computes the shards; this process by default. No result depends on it.
    scratch : Path, optional
        Where the scratch folder is made; see `survey_tools.condense.scratch.open_scratch`.
    progress : callable
        Called as ``progress(stage, share_of_the_stage_done)``.

    Raises
    ------
    SurveyToolsError
        If the file, the settings or the disk do not allow it; the output folder is then
        as it was before.
    """
    engine = engine or EngineChoice()
    if settings.condense is None:
        raise ParameterError(
            "the number of micro-clusters is missing; give --condense N or "
            "condense.n_micro_clusters"
        )
    check_condensable(settings.clustering, settings.condense)
    stop_words = read_stop_words(settings.text.stop_words, source.parent)
    with replace_folder(out, command=COMMAND, protected=[source.parent, Path.cwd()]) as partial:
        digest = digest_of_file(source)
        with open_scratch(scratch) as folder, open_engine(engine) as map_shards:
            condensed = condense_papers(
                source,
                text=settings.text,
                stop_words=stop_words,
                condense=settings.condense,
                is_scaled=needs_unit_rows(settings.clustering),
                rng=np.random.default_rng([settings.seed, 0]),
                engine=map_shards,
                folder=folder,
                progress=progress,
            )
        result = _cluster(condensed, settings, n_threads=engine.n_workers, progress=progress)
        progress("figures", 0.0)
        _write_outputs(result, partial, inputs={source.name: digest})
    progress("done", 1.0)
    return result


def _cluster(
    condensed: Condensed, settings: SurveySettings, *, n_threads: int, progress: StageProgress
) -> CondensedResult:
    progress("tree", 0.0)
    tree = merge_condensed(
        condensed,
        settings.clustering,
        n_threads=n_threads,
        progress=lambda n_done, n_all: progress("tree", n_done / n_all),
    )
    partition = cut_by_settings(tree, settings.clustering.cut)
    progress("sample", 0.0)
    check = check_condensing(
        condensed,
        partition,
        settings,
        rng=np.random.default_rng([settings.seed, 1]),
        n_threads=n_threads,
        progress=lambda share: progress("sample", share),
    )
    versions = {"survey-tools": __version__, "Python": platform.python_version()}
    return CondensedResult(
        settings=settings,
        condensed=condensed,
        tree=tree,
        partition=partition,
        check=check,
        versions=versions | {name: version(name) for name in _LIBRARIES},
    )


def _write_setup(result: CondensedResult) -> str:
    clustering = result.settings.clustering
    versions = ", ".join(f"{name} {number}" for name, number in result.versions.items())
    sentences = [
        setup.describe_condensing(result.condensed, is_scaled=needs_unit_rows(clustering)),
        setup.describe_merging(clustering, result.partition),
        *result.sentences,
        f"Computed with {versions}; seed {result.settings.seed}.",
    ]
    return " ".join(sentences)


def _write_outputs(result: CondensedResult, folder: Path, *, inputs: Mapping[str, str]) -> None:
    condensed, tree, partition = result.condensed, result.tree, result.partition
    (folder / "setup.txt").write_text(_write_setup(result) + "\n", encoding="utf-8")
    (folder / "tree.nwk").write_text(to_newick(tree), encoding="utf-8")
    (folder / "tables").mkdir()
    written = {
        "papers": tables.paper_table(condensed, partition),
        "micro-clusters": tables.micro_cluster_table(condensed, tree, partition),
        "clusters": tables.cluster_table(condensed, partition),
        "merges": tables.merge_table(condensed, tree),
    }
    if result.check is not None:
        written["agreement"] = agreement_table(result.check)
    for name, table in written.items():
        write_csv(table, folder / "tables" / f"{name}.csv")
    _draw(result, written["clusters"], folder / "figures")
    manifest = _describe_run(result, inputs)
    manifest["outputs"] = {
        name: sha256_of((folder / name).read_bytes()) for name in list_files(folder)
    }
    text = json.dumps(manifest, indent=2, ensure_ascii=False)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")


def _draw(result: CondensedResult, clusters: pd.DataFrame, folder: Path) -> None:
    """Draw the collapsed tree; triangles count papers, not micro-clusters."""
    condensed, settings = result.condensed, result.settings.figures
    terms = {
        row["cluster"]: row["terms_mean_weight"].split(", ") for row in clusters.to_dict("records")
    }
    layout = layout_collapsed(
        result.tree,
        result.partition,
        settings,
        terms=terms,
        papers_of=dict(zip(condensed.names, condensed.n_papers.tolist(), strict=True)),
        n_shown=settings.n_shown,
    )
    folder.mkdir()
    save_figure(draw_collapsed(layout), folder, "dendrogram", settings)


def _describe_run(result: CondensedResult, inputs: Mapping[str, str]) -> dict[str, Any]:
    """Collect everything another person needs to repeat a run and compare."""
    condensed, check = result.condensed, result.check
    return {
        "command": COMMAND,
        "versions": dict(result.versions),
        "seed": result.settings.seed,
        "inputs": dict(inputs),
        "text_sources": dict(condensed.text_sources),
        "n_papers": len(condensed.paper_keys),
        "n_terms": len(condensed.terms),
        "n_micro_clusters": len(condensed.n_papers),
        "n_clusters": result.partition.n_groups,
        "variance_lost": condensed.variance_lost,
        "agreement_on_sample": None
        if check is None
        else {index.name: index.value for index in check.condensed.indices},
        "settings": result.settings.model_dump(mode="json"),
    }

"""Study -> StudyResult: everything that figures, tables and report show, computed."""

import platform
from functools import cache
from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from survey_tools import __version__
from survey_tools.clusters import SilhouetteOfCuts, describe_clusters
from survey_tools.crosscheck.papers import Probabilities
from survey_tools.crosscheck.whole import crosscheck
from survey_tools.cuts import cut_by_settings, find_finest_cut
from survey_tools.distances import PairDistances
from survey_tools.errors import ParameterError
from survey_tools.linkage.certificate import certify_tree
from survey_tools.linkage.routes import build_tree, choose_distances
from survey_tools.partition import Partition
from survey_tools.progress import StageProgress, ignore_progress
from survey_tools.results import StudyResult
from survey_tools.rows import analyse_latent_semantics, normalise_rows
from survey_tools.settings import SurveySettings
from survey_tools.study import Study
from survey_tools.subtrees import AttachedName, attach_names
from survey_tools.taxonomy import Taxonomy
from survey_tools.text import Features, build_features, count_text_sources
from survey_tools.tree import Tree

__all__ = ["analyse", "list_versions"]

_CHAINED_SHARE = 0.9  # our choice; Ward's largest of 10 clusters of 60,000 abstracts holds 0.2
_COMPUTING = ("numpy", "scipy", "scikit-learn")


def analyse(
    study: Study, *, with_crosscheck: bool = True, progress: StageProgress = ignore_progress
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
        probabilities = None
        if settings.crosscheck.ask_holdout:
            probabilities = _ask_classifier(study, study.taxonomy, progress)
        with threadpool_limits(1, user_api="blas"):  # its matrices are small: threads would wait
            checked = crosscheck(
                tree,
                partition,
                features,
                study.taxonomy,
                settings.crosscheck,
                seed=settings.seed,
                probabilities=probabilities,
                progress=lambda share: progress("cross-check", share),
            )
    versions = {"survey-tools": __version__, "Python": platform.python_version()}
    stemmer = ("nltk",) if settings.text.stemming != "none" else ()
    versions |= list_versions((*_COMPUTING, *stemmer))
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


def _ask_classifier(study: Study, taxonomy: Taxonomy, progress: StageProgress) -> Probabilities:
    """Predict the labels of every paper by a classifier that did not see it."""
    from survey_tools.holdout.evaluation import hold_out  # costs half a second to import

    progress("hold-out", 0.0)
    return hold_out(
        study.corpus,
        taxonomy,
        study.settings.text,
        study.settings.clustering,
        study.settings.holdout,
        seed=study.settings.seed,
        stop_words=study.stop_words,
        vectors=study.embeddings,
        progress=lambda n_done, n_all: progress("hold-out", n_done / max(1, n_all)),
    ).probabilities


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
def list_versions(names: tuple[str, ...]) -> dict[str, str]:
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

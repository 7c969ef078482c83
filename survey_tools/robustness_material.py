"""A study and its tree -> what runs of a plan need, and the digests that tell it apart."""

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import numpy as np

from survey_tools import __version__
from survey_tools.analysis import list_versions
from survey_tools.documents import nearest
from survey_tools.errors import ParameterError
from survey_tools.output import digest_of_data
from survey_tools.results import StudyResult
from survey_tools.robustness.material import Material, Reference, Target
from survey_tools.robustness.setting import Setting
from survey_tools.robustness.store import LIST
from survey_tools.study import Study
from survey_tools.text import read_stop_words

__all__ = ["describe_material", "gather_material"]


def gather_material(
    study: Study,
    result: StudyResult,
    own: Setting,
    targets: tuple[Target, ...],
    *,
    stop_words: Collection[str],
) -> Material:
    """Gather what runs on a survey need.

    Parameters
    ----------
    own : Setting
        The survey's own.
    targets : tuple of Target
        What is sought in every run.
    stop_words : collection of str
        Levels of that factor that runs will have besides the survey's own.

    Raises
    ------
    ParameterError
        If one of them is neither a list that is known nor a file of the survey folder.
    """
    corpus = study.corpus.sorted_by_key()
    settings = study.settings.robustness
    lists = {name: _read_list(name, study.folder) for name in sorted(stop_words)}
    lists[own.stop_words] = study.stop_words
    axes = {}
    if study.taxonomy is not None:
        filed = set(study.taxonomy.filed_keys)
        keys = [key for key in corpus.keys if key in filed]
        for axis in study.taxonomy.axes:
            classes = study.taxonomy.classes(axis.name, keys).as_mapping()
            number = {name: i for i, name in enumerate(sorted(set(classes.values())))}
            axes[axis.name] = np.array(
                [number[classes[key]] if key in classes else -1 for key in corpus.keys],
                dtype=np.intp,
            )
    # well below the papers of a subsample: where each is alone, nothing is ambiguous
    n_kept = round(settings.subsample_share * len(corpus))
    most = min(settings.most_clusters, len(corpus) - 1, max(2, n_kept // 2))
    material = Material(
        corpus=corpus,
        text=study.settings.text,
        stop_words=lists,
        own=own,
        reference=Reference.of_tree(result.tree, result.partition, targets),
        axes=axes,
        numbers=tuple(range(2, most + 1)),
        share=settings.subsample_share,
        seed=study.settings.seed,
        digest="",
    )
    digest = digest_of_data(describe_material(material))
    return replace(material, digest=digest)


def _read_list(name: str, folder: Path) -> frozenset[str]:
    if name not in ("none", "english") and not (folder / name).is_file():
        raise ParameterError(
            f"stop_words: {name!r} is neither none, english nor a file of {folder}; "
            f"{nearest(name, ('none', 'english'))}"
        )
    return read_stop_words(name, folder)


def describe_material(material: Material) -> dict[str, str]:
    """Say what outcomes depend on besides their runs, by digests that tell what has changed."""
    reference = material.reference
    merges = reference.tree.children.tolist(), reference.tree.heights.tolist()
    sought = reference.targets.tolist(), reference.homes.tolist(), reference.codes.tolist()
    return {
        "papers": material.corpus.digest,
        "text": digest_of_data(material.text.model_dump(mode="json")),
        **{
            f"{LIST} {name}": digest_of_data(sorted(words))
            for name, words in material.stop_words.items()
            if name not in ("none", "english")
        },
        "tree": digest_of_data([reference.tree.paper_keys, merges]),
        "names and clusters": digest_of_data(sought),
        "taxonomy": digest_of_data({name: codes.tolist() for name, codes in material.axes.items()}),
        "numbers of clusters": digest_of_data(material.numbers),
        "subsample_share": repr(material.share),
        "seed": str(material.seed),
        "survey-tools": __version__,
        **list_versions(("numpy", "scipy", "scikit-learn", "nltk", "numba")),
    }

"""A survey folder, or a file of papers -> Study: all that a run needs, read and checked."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from survey_tools.corpus import Corpus
from survey_tools.documents import parse_yaml, read_bytes
from survey_tools.errors import DataError
from survey_tools.formats.embeddings import read_embeddings
from survey_tools.formats.files import read_references
from survey_tools.formats.jsonl import parse_papers
from survey_tools.output import digest_of_file, sha256_of
from survey_tools.settings import SurveySettings
from survey_tools.subtrees import SubtreeFile, parse_subtrees
from survey_tools.taxonomy import Taxonomy, parse_taxonomy
from survey_tools.text import parse_stop_words, read_stop_words

__all__ = ["SETTINGS_FILE", "Study", "bundled_survey", "read_settings", "read_study"]

logger = logging.getLogger(__name__)

SETTINGS_FILE = "survey.yaml"
_WAYS_TO_CUT = tuple(
    f"clustering.cut.{way}"
    for way in ("n_clusters", "height", "inconsistency", "gap", "silhouette")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """A survey folder, read and checked.

    Attributes
    ----------
    overrides : mapping of str to Any
        Settings given besides ``survey.yaml``, by dotted name.
    taxonomy : Taxonomy or None
        It may file papers that the corpus lacks, where the settings say to leave them out.
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
        known = corpus if settings.crosscheck.unknown == "refuse" else None
        taxonomy = parse_taxonomy(parse_yaml(data, source=source), known)
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

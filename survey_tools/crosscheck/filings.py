"""Filings: how annotators, or surveys of the same papers, file papers in a taxonomy."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from survey_tools.corpus import Corpus
from survey_tools.documents import read_bytes, read_yaml
from survey_tools.errors import DataError, ParameterError, count
from survey_tools.formats.jsonl import parse_papers
from survey_tools.formats.references import bare_doi
from survey_tools.lint.identity import MatchedBy, differ_by_arxiv_id, match_papers
from survey_tools.lint.titles import find_near_titles
from survey_tools.paper import Paper
from survey_tools.settings import SurveySettings
from survey_tools.taxonomy import Taxonomy, read_taxonomy
from survey_tools.tex import title_key

__all__ = [
    "Filing",
    "join_keys",
    "list_inputs",
    "read_filing",
    "read_filings",
    "split_annotators",
]

_SETTINGS_FILE = "survey.yaml"
_SIGNS: tuple[MatchedBy, ...] = ("arxiv_id", "doi", "title")  # the surest first
_UNNAMED = "unnamed"  # who gave a label where neither the file nor the entry says so


@dataclass(frozen=True, slots=True, kw_only=True)
class Filing:
    """A taxonomy as one annotator (or one survey) filled it.

    Attributes
    ----------
    name : str
        Who filed, as tables name it.
    corpus : Corpus or None
        The papers that the taxonomy's keys are of, where known.
    """

    name: str
    taxonomy: Taxonomy
    corpus: Corpus | None


def read_filings(paths: Sequence[Path], *, papers: Sequence[Path] = ()) -> tuple[Filing, ...]:
    """Read what is to be compared: several taxonomies, or one with several annotators.

    Parameters
    ----------
    paths : sequence of Path
        Taxonomy files or survey folders (see `read_filing`). One alone is parted by its
        annotators; of several, each counts as a whole.
    papers : sequence of Path
        Papers of each taxonomy, or none at all.

    Raises
    ------
    DataError
        If a file is missing or wrong.
    ParameterError
        If there is one taxonomy by one annotator, or not as many papers as taxonomies.
    """
    if papers and len(papers) != len(paths):
        raise ParameterError(
            f"{count(len(paths), 'taxonomy').replace('taxonomys', 'taxonomies')} and "
            f"{count(len(papers), 'file')} of papers; give one for each taxonomy, or none"
        )
    given = papers or (None,) * len(paths)
    filings = [read_filing(path, papers=mine) for path, mine in zip(paths, given, strict=True)]
    if len(filings) != 1:
        return join_keys(filings)
    parts = split_annotators(filings[0])
    if len(parts) < 2:
        who = f"one annotator, {parts[0].name!r}" if parts else "no label"
        raise ParameterError(
            f"{paths[0]} holds {who}; give a second taxonomy, or name the annotator of each label "
            "as {label: …, annotator: …}"
        )
    return parts


def list_inputs(paths: Sequence[Path], papers: Sequence[Path] = ()) -> tuple[Path, ...]:
    """List the files that `read_filings` reads."""
    found: list[Path] = []
    for path in paths:
        if not path.is_dir():
            found.append(path)
            continue
        settings = _read_settings(path)
        names = (_SETTINGS_FILE, settings.papers, settings.taxonomy)
        found += [path / name for name in names if name is not None]
    return (*found, *papers)


def read_filing(path: Path, *, papers: Path | None = None) -> Filing:
    """Read a taxonomy file, or the taxonomy and the papers of a survey folder.

    Parameters
    ----------
    papers : Path, optional
        Papers (JSON lines) of a taxonomy file; a survey folder names its own.

    Raises
    ------
    DataError
        If a file is missing or wrong, or the folder names no taxonomy.
    ParameterError
        If papers are given for a folder.
    """
    if not path.is_dir():
        corpus = None if papers is None else parse_papers(read_bytes(papers), source=str(papers))
        return Filing(name=str(path), taxonomy=read_taxonomy(path, corpus), corpus=corpus)
    if papers is not None:
        raise ParameterError(
            f"{path} is a survey folder and names its own papers; leave out {papers}"
        )
    settings = _read_settings(path)
    if settings.taxonomy is None:
        raise DataError(
            f"{path / _SETTINGS_FILE}: names no taxonomy, so there is nothing to compare"
        )
    source = path / settings.papers
    corpus = parse_papers(read_bytes(source), source=str(source))
    known = corpus if settings.crosscheck.unknown == "refuse" else None
    taxonomy = read_taxonomy(path / settings.taxonomy, known)
    return Filing(name=str(path), taxonomy=taxonomy, corpus=corpus)


def _read_settings(folder: Path) -> SurveySettings:
    return read_yaml(folder / _SETTINGS_FILE).validate(SurveySettings)


def split_annotators(filing: Filing) -> tuple[Filing, ...]:
    """Part a filing by the annotators that its labels name, in the order they appear.

    An annotator has filed the papers on which at least one label is theirs; on the other
    axes of such a paper they gave none. A paper without any label counts as filed by the file's
    own annotator alone, so agreement on "no label at all" cannot be seen inside one file.
    """
    taxonomy = filing.taxonomy
    carried: dict[str, set[str]] = {}
    for assignment in taxonomy.assignments:
        carried.setdefault(assignment.annotator or _UNNAMED, set()).add(assignment.paper_key)
    labelled = set().union(*carried.values())
    if (owner := taxonomy.annotator or _UNNAMED) in carried:
        carried[owner].update(key for key in taxonomy.filed_keys if key not in labelled)
    return tuple(
        Filing(
            name=name,
            taxonomy=replace(
                taxonomy,
                filed_keys=tuple(key for key in taxonomy.filed_keys if key in keys),
                assignments=tuple(
                    a for a in taxonomy.assignments if (a.annotator or _UNNAMED) == name
                ),
            ),
            corpus=filing.corpus,
        )
        for name, keys in carried.items()
    )


def join_keys(filings: Sequence[Filing]) -> tuple[Filing, ...]:
    """Give the papers of all filings the keys of the first one that knows its papers.

    Papers are matched by arXiv id, else by DOI, else by title. A key is what a survey chose, and
    two surveys may have chosen one for two papers: it counts last, and only where arXiv ids,
    DOIs and titles do not speak against it; but of several papers with one id or title, the one
    of the same key counts. Each paper is matched once, by its surest sign. A paper that matches
    none keeps its key, with the name of the filing behind it if the key is another paper's.
    Without papers, or without this one, a filing is known by its keys alone, which are taken for
    those of the first.
    """
    base = next((filing.corpus for filing in filings if filing.corpus is not None), None)
    if base is None:
        return tuple(filings)
    return tuple(
        filing if filing.corpus in (None, base) else _with_keys_of(base, filing, filing.corpus)
        for filing in filings
    )


def _with_keys_of(base: Corpus, filing: Filing, corpus: Corpus | None) -> Filing:
    assert corpus is not None
    filed = Corpus(
        tuple(
            corpus[key] if key in corpus else Paper(key=key) for key in filing.taxonomy.filed_keys
        )
    )
    key_of = _match(filed, base)
    taken = {*base.keys, *key_of.values()}
    for key in filed.keys:
        key_of.setdefault(key, f"{key} ({filing.name})" if key in taken else key)
    taxonomy = replace(
        filing.taxonomy,
        filed_keys=tuple(key_of[key] for key in filed.keys),
        assignments=tuple(
            replace(assignment, paper_key=key_of[assignment.paper_key])
            for assignment in filing.taxonomy.assignments
        ),
    )
    renamed = Corpus(tuple(replace(paper, key=key_of[paper.key]) for paper in filed))
    return Filing(name=filing.name, taxonomy=taxonomy, corpus=renamed)


def _match(theirs: Corpus, ours: Corpus) -> dict[str, str]:
    """Pair the papers of two surveys, each once: their key -> our key."""
    key_of: dict[str, str] = {}
    free = {paper.key: paper for paper in ours}

    def pair(their_key: str, our_key: str) -> None:
        if their_key not in key_of and our_key in free:
            key_of[their_key] = our_key
            del free[our_key]

    for sign in _SIGNS:
        for paper in theirs:
            if paper.key not in key_of and paper.key in free:
                for match in match_papers([paper], Corpus((free[paper.key],)), by=(sign,)):
                    pair(match.arrived_key, match.paper_key)
        waiting = [paper for paper in theirs if paper.key not in key_of]
        for match in match_papers(waiting, Corpus(tuple(free.values())), by=(sign,)):
            pair(match.arrived_key, match.paper_key)
    for paper in theirs:
        if paper.key in free and not _contradict(paper, free[paper.key]):
            pair(paper.key, paper.key)
    return key_of


def _contradict(a: Paper, b: Paper) -> bool:
    """Tell whether arXiv ids, DOIs or titles say that two papers are not one.

    A DOI of arXiv contradicts no other one: a preprint has both.
    """
    dois = {bare_doi(paper) for paper in (a, b)} - {""}
    titles = {title_key(paper.title) for paper in (a, b)} - {""}
    if differ_by_arxiv_id(a, b) or len(dois) > 1:
        return True
    return len(titles) > 1 and not find_near_titles([a.title], [b.title])

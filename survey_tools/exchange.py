"""References of others -> a survey: the same paper is known again, nothing of ours is lost.

A preprint and its published version are one paper. Fields that ours lacks are filled; fields
that ours has are never overwritten, and where the other says something else it is named.
"""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from survey_tools.corpus import Corpus
from survey_tools.documents import read_bytes, read_yaml
from survey_tools.errors import DataError, OutputError
from survey_tools.formats.files import read_references, replace_file, write_references
from survey_tools.formats.jsonl import parse_papers, serialise_papers, update_papers
from survey_tools.formats.references import KeyRing, Problem
from survey_tools.formats.venues import is_preprint_venue
from survey_tools.paper import Paper
from survey_tools.settings import SurveySettings
from survey_tools.tex import title_key

__all__ = [
    "Conflict",
    "ImportReport",
    "LeftApart",
    "Match",
    "MatchedBy",
    "MergeReport",
    "export_survey",
    "import_references",
    "merge_references",
]

MatchedBy = Literal["key", "arxiv_id", "doi", "title"]

_Index = dict[str, dict[str, None]]  # what identifies a paper -> keys, in order
_SETTINGS_FILE = "survey.yaml"
_FIELDS = tuple(name for name in Paper.__dataclass_fields__ if name != "key")
_N_YEARS = 2  # a preprint and its published version lie so far apart at most
_N_DEFAULT_CLUSTERS = 10  # of SurveySettings; fewer papers cannot be cut into so many


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """An arrived paper that is one of ours, or of those that arrived before it."""

    arrived_key: str
    paper_key: str
    matched_by: MatchedBy


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """A field that both have and that differs; ours is kept."""

    paper_key: str
    field: str
    ours: str
    theirs: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftApart:
    """Two papers that look like one and are kept as two, and why; a person should look."""

    arrived_key: str
    paper_key: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeReport:
    """What became of arrived papers.

    Attributes
    ----------
    corpus : Corpus
        Our papers in their order, then those added.
    added : tuple of str
        Keys of the papers that we lacked.
    filled : mapping of str to tuple of str
        Fields that were filled, by the key of our paper.
    unchanged : tuple of str
        Keys of our papers that arrived and brought nothing new.
    conflicts : tuple of Conflict
    renamed : tuple of (str, str)
        Arrived key, which another paper had already, and the key it was given.
    matches : tuple of Match
        Every arrived paper that was no new one.
    left_apart : tuple of LeftApart
    """

    corpus: Corpus
    added: tuple[str, ...]
    filled: Mapping[str, tuple[str, ...]]
    unchanged: tuple[str, ...]
    conflicts: tuple[Conflict, ...]
    renamed: tuple[tuple[str, str], ...]
    matches: tuple[Match, ...]
    left_apart: tuple[LeftApart, ...]

    @property
    def matched_by(self) -> Mapping[str, MatchedBy]:
        """By what each paper was known again first, by its key in the corpus."""
        found: dict[str, MatchedBy] = {}
        for match in self.matches:
            found.setdefault(match.paper_key, match.matched_by)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """What an import read and wrote.

    Attributes
    ----------
    papers_path : Path
        The survey's file of papers.
    written : tuple of Path
        Files that were created or changed.
    n_read : mapping of Path to int
        Papers in each file that was read.
    problems : tuple of Problem
        What could not be used, by file and line.
    merge : MergeReport
    """

    papers_path: Path
    written: tuple[Path, ...]
    n_read: Mapping[Path, int]
    problems: tuple[Problem, ...]
    merge: MergeReport


def merge_references(ours: Corpus | None, arrived: Sequence[Paper]) -> MergeReport:
    """Merge papers from elsewhere into a corpus.

    Two papers are one if they share the arXiv id (without version), else the DOI, else the
    title (see `title_key`; blanks do not count) where the years lie at most two apart and
    neither arXiv ids, DOIs nor authors speak against it. An equal key alone says little,
    because keys are made by rule: it counts where nothing speaks against it and the titles
    differ by a subtitle at most. Otherwise the arrived paper gets the next free key.

    A venue that is only arXiv counts as missing. Papers that arrive twice are merged too.
    """
    merger = _Merger(ours)
    for paper in arrived:
        merger.take(paper)
    return merger.report()


class _Merger:
    """The papers so far, and where each can be found by what identifies it."""

    def __init__(self, ours: Corpus | None) -> None:
        self.papers: dict[str, Paper] = {}
        self.n_ours = 0 if ours is None else len(ours)
        self.ring = KeyRing(() if ours is None else ours.keys)
        self.by_arxiv: _Index = {}
        self.by_doi: _Index = {}
        self.by_title: _Index = {}
        self.filled: dict[str, tuple[str, ...]] = {}
        self.conflicts: dict[Conflict, None] = {}
        self.renamed: list[tuple[str, str]] = []
        self.matches: list[Match] = []
        self.left_apart: dict[LeftApart, None] = {}
        for paper in ours or ():
            self._keep(paper)

    def _keep(self, paper: Paper) -> None:
        """Note a paper, new or changed."""
        self.papers[paper.key] = paper
        for index, value in (
            (self.by_arxiv, paper.arxiv_base_id),
            (self.by_doi, _bare_doi(paper)),
            (self.by_title, _bare_title(paper)),
        ):
            if value:
                index.setdefault(value, {})[paper.key] = None

    def take(self, paper: Paper) -> None:
        """Add an arrived paper or fill the one that it is."""
        found = self._find(paper)
        if found is None:
            is_taken = paper.key in self.ring
            key = self.ring.claim(paper.key)
            if is_taken:
                self.renamed.append((paper.key, key))
            self._keep(replace(paper, key=key))
            return
        key, matched_by = found
        if key == paper.key:
            matched_by = "key"
        self.matches.append(Match(arrived_key=paper.key, paper_key=key, matched_by=matched_by))
        self._fill(self.papers[key], paper)

    def _find(self, paper: Paper) -> tuple[str, MatchedBy] | None:
        for key in _first(paper.key, self.by_arxiv.get(paper.arxiv_base_id or "", ())):
            return key, "arxiv_id"
        for key in _first(paper.key, self.by_doi.get(_bare_doi(paper), ())):
            if not (reason := _differ_by_arxiv_id(self.papers[key], paper)):
                return key, "doi"
            self._leave_apart(paper, key, f"equal DOIs, but {reason}")
        for key in _first(paper.key, self.by_title.get(_bare_title(paper), ())):
            if not (reason := _speak_against(self.papers[key], paper)):
                return key, "title"
            self._leave_apart(paper, key, f"equal titles, but {reason}")
        if (ours := self.papers.get(paper.key)) is not None and _differ_by_subtitle(ours, paper):
            if not (reason := _speak_against(ours, paper)):
                return paper.key, "key"
            self._leave_apart(paper, paper.key, f"equal keys and much the same title, but {reason}")
        return None

    def _leave_apart(self, paper: Paper, key: str, reason: str) -> None:
        apart = LeftApart(arrived_key=paper.key, paper_key=key, reason=reason)
        self.left_apart.setdefault(apart)

    def _fill(self, ours: Paper, theirs: Paper) -> None:
        changes: dict[str, object] = {}
        for name in _FIELDS:
            mine, other = getattr(ours, name), getattr(theirs, name)
            if _is_missing(name, other) or _are_alike(name, mine, other):
                continue
            if not _is_missing(name, mine):
                conflict = Conflict(
                    paper_key=ours.key, field=name, ours=_show(mine), theirs=_show(other)
                )
                self.conflicts.setdefault(conflict)
            elif owner := self._owner(name, other, ours.key):
                # ours may hold the paper twice; no two papers may get one id
                self._leave_apart(theirs, owner, f"its {name} {other} arrived for {ours.key!r}")
            else:
                changes[name] = other
        if not changes:
            return
        self._keep(replace(ours, **changes))  # type: ignore[arg-type]  # names and values are of Paper
        before = self.filled.get(ours.key, ())
        self.filled[ours.key] = tuple(sorted({*before, *changes}, key=_FIELDS.index))

    def _owner(self, name: str, value: str, key: str) -> str | None:
        """Return another paper that has an id already."""
        if name == "doi":
            owners = self.by_doi.get(value.casefold(), {})
        elif name == "arxiv_id":
            owners = self.by_arxiv.get(Paper(key=key, arxiv_id=value).arxiv_base_id or "", {})
        else:
            return None
        return next((owner for owner in owners if owner != key), None)

    def report(self) -> MergeReport:
        keys = tuple(self.papers)
        ours, added = frozenset(keys[: self.n_ours]), keys[self.n_ours :]
        filled = {key: names for key, names in self.filled.items() if key in ours}
        known = dict.fromkeys(match.paper_key for match in self.matches)
        return MergeReport(
            corpus=Corpus(tuple(self.papers.values())),
            added=added,
            filled=filled,
            unchanged=tuple(key for key in known if key in ours and key not in filled),
            conflicts=tuple(self.conflicts),
            renamed=tuple(self.renamed),
            matches=tuple(self.matches),
            left_apart=tuple(self.left_apart),
        )


def _first(key: str, keys: Collection[str]) -> Iterator[str]:
    """Iterate keys, a given one first if it is among them: it is the likeliest."""
    if key in keys:
        yield key
    yield from (other for other in keys if other != key)


def _bare_doi(paper: Paper) -> str:
    return (paper.doi or "").casefold()


def _bare_title(paper: Paper) -> str:
    """Reduce a title to its letters and digits: "pre-training" is "pretraining"."""
    return title_key(paper.title).replace(" ", "")


def _differ_by_arxiv_id(ours: Paper, theirs: Paper) -> str:
    """Say how arXiv ids speak against two papers being one; empty text if they do not."""
    mine, other = ours.arxiv_base_id, theirs.arxiv_base_id
    return f"arXiv ids {mine} and {other} differ" if mine and other and mine != other else ""


def _speak_against(ours: Paper, theirs: Paper) -> str:
    """Say what speaks against two papers with alike titles being one; empty text if nothing."""
    if reason := _differ_by_arxiv_id(ours, theirs):
        return reason
    if ours.doi and theirs.doi and ours.doi.casefold() != theirs.doi.casefold():
        return f"DOIs {ours.doi} and {theirs.doi} differ"
    if ours.year and theirs.year and abs(ours.year - theirs.year) > _N_YEARS:
        return f"years {ours.year} and {theirs.year} lie more than {_N_YEARS} apart"
    mine, others = _name_words(ours), _name_words(theirs)
    if mine and others and mine.isdisjoint(others):
        return "they have no author in common"
    return ""


def _name_words(paper: Paper) -> set[str]:
    """Collect the words of all names but initials; the order of a name does not matter."""
    return {word for name in paper.authors for word in title_key(name).split() if len(word) > 1}


def _differ_by_subtitle(ours: Paper, theirs: Paper) -> bool:
    """Tell whether two titles are equal but for a subtitle that only one has, or one is missing."""
    titles = [paper.title.strip() for paper in (ours, theirs)]
    if not all(titles):
        return True
    parts = [title.partition(":") for title in titles]
    heads = [title_key(head) for head, _, _ in parts]
    has_one_subtitle = bool(parts[0][2]) != bool(parts[1][2])
    return heads[0] == heads[1] != "" and has_one_subtitle


def _is_missing(name: str, value: object) -> bool:
    if value is None or value == () or (isinstance(value, str) and not value.strip()):
        return True
    return name == "venue" and isinstance(value, str) and is_preprint_venue(value)


def _are_alike(name: str, ours: object, theirs: object) -> bool:
    """Tell whether two values say the same: case, accents and punctuation do not matter."""
    if ours == theirs:
        return True
    if name == "authors" and isinstance(ours, tuple) and isinstance(theirs, tuple):
        return [title_key(author) for author in ours] == [title_key(author) for author in theirs]
    if not isinstance(ours, str) or not isinstance(theirs, str):
        return False
    match name:
        case "title" | "venue":
            return title_key(ours).replace(" ", "") == title_key(theirs).replace(" ", "")
        case "abstract" | "digest":
            return ours.split() == theirs.split()
        case "arxiv_id":
            base = [Paper(key="", arxiv_id=value).arxiv_base_id for value in (ours, theirs)]
            return base[0] == base[1]
        case "url" | "code_url":
            return _bare_link(ours) == _bare_link(theirs)
    return ours.casefold() == theirs.casefold()


def _bare_link(url: str) -> str:
    bare = url.strip().partition("://")[2] or url.strip()
    return bare.removeprefix("www.").rstrip("/").removesuffix(".git")


def _show(value: object) -> str:
    return "; ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def import_references(folder: Path, files: Sequence[Path]) -> ImportReport:
    """Read files of references and merge their papers into a survey folder.

    They go into the file that ``survey.yaml`` names under ``papers``. Lines of papers that do
    not change stay byte for byte; new papers are appended. A folder that is no survey yet
    becomes one, with a ``survey.yaml`` that has a title and nothing else to know. Nothing is
    written if a file cannot be read, if nothing is new, or if there is no paper at all.

    Raises
    ------
    DataError
        If a file of references is unreadable as a whole, or the survey's own files are wrong.
    OutputError
        If the survey cannot be written.
    """
    results = {path: read_references(path) for path in files}
    settings_path = folder / _SETTINGS_FILE
    if folder.exists() and not folder.is_dir():
        raise DataError(f"{folder}: is a file; a survey is a folder with {_SETTINGS_FILE}")
    is_survey = settings_path.exists()
    papers_path = folder / (
        read_yaml(settings_path).validate(SurveySettings).papers if is_survey else "papers.jsonl"
    )
    data = read_bytes(papers_path) if papers_path.exists() else b""
    ours = parse_papers(data, source=str(papers_path)) if data.strip() else None
    arrived = [paper for result in results.values() for paper in result.papers]
    merge = merge_references(ours, arrived)
    written: list[Path] = []
    if merge.added or merge.filled:
        _make_folder(folder)
        replace_file(papers_path, _update(data, merge))
        written.append(papers_path)
        if not is_survey:
            replace_file(settings_path, _write_settings(folder, len(merge.corpus)))
            written.append(settings_path)
    return ImportReport(
        papers_path=papers_path,
        written=tuple(written),
        n_read={path: len(result.papers) for path, result in results.items()},
        problems=tuple(problem for result in results.values() for problem in result.problems),
        merge=merge,
    )


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be made ({error.strerror or error})") from None


def _update(data: bytes, merge: MergeReport) -> bytes:
    """Rewrite the lines of filled papers and append the new ones."""
    if merge.filled:
        data = update_papers(data, {key: merge.corpus[key] for key in merge.filled})
    if data and not data.endswith(b"\n"):
        data += b"\n"
    return data + serialise_papers(merge.corpus.select(merge.added))


def _write_settings(folder: Path, n_papers: int) -> bytes:
    name = folder.resolve().name
    title = "".join(sign if sign.isprintable() else " " for sign in name).strip() or "Survey"
    lines = [f"title: {json.dumps(title, ensure_ascii=False)}", "papers: papers.jsonl"]
    if n_papers < _N_DEFAULT_CLUSTERS:
        lines += ["clustering:", "  cut:", f"    n_clusters: {max(1, n_papers // 2)}"]
    return "".join(f"{line}\n" for line in lines).encode()


def export_survey(folder: Path, path: Path) -> Corpus:
    """Write a survey's papers, sorted by key, to a file of any format (`write_references`).

    Raises
    ------
    DataError
        If the survey's own files are missing or wrong.
    OutputError
        If the file cannot be written, or is the survey's own file of papers.

    Returns
    -------
    Corpus
        What was written.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; a survey is a folder with {_SETTINGS_FILE}")
    settings = read_yaml(folder / _SETTINGS_FILE).validate(SurveySettings)
    papers_path = folder / settings.papers
    corpus = parse_papers(read_bytes(papers_path), source=str(papers_path)).sorted_by_key()
    if path.exists() and path.samefile(papers_path):
        raise OutputError(f"{path}: is the survey's own file of papers; name another one")
    write_references(corpus, path)
    return corpus

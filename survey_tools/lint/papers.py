"""Rules about papers: filed or not, labelled or not, once or twice, with evidence or without."""

from collections.abc import Callable, Iterator
from itertools import pairwise

from rapidfuzz import fuzz, process

from survey_tools.corpus import Corpus
from survey_tools.documents import YamlDocument
from survey_tools.errors import count
from survey_tools.formats.references import bare_doi
from survey_tools.lint.finding import Finding, find, line_of
from survey_tools.lint.identity import differ_by_arxiv_id
from survey_tools.lint.titles import find_near_titles
from survey_tools.paper import Paper
from survey_tools.taxonomy import Taxonomy

__all__ = ["check_papers"]

_LEAST_ALIKE = 60.0  # per cent, of keys of which one may be meant; as in `nearest`


def check_papers(document: YamlDocument, taxonomy: Taxonomy, corpus: Corpus) -> Iterator[Finding]:
    """Find papers that are unknown, not filed, without label or evidence, or there twice."""
    yield from _check_filing(document, taxonomy, corpus)
    yield from _check_titles(document, corpus)
    for name, sign in _IDS.items():
        yield from _check_ids(document, corpus, name, sign)
    yield from _check_evidence(document, taxonomy)


def _at(document: YamlDocument, key: str, code: str, message: str, hint: str) -> Finding:
    return find(code, document.source, line_of(document, "papers", key), message, hint)


def _check_filing(document: YamlDocument, taxonomy: Taxonomy, corpus: Corpus) -> Iterator[Finding]:
    filed = frozenset(taxonomy.filed_keys)
    free = [key for key in corpus.keys if key not in filed]  # what a misspelt key may mean
    labelled = {assignment.paper_key for assignment in taxonomy.assignments}
    for key in taxonomy.filed_keys:
        if key not in corpus:
            hint = "remove the entry, or add the paper to the survey"
            if close := process.extractOne(key, free, scorer=fuzz.ratio, score_cutoff=_LEAST_ALIKE):
                hint = f"did you mean {close[0]!r}, which is not filed?"
            yield _at(document, key, "T101", f"the survey holds no paper {key!r}", hint)
        if key not in labelled:
            message = f"{key!r} has no label on any axis"
            yield _at(document, key, "T103", message, "give it a label, if one fits")
    for key in free:
        message = f"{key!r} is a paper of the survey and not filed"
        yield _at(document, key, "T102", message, f'file it under papers; "{key}: {{}}" for none')


def _check_titles(document: YamlDocument, corpus: Corpus) -> Iterator[Finding]:
    papers = corpus.papers
    for pair in find_near_titles([paper.title for paper in papers]):
        first, second = papers[pair.first], papers[pair.second]
        if differ_by_arxiv_id(first, second):
            continue
        line = line_of(document, "papers", first.key)
        message = (
            f"titles of {first.key!r} and {second.key!r} are {_alike(pair.ratio)}: {second.title!r}"
        )
        hint = f"if they are one paper, keep one; {first.key!r} stands on line {line}"
        yield _at(document, second.key, "T104", message, hint)


def _alike(ratio: float) -> str:
    return "equal" if ratio >= 100.0 else f"{ratio:.0f} % alike"


_IDS: dict[str, Callable[[Paper], str]] = {
    "arXiv id": lambda paper: paper.arxiv_base_id or "",
    "DOI": bare_doi,
}


def _check_ids(
    document: YamlDocument, corpus: Corpus, name: str, sign: Callable[[Paper], str]
) -> Iterator[Finding]:
    owners: dict[str, list[str]] = {}
    for paper in corpus:
        if value := sign(paper):
            owners.setdefault(value, []).append(paper.key)
    for value, keys in owners.items():
        for first, second in pairwise(keys):
            line = line_of(document, "papers", first)
            message = f"{first!r} and {second!r} have one {name}, {value}"
            hint = f"keep one of them or correct the {name}; {first!r} stands on line {line}"
            yield _at(document, second, "T105", message, hint)


def _check_evidence(document: YamlDocument, taxonomy: Taxonomy) -> Iterator[Finding]:
    """Find labels without evidence; where no label of the file has any, it is not expected."""
    if not any(assignment.evidence.strip() for assignment in taxonomy.assignments):
        return
    lacking: dict[str, list[str]] = {}
    for assignment in taxonomy.assignments:
        if not assignment.evidence.strip():
            lacking.setdefault(assignment.paper_key, []).append(assignment.label)
    for key, labels in lacking.items():
        message = f"{key!r} has {count(len(labels), 'label')} without evidence: {', '.join(labels)}"
        yield _at(document, key, "T106", message, "write {label: …, evidence: …}, as others do")

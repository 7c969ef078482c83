"""Rules about a companion list: papers and cells that it has otherwise than the taxonomy."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from survey_tools.corpus import Corpus
from survey_tools.documents import YamlDocument
from survey_tools.errors import count
from survey_tools.formats.markdown import AwesomeList
from survey_tools.lint.cell_names import CellNames
from survey_tools.lint.finding import Finding, find, line_of
from survey_tools.lint.identity import match_papers
from survey_tools.paper import Paper
from survey_tools.taxonomy import Taxonomy

__all__ = ["check_companion"]

_NO_HEADING = "(no heading)"
_FILE_ALIKE = "file the papers alike on both sides"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """An entry of the list: where it stands, and which paper of the survey it is, if any."""

    line: int
    paper: Paper
    heading: str
    cell: str | None
    paper_key: str | None


def check_companion(
    document: YamlDocument,
    taxonomy: Taxonomy,
    corpus: Corpus,
    companion: AwesomeList,
    *,
    source: str,
) -> Iterator[Finding]:
    """Compare an awesome list (a README, say) with the taxonomy, paper by paper.

    Entries are matched by arXiv id, DOI, URL, title, and nearly equal titles
    (`match_papers`); their headings with the combined cells (`CellNames`). A heading that names
    no cell but holds mainly papers of one cell is taken for another name of it.

    Parameters
    ----------
    source : str
        The list, as messages name it.
    """
    entries = _read_entries(taxonomy, corpus, companion)
    comparison = _Comparison(document, taxonomy, corpus, entries, source)
    yield from comparison.check_papers()
    yield from comparison.check_cells()
    yield from comparison.check_places()
    for problem in companion.problems:
        line, hint = problem.line or 1, "give it a title and a link to the paper, or leave it"
        yield find("T407", source, line, problem.sentence, hint)


def _read_entries(taxonomy: Taxonomy, corpus: Corpus, companion: AwesomeList) -> list[_Entry]:
    names = CellNames(taxonomy)
    key_of = {m.arrived_key: m.paper_key for m in match_papers(companion.papers, corpus)}
    entries = []
    for paper in companion.papers:
        place = names.place(companion.labels[paper.key])
        entries.append(
            _Entry(
                line=companion.lines[paper.key],
                paper=paper,
                heading=place.heading or _NO_HEADING,
                cell=place.cell,
                paper_key=key_of.get(paper.key),
            )
        )
    return entries


class _Comparison:
    """A list and a taxonomy, with what several rules ask of them."""

    def __init__(
        self,
        document: YamlDocument,
        taxonomy: Taxonomy,
        corpus: Corpus,
        entries: list[_Entry],
        source: str,
    ) -> None:
        self.document = document
        self.corpus = corpus
        self.entries = entries
        self.source = source
        self.cell_of = taxonomy.cells().as_mapping()
        self.title_of = taxonomy.cell_titles()
        self.entries_of: dict[str, list[_Entry]] = {}
        for entry in entries:
            if entry.paper_key is not None:
                self.entries_of.setdefault(entry.paper_key, []).append(entry)
        self.renamed = self._find_renamed()

    def _find_renamed(self) -> Mapping[str, str]:
        """Find headings that name no cell and hold mainly papers of one cell: heading -> cell."""
        taken = {entry.cell for entry in self.entries}
        inside = {
            heading: Counter(
                self.cell_of[entry.paper_key]
                for entry in self.entries
                if entry.heading == heading and entry.paper_key in self.cell_of
            )
            for heading in self._unknown_headings()
        }
        renamed: dict[str, str] = {}
        for heading, counts in sorted(inside.items(), key=lambda item: -item[1].total()):
            for cell, n_papers in counts.most_common(1):
                if cell not in taken and 2 * n_papers > counts.total():
                    renamed[heading] = cell
                    taken.add(cell)
        return renamed

    def _unknown_headings(self) -> list[str]:
        return [*dict.fromkeys(e.heading for e in self.entries if e.cell is None)]

    def _in_list(self, line: int, code: str, message: str, hint: str) -> Finding:
        return find(code, self.source, line, message, hint)

    def _in_taxonomy(self, key: str, code: str, message: str, hint: str) -> Finding:
        line = line_of(self.document, "papers", key)
        return find(code, self.document.source, line, message, hint)

    def check_papers(self) -> Iterator[Finding]:
        """Find papers that one side lacks, and papers that the list holds twice."""
        for entry in self.entries:
            place = f"under {entry.heading!r}"
            if entry.paper_key is None:
                message = f"{entry.paper.title!r}, {place}, is no paper of the survey"
                hint = "add the paper to the survey, or correct title and link in the list"
                yield self._in_list(entry.line, "T401", message, hint)
            elif entry.paper_key not in self.cell_of:
                message = f"{entry.paper_key!r}, {place}, is not filed in the taxonomy"
                hint = f"file it in {self.document.source}"
                yield self._in_list(entry.line, "T401", message, hint)
        for key in self.cell_of:
            if key in self.corpus and key not in self.entries_of:
                message = f"{key!r} is not in {self.source}: {self.corpus[key].title!r}"
                yield self._in_taxonomy(key, "T402", message, "add it to the list")
        for key, (first, *others) in self.entries_of.items():
            for entry in others:
                message = f"{key!r} stands twice, under {first.heading!r} and {entry.heading!r}"
                hint = f"keep one; the first stands on line {first.line}"
                yield self._in_list(entry.line, "T406", message, hint)

    def check_cells(self) -> Iterator[Finding]:
        """Find headings that name no cell, cells that no heading names, and count both."""
        for heading in self._unknown_headings():
            mine = [entry for entry in self.entries if entry.heading == heading]
            counts = Counter(self.cell_of[e.paper_key] for e in mine if e.paper_key in self.cell_of)
            message = f"heading {heading!r} names no cell of the taxonomy"
            if counts:
                shown = ", ".join(f"{self.title_of[c]!r} ({n})" for c, n in counts.most_common())
                message += f"; its papers are filed in {shown}"
            hint = "rename one of the two" if heading in self.renamed else _FILE_ALIKE
            yield self._in_list(mine[0].line, "T403", message, hint)
        named = {entry.cell for entry in self.entries} | {*self.renamed.values()}
        first_of: dict[str, str] = {}
        for key, cell in self.cell_of.items():
            first_of.setdefault(cell, key)
        for cell, key in first_of.items():
            if cell not in named:
                n_papers = count(sum(c == cell for c in self.cell_of.values()), "paper")
                message = f"no heading of {self.source} names {self.title_of[cell]!r} ({n_papers})"
                yield self._in_taxonomy(key, "T403", message, _FILE_ALIKE)
        n_headings = len({entry.cell or entry.heading for entry in self.entries})
        if n_headings != len(first_of):
            message = (
                f"{count(n_headings, 'cell')} in {self.source}, {len(first_of)} in the taxonomy"
            )
            line = line_of(self.document, "papers")
            hint = "the findings T403 name the cells that one side lacks"
            yield find("T405", self.document.source, line, message, hint)

    def check_places(self) -> Iterator[Finding]:
        """Find papers that the list files under the name of another cell."""
        for key, entries in self.entries_of.items():
            cells = {entry.cell or self.renamed.get(entry.heading) for entry in entries}
            if key not in self.cell_of or None in cells or self.cell_of[key] in cells:
                continue
            message = (
                f"{key!r} is filed in {self.title_of[self.cell_of[key]]!r}; {self.source} has it "
                f"under {entries[0].heading!r}"
            )
            hint = f"correct the side that is wrong; see {self.source}:{entries[0].line}"
            yield self._in_taxonomy(key, "T404", message, hint)

r"""Invented papers as arXiv would hold them: the truth that a harvest must reproduce.

`TruePaper` is what is so; its properties are the ways in which arXiv's services write it down:
Unicode on one line (Atom), Unicode in the submitter's lines (OAI-PMH ``arXiv``), TeX in the
submitter's lines (OAI-PMH ``arXivRaw``, the bulk snapshot). Nothing here imports survey_tools,
so that no error of the code under test can hide in it.
"""

import gzip
import json
import unicodedata
import zipfile
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from random import Random
from typing import Literal, NamedTuple
from zlib import crc32

EARLIEST = date(2005, 9, 16)  # no record of arXiv's OAI-PMH server is older
NEW_IDS_SINCE = datetime(2007, 4, 1, tzinfo=UTC)
LICENSES = (
    "http://arxiv.org/licenses/nonexclusive-distrib/1.0/",
    "http://creativecommons.org/licenses/by/4.0/",
)
ALIASES = {
    "math.NA": "cs.NA",
    "cs.NA": "math.NA",
    "cs.IT": "math.IT",
    "math.IT": "cs.IT",
    "math-ph": "math.MP",
    "math.MP": "math-ph",
}
_WIDTH = 78


class TrueVersion(NamedTuple):
    """One version: its number from 1, when it was submitted (UTC), whether it withdraws."""

    number: int
    submitted: datetime
    withdrawn: bool


class AuthorName(NamedTuple):
    """A name as OAI-PMH's ``arXiv`` format takes it apart."""

    keyname: str
    forenames: str
    suffix: str


@dataclass(frozen=True, kw_only=True)
class TruePaper:
    """One paper, its text in Unicode with single blanks.

    Attributes
    ----------
    arxiv_id : str
        Without version; ``hep-th/9901001`` or ``2501.00042``.
    versions : tuple of TrueVersion
        Ascending.
    title, abstract : str
    authors : tuple of str
        Names in printed order.
    categories : tuple of str
        The primary category first.
    datestamp : date
        Day of the last modification of the record.
    comment, journal_ref, doi, report_no, license : str or None
        ``doi`` may hold several, separated by a blank.
    affiliations : tuple of (str or None)
        One an author, or empty.
    """

    arxiv_id: str
    versions: tuple[TrueVersion, ...]
    title: str
    abstract: str
    authors: tuple[str, ...]
    categories: tuple[str, ...]
    datestamp: date
    comment: str | None = None
    journal_ref: str | None = None
    doi: str | None = None
    report_no: str | None = None
    license: str | None = LICENSES[0]
    affiliations: tuple[str | None, ...] = ()

    @property
    def withdrawn(self) -> bool:
        """Whether the current version withdraws the paper."""
        return self.versions[-1].withdrawn

    @property
    def submitter(self) -> str:
        """Who sent it in: the first author."""
        return encode_tex(self.authors[0], self._style)

    @property
    def summary(self) -> str:
        r"""Abstract as Atom has it: paragraphs begin with ``\n  ``, some keep leading blanks."""
        lead = "  " if self._style % 5 == 0 else ""
        return lead + "\n  ".join(self._paragraphs)

    @property
    def wrapped_title(self) -> str:
        """Title in Unicode, in the submitter's lines."""
        return "\n  ".join(wrap(self.title))

    @property
    def wrapped_abstract(self) -> str:
        """Abstract in Unicode, in the submitter's lines, with leading blanks and a line end."""
        return wrap_abstract(self._paragraphs)

    @property
    def raw_title(self) -> str:
        """Title in TeX, in the submitter's lines."""
        return "\n  ".join(wrap(encode_tex(self.title, self._style)))

    @property
    def raw_abstract(self) -> str:
        """Abstract in TeX, in the submitter's lines, with leading blanks and a line end."""
        return wrap_abstract([encode_tex(part, self._style) for part in self._paragraphs])

    @property
    def raw_authors(self) -> str:
        """Author line in TeX: ``A (Nowhere University), B and C``."""
        names = [encode_tex(name, self._style) for name in self.authors]
        known = [place for place in self.affiliations if place]
        if len(known) > 1 and self._style % 2:  # (1), (2) behind the names, explained at the end
            numbers = {place: n for n, place in enumerate(dict.fromkeys(known), start=1)}
            for i, place in enumerate(self.affiliations):
                if place:
                    names[i] += f" ({numbers[place]})"
            key = ", ".join(f"({n}) {encode_tex(place, 0)}" for place, n in numbers.items())
            return "\n  ".join(wrap(f"{_join(names, self._style)} ({key})"))
        for i, place in enumerate(self.affiliations):
            if place:
                names[i] += f" ({encode_tex(place, 0)})"
        return "\n  ".join(wrap(_join(names, self._style)))

    @property
    def raw_comment(self) -> str | None:
        """Comment in TeX."""
        return None if self.comment is None else encode_tex(self.comment, self._style)

    @property
    def _style(self) -> int:
        """Number that decides among equally right spellings."""
        return crc32(self.arxiv_id.encode())

    @property
    def _paragraphs(self) -> list[str]:
        """One abstract in six has two paragraphs."""
        end = self.abstract.find(". ", len(self.abstract) // 2)
        if self._style % 6 or end < 0:
            return [self.abstract]
        return [self.abstract[: end + 1], self.abstract[end + 2 :]]


def _join(names: list[str], style: int) -> str:
    if len(names) == 1:
        return names[0]
    if style % 7 == 0:
        return ", ".join(names)
    return ", ".join(names[:-1]) + (", and " if style % 7 == 1 else " and ") + names[-1]


def split_name(name: str) -> AuthorName:
    """Take a name apart: ``Ludo van der Bok Jr`` -> ``van der Bok``, ``Ludo``, ``Jr``."""
    if name.endswith(" Collaboration"):
        return AuthorName(name, "", "")
    words = name.split()
    suffix = words.pop() if words[-1] in ("Jr", "III") else ""
    first = len(words) - 1
    while first > 1 and words[first - 1].islower():
        first -= 1
    return AuthorName(" ".join(words[first:]), " ".join(words[:first]), suffix)


def wrap(text: str, width: int = _WIDTH) -> list[str]:
    """Break a text at blanks into lines of at most ``width`` characters."""
    lines: list[str] = []
    line = ""
    for word in text.split(" "):
        if line and len(line) + 1 + len(word) > width:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}" if line else word
    return [*lines, line]


def wrap_abstract(paragraphs: Iterable[str]) -> str:
    """Write paragraphs as arXiv stores an abstract: blanks, lines, a line end."""
    return "  " + "\n  ".join("\n".join(wrap(part)) for part in paragraphs) + "\n"


_ACCENTS = {
    "\u0300": "`",
    "\u0301": "'",
    "\u0302": "^",
    "\u0303": "~",
    "\u0304": "=",
    "\u0306": "u",
    "\u0307": ".",
    "\u0308": '"',
    "\u030a": "r",
    "\u030b": "H",
    "\u030c": "v",
    "\u0327": "c",
    "\u0328": "k",
}
_LETTERS = {"ß": "ss", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "æ": "ae", "Æ": "AE", "œ": "oe"}


def encode_tex(text: str, style: int) -> str:
    r"""Write letters with accents in TeX, in one of the usual spellings (``style``).

    >>> encode_tex("Müller", 0), encode_tex("Müller", 1), encode_tex("Müller", 2)
    ('M\\"{u}ller', 'M\\"uller', 'M{\\"u}ller')
    """
    if style % 4 == 3 and " & " in text:
        text = text.replace(" & ", r" \& ")
    if text.isascii():
        return text
    return "".join(sign if sign < "\x80" else _encode_letter(sign, style) for sign in text)


def _encode_letter(sign: str, style: int) -> str:
    if sign in _LETTERS:
        return (f"{{\\{_LETTERS[sign]}}}", f"\\{_LETTERS[sign]}{{}}")[style % 2]
    decomposed = unicodedata.normalize("NFD", sign)
    letter, macro = decomposed[0], _ACCENTS[decomposed[1]]
    if letter == "i" and style % 2:
        letter = r"\i"
    if macro.isalpha():
        return (f"\\{macro}{{{letter}}}", f"{{\\{macro} {letter}}}")[style % 2]
    if letter == r"\i":
        return f"\\{macro}{{{letter}}}"
    return (f"\\{macro}{{{letter}}}", f"\\{macro}{letter}", f"{{\\{macro}{letter}}}")[style % 3]


def add_version(
    paper: TruePaper,
    submitted: datetime,
    *,
    withdrawn: bool = False,
    title: str | None = None,
    abstract: str | None = None,
) -> TruePaper:
    """Return the paper with one version more; its datestamp is the day after."""
    version = TrueVersion(len(paper.versions) + 1, submitted, withdrawn)
    return replace(
        paper,
        versions=(*paper.versions, version),
        datestamp=max(submitted.date() + timedelta(days=1), EARLIEST),
        title=title or paper.title,
        abstract=abstract or paper.abstract,
        comment=_NOTICES[0] if withdrawn else paper.comment,
    )


# The snapshot -------------------------------------------------------------------------------


def snapshot_line(paper: TruePaper) -> str:
    """Write a paper as one line, without its end, of the bulk snapshot."""
    record = {
        "id": paper.arxiv_id,
        "submitter": paper.submitter,
        "authors": paper.raw_authors,
        "title": paper.raw_title,
        "comments": paper.raw_comment,
        "journal-ref": paper.journal_ref,
        "doi": paper.doi,
        "report-no": paper.report_no,
        "categories": " ".join(paper.categories),
        "license": paper.license,
        "abstract": paper.raw_abstract,
        "versions": [
            {"version": f"v{number}", "created": format_gmt(submitted)}
            for number, submitted, _ in paper.versions
        ],
        "update_date": paper.datestamp.isoformat(),
        "authors_parsed": [list(split_name(name)) for name in paper.authors],
    }
    return json.dumps(record, separators=(",", ":"))


def write_snapshot(
    papers: Iterable[TruePaper], path: Path, kind: Literal["plain", "gz", "zip"] = "plain"
) -> Path:
    """Write papers as a snapshot file: plain, gzip, or one file inside a zip."""
    data = "".join(snapshot_line(paper) + "\n" for paper in papers).encode()
    if kind == "gz":
        data = gzip.compress(data, mtime=0)
    if kind == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("arxiv-metadata-oai-snapshot.json", data)
    else:
        path.write_bytes(data)
    return path


def format_gmt(when: datetime) -> str:
    """Write a moment as arXivRaw and the snapshot do: ``Wed, 01 Jan 2025 08:00:00 GMT``."""
    return format_datetime(when, usegmt=True)


# Invention ----------------------------------------------------------------------------------


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_QUALITIES = _words(
    "sparse hidden bounded layered noisy masked rotating open finite driven frozen quiet convex "
    "periodic random tilted dense braided slow robust discrete curved coupled local fractal "
    "modular smooth tangled adaptive shallow compact ordered thermal mixed stable lazy twisted "
    "Schrödinger-type Möbius-like naïve Gödel-style Hölder-continuous Łojasiewicz-type early "
    "non-invasive anisotropic self-dual low-rank out-of-order two-phase weighted"
)
_THINGS = _words(
    "lattices harvests networks patches mirrors rivers kernels graphs clocks membranes codes "
    "galaxies queues polymers vortices surfaces sensors tokens forests interfaces fluids mazes "
    "manifolds spectra ledgers bridges magnets circuits orbits glasses foams swarms walks traces "
    "archives filters gases tubes crystals ballots strings echoes ensembles channels plasmas "
    "hedges tilings pulses catalogues knots halos operators embeddings transformers autoencoders"
)
_TOPICS = _words(
    "transport learning inference scheduling scattering mixing cooling percolation estimation "
    "screening compression retrieval tunnelling clustering averaging sampling routing folding "
    "reconstruction symmetry entropy decay synchronisation regularity turbulence segmentation"
)
_OPENINGS = (
    "On the",
    "Towards",
    "Rethinking",
    "A note on",
    "Limits of",
    "A survey of",
    "Exact results for",
    "Learning",
    "What is known about",
    "Erdős problems in",
    "The Poincaré view of",
    "Rényi bounds for",
)
_MATHS = (
    r"$\ell_1$",
    r"$k$-fold",
    r"$\mathbb{Z}_2$",
    r"$p<q$",
    r"$SU(2)$",
    r"$\mathcal{O}(n^2)$",
    r"$\alpha$-stable",
    r"$A \leq B$",
    r"$2+1$ dimensional",
)
_TAILS = (
    "a worked example",
    "theory & practice",
    "beyond the {thing}",
    "an {quality} case",
    "the case of {thing}",
    "what {thing} can teach",
    "bounds for {maths} {thing}",
    "is {topic} all you need?",
    "Part II",
    "R&D notes",
)
_SENTENCES = (
    "We study {topic} in {quality} {thing} and give a bound that does not depend on size.",
    "A family of {quality} {thing} is built for which {topic} fails, with probability < 0.05.",
    "The argument rests on {maths} {thing} and on a lemma of Čebyšev type.",
    "Earlier work treated {thing} as {quality}; we drop this assumption.",
    "Numerical {topic} on {quality} {thing} agrees with the prediction within 2%.",
    "In contrast to {quality} {thing}, the {thing} considered here are {quality}.",
    "For {maths} the same holds if 0 < x < 1 and the {thing} are {quality}.",
    "We release data & code for {topic}, together with {quality} baselines.",
    "As a by-product, {topic} of {thing} is shown to be {quality} (see Erdős and Rényi).",
    "Our {quality} estimator needs {maths} steps, where earlier ones needed exponentially many.",
    "This answers a question on {topic}: are {quality} {thing} ever {quality}?",
    "Experiments on {quality} {thing} show gains of up to 7.5 points in {topic}.",
    "Taken together, {thing}, {thing} and {thing} obey one law of {topic}.",
    "The proof is short, uses {quality} {thing} only, and extends to {maths}.",
)
_FORENAMES = _words(
    "Ada Bruno Chiara Dmitri Élodie Farid Greta Håkon Inès Jürgen Kofi Lucía Mei Nils Olga Priya "
    "Q. Ruža Søren Tomáš Uwe Vera Wei Xiu Yusuf Zoë A. B. J.-P. M. K."
)
_SURNAMES = _words(
    "Abel Bauer Čapek Dvořák Erdmann Faßbinder Gómez Hansen Ivanov Jónsson Køhler Łukas Müller "
    "Nakamura Öztürk Pérez Quist Rossi Szabó Şahin Tanaka Ueda Várady Weiß Xu Yilmazer Zhang "
    "Ångman Bok Costa Dąbek Fjær Gao Hwang Ito Jain Kumar Li Maçon Nuñez Okoye Petit Rao Sato"
)
_PLACES = (
    "Nowhere University",
    "Institute of Invented Results",
    "Université de Nulle Part",
    "Far Observatory, Island",
    "ETX Zürich",
)
_CATEGORIES = _words(
    "cs.LG cs.CV cs.CL cs.AI cs.DL cs.IT math.NA math.CO math.PR math-ph hep-th hep-ph quant-ph "
    "gr-qc astro-ph.GA astro-ph.CO cond-mat.str-el cond-mat.soft physics.optics physics.comp-ph "
    "stat.ML stat.ME q-bio.NC q-fin.ST eess.IV econ.TH nlin.CD nucl-th"
)
_OLD_CATEGORIES = _words(
    "hep-th hep-ph quant-ph gr-qc astro-ph cond-mat.soft cs.DL math.CO math.GT nlin.CD nucl-th"
)
_NOTICES = (
    "This paper has been withdrawn by the author",
    "This paper has been withdrawn by the authors due to an error in Lemma 2",
    "Withdrawn by the author; the bound does not hold",
    "This submission has been withdrawn by arXiv administrators",
)
_JOURNALS = ("J. Invented Res.", "Ann. Nowhere", "Proc. Imag. Conf.", "Zeitschr. Nichts")


class _Inventor:
    """Makes texts and names out of word lists and one random stream."""

    def __init__(self, seed: int) -> None:
        self.rng = Random(seed)
        self.pool = [self.fill(self.rng.choice(_SENTENCES)) for _ in range(600)]

    def one_of(self, words: tuple[str, ...]) -> str:
        return words[int(self.rng.random() * len(words))]

    def fill(self, pattern: str) -> str:
        """Put a new word into every gap of a pattern."""
        for gap, words in (
            ("{quality}", _QUALITIES),
            ("{thing}", _THINGS),
            ("{topic}", _TOPICS),
            ("{maths}", _MATHS),
        ):
            while gap in pattern:
                pattern = pattern.replace(gap, self.one_of(words), 1)
        return pattern

    def title(self) -> str:
        rng = self.rng
        noun = f"{self.one_of(_QUALITIES)} {self.one_of(_THINGS)}"
        if rng.random() < 0.15:
            noun = f"{self.one_of(_MATHS)} {noun}"
        if rng.random() < 0.4:
            title = f"{self.one_of(_OPENINGS)} {self.one_of(_TOPICS)} in {noun}"
        else:
            title = f"{noun} and {self.one_of(_TOPICS)} of {self.one_of(_QUALITIES)} "
            title += self.one_of(_THINGS)
        if rng.random() < 0.5:
            title += f": {self.fill(self.one_of(_TAILS))}"
        return title[0].upper() + title[1:]

    def abstract(self) -> str:
        n_sentences = 3 + int(self.rng.random() * 7)
        first = self.fill(self.one_of(_SENTENCES))
        return " ".join([first, *self.rng.sample(self.pool, n_sentences)])

    def authors(self) -> tuple[str, ...]:
        rng = self.rng
        chance = rng.random()
        n_authors = 60 if chance > 0.998 else 1 + int(7 * chance * chance)
        names: dict[str, None] = {}
        while len(names) < n_authors:
            name = self.one_of(_SURNAMES)
            if rng.random() < 0.05:
                name = f"van der {name}"
            name = f"{self.one_of(_FORENAMES)} {name}"
            if rng.random() < 0.3:
                name = f"{self.one_of(_FORENAMES)} {name}"
            names[name + (" Jr" if rng.random() < 0.02 else "")] = None
        if rng.random() < 0.01:
            return (*names, f"{self.one_of(_THINGS).upper()} Collaboration")
        return tuple(names)


def make_truth(
    n: int,
    seed: int = 0,
    *,
    first: datetime = datetime(2005, 1, 1, tzinfo=UTC),
    last: datetime = datetime(2026, 10, 31, tzinfo=UTC),
    withdrawn_share: float = 0.02,
    withdrawn_abstract: bool = False,
) -> list[TruePaper]:
    """Invent ``n`` papers, the same for the same arguments, in order of first submission.

    Parameters
    ----------
    n : int
    seed : int
    first, last : datetime
        First submissions are spread evenly between them; one in seven shares the second of the
        paper before it. Later versions come no later than ``last`` either.
    withdrawn_share : float
        Share of papers whose last version withdraws them.
    withdrawn_abstract : bool
        Whether the abstract of those is replaced by a notice, as was once the custom.

    Returns
    -------
    list of TruePaper
        Sorted by (first submission, arxiv_id). One in twenty of those older than the middle
        of the time range bears the datestamp of one day in that middle, as after a bulk edit.
    """
    invent = _Inventor(seed)
    rng = invent.rng
    span = int((last - first).total_seconds())
    offsets = sorted(int(rng.random() * (span + 1)) for _ in range(n))
    for i in range(1, n):
        if rng.random() < 1 / 7:
            offsets[i] = offsets[i - 1]
    offsets.sort()
    bulk_day = (first + (last - first) / 2).date()
    counts: Counter[str] = Counter()
    papers = []
    for offset in offsets:
        submitted = first + timedelta(seconds=offset)
        paper = _invent_paper(invent, submitted, last, counts, withdrawn_share)
        if paper.withdrawn and withdrawn_abstract:
            paper = replace(paper, abstract="This paper has been withdrawn.")
        if paper.datestamp < bulk_day and bulk_day >= EARLIEST and rng.random() < 0.05:
            paper = replace(paper, datestamp=bulk_day)
        papers.append(paper)
    papers.sort(key=lambda paper: (paper.versions[0].submitted, paper.arxiv_id))
    return papers


def _invent_paper(
    invent: _Inventor,
    submitted: datetime,
    last: datetime,
    counts: Counter[str],
    withdrawn_share: float,
) -> TruePaper:
    rng = invent.rng
    versions = [TrueVersion(1, submitted, False)]
    withdrawn = rng.random() < withdrawn_share
    more = rng.random()
    n_versions = 1 + bisect_right((0.65, 0.87, 0.95, 0.99), more)
    for number in range(2, max(n_versions, 2 if withdrawn else 1) + 1):
        when = versions[-1].submitted + timedelta(seconds=3600 + int(rng.expovariate(1 / 5e6)))
        if when > last:
            break
        versions.append(TrueVersion(number, when, False))
    withdrawn = withdrawn and len(versions) > 1
    if withdrawn:
        versions[-1] = versions[-1]._replace(withdrawn=True)
    primary = invent.one_of(_OLD_CATEGORIES if submitted < NEW_IDS_SINCE else _CATEGORIES)
    categories = dict.fromkeys([primary])
    while rng.random() < 0.4 and len(categories) < 5:
        others = _OLD_CATEGORIES if submitted < NEW_IDS_SINCE else _CATEGORIES
        categories[invent.one_of(others)] = None
    authors = invent.authors()
    affiliations: tuple[str | None, ...] = ()
    if rng.random() < 0.15:
        affiliations = tuple(
            invent.one_of(_PLACES) if rng.random() < 0.7 else None for _ in authors
        )
    comment = f"{1 + int(rng.random() * 60)} pages, {int(rng.random() * 9)} figures"
    if rng.random() < 0.1:
        comment += "; talk given in Zürich & Kraków"
    journal_ref = doi = report_no = None
    chance = rng.random()
    if chance < 0.3:
        volume = 1 + int(rng.random() * 90)
        journal_ref = (
            f"{invent.one_of(_JOURNALS)} {volume} ({submitted.year}) {volume}-{volume + 9}"
        )
    if chance < 0.2:
        doi = f"10.1000/invented.{int(rng.random() * 10**9)}"
    if chance > 0.95:
        report_no = f"NOWHERE-{submitted.year}-{int(rng.random() * 100):02}"
    if withdrawn:
        comment = invent.one_of(_NOTICES)
    return TruePaper(
        arxiv_id=_number(primary, submitted, counts),
        versions=tuple(versions),
        title=invent.title(),
        abstract=invent.abstract(),
        authors=authors,
        categories=tuple(categories),
        datestamp=max(versions[-1].submitted.date() + timedelta(days=1), EARLIEST),
        comment=comment if withdrawn or chance < 0.9 else None,
        journal_ref=journal_ref,
        doi=doi,
        report_no=report_no,
        license=LICENSES[int(rng.random() * 1.4)] if submitted >= NEW_IDS_SINCE else None,
        affiliations=affiliations,
    )


def _number(primary: str, submitted: datetime, counts: Counter[str]) -> str:
    """Give out the next id of the month, in the scheme of that month."""
    month = submitted.strftime("%y%m")
    if submitted < NEW_IDS_SINCE:
        prefix, n_digits = f"{primary.split('.')[0]}/{month}", 3
    else:
        prefix, n_digits = f"{month}.", 4 if submitted.year < 2015 else 5
    counts[prefix] += 1
    if counts[prefix] >= 10**n_digits:
        raise ValueError(
            f"no number is left for {prefix}; take a longer time range or fewer papers"
        )
    return f"{prefix}{counts[prefix]:0{n_digits}}"

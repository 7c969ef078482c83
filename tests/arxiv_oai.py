"""arXiv's OAI-PMH service, as it is served since 2025-03, over a catalogue of invented papers."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from urllib.parse import parse_qsl, quote, unquote, urlencode
from xml.sax.saxutils import escape, quoteattr

from arxiv_catalogue import Catalogue, Row
from arxiv_truth import ALIASES, EARLIEST, TruePaper, format_gmt, split_name

CONTENT_TYPE = "text/xml"
BASE_URL = "https://oaipmh.arxiv.org/oai"
PREFIXES = {
    "oai_dc": "http://www.openarchives.org/OAI/2.0/oai_dc/",
    "arXiv": "http://arxiv.org/OAI/arXiv/",
    "arXivRaw": "http://arxiv.org/OAI/arXivRaw/",
}
_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_OAI = "http://www.openarchives.org/OAI/2.0/"
_ARGUMENTS = {  # allowed and needed, the verb apart
    "Identify": ((), ()),
    "ListMetadataFormats": (("identifier",), ()),
    "ListSets": (("resumptionToken",), ()),
    "GetRecord": (("identifier", "metadataPrefix"), ("identifier", "metadataPrefix")),
    "ListRecords": (("metadataPrefix", "from", "until", "set"), ("metadataPrefix",)),
    "ListIdentifiers": (("metadataPrefix", "from", "until", "set"), ("metadataPrefix",)),
}
_ERRORS = {
    "badVerb": "The verb is missing, repeated or none of OAI-PMH.",
    "badArgument": "The arguments are incomplete, repeated, unknown or malformed.",
    "badResumptionToken": "The value of the resumptionToken argument is invalid or expired.",
    "cannotDisseminateFormat": "The item is not available in this metadata format.",
    "idDoesNotExist": "The identifier is unknown or malformed.",
    "noRecordsMatch": "No record matches the given from, until, set and metadataPrefix.",
}
_PHYSICS = (
    "astro-ph cond-mat gr-qc hep-ex hep-lat hep-ph hep-th math-ph nlin nucl-ex nucl-th physics "
    "quant-ph"
)
ARCHIVES = {  # group -> archives
    **{group: (group,) for group in ("cs", "econ", "eess", "math", "q-bio", "q-fin", "stat")},
    "physics": tuple(re.findall(r"\S+", _PHYSICS)),
}
_GROUP_OF = {archive: group for group, archives in ARCHIVES.items() for archive in archives}


class OaiError(Exception):
    """A request that is answered by an error element, with status 200."""

    def __init__(self, code: str, reason: str, echo: Mapping[str, str] | None = None) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
        self.echo = {} if code in ("badVerb", "badArgument") else dict(echo or {})


@dataclass(frozen=True, kw_only=True)
class OaiPage:
    """A reply before it is written.

    Attributes
    ----------
    echo : mapping
        Arguments shown in the request element.
    records : tuple of str
        Content of the element named by the verb, as XML.
    token : str or None
        ``""`` is written as an empty element, None not at all.
    error : str
        Element that stands there instead.
    """

    now: datetime
    echo: Mapping[str, str]
    records: tuple[str, ...] = ()
    token: str | None = None
    error: str = ""
    args: Mapping[str, str] = field(default_factory=dict)
    """Arguments after a token was unpacked; ``skip`` among them."""

    def render(self) -> str:
        """Write the document."""
        attributes = "".join(f" {name}={quoteattr(text)}" for name, text in self.echo.items())
        verb = self.echo.get("verb", "")
        content = self.error or (
            f"  <{verb}>\n{''.join(self.records)}{self._token_element()}  </{verb}>\n"
        )
        return (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f'<OAI-PMH xmlns="{_OAI}" xmlns:xsi="{_XSI}" '
            f'xsi:schemaLocation="{_OAI} {_OAI}OAI-PMH.xsd">\n'
            f"  <responseDate>{self.now.strftime('%Y-%m-%dT%H:%M:%SZ')}</responseDate>\n"
            f"  <request{attributes}>{BASE_URL}</request>\n"
            f"{content}</OAI-PMH>\n"
        )

    def _token_element(self) -> str:
        if self.token is None:
            return ""
        if not self.token:
            return "    <resumptionToken/>\n"
        midnight = self.now.date() + timedelta(days=1)
        return (
            f"    <resumptionToken expirationDate='{midnight}T00:00:00Z'>"
            f"{escape(self.token)}</resumptionToken>\n"
        )


def error_page(error: OaiError, now: datetime) -> OaiPage:
    """Turn an error into a page."""
    text = escape(f"{_ERRORS[error.code]} Reason: {error.reason}")
    return OaiPage(now=now, echo=error.echo, error=f"  <error code='{error.code}'>{text}</error>\n")


class OaiService:
    """Answers OAI-PMH requests in pages of ``n_records`` and ``n_identifiers``."""

    def __init__(self, catalogue: Catalogue, *, n_records: int, n_identifiers: int) -> None:
        self.catalogue = catalogue
        self.n_records = n_records
        self.n_identifiers = n_identifiers

    def answer(self, pairs: Sequence[tuple[str, str]]) -> OaiPage:
        """Answer one request, errors included."""
        with self.catalogue.lock:
            try:
                return self._answer(pairs)
            except OaiError as error:
                return error_page(error, self.catalogue.now)

    def _answer(self, pairs: Sequence[tuple[str, str]]) -> OaiPage:
        args = dict(pairs)
        verbs = [value for name, value in pairs if name == "verb"]
        if len(verbs) != 1 or verbs[0] not in _ARGUMENTS:
            raise OaiError("badVerb", f"got {', '.join(verbs) or 'none'}")
        verb = verbs[0]
        if len(args) < len(pairs):
            raise OaiError("badArgument", "an argument stands twice")
        token = args.get("resumptionToken")
        if token is not None and verb in ("ListRecords", "ListIdentifiers"):
            if set(args) != {"verb", "resumptionToken"}:
                raise OaiError("badArgument", "resumptionToken stands alone beside the verb")
            return self._list(verb, decode_token(token, verb, args), args)
        allowed, needed = _ARGUMENTS[verb]
        if unknown := set(args) - {"verb", *allowed}:
            raise OaiError("badArgument", f"unknown: {', '.join(sorted(unknown))}")
        if missing := set(needed) - set(args):
            raise OaiError("badArgument", f"missing: {', '.join(sorted(missing))}")
        if "metadataPrefix" in args and args["metadataPrefix"] not in PREFIXES:
            raise OaiError("cannotDisseminateFormat", "Did not recognize requested format", args)
        if verb in ("ListRecords", "ListIdentifiers"):
            return self._list(verb, args, args)
        if verb == "GetRecord":
            records = [render_record(self._find(args), args["metadataPrefix"])]
        elif verb == "Identify":
            records = [_IDENTIFY]
        elif verb == "ListSets":
            if token is not None:
                raise OaiError("badResumptionToken", "Token decoding failed", args)
            records = [_set(spec) for spec in self._sets()]
        else:
            if "identifier" in args:
                self._find(args)
            records = [_format(prefix) for prefix in PREFIXES]
        return OaiPage(now=self.catalogue.now, echo=args, records=tuple(records), args=args)

    def _find(self, args: Mapping[str, str]) -> TruePaper:
        start, _, paper_id = args["identifier"].rpartition(":")
        row = self.catalogue.find(paper_id) if start == "oai:arXiv.org" else None
        if row is None:
            raise OaiError("idDoesNotExist", "Nothing found for this id", args)
        return row.paper

    def _sets(self) -> list[str]:
        specs: dict[str, None] = {}
        for paper in self.catalogue.papers:
            for spec in set_specs(paper.categories):
                parts = spec.split(":")
                specs |= dict.fromkeys(":".join(parts[: n + 1]) for n in range(len(parts)))
        return sorted(specs)

    def _list(self, verb: str, args: Mapping[str, str], echo: Mapping[str, str]) -> OaiPage:
        first, last = self._check_dates(args)
        wanted = args.get("set")
        if wanted is not None:
            _check_set(wanted)
        rows = self.catalogue.modified(first, last)
        if wanted is not None:
            rows = [row for row in rows if _is_in_set(row.paper, wanted)]
        skip = int(args.get("skip", 0))
        limit = self.n_records if verb == "ListRecords" else self.n_identifiers
        page = rows[skip : skip + limit]
        if not page:
            raise OaiError("noRecordsMatch", "nothing in this window", echo)
        token = None
        if len(rows) > skip + limit:
            token = _next_token(args, page, rows[skip + limit], skip + limit)
        elif "resumptionToken" in echo:
            token = ""
        page = sorted(page, key=lambda row: (row.paper.datestamp, row.paper.arxiv_id))
        if verb == "ListRecords":
            prefix = args["metadataPrefix"]
            records = tuple(render_record(row.paper, prefix) for row in page)
        else:
            records = tuple(render_header(row.paper) for row in page)
        return OaiPage(
            now=self.catalogue.now, echo=echo, records=records, token=token, args=dict(args)
        )

    def _check_dates(self, args: Mapping[str, str]) -> tuple[date, date]:
        today = self.catalogue.today
        first = _date(args["from"]) if "from" in args else EARLIEST
        last = _date(args["until"]) if "until" in args else max(today, first)
        if first < EARLIEST:
            raise OaiError("badArgument", f"from is before {EARLIEST}")
        if last > today + timedelta(days=1):
            raise OaiError("badArgument", "until is too late")
        if first > last or first > today:
            raise OaiError("badArgument", "from is later than until or than today")
        return first, last


def _date(text: str) -> date:
    if not re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        raise OaiError("badArgument", "dates have the form YYYY-MM-DD")
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise OaiError("badArgument", "there is no such date") from None


# Tokens -------------------------------------------------------------------------------------


def encode_token(args: Mapping[str, str], **changes: str) -> str:
    """Write the arguments of the next page as a resumption token."""
    args = {**args, **changes}
    names = ("verb", "metadataPrefix", "from", "until", "set", "skip")
    known = {name: args[name] for name in names if name in args}
    return quote(urlencode(known | {name: args[name] for name in args if name not in known}))


def decode_token(token: str, verb: str, echo: Mapping[str, str]) -> dict[str, str]:
    """Read a resumption token."""
    args = dict(parse_qsl(unquote(token)))
    if not {"verb", "metadataPrefix", "skip"} <= set(args):
        reason = "Token decoding failed or format is invalid."
    elif args["verb"] != verb:
        reason = "The token belongs to another verb."
    elif args["metadataPrefix"] not in PREFIXES or not args["skip"].isdecimal():
        reason = "Token decoding failed or format is invalid."
    else:
        return args
    raise OaiError("badResumptionToken", reason, echo)


def _next_token(args: Mapping[str, str], page: Sequence[Row], following: Row, skip: int) -> str:
    """Go on where the page ends.

    Within one day the rows so far are skipped; else the next page begins with the day of the
    row that follows, less the rows of that day that this page shows.
    """
    day = following.paper.datestamp
    if page[0].paper.datestamp == day:
        return encode_token(args, skip=str(skip))
    n_shown = sum(row.paper.datestamp == day for row in page)
    return encode_token(args, **{"from": day.isoformat(), "skip": str(n_shown)})


# Sets ---------------------------------------------------------------------------------------


def set_specs(categories: Iterable[str]) -> list[str]:
    """Return the sets of a header: ``cs.AI`` -> ``cs:cs:AI``; an alias brings its own."""
    specs: dict[str, None] = {}
    for category in categories:
        for name in (category, ALIASES.get(category)):
            if name:
                archive, dot, subject = name.partition(".")
                spec = f"{_GROUP_OF[archive]}:{archive}"
                specs[f"{spec}:{subject}" if dot else spec] = None
    return list(specs)


def _check_set(spec: str) -> None:
    parts = spec.split(":")
    if (
        parts[0] not in ARCHIVES
        or len(parts) > 3
        or (len(parts) > 1 and parts[1] not in ARCHIVES[parts[0]])
    ):
        raise OaiError("badArgument", "there is no such set")


def _is_in_set(paper: TruePaper, wanted: str) -> bool:
    return any(
        spec == wanted or spec.startswith(f"{wanted}:") for spec in set_specs(paper.categories)
    )


def _set(spec: str) -> str:
    return (
        f"    <set>\n      <setSpec>{spec}</setSpec>\n      <setName>{spec}</setName>\n    </set>\n"
    )


def _format(prefix: str) -> str:
    return (
        "    <metadataFormat>\n"
        f"      <metadataPrefix>{prefix}</metadataPrefix>\n"
        f"      <schema>{PREFIXES[prefix].rstrip('/')}.xsd</schema>\n"
        f"      <metadataNamespace>{PREFIXES[prefix]}</metadataNamespace>\n"
        "    </metadataFormat>\n"
    )


_IDENTIFY = f"""    <repositoryName>arXiv</repositoryName>
    <baseURL>{BASE_URL}</baseURL>
    <protocolVersion>2.0</protocolVersion>
    <adminEmail>help@arxiv.org</adminEmail>
    <earliestDatestamp>{EARLIEST}</earliestDatestamp>
    <deletedRecord>persistent</deletedRecord>
    <granularity>YYYY-MM-DD</granularity>
"""


# Records ------------------------------------------------------------------------------------


def render_header(paper: TruePaper) -> str:
    """Write the header of a record."""
    sets = "".join(f"        <setSpec>{spec}</setSpec>\n" for spec in set_specs(paper.categories))
    return (
        "      <header>\n"
        f"        <identifier>oai:arXiv.org:{paper.arxiv_id}</identifier>\n"
        f"        <datestamp>{paper.datestamp}</datestamp>\n"
        f"{sets}      </header>\n"
    )


def render_record(paper: TruePaper, prefix: str) -> str:
    """Write a record in one of the metadata formats."""
    write = {"arXiv": _arxiv, "arXivRaw": _arxiv_raw, "oai_dc": _dublin_core}[prefix]
    name = "oai_dc:dc" if prefix == "oai_dc" else prefix
    uri = PREFIXES[prefix]
    spaces = f'xmlns="{uri}"'
    if prefix == "oai_dc":
        spaces = f'xmlns:oai_dc="{uri}" xmlns:dc="http://purl.org/dc/elements/1.1/"'
    body = "".join(
        f"          <{tag}>{text}</{tag.split()[0]}>\n" for tag, text in write(paper) if text
    )
    return (
        f"    <record>\n{render_header(paper)}      <metadata>\n"
        f'        <{name} {spaces} xmlns:xsi="{_XSI}" '
        f'xsi:schemaLocation="{uri} {uri.rstrip("/")}.xsd">\n'
        f"{body}        </{name}>\n      </metadata>\n    </record>\n"
    )


def _arxiv(paper: TruePaper) -> list[tuple[str, str]]:
    """List fields of ``arXiv``: authors taken apart, Unicode in the submitter's lines."""
    current = paper.versions[-1].submitted.date()  # created is not the first version's date
    authors = "".join(
        f"            <author><keyname>{escape(keyname)}</keyname>"
        + (f"<forenames>{escape(forenames)}</forenames>" if forenames else "")
        + (f"<suffix>{suffix}</suffix>" if suffix else "")
        + "</author>\n"
        for keyname, forenames, suffix in map(split_name, paper.authors)
    )
    return [
        ("id", paper.arxiv_id),
        ("created", str(current)),
        ("updated", str(current + timedelta(days=1)) if len(paper.versions) > 1 else ""),
        ("authors", f"\n{authors}          "),
        ("title", escape(paper.wrapped_title)),
        ("categories", " ".join(paper.categories)),
        ("comments", escape(paper.comment or "")),
        *_numbers(paper),
        ("abstract", escape(paper.wrapped_abstract)),
    ]


def _arxiv_raw(paper: TruePaper) -> list[tuple[str, str]]:
    """List fields of ``arXivRaw``: all versions, and the text as the submitter typed it."""
    versions = [
        (
            f'version version="v{number}"',
            f"<date>{format_gmt(submitted)}</date><size>{0 if withdrawn else 7 * number}kb</size>"
            + ("<source_type>I</source_type>" if withdrawn else ""),
        )
        for number, submitted, withdrawn in paper.versions
    ]
    return [
        ("id", paper.arxiv_id),
        ("submitter", escape(paper.submitter)),
        *versions,
        ("title", escape(paper.raw_title)),
        ("authors", escape(paper.raw_authors)),
        ("categories", " ".join(paper.categories)),
        ("comments", escape(paper.raw_comment or "")),
        *_numbers(paper),
        ("abstract", escape(paper.raw_abstract)),
    ]


def _numbers(paper: TruePaper) -> list[tuple[str, str]]:
    """List what both formats share; arXiv's templates put the MSC class into acm-class too."""
    msc_class = "05C80" if paper.categories[0] == "math.CO" else ""
    return [
        ("report-no", escape(paper.report_no or "")),
        ("msc-class", msc_class),
        ("acm-class", msc_class),
        ("journal-ref", escape(paper.journal_ref or "")),
        ("doi", escape(paper.doi or "")),
        ("license", escape(paper.license or "")),
    ]


def _dublin_core(paper: TruePaper) -> list[tuple[str, str]]:
    creators = [", ".join(part for part in split_name(name)[:2] if part) for name in paper.authors]
    dates = sorted({paper.versions[0].submitted.date(), paper.versions[-1].submitted.date()})
    return [
        ("dc:title", escape(paper.wrapped_title)),
        *(("dc:creator", escape(name)) for name in creators),
        *(("dc:subject", name) for name in paper.categories),
        ("dc:description", escape(paper.wrapped_abstract)),
        ("dc:description", escape(paper.comment or "")),
        *(("dc:date", str(day)) for day in dates),
        ("dc:type", "text"),
        ("dc:identifier", f"https://arxiv.org/abs/{paper.arxiv_id}"),
        ("dc:identifier", f"http://arxiv.org/abs/{paper.arxiv_id}"),
        *(("dc:identifier", f"doi:{escape(doi)}") for doi in (paper.doi or "").split()),
    ]

"""The face that users of the arxiv package know: its Search in, its Result out, over our wire.

``arxiv.Client`` is not used: it returns no results without an error where the server is
overloaded, and waits for ever for a silent one.
"""

from collections.abc import Callable
from datetime import datetime

import arxiv

from survey_tools.arxiv_id import parse_arxiv_id
from survey_tools.errors import DataError, ParameterError
from survey_tools.harvest.by_id import IdWay
from survey_tools.harvest.by_query import QueryWay
from survey_tools.harvest.by_rank import RankWay
from survey_tools.harvest.desk import HarvestProgress
from survey_tools.harvest.harvester import HarvestReport, Services, harvest
from survey_tools.harvest.query import parse_query
from survey_tools.harvest.record import ArxivRecord, Version, is_withdrawal
from survey_tools.harvest.store import Store
from survey_tools.tex import normalise_text

__all__ = ["from_arxiv_result", "harvest_search", "to_arxiv_result"]

_ABS = "http://arxiv.org/abs/"  # so the service writes it, and arxiv.Result with it


def to_arxiv_result(record: ArxivRecord) -> arxiv.Result:
    """Turn a record into the arxiv package's type.

    Affiliations are not kept in records, so authors have none. Where a date is not known (an
    earlier version whose dates the source did not name) it is the package's own default.
    """
    name = f"{record.arxiv_id}v{record.version}"
    link = arxiv.Result.Link
    links = [
        link(href=f"https://arxiv.org/abs/{name}", rel="alternate", content_type="text/html"),
        link(
            href=f"https://arxiv.org/pdf/{name}",
            title="pdf",
            rel="related",
            content_type="application/pdf",
        ),
    ]
    if record.doi:
        links.append(link(href=f"https://doi.org/{record.doi}", title="doi", rel="related"))
    result = arxiv.Result(
        entry_id=_ABS + name,
        title=record.title,
        authors=[arxiv.Result.Author(name=author) for author in record.authors],
        summary=record.abstract,
        comment=record.comment or "",
        journal_ref=record.journal_ref or "",
        doi=record.doi or "",
        primary_category=record.categories[0] if record.categories else "",
        categories=list(record.categories),
        links=links,
    )
    if record.updated:
        result.updated = datetime.fromisoformat(record.updated)
    if record.published:
        result.published = datetime.fromisoformat(record.published)
    # the package's own results have None here, though its constructor takes text alone
    result.comment = record.comment
    result.journal_ref = record.journal_ref
    result.doi = record.doi
    return result


def from_arxiv_result(result: arxiv.Result, *, as_of: str) -> ArxivRecord:
    """Turn a result of the arxiv package into a record.

    Parameters
    ----------
    as_of : str
        Day on which the result was fetched, ``YYYY-MM-DD``.

    Raises
    ------
    DataError
        If its entry id names no paper, or title or summary are empty.
    """
    arxiv_id = parse_arxiv_id(result.get_short_id())
    version = arxiv_id.version or 1
    title, abstract = normalise_text(result.title), normalise_text(result.summary)
    comment = normalise_text(result.comment or "") or None
    withdrawn = is_withdrawal(comment, abstract)
    if not title or not (abstract or withdrawn):
        raise DataError(f"{result.entry_id}: a result without title or summary")
    shown = Version(number=version, submitted=_iso(result.updated), withdrawn=withdrawn)
    first = (Version(number=1, submitted=_iso(result.published)),) if version > 1 else ()
    others = (category for category in result.categories if category)
    return ArxivRecord(
        arxiv_id=arxiv_id.base,
        version=version,
        title=title,
        abstract=abstract,
        authors=tuple(normalise_text(author.name) for author in result.authors),
        categories=tuple(dict.fromkeys((result.primary_category, *others)))
        if result.primary_category
        else tuple(dict.fromkeys(others)),
        versions=(*first, shown),
        comment=comment,
        journal_ref=normalise_text(result.journal_ref or "") or None,
        doi=result.doi or None,
        withdrawn=withdrawn,
        as_of=as_of,
    )


def _iso(when: datetime) -> str | None:
    """Write a date; the package's default, year 1, is none."""
    return when.strftime("%Y-%m-%dT%H:%M:%SZ") if when.year > 1 else None


def harvest_search(
    search: arxiv.Search,
    store: Store,
    services: Services,
    *,
    resume: str = "",
    show: Callable[[HarvestProgress], None] = lambda _progress: None,
) -> tuple[list[arxiv.Result], HarvestReport]:
    """Run a search of the arxiv package completely, or say what is missing.

    Parameters
    ----------
    search : arxiv.Search
        ``id_list`` alone, or ``query`` alone; ``max_results`` 1 to 2,000, or None for all.

    Returns
    -------
    list of arxiv.Result
        In the order that the search asks for. With ``max_results=None`` relevance is no
        order that can be harvested; the latest submission comes first then.
    HarvestReport
        Whether that is all.

    Raises
    ------
    ParameterError
        If the search asks for nothing, or for ids and a query at once.
    """
    way = _way_of(search, services.url)
    report = harvest(way, store, services, resume=resume, show=show)
    if isinstance(way, RankWay):
        found = [store.get_record(arxiv_id) for arxiv_id in way.ids]
        return [to_arxiv_result(record) for record in found if record is not None], report
    if isinstance(way, IdWay):
        held = [store.get_record(i.base, version=i.version) for i in way.ids]
        records = [record for record in held if record is not None]
    else:
        records = list(store.iterate(job_id=report.job_id))
    by_update = search.sort_by is arxiv.SortCriterion.LastUpdatedDate
    records.sort(key=lambda record: (_when(record, by_update=by_update), record.arxiv_id))
    if search.sort_order is arxiv.SortOrder.Descending:
        records.reverse()
    if search.max_results is not None:
        records = records[: search.max_results]
    return [to_arxiv_result(record) for record in records], report


def _when(record: ArxivRecord, *, by_update: bool) -> str:
    return (record.updated if by_update else record.published) or ""


def _way_of(search: arxiv.Search, url: str) -> "IdWay | QueryWay | RankWay":
    if search.max_results is not None and search.max_results < 1:
        raise ParameterError(
            f"max_results={search.max_results} asks for nothing; give a number from 1, or None "
            "for all"
        )
    if search.query and search.id_list:
        raise ParameterError(
            "a search by ids and by a query at once is not harvested; search by the ids and "
            "filter the results, or search by the query"
        )
    if search.id_list:
        return IdWay([parse_arxiv_id(text.strip()) for text in search.id_list], url=url)
    query = parse_query(search.query)
    if search.max_results is None:
        return QueryWay(query, url=url)
    return RankWay(
        query,
        url=url,
        max_results=search.max_results,
        sort_by=search.sort_by.value,
        sort_order=search.sort_order.value,
    )

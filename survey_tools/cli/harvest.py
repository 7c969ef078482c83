"""The command harvest: titles and abstracts from arXiv."""

import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from survey_tools.cli.runner import (
    ApiUrlOption,
    ContactOption,
    GapOption,
    JsonOption,
    OaiUrlOption,
    OfflineOption,
    PatienceOption,
    StoreOption,
    SurveyArgument,
    check_before,
    default_store,
    exit_code,
    print_report,
    print_resume,
    report_data,
    resume_command,
    run_way,
    write_json,
)
from survey_tools.cli.terminal import (
    EXIT_INCOMPLETE,
    DebugOption,
    QuietOption,
    log_to_stderr,
    note,
    one_line_errors,
)

if TYPE_CHECKING:
    from survey_tools.arxiv_id import ArxivId
    from survey_tools.harvest.desk import Way
    from survey_tools.harvest.store import Store
    from survey_tools.harvest.survey import FillReport
    from survey_tools.settings import HarvestSettings

__all__ = ["harvest_command"]


def harvest_command(
    survey: SurveyArgument = None,
    query: Annotated[
        str | None,
        typer.Option(
            "--query",
            metavar="QUERY",
            help="Papers by a query in arXiv's fields, for example "
            "'ti:\"masked image modeling\" AND cat:cs.CV'; AND binds tighter than OR.",
            show_default=False,
        ),
    ] = None,
    ids: Annotated[
        list[str] | None,
        typer.Option(
            "--ids",
            metavar="ID|FILE",
            help="Papers by arXiv id: an id, ids with commas, or a file with one a line; may be "
            "repeated.",
            show_default=False,
        ),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="DAY",
            help="First day, YYYY-MM-DD: of submission, with --oai of the last change.",
            show_default=False,
        ),
    ] = None,
    until: Annotated[
        str | None,
        typer.Option("--until", metavar="DAY", help="Last day, inclusive.", show_default=False),
    ] = None,
    oai: Annotated[
        bool, typer.Option("--oai", help="Follow all changes of arXiv by OAI-PMH.")
    ] = False,
    oai_set: Annotated[
        str | None,
        typer.Option(
            metavar="SET",
            help="Follow the changes of a set by OAI-PMH, for example cs or cs:cs:CV.",
            show_default=False,
        ),
    ] = None,
    snapshot: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Papers of arXiv's bulk snapshot: JSON lines, plain, gzip or zip.",
            show_default=False,
        ),
    ] = None,
    max_results: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Only the N latest results of the query, 1 to 2,000. Default: all.",
            show_default=False,
        ),
    ] = None,
    store: StoreOption = None,
    refresh: Annotated[
        bool, typer.Option("--refresh", help="Ask anew what was answered before.")
    ] = False,
    offline: OfflineOption = False,
    trust_ids: Annotated[
        bool,
        typer.Option("--trust-ids", help="Fill abstracts even where the title is quite another."),
    ] = False,
    api_url: ApiUrlOption = None,
    oai_url: OaiUrlOption = None,
    gap_s: GapOption = None,
    patience_s: PatienceOption = None,
    contact: ContactOption = None,
    json_file: JsonOption = None,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Fetch titles and abstracts from arXiv, completely or with what is missing named.

    With a survey folder alone, fill the abstracts of its papers by their arXiv ids. With
    --query, --from, --ids, --oai or --snapshot, harvest into the store; export takes the
    papers out. Exit codes: 0 complete, 3 incomplete (the command that goes on is printed).
    """
    given = {
        "--query, --from or --until": query is not None
        or bool((since or until) and not (oai or oai_set)),
        "--ids": bool(ids),
        "--oai": bool(oai or oai_set),
        "--snapshot": snapshot is not None,
    }
    ways = [name for name, is_given in given.items() if is_given]
    with one_line_errors(debug=debug), log_to_stderr(quiet=quiet):
        from survey_tools.errors import ParameterError
        from survey_tools.harvest.query import parse_query
        from survey_tools.harvest.store import Store
        from survey_tools.harvest.survey import read_harvest_settings, read_survey

        if query is not None:
            parse_query(query)  # an empty or wrong one is told first
        if len(ways) > 1:
            raise ParameterError(f"give one way in; {' and '.join(ways)} arrived")
        if not ways and survey is None:
            raise ParameterError(
                "say what to harvest: a survey folder whose abstracts to fill, --query, --from, "
                "--ids, --oai, --oai-set or --snapshot"
            )
        if max_results is not None and query is None:
            raise ParameterError("--max-results goes with --query")
        if trust_ids and ways:
            raise ParameterError("--trust-ids goes with a survey folder alone: it fills abstracts")
        if refresh and (snapshot is not None or max_results is not None):
            raise ParameterError(
                "--refresh does not go with --snapshot, which reads a changed file anew, nor with "
                "--max-results, which is asked anew every day"
            )
        if offline and ways:
            raise ParameterError("--offline goes with a survey folder alone: it fills abstracts")
        options = {
            "api_url": api_url,
            "oai_url": oai_url,
            "gap_s": gap_s,
            "patience_s": patience_s,
            "contact": contact,
        }
        settings = read_harvest_settings(survey, options, os.environ)
        way = None
        if ways:
            way = _way_of(
                settings,
                query=query,
                ids=ids or [],
                since=_day(since, "--from"),
                until=_day(until, "--until"),
                is_oai=oai or oai_set is not None,
                oai_set=oai_set,
                snapshot=snapshot,
                max_results=max_results,
                refresh=refresh,
            )
        url = settings.oai_url if way is not None and way.kind == "oai" else settings.api_url
        check_before(settings, url, json_file)
        if survey is not None:
            read_survey(survey)  # before a store is made beside it
        with Store(store or default_store(survey)) as opened:
            if way is not None:
                report = run_way(way, opened, settings, json_file=json_file, quiet=quiet)
                print_report(report, quiet=quiet)
                code = exit_code(report)
            else:
                assert survey is not None, "refused above"
                job = _FillJob(survey, opened, settings, refresh=refresh, trust_ids=trust_ids)
                code = job.run(offline=offline, json_file=json_file, quiet=quiet)
    if code:
        raise typer.Exit(code)


def _way_of(
    settings: "HarvestSettings",
    *,
    query: str | None,
    ids: list[str],
    since: Any,
    until: Any,
    is_oai: bool,
    oai_set: str | None,
    snapshot: Path | None,
    max_results: int | None,
    refresh: bool,
) -> "Way":
    from survey_tools.harvest.by_day import OaiWay
    from survey_tools.harvest.by_file import SnapshotWay
    from survey_tools.harvest.by_id import IdWay
    from survey_tools.harvest.by_query import QueryWay
    from survey_tools.harvest.by_rank import RankWay
    from survey_tools.harvest.query import parse_query

    if ids:
        good, malformed = _read_ids(ids)
        return IdWay(good, malformed=malformed, url=settings.api_url, refresh=refresh)
    if snapshot is not None:
        return SnapshotWay(snapshot)
    if is_oai:
        return OaiWay(oai_set, since=since, until=until, url=settings.oai_url, refresh=refresh)
    parsed = parse_query(query) if query is not None else None
    if max_results is not None:
        from survey_tools.errors import ParameterError

        if since or until:
            raise ParameterError(
                "--max-results takes no dates; put submittedDate:[… TO …] into the query"
            )
        assert parsed is not None, "refused above"
        return RankWay(parsed, url=settings.api_url, max_results=max_results)
    return QueryWay(
        parsed,
        since=since,
        until=until,
        url=settings.api_url,
        page_size=settings.page_size,
        refresh=refresh,
    )


def _day(text: str | None, option: str) -> Any:
    if text is None:
        return None
    from datetime import date

    from survey_tools.errors import ParameterError

    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ParameterError(f"{option} {text}: is no day; write YYYY-MM-DD") from None


def _read_ids(given: list[str]) -> "tuple[list[ArxivId], list[tuple[str, str]]]":
    """Read ids from the command line or from files; return good ones, and bad ones with why."""
    from survey_tools.arxiv_id import ArxivId, find_arxiv_ids, parse_arxiv_id
    from survey_tools.documents import decode_utf8, read_bytes
    from survey_tools.errors import DataError

    words: list[tuple[str, str]] = []
    for text in given:
        if _is_file(text):
            lines = decode_utf8(read_bytes(Path(text)), text).splitlines()
            for n_line, line in enumerate(lines, start=1):
                content = line.partition("#")[0].replace(",", " ")
                words += [(word, f"{text}:{n_line}: ") for word in content.split()]
        else:
            words += [(word, "") for word in text.replace(",", " ").split()]
    good: list[ArxivId] = []
    bad: list[tuple[str, str]] = []
    for word, place in words:
        if mentioned := list(find_arxiv_ids(word)):
            good += mentioned
            continue
        try:
            good.append(parse_arxiv_id(word))
        except DataError as error:
            missing = "; no such file, either" if "/" in word or "." in word else ""
            bad.append((word, f"{place}{error}{missing if not place else ''}"))
    if not good and not bad:
        raise DataError("--ids: no id is given")
    return good, bad


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except (OSError, ValueError):  # too long for a name, or no name at all
        return False


class _FillJob:
    """Fill the abstracts of a survey folder: ask for what the store lacks, then write."""

    def __init__(
        self,
        survey: Path,
        store: "Store",
        settings: "HarvestSettings",
        *,
        refresh: bool,
        trust_ids: bool,
    ) -> None:
        self._survey = survey
        self._store = store
        self._settings = settings
        self._refresh = refresh
        self._trust_ids = trust_ids

    def run(self, *, offline: bool, json_file: Path | None, quiet: bool) -> int:
        from survey_tools.harvest.by_id import IdWay
        from survey_tools.harvest.survey import (
            fill_abstracts,
            ids_of,
            read_survey,
            write_changes,
        )

        survey = read_survey(self._survey)
        lacking = [p for p in survey.corpus if self._refresh or p.text_source != "abstract"]
        report = None
        if not offline and (ids := ids_of(lacking)):
            way = IdWay(
                ids,
                url=self._settings.api_url,
                refresh=self._refresh,
                known_by=ids_of(tuple(survey.corpus)),
            )
            report = run_way(way, self._store, self._settings, json_file=json_file, quiet=quiet)
            print_report(report, quiet=quiet)
        filled, changed = fill_abstracts(
            survey, self._store, refresh=self._refresh, trust_ids=self._trust_ids
        )
        write_changes(survey, changed)
        if not quiet:
            _print_fill(filled, offline=offline)
        is_whole = not filled.not_found
        if report is None:
            status = "complete" if is_whole else "incomplete"
            code = 0 if is_whole else EXIT_INCOMPLETE
            if not is_whole:
                print_resume(resume_command("--offline"))
        else:
            status, code = report.status, exit_code(report)
        if json_file is not None:
            asked = {
                "status": status,
                "records": len(filled.filled),
                "new": 0,
                "quarantined": 0,
                "missing": [{"what": k, "reason": "not in the store"} for k in filled.not_found],
                "requests": 0,
                "resume": resume_command("--offline"),
            }
            said = report_data(report) if report is not None else asked
            write_json(json_file, {**said, "fill": asdict(filled)})
        return code


def _print_fill(report: "FillReport", *, offline: bool) -> None:
    from survey_tools.errors import abbreviate, count

    typer.echo(
        f"{count(len(report.filled), 'abstract')} filled, {report.n_present} there before, "
        f"of {count(report.n_papers, 'paper')}"
    )
    for key, arxiv_id, ours, theirs in report.refused:
        note(
            f"{key}: not filled, because {arxiv_id} is {theirs!r} at arXiv, here {ours!r}; "
            "correct the id, or fill all the same with --trust-ids"
        )
    for key, arxiv_id, ours, theirs in report.doubtful:
        note(f"{key}: check {arxiv_id}: it is {theirs!r} at arXiv, here {ours!r}")
    if report.withdrawn:
        note(f"withdrawn at arXiv: {abbreviate(report.withdrawn)}")
    if report.not_found:
        where = "the store" if offline else "arXiv's answers"
        note(f"not in {where}: {abbreviate(report.not_found)}")
    if report.without_id:
        note(
            f"{count(len(report.without_id), 'paper')} without arXiv id and abstract: "
            f"{abbreviate(report.without_id)}; survey-tools resolve looks for ids by title"
        )

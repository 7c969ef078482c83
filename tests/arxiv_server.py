"""An arXiv on the loopback interface, with faults to order, for tests of a harvester.

``with ArxivServer(make_truth(300)) as server:`` serves the Atom API at ``server.api_url`` and
OAI-PMH at ``server.oai_url``; ``server.schedule("429", on=3, times=2)`` spoils two requests;
``server.log`` tells what arrived. From the shell:
``python tests/arxiv_server.py --n 3000 --fault 429:5:3``.
"""

import argparse
import json
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, TextIO

import arxiv_atom
import arxiv_oai
from arxiv_atom import AtomError, AtomPage, AtomService, render_error
from arxiv_catalogue import Catalogue
from arxiv_faults import FAULTS, MALFORMED, Fault, Reply, Service
from arxiv_oai import OaiPage, OaiService
from arxiv_truth import (
    TruePaper,
    TrueVersion,
    add_version,
    make_truth,
    snapshot_line,
    write_snapshot,
)
from arxiv_wire import TICK_S, Handler, Listener, Request, is_closed

__all__ = [
    "FAULTS",
    "ArxivServer",
    "Request",
    "TruePaper",
    "TrueVersion",
    "add_version",
    "make_truth",
    "snapshot_line",
    "write_snapshot",
]

TODAY = date(2026, 11, 20)


@dataclass
class _Schedule:
    fault: Fault
    on: Callable[[Request], bool]
    remaining: int | None
    options: dict[str, Any]


class _Exchange:
    """A request and the page that is due, made when first asked for."""

    def __init__(
        self, server: "ArxivServer", request: Request, target: str, pairs: list[tuple[str, str]]
    ) -> None:
        self.server = server
        self.request = request
        self.service = request.service
        self.params = request.params
        self.number = request.number
        self.target = target
        self.pairs = pairs

    @property
    def now(self) -> datetime:
        return self.server.now

    @property
    def base_url(self) -> str:
        return self.server.base_url

    @cached_property
    def answer(self) -> AtomPage | OaiPage | AtomError:
        if self.service == "oai":
            return self.server.oai.answer(self.pairs)
        try:
            return self.server.atom.answer(self.params, self.number)
        except AtomError as error:
            return error

    @property
    def page(self) -> AtomPage | OaiPage | None:
        answer = self.answer
        if isinstance(answer, AtomError) or (isinstance(answer, OaiPage) and answer.error):
            return None
        return answer


class ArxivServer:
    """Serve invented papers as arXiv does, from a thread, until the ``with`` block ends.

    Parameters
    ----------
    truth : iterable of TruePaper
    today : date
        The server's day; it is always nine o'clock UTC. Papers appear on the day of their
        datestamp.
    max_offset : int
        Bound of paging in the Atom API.
    n_records, n_identifiers : int
        Page sizes of OAI-PMH.
    max_url : int
        Longest address, in characters, that is not answered by 414.
    shuffle_ties : bool
        Whether the Atom API orders papers with equal sort keys anew in each request.
    port : int
        0 for any that is free.
    log_path : Path, optional
        File to which each request is appended as a line of JSON when it has ended.

    Attributes
    ----------
    log : list of Request
    max_open_requests, max_open_connections : int
        Most requests being served, and most TCP connections open, at one time.
    errors : list of Exception
        Faults of this server itself; they are raised at the end of the ``with`` block.
    """

    def __init__(
        self,
        truth: Iterable[TruePaper],
        *,
        today: date = TODAY,
        max_offset: int = 10_000,
        n_records: int = 2500,
        n_identifiers: int = 20_000,
        max_url: int = 8000,
        shuffle_ties: bool = False,
        port: int = 0,
        log_path: Path | None = None,
    ) -> None:
        self.catalogue = Catalogue(truth, today)
        self.atom = AtomService(self.catalogue, max_offset=max_offset, shuffle_ties=shuffle_ties)
        self.oai = OaiService(self.catalogue, n_records=n_records, n_identifiers=n_identifiers)
        self.max_url = max_url
        self.log_path = log_path
        self._log_file: TextIO | None = None
        self.log: list[Request] = []
        self.errors: list[BaseException] = []
        self.max_open_requests = 0
        self.max_open_connections = 0
        self.is_stopping = False
        self._schedules: list[_Schedule] = []
        self._lock = threading.RLock()
        self._connections: set[socket.socket] = set()
        self._open_requests: dict[int, socket.socket] = {}
        self._httpd = Listener(("127.0.0.1", port), Handler)
        self._httpd.owner = self
        self._thread = threading.Thread(
            target=self._httpd.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )

    # For tests -------------------------------------------------------------------------------

    @property
    def base_url(self) -> str:
        """``http://127.0.0.1:PORT``."""
        return f"http://127.0.0.1:{self._httpd.server_address[1]}"

    @property
    def api_url(self) -> str:
        """Address of the Atom API."""
        return f"{self.base_url}/api/query"

    @property
    def oai_url(self) -> str:
        """Address of the OAI-PMH service."""
        return f"{self.base_url}/oai"

    @property
    def now(self) -> datetime:
        """Nine o'clock UTC of the server's day."""
        return self.catalogue.now

    @property
    def truth(self) -> list[TruePaper]:
        """All papers in their present state, in order of first submission."""
        return self.catalogue.papers

    def __enter__(self) -> "ArxivServer":
        if self.log_path is not None:
            self._log_file = self.log_path.open("a", encoding="utf-8", buffering=1)
        self._thread.start()
        return self

    def __exit__(self, exc_type: type[BaseException] | None, *_: object) -> None:
        self.stop()
        if self.errors and exc_type is None:
            raise self.errors[0]

    def stop(self) -> None:
        """Close all connections and end all threads."""
        self.is_stopping = True
        if self._thread.is_alive():
            self._httpd.shutdown()
            self._thread.join()
        self._httpd.server_close()
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            with self._lock:
                connections = list(self._connections)
            if not connections:
                break
            for connection in connections:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            time.sleep(TICK_S)
        with self._lock:
            if self._log_file is not None:
                self._log_file.close()
                self._log_file = None

    def schedule(
        self,
        fault: str,
        *,
        on: int | Callable[[Request], bool] = 1,
        times: int | None = 1,
        service: Service | None = None,
        **options: Any,
    ) -> None:
        """Spoil requests: the first ``times`` that qualify, or all of them if that is None.

        Parameters
        ----------
        fault : str
            A key of `FAULTS`.
        on : int or callable
            Requests from this number on, or those for which it returns true.
        times : int or None
        service : {"atom", "oai"}, optional
            Only requests to this service.
        **options
            Of the fault; see `Fault.options`.

        Notes
        -----
        A fault that does not fit a request (a bad token where none was sent) waits for one it
        fits. One request meets one fault: of several that are due the one scheduled first.
        """
        if fault not in FAULTS:
            raise ValueError(f"no fault {fault!r}; there are {', '.join(FAULTS)}")
        if unknown := set(options) - set(FAULTS[fault].options):
            raise ValueError(
                f"fault {fault!r} has no option {', '.join(unknown)}; "
                f"it has {', '.join(FAULTS[fault].options) or 'none'}"
            )
        if options.get("kind", "no-title") not in MALFORMED:
            raise ValueError(f"no kind {options['kind']!r}; there are {', '.join(MALFORMED)}")
        first = on

        def is_due(request: Request) -> bool:
            if service is not None and request.service != service:
                return False
            return first(request) if callable(first) else request.number >= first

        with self._lock:
            self._schedules.append(_Schedule(FAULTS[fault], is_due, times, options))

    def clear_schedule(self) -> None:
        """Take all faults back."""
        with self._lock:
            self._schedules.clear()

    def restamp(self, paper_id: str, day: date) -> TruePaper:
        """Give a paper another datestamp, as a bulk edit does."""
        return self.catalogue.restamp(paper_id, day)

    def add(self, papers: Iterable[TruePaper]) -> None:
        """Add papers, or put new states in the place of old ones (see `add_version`)."""
        self.catalogue.add(papers)

    def hide(self, paper_ids: Iterable[str]) -> None:
        """Lose papers; `add` brings them back."""
        self.catalogue.hide(paper_ids)

    def set_today(self, day: date) -> None:
        """Move to another day."""
        self.catalogue.set_today(day)

    # For the handler -------------------------------------------------------------------------

    def connection_opened(self, connection: socket.socket) -> None:
        """Count a connection."""
        with self._lock:
            self._connections.add(connection)
            self.max_open_connections = max(self.max_open_connections, self._n_connections())

    def connection_closed(self, connection: socket.socket) -> None:
        """Forget a connection."""
        with self._lock:
            self._connections.discard(connection)

    def _n_connections(self) -> int:
        return sum(not is_closed(connection) for connection in self._connections)

    def request_arrived(self, connection: socket.socket) -> Request:
        """Begin the record of a request."""
        arrived = time.monotonic()
        with self._lock:
            n_open = sum(not is_closed(other) for other in self._open_requests.values())
            request = Request(len(self.log) + 1, arrived, n_open, self._n_connections())
            self.log.append(request)
            self._open_requests[request.number] = connection
            self.max_open_requests = max(self.max_open_requests, n_open + 1)
        return request

    def request_ended(self, request: Request) -> None:
        """Complete the record of a request."""
        with self._lock:
            if self._open_requests.pop(request.number, None) is None:
                return
            request.ended = time.monotonic()
            if self._log_file is not None:
                self._log_file.write(json.dumps(asdict(request)) + "\n")

    def answer(self, request: Request, target: str, pairs: list[tuple[str, str]]) -> Reply:
        """Choose the fault of a request and make its reply."""
        if len(target) > self.max_url:
            return FAULTS["414"].apply(_Exchange(self, request, target, pairs))
        if request.service is None:
            return self._answer_elsewhere(request, target)
        exchange = _Exchange(self, request, target, pairs)
        fault, options = self._choose_fault(exchange)
        request.fault = fault.name if fault else None
        stage = fault.stage if fault else None

        def spoil(at: str, what: Any) -> Any:
            return fault.apply(exchange, what, **options) if fault and stage == at else what

        if fault and stage == "instead":
            return fault.apply(exchange, **options)
        answer = exchange.answer
        status = 200
        if isinstance(answer, AtomError):
            status = answer.status
            text = render_error(answer, exchange.now)
        else:
            text = spoil("page", answer).render()
        body = spoil("bytes", spoil("text", text).encode())
        content_type = (arxiv_oai if request.service == "oai" else arxiv_atom).CONTENT_TYPE
        return spoil("reply", Reply(status=status, body=body, content_type=content_type))

    def _choose_fault(self, exchange: _Exchange) -> tuple[Fault | None, dict[str, Any]]:
        with self._lock:
            due = [s for s in self._schedules if s.remaining != 0 and s.on(exchange.request)]
        for schedule in due:
            if not schedule.fault.fits(exchange):
                continue
            with self._lock:
                if schedule.remaining == 0:
                    continue
                if schedule.remaining is not None:
                    schedule.remaining -= 1
            return schedule.fault, schedule.options
        return None, {}

    def _answer_elsewhere(self, request: Request, target: str) -> Reply:
        moved = {"/loop/a": "/loop/b", "/loop/b": "/loop/a"}.get(request.path)
        if request.path in ("/old/api/query", "/old/oai"):
            moved = target.removeprefix("/old")
        if moved:
            location = (("Location", self.base_url + moved),)
            return Reply(status=301, content_type=None, headers=location)
        if request.path.startswith("/elsewhere"):
            return Reply(body=b"This is not arXiv.\n", content_type="text/plain")
        return FAULTS["404"].apply(None)


# From the shell -----------------------------------------------------------------------------


def _parse_fault(text: str) -> dict[str, Any]:
    """Read ``fault:request:times:option=value,...``; * for times means for ever."""
    name, number, times, options = [*text.split(":", 3), "", "", ""][:4]
    found: dict[str, Any] = {
        "fault": name,
        "on": int(number or 1),
        "times": None if times == "*" else int(times or 1),
    }
    for option in filter(None, options.split(",")):
        key, _, value = option.partition("=")
        try:
            found[key] = json.loads(value)
        except ValueError:
            found[key] = value
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until SIGTERM or Ctrl-C."""
    parser = argparse.ArgumentParser(description="An arXiv on the loopback interface.")
    parser.add_argument("--n", type=int, default=3000, help="papers")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=datetime.fromisoformat, help="day of the first paper")
    parser.add_argument("--last", type=datetime.fromisoformat, help="day of the last paper")
    parser.add_argument("--today", type=date.fromisoformat, default=TODAY)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--n-records", type=int, default=2500, help="OAI-PMH records a page")
    parser.add_argument("--shuffle-ties", action="store_true")
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="NAME:REQUEST:TIMES[:OPTION=VALUE,...]",
        help=f"may be repeated; TIMES * is for ever; NAME is one of {', '.join(FAULTS)}",
    )
    parser.add_argument("--write-url", type=Path, help="file for the addresses, as JSON")
    parser.add_argument("--log", type=Path, help="file to append one JSON line a request to")
    parser.add_argument("--snapshot", type=Path, help="file for the papers as a bulk snapshot")
    chosen = parser.parse_args(arguments)
    days = {
        name: day.replace(tzinfo=UTC)
        for name in ("first", "last")
        if (day := getattr(chosen, name)) is not None
    }
    truth = make_truth(chosen.n, chosen.seed, **days)
    if chosen.snapshot:
        write_snapshot(truth, chosen.snapshot)
    server = ArxivServer(
        truth,
        today=chosen.today,
        n_records=chosen.n_records,
        shuffle_ties=chosen.shuffle_ties,
        port=chosen.port,
        log_path=chosen.log,
    )
    for text in chosen.fault:
        fault = _parse_fault(text)
        server.schedule(fault.pop("fault"), **fault)
    ended = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: ended.set())
    with server:
        urls = {"api_url": server.api_url, "oai_url": server.oai_url}
        if chosen.write_url:
            partial = chosen.write_url.with_suffix(".part")
            partial.write_text(json.dumps(urls) + "\n")
            partial.replace(chosen.write_url)  # so that a reader finds all or nothing
        sys.stdout.write("".join(f"{name} {url}\n" for name, url in urls.items()))
        sys.stdout.flush()
        ended.wait()


if __name__ == "__main__":
    main()

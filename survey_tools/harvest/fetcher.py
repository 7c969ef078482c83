"""Fetcher: asks until there is a page, and knows when to stop asking.

A reply is sorted into what must follow (`survey_tools.harvest.faults`); faults that pass are
tried again after a growing wait, throttling sends the host to rest, and what can never succeed
is raised at once.
"""

import contextlib
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Protocol
from urllib.parse import urljoin, urlsplit

from survey_tools.harvest.atom import parse_atom
from survey_tools.harvest.clock import Clock
from survey_tools.harvest.faults import (
    FetchError,
    ForbiddenError,
    RefusedError,
    ThrottledError,
    TransientError,
)
from survey_tools.harvest.page import Page
from survey_tools.harvest.politeness import Gate
from survey_tools.harvest.strict_xml import repair_xml
from survey_tools.harvest.wire import Reply, Request, Wire, host_of

__all__ = ["Fetched", "Fetcher", "HostMemory", "HostState"]

logger = logging.getLogger(__name__)

N_ATTEMPTS = 6
_FIRST_REST_S, _LONGEST_REST_S = 60.0, 1800.0  # 429s were seen to last for hours
_LEAST_ASKED_S, _MOST_ASKED_S = 3.0, 3600.0  # bounds of Retry-After
_LONGEST_WAIT_S = 300.0
_N_HOPS = 3
_RETRIED = (408, 425, 500, 502, 504, *range(520, 531))  # the latter of proxies before a server
_REDIRECTS = (301, 302, 307, 308)


@dataclass(frozen=True, slots=True, kw_only=True)
class HostState:
    """What is remembered of a host, or of an address, from run to run.

    Attributes
    ----------
    rest_until : datetime or None
        End of its cool-down.
    rest_s : float
        Length of that cool-down: a clock that was set back makes it no longer.
    n_strikes : int
        Throttled replies in a row.
    moved_to : str or None
        Where the address redirects for good.
    """

    rest_until: datetime | None = None
    rest_s: float = 0.0
    n_strikes: int = 0
    moved_to: str | None = None


class HostMemory(Protocol):
    """Where host states outlive the process."""

    def read_host(self, host: str) -> HostState:
        """Return what is known of a host."""
        ...

    def save_host(self, host: str, state: HostState) -> None:
        """Remember it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A page with the bytes it was read from."""

    page: Page
    body: bytes
    url: str


class Fetcher:
    """Asks one service politely.

    Parameters
    ----------
    patience_s : float
        Seconds that cool-downs and waits after faults may take in all; then the run ends.
    rng : random.Random
        For the jitter of waits.
    """

    def __init__(
        self,
        wire: Wire,
        gate: Gate,
        memory: HostMemory,
        *,
        clock: Clock,
        patience_s: float,
        rng: random.Random,
        notice: Callable[[str, float], None] = lambda _what, _left_s: None,
    ) -> None:
        self.n_requests = 0
        self.clock = clock
        self._wire = wire
        self._gate = gate
        self._memory = memory
        self._patience_s = patience_s
        self._rng = rng
        self._notice = notice
        self._known_hosts: set[str] = set()
        self._asked_url = ""

    def ask(
        self,
        request: Request,
        read: Callable[[bytes], Page],
        *,
        n_attempts: int = N_ATTEMPTS,
        n_throttles: int | None = None,
    ) -> Fetched:
        """Ask for a page until it comes whole.

        Parameters
        ----------
        read : callable
            Turns the body into a page or raises a FetchError.
        n_attempts : int
            Requests that may fail in passing.
        n_throttles : int or None
            Throttled replies that are waited out; None for as many as patience allows.

        Raises
        ------
        TransientError, ThrottledError
            If attempts or patience are used up.
        RefusedError, ForbiddenError, OaiError
            At once.
        """
        n_faults = n_rests = n_repairable = 0
        wait_s = self._gate.gap_s
        while True:
            try:
                body = self._send(request).body
                page = read(body)
                self._forgive()
                return Fetched(page=page, body=body, url=request.full_url)
            except ThrottledError as fault:
                logger.info("%s", fault)
                if fault.is_final:  # an earlier run's cool-down: nobody was asked
                    raise
                n_rests += 1
                self._spend(fault.rest_s, fault)
                if n_throttles is not None and n_rests >= n_throttles:
                    raise
            except TransientError as fault:
                logger.info("%s", fault)
                n_faults += 1
                n_repairable += fault.is_repairable
                # once may be the way here; the same again is what the server holds
                if fault.is_repairable and n_repairable > 1:
                    page = replace(read(repair_xml(fault.body)), is_repaired=True)
                    self._forgive()
                    return Fetched(page=page, body=fault.body, url=request.full_url)
                if n_faults >= n_attempts:
                    raise
                wait_s = min(_LONGEST_WAIT_S, self._rng.uniform(self._gate.gap_s, 3 * wait_s))
                self._spend(wait_s, fault)
                self._wait(f"trying again ({fault})", wait_s)

    def _send(self, request: Request) -> Reply:
        """Send one request, follow its redirects, and raise what its status means."""
        url = self._memory.read_host(request.url).moved_to or request.url
        is_for_good = True
        for _ in range(_N_HOPS + 1):
            self._asked_url = url
            self._recall(url)
            with self._gate.turn(url) as turn:
                self.n_requests += 1
                reply = self._wire.send(replace(request, url=url), on_answer=turn.mark)
                try:
                    if reply.status not in _REDIRECTS:
                        _judge(reply, url, self.clock.now())
                except ThrottledError as fault:
                    # told before the gate opens: the next may be waiting at it already
                    turn.rest_s = fault.rest_s = self._begin_rest(fault)
                    raise
            if reply.status not in _REDIRECTS:
                if is_for_good and url != request.url:
                    self._memory.save_host(request.url, HostState(moved_to=url))
                return reply
            url = _redirect_target(url, reply)
            is_for_good = is_for_good and reply.status in (301, 308)
        if is_for_good:  # what was remembered leads in a circle now
            self._memory.save_host(request.url, HostState())
        raise RefusedError(f"{request.url}: redirects more than {_N_HOPS} times")

    def _recall(self, url: str) -> None:
        """Let a host rest that an earlier run left in its cool-down."""
        host = host_of(url)
        if host in self._known_hosts:
            return
        self._known_hosts.add(host)
        state = self._memory.read_host(host)
        if state.rest_until is not None:
            left_s = (state.rest_until - self.clock.now()).total_seconds()
            if left_s > 0:
                left_s = min(left_s, state.rest_s)
                self._gate.rest(url, left_s)
                self._spend(left_s, ThrottledError(f"{host} is in its cool-down"))

    def _begin_rest(self, fault: ThrottledError) -> float:
        """Store the cool-down that a throttled reply begins; return its seconds."""
        host = host_of(self._asked_url)
        n_strikes = self._memory.read_host(host).n_strikes + 1
        if fault.retry_after_s is not None:
            rest_s = min(_MOST_ASKED_S, max(_LEAST_ASKED_S, fault.retry_after_s))
        else:
            rest_s = min(_LONGEST_REST_S, _FIRST_REST_S * 2 ** min(n_strikes - 1, 10))
            rest_s *= self._rng.uniform(1.0, 1.2)
        rest_s = max(rest_s, self._gate.gap_s)
        until = self.clock.now() + timedelta(seconds=rest_s)
        state = HostState(rest_until=until, rest_s=rest_s, n_strikes=n_strikes)
        self._memory.save_host(host, state)
        return rest_s

    def _forgive(self) -> None:
        host = host_of(self._asked_url)
        if self._memory.read_host(host).n_strikes:
            self._memory.save_host(host, HostState())

    def _spend(self, seconds: float, fault: FetchError) -> None:
        self._patience_s -= seconds
        if self._patience_s < 0:
            raise ThrottledError(f"{fault}; patience is used up", is_final=True) from None

    def _wait(self, what: str, seconds: float) -> None:
        end = self.clock.monotonic() + seconds
        while (left := end - self.clock.monotonic()) > 0:
            self._notice(what, left)
            self.clock.sleep(min(left, 1.0))


def _judge(reply: Reply, url: str, now: datetime) -> None:
    """Raise what a status, or a body that is none of arXiv's pages, means."""
    status, host = reply.status, host_of(url)
    start = reply.body[:200].strip()
    if status == 200 and not start.lower().startswith(b"rate exceeded"):
        if start[:1] not in (b"<", b"\xef") or start.lower().startswith((b"<html", b"<!doctype")):
            shown = start[:60].decode("utf-8", "replace")
            raise TransientError(
                f"{host} answers with something else than XML, as a proxy or a maintenance page "
                f"does: {shown!r}"
            )
        return
    if status in (200, 429, 503):
        said = "Rate exceeded" if status == 200 else f"status {status}"
        asked = _retry_after_s(reply.headers.get("retry-after"), now)
        raise ThrottledError(f"{host} asks for rest ({said})", retry_after_s=asked)
    if status == 403:
        raise ForbiddenError(
            f"{host} denies access (403); arXiv blocks clients that ask too much and treats "
            "further requests as an attack. Stop, and write to arXiv if you believe it an error"
        )
    if status in _RETRIED:
        raise TransientError(f"{host} has a fault of its own (status {status})")
    if status == 400:
        with contextlib.suppress(TransientError):  # no Atom feed: the status must say enough
            parse_atom(reply.body)
    if status == 414:
        raise RefusedError(f"{host}: the request is too long (status 414)", is_of_content=True)
    raise RefusedError(f"{host} refuses the request (status {status})")


def _retry_after_s(header: str | None, now: datetime) -> float | None:
    """Read Retry-After, seconds or a date; 0 and nonsense say nothing (RFC 9110, 10.2.3)."""
    if header is None:
        return None
    text = header.strip()
    if text.isdecimal():
        return float(text) or None
    try:
        when = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    when = when.replace(tzinfo=UTC) if when.tzinfo is None else when
    return max(_LEAST_ASKED_S, (when - now).total_seconds())


def _redirect_target(url: str, reply: Reply) -> str:
    """Return where a redirect leads, without parameters; only the same service may be meant."""
    try:
        target = urlsplit(urljoin(url, reply.headers.get("location", "")))
    except ValueError:
        raise RefusedError(f"{host_of(url)} redirects to no address") from None
    came = urlsplit(url)
    is_same = target.hostname == came.hostname or (
        _is_arxiv(target.hostname) and _is_arxiv(came.hostname)
    )
    is_safe = target.scheme == "https" or target.scheme == came.scheme
    if not (is_same and is_safe and target.scheme in ("http", "https")):
        raise RefusedError(
            f"{host_of(url)} redirects to {target.scheme}://{target.netloc}, which is another "
            "service; give its address by --api-url or --oai-url if it is meant"
        )
    return target._replace(query="", fragment="").geturl()


def _is_arxiv(host: str | None) -> bool:
    return host is not None and (host == "arxiv.org" or host.endswith(".arxiv.org"))

"""The wire: one HTTP request, bounded in time and size. Nothing is judged here.

Every request has a connection of its own that is closed after it: arXiv allows one connection,
and an idle one that another process cannot see would be a second.
"""

import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Literal, Protocol
from urllib.parse import urlencode, urlsplit

import httpx

from survey_tools import __version__
from survey_tools.errors import ParameterError
from survey_tools.harvest.faults import RefusedError, TransientError

__all__ = ["HttpWire", "Reply", "Request", "Wire", "host_of", "is_loopback"]

DEADLINE_S = 240.0  # arXiv's proxy gives up after some 183 s, and answers came after 124 s
_CONNECT_S, _READ_S = 10.0, 60.0
_N_BYTES = 64 * 2**20  # decoded; arXiv's largest page, 2,500 records, has some 6 MB


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked of a service.

    Attributes
    ----------
    url : str
        Without parameters.
    parameters : tuple of (str, str)
    method : {"GET", "POST"}
        POST sends the parameters as a form, for long lists.
    """

    url: str
    parameters: tuple[tuple[str, str], ...] = ()
    method: Literal["GET", "POST"] = "GET"

    @property
    def full_url(self) -> str:
        """The address with its parameters, however they are sent."""
        return f"{self.url}?{urlencode(self.parameters)}" if self.parameters else self.url


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came back.

    Attributes
    ----------
    headers : dict
        Names in lower case.
    body : bytes
        Decoded (gzip).
    """

    status: int
    headers: dict[str, str]
    body: bytes


class Wire(Protocol):
    """Sends one request."""

    def send(self, request: Request, *, on_answer: Callable[[], None]) -> Reply:
        """Send a request and read the reply to its end.

        Parameters
        ----------
        on_answer : callable
            Called when the reply begins: the server has the request by then.

        Raises
        ------
        TransientError
            If no whole reply came in time.
        RefusedError
            If the address can never be asked.
        """
        ...


class HttpWire:
    """The wire over HTTP, by httpx.

    Parameters
    ----------
    contact : str or None
        How arXiv can reach the user, for example an address of mail; part of the User-Agent.
    deadline_s : float
        Seconds after which a request is given up, from its start to the last byte of the
        reply; a server that sends a byte a minute is thereby left.

    Raises
    ------
    ParameterError
        If the contact cannot be sent.
    """

    def __init__(self, *, contact: str | None = None, deadline_s: float = DEADLINE_S) -> None:
        self._deadline_s = deadline_s
        if contact is not None and not (contact.isascii() and contact.isprintable()):
            raise ParameterError(
                f"contact {contact!r}: only ASCII letters and signs can be sent; write for "
                "example an address of mail"
            )
        about = f"; {contact}" if contact else ""
        self._headers = {
            "User-Agent": f"survey-tools/{__version__} (literature surveys{about})",
            "Accept-Encoding": "gzip",
            "Connection": "close",
        }
        self._timeout = httpx.Timeout(min(_READ_S, deadline_s), connect=min(_CONNECT_S, deadline_s))

    def send(self, request: Request, *, on_answer: Callable[[], None]) -> Reply:
        """Send a request; see `Wire.send`."""
        sockets: list[socket.socket] = []
        is_cut: list[bool] = []
        watchdog = threading.Timer(self._deadline_s, _cut, [sockets, is_cut])
        watchdog.daemon = True
        try:
            is_local = is_loopback(request.url)
        except ValueError as error:
            raise RefusedError(f"{request.url}: is no address ({error})") from None
        try:
            watchdog.start()
            with (
                # a proxy set in the environment is used, but not to reach this very machine
                httpx.Client(timeout=self._timeout, trust_env=not is_local) as client,
                client.stream(
                    request.method,
                    request.url if request.method == "POST" else request.full_url,
                    data=dict(request.parameters) if request.method == "POST" else None,
                    headers=self._headers,
                    extensions={"trace": _remember(sockets)},
                ) as response,
            ):
                on_answer()
                reply = Reply(
                    status=response.status_code,
                    headers={name.lower(): value for name, value in response.headers.items()},
                    body=self._read(response),
                )
            if is_cut:  # without a Content-Length, a reply that we cut ourselves looks whole
                raise self._too_slow()
            return reply
        except (httpx.UnsupportedProtocol, httpx.InvalidURL, ValueError, ImportError) as error:
            raise RefusedError(f"{request.url}: cannot be asked ({error})") from None
        except (httpx.TransportError, httpx.DecodingError, OSError) as error:
            if is_cut or isinstance(error, httpx.ReadTimeout):
                raise self._too_slow() from None
            said = str(error) or type(error).__name__
            raise TransientError(f"{host_of(request.url)}: {said}") from None
        finally:
            watchdog.cancel()

    def _too_slow(self) -> TransientError:
        return TransientError(f"no whole reply within {self._deadline_s:g} s", is_slow=True)

    def _read(self, response: httpx.Response) -> bytes:
        parts = []
        n_bytes = 0
        for part in response.iter_bytes():
            n_bytes += len(part)
            if n_bytes > _N_BYTES:
                raise TransientError(
                    f"the reply is larger than {_N_BYTES // 2**20} MB; no page of arXiv is"
                )
            parts.append(part)
        return b"".join(parts)


def _remember(sockets: list[socket.socket]) -> Callable[[str, dict[str, Any]], None]:
    """Give a trace function that notes the sockets of a request, for the watchdog."""

    def trace(event: str, info: dict[str, Any]) -> None:
        if event.endswith(("connect_tcp.complete", "start_tls.complete")):
            found = info["return_value"].get_extra_info("socket")
            if found is not None:
                sockets.append(found)

    return trace


def _cut(sockets: list[socket.socket], is_cut: list[bool]) -> None:
    """End what is read from a request's sockets, wherever it waits, and say so."""
    is_cut.append(True)
    for opened in sockets:
        try:
            opened.shutdown(socket.SHUT_RDWR)
        except OSError:
            continue  # closed already


def host_of(url: str) -> str:
    """Return host and port of an address: ``127.0.0.1:8080``, ``export.arxiv.org``."""
    parts = urlsplit(url)
    return parts.netloc.rpartition("@")[2].lower()


def is_loopback(url: str) -> bool:
    """Tell whether an address is of this machine."""
    host = (urlsplit(url).hostname or "").lower()
    try:
        return ip_address(host).is_loopback
    except ValueError:  # a name
        return host == "localhost"

"""Sockets of the invented arXiv: requests are read and logged, replies delivered well or badly."""

import select
import socket
import struct
import sys
import time
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlsplit

from arxiv_faults import Reply, Service

TICK_S = 0.01
_SERVICES: dict[str, Service] = {
    "/api/query": "atom",
    "/oai": "oai",
    "/moved/api/query": "atom",
    "/moved/oai": "oai",
}


@dataclass
class Request:
    """One request as the server saw it.

    Attributes
    ----------
    number : int
        In order of arrival, from 1.
    arrived, ended : float
        `time.monotonic`; ``ended`` just before the last byte of the answer, None until then.
    method, path, host, user_agent : str
    service : str or None
        ``atom``, ``oai``, or None for other paths.
    params : dict
        Decoded; of the query and the form.
    fault : str or None
        Name of the fault served.
    overlapping : int
        Other requests that were being served when this one arrived.
    open_connections : int
        TCP connections open at that time, its own among them.
    status, n_bytes : int
        Of the answer as it was meant.
    """

    number: int
    arrived: float
    overlapping: int
    open_connections: int
    method: str = ""
    path: str = ""
    host: str = ""
    user_agent: str = ""
    service: Service | None = None
    params: dict[str, str] = field(default_factory=dict)
    fault: str | None = None
    status: int = 0
    n_bytes: int = 0
    ended: float | None = None


class Owner(Protocol):
    """What listener and handler need of the server they work for."""

    errors: list[BaseException]

    @property
    def now(self) -> datetime:
        """The server's time."""

    @property
    def is_stopping(self) -> bool:
        """Whether all must end."""

    def connection_opened(self, connection: socket.socket) -> None:
        """Count a connection."""

    def connection_closed(self, connection: socket.socket) -> None:
        """Forget a connection."""

    def request_arrived(self, connection: socket.socket) -> Request:
        """Begin the record of a request."""

    def request_ended(self, request: Request) -> None:
        """Complete the record of a request."""

    def answer(self, request: Request, target: str, pairs: list[tuple[str, str]]) -> Reply:
        """Make a reply."""


def is_closed(connection: socket.socket) -> bool:
    """Whether the other side has closed a connection (or this one has)."""
    try:
        return not connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    except OSError:
        return True


class Listener(ThreadingHTTPServer):
    """Accepts connections, each with a thread of its own."""

    daemon_threads = True
    request_queue_size = 128
    owner: Owner

    def server_bind(self) -> None:
        """Bind without asking for the host's name, which may take its time."""
        TCPServer.server_bind(self)

    def process_request(self, request: Any, client_address: Any) -> None:
        self.owner.connection_opened(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        super().shutdown_request(request)
        self.owner.connection_closed(request)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002
        error = sys.exception()
        if error is not None and not isinstance(error, OSError):  # those are the client's doing
            self.owner.errors.append(error)


class Handler(BaseHTTPRequestHandler):
    """Reads requests and delivers replies, well or badly."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Listener

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing."""

    def version_string(self) -> str:
        return "invented"

    def date_time_string(self, timestamp: float | None = None) -> str:  # noqa: ARG002
        return format_datetime(self.server.owner.now, usegmt=True)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Log what was no proper request, too."""
        owner = self.server.owner
        request = owner.request_arrived(self.connection)
        request.status = int(code)
        super().send_error(code, message, explain)
        owner.request_ended(request)

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def _serve(self) -> None:
        owner = self.server.owner
        request = owner.request_arrived(self.connection)
        try:
            url = urlsplit(self.path)
            pairs = parse_qsl(url.query, keep_blank_values=True)
            if length := int(self.headers.get("Content-Length", 0)):
                pairs += parse_qsl(
                    self.rfile.read(length).decode("utf-8", "replace"), keep_blank_values=True
                )
            request.method = self.command
            request.path = url.path
            request.host = self.headers.get("Host", "")
            request.user_agent = self.headers.get("User-Agent", "")
            request.service = _SERVICES.get(url.path)
            request.params = dict(pairs)
            reply = owner.answer(request, self.path, pairs)
            request.status = reply.status
            request.n_bytes = len(reply.body)
            self._deliver(request, reply)
        finally:
            owner.request_ended(request)

    def _deliver(self, request: Request, reply: Reply) -> None:
        head = self._head(reply)
        body = reply.body[: int(len(reply.body) * reply.share)]
        if reply.chunked:
            end = b"0\r\n\r\n" if reply.delivery == "whole" else b""
            body = b"%x\r\n%s\r\n" % (len(body), body) + end
        stream = b"" if reply.share == 0 and reply.delivery != "short" else head + body
        if reply.delivery != "whole":
            self.close_connection = True
        if not self._wait(reply.delay_s):
            self.close_connection = True
            return
        if reply.delivery == "hang":
            self.wfile.write(stream)
            self._wait(float("inf"))
            return
        if reply.delivery == "drip":
            self._drip(stream[:-1], reply.interval_s)
        else:
            self.wfile.write(stream[:-1])
        # The last byte is held back until the log is complete: a client that has it all may be
        # faster with its next request than this thread with its notes.
        self.server.owner.request_ended(request)
        self.wfile.write(stream[-1:])
        if reply.delivery == "reset":
            self._reset()

    def _head(self, reply: Reply) -> bytes:
        headers = [
            f"HTTP/1.1 {reply.status} {self.responses.get(reply.status, ('',))[0]}",
            f"Server: {self.version_string()}",
            f"Date: {self.date_time_string()}",
        ]
        if reply.content_type:
            headers.append(f"Content-Type: {reply.content_type}")
        if reply.chunked:
            headers.append("Transfer-Encoding: chunked")
        else:
            headers.append(f"Content-Length: {len(reply.body)}")
        headers += [f"{name}: {value}" for name, value in reply.headers]
        return ("\r\n".join(headers) + "\r\n\r\n").encode("latin-1")

    def _wait(self, seconds: float) -> bool:
        """Wait; return False as soon as the client has gone or the server stops."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            if self.server.owner.is_stopping or is_closed(self.connection):
                return False
            select.select([self.connection], [], [], min(left, TICK_S))
        return True

    def _drip(self, stream: bytes, interval_s: float) -> None:
        for i in range(len(stream)):
            self.wfile.write(stream[i : i + 1])
            if not self._wait(interval_s):
                return

    def _reset(self) -> None:
        """Close with RST instead of FIN."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.rfile.close()
        self.connection.close()

"""The wire: a request ends in time, whatever the server does, and leaves no connection open."""

import gzip
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from arxiv_server import ArxivServer, make_truth

from survey_tools import __version__
from survey_tools.errors import ParameterError
from survey_tools.harvest import wire
from survey_tools.harvest.faults import RefusedError, TransientError
from survey_tools.harvest.wire import HttpWire, Reply, Request, host_of, is_loopback

Script = Callable[[socket.socket], None]
DEADLINE_S = 0.3
GOOD = b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: 4\r\n\r\n<a/>"


class TinyServer:
    """Accepts connections, notes what came, and answers by a script."""

    def __init__(self, script: Script) -> None:
        self.requests: list[bytes] = []
        self.ends: list[bytes] = []
        self.is_stopping = threading.Event()
        self._script = script
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._socket.settimeout(0.02)
        self._thread = threading.Thread(target=self._serve)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}/api/query"

    def __enter__(self) -> "TinyServer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.is_stopping.set()
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while not self.is_stopping.is_set():
            try:
                connection, _ = self._socket.accept()
            except TimeoutError:
                continue
            with connection:
                connection.settimeout(2)
                try:
                    self.requests.append(self._read(connection))
                    self._script(connection)
                    self.ends.append(connection.recv(1))
                except OSError:
                    continue

    def _read(self, connection: socket.socket) -> bytes:
        request = b""
        while b"\r\n\r\n" not in request:
            request += self._receive(connection)
        head, _, body = request.partition(b"\r\n\r\n")
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                while len(body) < int(line.split(b":")[1]):
                    body += self._receive(connection)
        return head + b"\r\n\r\n" + body

    @staticmethod
    def _receive(connection: socket.socket) -> bytes:
        if not (received := connection.recv(65536)):
            raise ConnectionError
        return received


def send(
    script: Script, *, deadline_s: float = DEADLINE_S, request: Request | None = None
) -> tuple[Reply, TinyServer]:
    """Ask a scripted server once."""
    with TinyServer(script) as server:
        asked = request or Request(url=server.url)
        reply = HttpWire(deadline_s=deadline_s).send(asked, on_answer=lambda: None)
    return reply, server


def fail(script: Script, *, deadline_s: float = DEADLINE_S) -> TransientError:
    """Ask a scripted server that gives no whole reply; return the complaint."""
    with pytest.raises(TransientError) as caught:
        send(script, deadline_s=deadline_s)
    return caught.value


def dripping(text: bytes, begin: bytes = b"") -> Script:
    """Send a text byte by byte, slower than the deadline allows."""

    def script(connection: socket.socket) -> None:
        connection.sendall(begin)
        for i in range(len(text)):
            connection.sendall(text[i : i + 1])
            time.sleep(0.02)

    return script


def silent(seconds: float) -> Script:
    """Send nothing for a while."""
    return lambda _: time.sleep(seconds)


def answering(*parts: bytes) -> Script:
    """Send bytes and say that no more will come."""

    def script(connection: socket.socket) -> None:
        connection.sendall(b"".join(parts))
        connection.shutdown(socket.SHUT_WR)

    return script


def keeping_open(*parts: bytes) -> Script:
    """Send bytes and wait for the client to close."""
    return lambda connection: connection.sendall(b"".join(parts))


@pytest.fixture
def server() -> Iterator[ArxivServer]:
    """Serve a few invented papers."""
    with ArxivServer(make_truth(20)) as server:
        yield server


# ---- a request and its reply -------------------------------------------------------------


def test_a_reply_is_given_as_it_came() -> None:
    """Status, headers by lower-case name, body; nothing is judged."""
    reply, _ = send(answering(b"HTTP/1.1 503 No\r\nRetry-After: 7\r\nContent-Length: 2\r\n\r\nno"))
    assert reply == Reply(
        status=503, headers={"retry-after": "7", "content-length": "2"}, body=b"no"
    )


def test_a_reply_is_decoded() -> None:
    """It is asked for in gzip and may come so."""
    body = gzip.compress(b"<a/>" * 1000)
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body)
    reply, server = send(answering(head, body))
    assert reply.body == b"<a/>" * 1000
    assert b"Accept-Encoding: gzip\r\n" in server.requests[0]


def test_a_redirect_is_not_followed() -> None:
    """Each hop is a request and wants a turn of its own."""
    reply, server = send(answering(b"HTTP/1.1 301 M\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n"))
    assert reply.status == 301
    assert len(server.requests) == 1


def test_parameters_of_a_get_stand_in_the_address(server: ArxivServer) -> None:
    """Encoded, whatever they hold."""
    parameters = (("search_query", 'ti:"a&b" AND au:Müller'), ("max_results", "1"))
    request = Request(url=server.api_url, parameters=parameters)
    assert HttpWire(deadline_s=10).send(request, on_answer=lambda: None).status == 200
    (seen,) = server.log
    assert (seen.method, seen.params) == ("GET", dict(parameters))
    query = urlsplit(request.full_url).query
    assert parse_qs(query) == {name: [value] for name, value in parameters}


def test_parameters_of_a_post_are_a_form(server: ArxivServer) -> None:
    """A long list of ids fits no address; it is named by its full address all the same."""
    ids = ",".join(f"2501.{i:05}" for i in range(1, 1001))
    request = Request(url=server.api_url, parameters=(("id_list", ids),), method="POST")
    assert HttpWire(deadline_s=10).send(request, on_answer=lambda: None).status == 200
    (seen,) = server.log
    assert (seen.method, seen.params) == ("POST", {"id_list": ids})
    assert request.full_url.startswith(f"{server.api_url}?id_list=2501.00001%2C2501.00002")


def test_a_form_keeps_its_order_and_its_type() -> None:
    """A server that is given no type may guess another."""
    with TinyServer(answering(GOOD)) as server:
        parameters = (("id_list", "a,b"), ("start", "0"))
        request = Request(url=server.url, parameters=parameters, method="POST")
        HttpWire(deadline_s=5).send(request, on_answer=lambda: None)
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    assert body == b"id_list=a%2Cb&start=0"
    assert b"content-type: application/x-www-form-urlencoded" in head.lower()
    assert head.startswith(b"POST /api/query HTTP/1.1\r\n")


def test_an_address_without_parameters_is_left_alone() -> None:
    """No question mark is added."""
    assert Request(url="http://127.0.0.1/oai").full_url == "http://127.0.0.1/oai"


@pytest.mark.parametrize(
    ("contact", "expected"),
    [
        (None, f"survey-tools/{__version__} (literature surveys)"),
        ("ana@example.org", f"survey-tools/{__version__} (literature surveys; ana@example.org)"),
    ],
)
def test_the_program_says_who_asks(server: ArxivServer, contact: str | None, expected: str) -> None:
    """So that arXiv can write to the user instead of blocking the program."""
    asking = HttpWire(contact=contact, deadline_s=10)
    asking.send(Request(url=server.api_url), on_answer=lambda: None)
    assert server.log[0].user_agent == expected


@pytest.mark.parametrize(
    "contact", ["Jürgen Müller", "ana@example.org\r\nX-Other: 1", "\x00", "猫"]
)
def test_any_contact_can_be_sent_or_is_refused(contact: str) -> None:
    """A name with an umlaut ends no harvest; a line break makes no second header."""
    with TinyServer(answering(GOOD)) as server:
        try:
            asking = HttpWire(contact=contact, deadline_s=5)
            asking.send(Request(url=server.url), on_answer=lambda: None)
        except (ParameterError, RefusedError) as error:
            assert "contact" in str(error)  # noqa: PT017  it need not be refused
    assert b"\r\nX-Other" not in b"".join(server.requests)


def test_the_reply_is_announced_when_it_begins() -> None:
    """The gap counts from there, not from the end of a long page."""
    begun = threading.Event()

    def script(connection: socket.socket) -> None:
        connection.sendall(GOOD[:-4])
        assert begun.wait(2)
        connection.sendall(GOOD[-4:])

    with TinyServer(script) as server:
        reply = HttpWire(deadline_s=5).send(Request(url=server.url), on_answer=begun.set)
    assert reply.body == b"<a/>"


def test_a_reply_that_never_begins_is_not_announced() -> None:
    """The gap counts from the end of the attempt then."""
    announced: list[None] = []
    with TinyServer(answering()) as server, pytest.raises(TransientError):
        HttpWire(deadline_s=5).send(
            Request(url=server.url), on_answer=lambda: announced.append(None)
        )
    assert announced == []


def test_every_request_closes_its_connection(server: ArxivServer) -> None:
    """ArXiv allows one; an idle one is one."""
    asking = HttpWire(deadline_s=10)
    for _ in range(3):
        asking.send(Request(url=server.api_url), on_answer=lambda: None)
    assert server.max_open_connections == 1
    assert [request.open_connections for request in server.log] == [1, 1, 1]


def test_a_connection_is_closed_by_the_client() -> None:
    """Also if the server would keep it open."""
    _, server = send(keeping_open(GOOD))
    assert b"Connection: close\r\n" in server.requests[0]
    assert server.ends == [b""]


# ---- in time -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "script",
    [
        silent(0.8),
        dripping(b"HTTP/1.1 200 OK\r\nX-Slow: " + b"y" * 100),
        dripping(b"HTTP/1.1 100 Continue\r\n\r\n" * 10),
        dripping(b"x" * 100, b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"),
        dripping(b"1\r\nx\r\n" * 20, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
        dripping(b"x" * 100, b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"),
    ],
    ids=["silent", "headers", "continue", "body", "chunks", "body without length"],
)
def test_a_slow_server_is_left_at_the_deadline(script: Script) -> None:
    """However it spends the time; a smaller question may be answered."""
    assert fail(script).is_slow


def test_the_deadline_holds_for_the_whole_reply(server: ArxivServer) -> None:
    """A byte now and then does not move it."""
    server.schedule("slow-loris", times=None)
    begin = time.monotonic()
    with pytest.raises(TransientError, match="no whole reply"):
        HttpWire(deadline_s=DEADLINE_S).send(Request(url=server.api_url), on_answer=lambda: None)
    assert time.monotonic() - begin >= DEADLINE_S * 0.9


def test_a_wait_for_one_byte_that_is_too_long_is_slow_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """ArXiv's stalls last up to 183 s, and each read may take 60: a smaller window may help."""
    monkeypatch.setattr(wire, "_READ_S", 0.1)
    assert fail(silent(0.6), deadline_s=5).is_slow


def test_a_quick_reply_leaves_no_watchdog_behind() -> None:
    """A harvest of thousands of requests would have thousands of threads."""
    n_before = threading.active_count()
    with TinyServer(answering(GOOD)) as server:
        asking = HttpWire(deadline_s=60)
        for _ in range(5):
            asking.send(Request(url=server.url), on_answer=lambda: None)
    for _ in range(100):
        if threading.active_count() <= n_before:
            break
        time.sleep(0.01)
    assert threading.active_count() <= n_before


# ---- whole -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "script",
    [
        answering(),
        answering(b"HTTP/1.1 200 OK\r\n"),
        answering(b"Rate exceeded.\r\n\r\n"),
        answering(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n<a>"),
        answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n<a>xy\r\n"),
        answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
        answering(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n<a"),
        answering(b"HTTP/1.1 200 OK\r\n", b"X-Long: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n" * 20_000),
    ],
    ids=["nothing", "headers", "no HTTP", "short", "chunk", "bad chunk", "no gzip", "huge headers"],
)
def test_a_reply_that_is_not_whole_is_none(script: Script) -> None:
    """It may come whole the next time."""
    error = fail(script, deadline_s=5)
    assert not error.is_slow
    assert "127.0.0.1:" in str(error)


@pytest.mark.parametrize("fault", ["reset", "short-body", "refuse"])
def test_a_broken_connection_is_passing(server: ArxivServer, fault: str) -> None:
    """As the fake arXiv breaks it."""
    server.schedule(fault)
    with pytest.raises(TransientError):
        HttpWire(deadline_s=5).send(Request(url=server.api_url), on_answer=lambda: None)
    assert HttpWire(deadline_s=5).send(Request(url=server.api_url), on_answer=lambda: None)


def test_a_port_where_nobody_listens_is_passing() -> None:
    """The service may be started again."""
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    with pytest.raises(TransientError, match=rf"^127\.0\.0\.1:{port}: "):
        HttpWire(deadline_s=5).send(
            Request(url=f"http://127.0.0.1:{port}/"), on_answer=lambda: None
        )


@pytest.mark.parametrize("is_compressed", [False, True])
def test_a_reply_larger_than_any_page_is_left(
    monkeypatch: pytest.MonkeyPatch, is_compressed: bool
) -> None:
    """Counted after decoding: some hundred bytes of gzip may be millions."""
    monkeypatch.setattr(wire, "_N_BYTES", 2**20)
    body = b"x" * (2**20 + 1)
    head = b"HTTP/1.1 200 OK\r\nConnection: close\r\n"
    if is_compressed:
        body = gzip.compress(body)
        assert len(body) < 2000
        head += b"Content-Encoding: gzip\r\n"
    error = fail(answering(head, b"\r\n", body), deadline_s=10)
    assert str(error) == "the reply is larger than 1 MB; no page of arXiv is"


def test_a_reply_as_large_as_allowed_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound itself is allowed."""
    monkeypatch.setattr(wire, "_N_BYTES", 2**20)
    head = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
    reply, _ = send(answering(head, b"x" * 2**20), deadline_s=10)
    assert len(reply.body) == 2**20


def test_a_bomb_of_the_fake_arxiv_is_left(server: ArxivServer) -> None:
    """With the real bound of 64 MB."""
    server.schedule("gzip-bomb")
    with pytest.raises(TransientError, match="the reply is larger than 64 MB"):
        HttpWire(deadline_s=20).send(Request(url=server.api_url), on_answer=lambda: None)


# ---- addresses ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "",
        "notaurl",
        "ftp://127.0.0.1/",
        "file:///etc/passwd",
        "http://",
        "http://127.0.0.1:abc/",
        "http://\x00/",
        "http://[",
        "http://[::1/",
        "http://a..invalid/",
        f"http://{'a' * 70}.invalid/",
        "http://xn--/",
    ],
)
def test_an_address_that_cannot_be_asked_is_refused(url: str) -> None:
    """At once: no second try would help, and no traceback either."""
    with pytest.raises((RefusedError, TransientError)) as caught:
        HttpWire(deadline_s=5).send(Request(url=url), on_answer=lambda: None)
    assert str(caught.value)


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://export.arxiv.org/api/query", "export.arxiv.org"),
        ("http://127.0.0.1:8080/x", "127.0.0.1:8080"),
        ("https://me:secret@Export.arXiv.org:443/", "export.arxiv.org:443"),
        ("http://[::1]:80/", "[::1]:80"),
    ],
)
def test_a_host_is_named_without_secrets(url: str, host: str) -> None:
    """Messages and lock files show it."""
    assert host_of(url) == host


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:8080/", True),
        ("http://127.4.5.6/", True),
        ("http://LOCALHOST/", True),
        ("http://[::1]:80/", True),
        ("http://me@127.0.0.1/", True),
        ("https://export.arxiv.org/", False),
        ("http://127.example.com/", False),
        ("http://127.0.0.1.example.com/", False),
        ("http://localhost.example.com/", False),
        ("http://localhost@example.com/", False),
        ("http://example.com/127.0.0.1", False),
        ("http://128.0.0.1/", False),
        ("notaurl", False),
    ],
)
def test_this_machine_is_known_by_its_address(url: str, expected: bool) -> None:
    """It may be asked faster, and without a proxy: nothing else may pass for it."""
    assert is_loopback(url) is expected


# ---- proxies -----------------------------------------------------------------------------


@pytest.fixture
def proxied(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Set a proxy in the environment, under all its names."""

    def set_proxy(address: str) -> None:
        for name in ("NO_PROXY", "no_proxy", "HTTPS_PROXY", "https_proxy"):
            monkeypatch.delenv(name, raising=False)
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, address)

    return set_proxy


def test_this_machine_is_asked_without_a_proxy(
    server: ArxivServer, proxied: Callable[[str], None]
) -> None:
    """A proxy elsewhere has another loopback."""
    proxied("http://127.0.0.1:9")
    reply = HttpWire(deadline_s=5).send(Request(url=server.api_url), on_answer=lambda: None)
    assert reply.status == 400
    assert len(server.log) == 1


def test_other_machines_are_asked_through_the_proxy(proxied: Callable[[str], None]) -> None:
    """Many institutes have no other way out."""
    with TinyServer(answering(GOOD)) as proxy:
        proxied(f"http://{host_of(proxy.url)}")
        request = Request(url="http://mirror.invalid/oai", parameters=(("verb", "Identify"),))
        reply = HttpWire(deadline_s=5).send(request, on_answer=lambda: None)
    assert reply.body == b"<a/>"
    assert proxy.requests[0].startswith(b"GET http://mirror.invalid/oai?verb=Identify HTTP/1.1\r\n")


@pytest.mark.parametrize("address", ["foo://127.0.0.1:9", "socks5://127.0.0.1:9"])
def test_a_proxy_that_cannot_be_used_is_named(proxied: Callable[[str], None], address: str) -> None:
    """A sentence, not a traceback: it is a setting of the user's."""
    proxied(address)
    with pytest.raises((RefusedError, TransientError), match=r"(?i)proxy"):
        HttpWire(deadline_s=5).send(Request(url="http://mirror.invalid/"), on_answer=lambda: None)


def test_a_proxy_that_is_dead_is_passing(proxied: Callable[[str], None]) -> None:
    """It may come back."""
    proxied("http://127.0.0.1:9")
    with pytest.raises(TransientError, match=r"^mirror\.invalid: "):
        HttpWire(deadline_s=5).send(Request(url="http://mirror.invalid/"), on_answer=lambda: None)


def test_no_credentials_of_the_user_are_sent(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A ``.netrc`` names passwords for hosts; arXiv asks for none."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password secret\n", encoding="utf-8")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    _, server = send(answering(GOOD), deadline_s=5)
    assert b"authorization" not in server.requests[0].lower()

"""The gate: one request at a time, a gap between two, and rest where a server asks for it.

The rule of arXiv's terms (at most one request every three seconds over one connection, for all
machines and services together) holds for all threads, processes and commands of this machine:
a lock file is held during every request. The kernel frees it when a process dies.

References
----------
.. [1] arXiv, "Terms of Use for arXiv APIs", https://info.arxiv.org/help/api/tou.html
"""

import fcntl
import json
import os
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path

from survey_tools.errors import OutputError, ParameterError
from survey_tools.harvest.clock import Clock
from survey_tools.harvest.wire import host_of, is_loopback

__all__ = ["ARXIV_GAP_S", "Gate", "Turn", "check_gap", "gate_path"]

ARXIV_GAP_S = 3.0
_POLL_S = 0.05  # how often a taken lock is tried again
_LONGEST_REST_S = 3600.0


def gate_path(url: str) -> Path:
    """Name the lock file of a service: one for all of arXiv, one for any other host."""
    host = host_of(url)
    name = host.partition(":")[0].rstrip(".")
    is_arxiv = name == "arxiv.org" or name.endswith(".arxiv.org")
    family = "arxiv.org" if is_arxiv else re.sub(r"[^a-z0-9.]+", "-", host)
    return Path(tempfile.gettempdir()) / f"survey-tools-{family}.lock"


def check_gap(url: str, gap_s: float) -> None:
    """Refuse a gap smaller than arXiv's terms allow, except for this very machine.

    Raises
    ------
    ParameterError
        If it is.
    """
    if not gap_s >= ARXIV_GAP_S and not is_loopback(url):  # so that NaN is refused
        raise ParameterError(
            f"gap_s={gap_s:g}: arXiv's terms ask for at least {ARXIV_GAP_S:g} seconds between "
            "requests; only a server on this machine may be asked faster"
        )


@dataclass(slots=True)
class Turn:
    """One request's stay inside the gate.

    Attributes
    ----------
    answered_s : float or None
        Monotonic time at which the reply began.
    rest_s : float
        Seconds that the host asks to rest; told to all before the gate opens to the next.
    """

    clock: Clock
    answered_s: float | None = None
    rest_s: float = 0.0

    def mark(self) -> None:
        """Note that the server has the request: the gap counts from here."""
        self.answered_s = self.clock.monotonic()


@dataclass(slots=True)
class _Memory:
    """What the lock file says: when the last request was, and until when a host rests."""

    last_s: float | None = None
    rests: dict[str, tuple[float, float]] = field(default_factory=dict)  # host -> begin, seconds


class Gate:
    """The way to one service.

    Parameters
    ----------
    url : str
        An address of the service; all of arXiv has one gate.
    gap_s : float
        Seconds between two requests, from the beginning of a reply to the next request.
    notice : callable
        Told what is waited for, and the seconds left.

    Raises
    ------
    ParameterError
        If the gap is smaller than arXiv's terms allow; see `check_gap`.
    """

    def __init__(
        self,
        url: str,
        *,
        gap_s: float,
        clock: Clock,
        notice: Callable[[str, float], None] = lambda _what, _left_s: None,
    ) -> None:
        check_gap(url, gap_s)
        self.gap_s = gap_s
        self._path = gate_path(url)
        self._clock = clock
        self._notice = notice

    @contextmanager
    def turn(self, url: str) -> Iterator[Turn]:
        """Wait until a request may be sent, and hold the gate while it is.

        Raises
        ------
        OutputError
            If the lock file cannot be made.
        """
        host = host_of(url)
        while True:
            with self._locked() as file:
                memory = _read(file)
                self._forget_other_boot(file, memory, host)
                rest_s = self._rest_left(memory, host)
                if rest_s <= 0:
                    self._wait("next request", self._gap_left(memory))
                    turn = Turn(self._clock)
                    memory.last_s = self._clock.monotonic()
                    _write(file, memory)  # for the case that this process is killed meanwhile
                    try:
                        yield turn
                    finally:
                        memory.last_s = turn.answered_s or self._clock.monotonic()
                        self._lengthen(memory, host, turn.rest_s)
                        _write(file, memory)
                    return
            self._wait(f"cool-down of {host}", rest_s)  # not under the lock: others may be free

    def rest(self, url: str, seconds: float) -> None:
        """Let no request to a host through for some seconds, for every process here."""
        with self._locked() as file:
            memory = _read(file)
            self._lengthen(memory, host_of(url), seconds)
            _write(file, memory)

    def rest_left_s(self, url: str) -> float:
        """Return the seconds that a host still rests."""
        with self._locked() as file:
            return self._rest_left(_read(file), host_of(url))

    def _lengthen(self, memory: _Memory, host: str, seconds: float) -> None:
        """Let a host rest for some seconds from now, unless it rests longer already."""
        begin, length = memory.rests.get(host, (0.0, 0.0))
        now = self._clock.monotonic()
        if seconds > 0 and (now + seconds > begin + length or begin > now):
            memory.rests[host] = (now, seconds)

    def _forget_other_boot(self, file: int, memory: _Memory, host: str) -> None:
        """Let a rest that seems to begin in the future, as after a reboot, begin now."""
        begin, length = memory.rests.get(host, (0.0, 0.0))
        now = self._clock.monotonic()
        if begin > now:
            memory.rests[host] = (now, length)
            _write(file, memory)

    def _gap_left(self, memory: _Memory) -> float:
        if memory.last_s is None:
            return 0.0
        # a time of another boot may lie in the future; then a whole gap is waited, never more
        return min(self.gap_s, memory.last_s + self.gap_s - self._clock.monotonic())

    def _rest_left(self, memory: _Memory, host: str) -> float:
        begin, length = memory.rests.get(host, (0.0, 0.0))
        return min(length, begin + length - self._clock.monotonic()) if length else 0.0

    def _wait(self, what: str, seconds: float) -> None:
        end = self._clock.monotonic() + seconds
        while (left := end - self._clock.monotonic()) > 0:
            self._notice(what, left)
            self._clock.sleep(min(left, 1.0))
        if seconds > 0:
            self._notice(what, 0.0)

    @contextmanager
    def _locked(self) -> Iterator[int]:
        file = _open(self._path)
        try:
            while not _try_lock(file):
                self._notice("another harvest of this machine", 0.0)
                self._clock.sleep(_POLL_S)
            yield file
        finally:
            os.close(file)  # frees the lock


def _open(path: Path) -> int:
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    try:
        try:
            return os.open(path, flags)  # another user's file may be opened, but not made anew
        except FileNotFoundError:
            file = os.open(path, flags | os.O_CREAT, 0o666)
            os.fchmod(file, 0o666)  # whatever the umask: all users of the machine share the gate
            return file
    except OSError as error:
        raise OutputError(
            f"{path}: the lock that keeps requests apart cannot be opened "
            f"({error.strerror or error}); remove it or set TMPDIR to a folder that can be written"
        ) from None


def _try_lock(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read(file: int) -> _Memory:
    """Read what the file says; a torn or foreign text says nothing."""
    try:
        text = os.pread(file, 65536, 0)
    except OSError as error:  # a pipe, say
        raise _unusable(error) from None
    try:
        data = json.loads(text or b"{}")
        rests = {
            str(host): (float(begin), min(float(length), _LONGEST_REST_S))
            for host, (begin, length) in data.get("rests", {}).items()
            if isfinite(begin) and isfinite(length)
        }
        last = data.get("last_s")
        is_time = last is not None and isfinite(last)
        return _Memory(float(last) if is_time else None, rests)
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError):
        return _Memory()


def _write(file: int, memory: _Memory) -> None:
    data = json.dumps({"last_s": memory.last_s, "rests": memory.rests}).encode()
    try:
        os.pwrite(file, data, 0)
        os.ftruncate(file, len(data))
    except OSError as error:
        raise _unusable(error) from None


def _unusable(error: OSError) -> OutputError:
    return OutputError(
        f"the lock file that keeps requests apart, in {tempfile.gettempdir()}, cannot be used "
        f"({error.strerror or error}); remove it, free some space, or set TMPDIR to another folder"
    )

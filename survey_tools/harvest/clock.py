"""Time, as something that can be put in other hands: tests wait without waiting."""

import time
from datetime import UTC, datetime
from typing import Protocol

__all__ = ["Clock", "SystemClock", "iso_time"]


class Clock(Protocol):
    """What the harvester asks of time."""

    def monotonic(self) -> float:
        """Return seconds that never run backwards, the same for all processes of a machine."""
        ...

    def now(self) -> datetime:
        """Return the time of day, aware, in UTC; it may be set back at any moment."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class SystemClock:
    """The machine's own clocks."""

    def monotonic(self) -> float:
        """Return ``time.monotonic()``, which on Linux and macOS counts from the last boot."""
        return time.monotonic()

    def now(self) -> datetime:
        """Return the time of day in UTC."""
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        """Wait; a signal handler that raises ends it."""
        time.sleep(max(0.0, seconds))


def iso_time(when: datetime) -> str:
    """Write an aware date-time as ``YYYY-MM-DDTHH:MM:SSZ``."""
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

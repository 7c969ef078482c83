"""A clock that waits without waiting, and a harvest against the fake arXiv."""

import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from arxiv_server import ArxivServer

from survey_tools.harvest.by_query import QueryWay
from survey_tools.harvest.clock import SystemClock
from survey_tools.harvest.desk import Way
from survey_tools.harvest.harvester import HarvestReport, Services, harvest
from survey_tools.harvest.query import parse_query
from survey_tools.harvest.store import Store
from survey_tools.harvest.wire import HttpWire


class FakeClock:
    """Real time plus all that was slept, so that nothing waits and gaps still add up."""

    def __init__(self, day: str = "2026-11-20") -> None:
        self.slept_s = 0.0
        self.waits: list[float] = []
        self._real = SystemClock()
        self._begin_s = self._real.monotonic()
        self._start = datetime.fromisoformat(day).replace(hour=9, tzinfo=UTC)
        self.set_back = timedelta()

    def monotonic(self) -> float:
        return self._real.monotonic() + self.slept_s

    def now(self) -> datetime:
        passed = timedelta(seconds=self.monotonic() - self._begin_s)
        return self._start + passed - self.set_back

    def sleep(self, seconds: float) -> None:
        self.slept_s += max(0.0, seconds)
        self.waits.append(seconds)


Harvest = Callable[..., HarvestReport]


@pytest.fixture
def clock() -> FakeClock:
    """Virtual time that begins on the fake server's day."""
    return FakeClock()

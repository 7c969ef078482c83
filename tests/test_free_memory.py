"""Free memory: the machine's, a container's, or unknown."""

import os
from pathlib import Path

import pytest

from survey_tools import memory
from survey_tools.memory import free_bytes


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder in which the files of a made-up machine may be written."""
    monkeypatch.setattr(memory, "_MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(memory, "_LIMITS", ((tmp_path / "max", tmp_path / "current"),))
    told = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 1000}
    monkeypatch.setattr(os, "sysconf", told.__getitem__)
    return tmp_path


def test_available_memory_counts_before_all_memory(machine: Path) -> None:
    """What the system can give without swapping, in bytes."""
    (machine / "meminfo").write_text("MemTotal: 9000 kB\nMemFree: 10 kB\nMemAvailable: 700 kB\n")
    assert free_bytes() == 700 * 1024


def test_a_container_may_have_less(machine: Path) -> None:
    """Its limit less what it has taken."""
    (machine / "meminfo").write_text("MemAvailable: 700 kB\n")
    (machine / "max").write_text("500000\n")
    (machine / "current").write_text("200000\n")
    assert free_bytes() == 300_000
    (machine / "current").write_text("600000\n")
    assert free_bytes() == 0


def test_a_container_without_a_limit_has_the_machines(machine: Path) -> None:
    """The kernel writes max where there is none."""
    (machine / "meminfo").write_text("MemAvailable: 700 kB\n")
    (machine / "max").write_text("max\n")
    (machine / "current").write_text("200000\n")
    assert free_bytes() == 700 * 1024


@pytest.mark.parametrize("text", [None, "", "MemAvailable:\n", "MemAvailable: much\n"])
def test_elsewhere_all_memory_counts(machine: Path, text: str | None) -> None:
    """Systems without such a file tell how many pages they have."""
    if text is not None:
        (machine / "meminfo").write_text(text)
    assert free_bytes() == 4096 * 1000


@pytest.mark.parametrize("error", [AttributeError, ValueError, OSError])
def test_nobody_may_say(
    machine: Path, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    """Then it is unknown."""

    def refuse(name: str) -> int:
        raise error(name)

    monkeypatch.setattr(os, "sysconf", refuse)
    assert free_bytes() is None


def test_this_machine_has_some() -> None:
    """Between a megabyte and a petabyte, or unknown."""
    free = free_bytes()
    assert free is None or 10**6 < free < 10**15

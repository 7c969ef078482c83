"""Fixtures of harvests against the fake arXiv: virtual time, a scene, a private gate."""

import ssl
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

pytest.register_assert_rewrite("scenes")

from scenes import FakeClock, clock, corpus, scene  # noqa: E402  after the line above

__all__ = ["FakeClock", "clock", "corpus", "scene"]


@pytest.fixture(autouse=True)
def _private_gate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the lock files of the gate apart: a port, and with it a lock, may come again."""
    folder = tmp_path / "gate"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", str(folder))


@pytest.fixture(scope="session", autouse=True)
def _one_ssl_context() -> Iterator[None]:
    """Load the certificates once, not for each of a thousand requests to loopback."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ssl, "create_default_context", cache(ssl.create_default_context))
        yield

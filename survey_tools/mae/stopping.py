"""Ctrl-C during a training: it waits for the end of the step, so that a whole state is saved."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["hold_interrupts"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM)  # Ctrl-C; and what schedulers of clusters send


@contextmanager
def hold_interrupts() -> Iterator[list[int]]:
    """Note interrupts instead of raising them; a second one is raised at once.

    Outside the main thread, where no signal arrives, nothing changes.

    Yields
    ------
    list of int
        The signals that have come.
    """
    arrived: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        arrived.append(number)
        if len(arrived) > 1:
            raise KeyboardInterrupt

    before = {}
    try:
        for number in _SIGNALS:
            before[number] = signal.signal(number, note)
    except ValueError:  # not in the main thread
        yield arrived
        return
    try:
        yield arrived
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

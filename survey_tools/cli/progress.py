"""Bars and lines that show how far a harvest is, and what it waits for."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from survey_tools.cli.terminal import note, one_line, rich_bar

if TYPE_CHECKING:
    from survey_tools.harvest.desk import HarvestProgress

__all__ = ["harvest_bar", "run_bar", "stage_bar"]

_LONG_WAIT_S = 10.0  # a wait that is worth a line where there is no terminal


@contextmanager
def stage_bar(stage: str, *, quiet: bool) -> Iterator[Callable[[float], None]]:
    """Show a bar for one stage; it takes the share done, 0 to 1."""
    if quiet or not sys.stderr.isatty():
        yield lambda _share: None
        return
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn

    with rich_bar(TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn()) as bar:
        task = bar.add_task(stage, total=1.0)
        yield lambda share: bar.update(task, completed=share)


@contextmanager
def run_bar(stage: str, *, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """Show runs done of all, their rate in this session, and the time left."""
    if quiet or not sys.stderr.isatty():
        yield lambda _n_done, _n_all: None
        return
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[count]}"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[left]}"),
    )
    with rich_bar(*columns) as bar:
        task = bar.add_task(stage, total=None, count="", left="")
        began: list[tuple[float, int]] = []

        def show(n_done: int, n_all: int) -> None:
            now_s = bar.tasks[0].elapsed or 0.0
            began[:] = began or [(now_s, n_done)]
            elapsed_s, n_new = now_s - began[0][0], n_done - began[0][1]
            rate = left = ""
            if elapsed_s > 1 and n_new:
                rate = f", {n_new / elapsed_s:,.3g} runs/s"
                left = f"left {timedelta(seconds=round(elapsed_s * (n_all - n_done) / n_new))}"
            bar.update(
                task,
                description="running" if n_done < n_all else "summing up",
                total=n_all,
                completed=n_done,
                count=f"{n_done:,} of {n_all:,} runs{rate}",
                left=left,
            )

        yield show


@contextmanager
def harvest_bar(
    *, quiet: bool
) -> "Iterator[tuple[Callable[[HarvestProgress], None], Callable[[str, float], None]]]":
    """Show records, pages, rate, time left, and what is waited for."""
    if quiet or not sys.stderr.isatty():
        yield (lambda _progress: None), _plain_notice(quiet=quiet)
        return
    from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (
        SpinnerColumn(),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[count]}"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[left]}{task.fields[waiting]}"),
    )
    with rich_bar(*columns) as bar:
        task = bar.add_task("", total=None, count="", left="", waiting="")

        def show(progress: "HarvestProgress") -> None:
            elapsed_s = bar.tasks[0].elapsed or 0.0
            total, done = progress.n_total, progress.n_records
            share = progress.share
            if share is None and total:
                share = min(1.0, done / total)
            rate = f", {done / elapsed_s:,.0f}/s" if elapsed_s > 1 and done else ""
            of = f" of {total:,}" if total else ""
            pages = f", {progress.n_pages:,} pages" if progress.n_pages else ""
            left = ""
            if share and elapsed_s > 1:
                left_s = elapsed_s * (1 - share) / share
                left = f"left {timedelta(seconds=round(left_s))}"
            bar.update(
                task,
                total=1.0 if share is not None else None,
                completed=share or 0.0,
                count=f"{done:,}{of} records{pages}{rate}",
                left=left,
                waiting="",
            )

        def notice(what: str, left_s: float) -> None:
            bar.update(task, waiting=f"  {_waiting_text(what, left_s)}" if left_s > 0 else "")

        yield show, notice


def _waiting_text(what: str, left_s: float) -> str:
    if what.startswith("cool-down"):
        until = datetime.now().astimezone() + timedelta(seconds=left_s)
        return f"{what} until {until:%H:%M}"
    return f"{one_line(what)[:60]} in {left_s:.0f} s"


def _plain_notice(*, quiet: bool) -> Callable[[str, float], None]:
    """Say once what a long wait is for, where no bar can show it."""
    told: set[str] = set()

    def notice(what: str, left_s: float) -> None:
        if quiet or left_s < _LONG_WAIT_S:
            return
        until = datetime.now().astimezone() + timedelta(seconds=left_s)
        line = f"{one_line(what)} until {until:%H:%M}"
        if line not in told:
            told.add(line)
            note(line)

    return notice

"""The bar of a run: its stages, and how much of the time each takes."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from survey_tools.cli.terminal import rich_bar

__all__ = ["CONDENSED", "choose_shares", "show_stages"]

# Shares of a run in per cent, for the progress bar; from benchmarks/run_mim.md.
_USUAL = {
    "loading": 30,
    "reading": 1,
    "text": 1,
    "tree": 1,
    "certificate": 1,
    "clusters": 1,
    "hold-out": 1,
    "cross-check": 20,
    "figures": 54,
    "report": 1,
}
# The same with thousands of papers; from a run on 60,000 abstracts.
_LARGE = {
    "loading": 2,
    "reading": 6,
    "text": 10,
    "tree": 35,
    "certificate": 20,
    "clusters": 17,
    "hold-out": 1,
    "cross-check": 2,
    "figures": 7,
    "report": 1,
}
CONDENSED = {
    "loading": 2,
    "reading": 30,
    "weighing": 2,
    "basis": 17,
    "projecting": 1,
    "micro-clusters": 17,
    "assigning": 5,
    "tree": 15,
    "sample": 8,
    "figures": 3,
}
_LARGE_BYTES = 5_000_000  # of titles and abstracts: some 3,000 papers


def choose_shares(survey: Path | None) -> dict[str, int]:
    """Return the shares of the stages in per cent; None is the bundled survey."""
    return _LARGE if _is_large(survey) else _USUAL


def _is_large(survey: Path | None) -> bool:
    """Guess from the size of the files whether a run takes minutes."""
    if survey is None:
        return False
    files = [survey] if survey.is_file() else [*survey.glob("*.jsonl")]
    try:
        return any(file.stat().st_size > _LARGE_BYTES for file in files)
    except OSError:  # reading it will say why
        return False


@contextmanager
def show_stages(shares: dict[str, int], *, quiet: bool) -> Iterator[Callable[[str, float], None]]:
    """Show a bar with the stage, the time taken and the time left."""
    if quiet or not sys.stderr.isatty():
        yield lambda _stage, _share: None
        return
    from rich.progress import (
        BarColumn,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description:11}"),
        BarColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(elapsed_when_finished=False),
    )
    with rich_bar(*columns) as bar:
        task = bar.add_task("loading", total=sum(shares.values()))
        stages = list(shares)

        def show(stage: str, share: float) -> None:
            i = stages.index(stage) if stage in shares else len(stages)
            done = sum(list(shares.values())[:i]) + share * shares.get(stage, 0)
            bar.update(task, description=stage, completed=done)

        yield show

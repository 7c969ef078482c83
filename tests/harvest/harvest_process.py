"""A harvest in a process of its own: ``python harvest_process.py KIND URL STORE [options]``.

It runs in real time with a small gap, ends by SIGINT and SIGTERM as the command line does, and
writes its report as one line of JSON.
"""

import argparse
import json
import random
import signal
import sys
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import NoReturn

from survey_tools.arxiv_id import parse_arxiv_id
from survey_tools.errors import SurveyToolsError
from survey_tools.harvest import by_file
from survey_tools.harvest.by_day import OaiWay
from survey_tools.harvest.by_file import SnapshotWay
from survey_tools.harvest.by_id import IdWay
from survey_tools.harvest.by_query import QueryWay
from survey_tools.harvest.clock import SystemClock
from survey_tools.harvest.desk import Way
from survey_tools.harvest.harvester import Services, harvest
from survey_tools.harvest.store import Store
from survey_tools.harvest.wire import HttpWire


def main() -> int:
    """Harvest; 0 is complete, 3 incomplete or stopped, 1 an error."""
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=["query", "ids", "oai", "snapshot"])
    parser.add_argument("url")
    parser.add_argument("store", type=Path)
    parser.add_argument("--since", type=date.fromisoformat)
    parser.add_argument("--ids", default="", help="with commas")
    parser.add_argument("--file", type=Path)
    parser.add_argument("--page-size", type=int, default=25)
    parser.add_argument("--gap", type=float, default=0.05)
    parser.add_argument("--patience", type=float, default=60.0)
    parser.add_argument("--max-pages", type=int, help="of the database, as on a full disk")
    parser.add_argument("--n-lines", type=int, default=40, help="of a snapshot, a transaction")
    chosen = parser.parse_args()
    signal.signal(signal.SIGTERM, _interrupt)
    by_file._N_LINES = chosen.n_lines
    services = Services(
        url=chosen.url,
        gap_s=chosen.gap,
        patience_s=chosen.patience,
        clock=SystemClock(),
        wire=HttpWire(deadline_s=20.0),
        rng=random.Random(0),
    )
    try:
        with Store(chosen.store) as store:
            if chosen.max_pages:
                store.query(f"PRAGMA max_page_count = {chosen.max_pages}")
            report = harvest(_way(chosen), store, services, resume="the same again")
    except SurveyToolsError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(json.dumps(asdict(report)) + "\n")
    return 0 if report.status == "complete" else 3


def _way(chosen: argparse.Namespace) -> Way:
    if chosen.kind == "query":
        return QueryWay(None, url=chosen.url, since=chosen.since, page_size=chosen.page_size)
    if chosen.kind == "oai":
        return OaiWay(None, url=chosen.url, since=chosen.since)
    if chosen.kind == "snapshot":
        return SnapshotWay(chosen.file)
    return IdWay([parse_arxiv_id(name) for name in chosen.ids.split(",")], url=chosen.url)


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())

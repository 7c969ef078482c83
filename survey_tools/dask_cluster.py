"""A Dask cluster: one started on this machine, or one that runs already."""

import logging
import os
import signal
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from typing import Any

from survey_tools.errors import ParameterError
from survey_tools.workers import ONE_THREAD, hold_interrupts

__all__ = ["open_dask"]

_CONNECT_S = 10
# A worker reads this before it logs; what goes wrong reaches the caller as an exception.
_SILENT = {"DASK_LOGGING__DISTRIBUTED": "critical"}


@contextmanager
def open_dask(
    n_workers: int, scheduler: str | None, *, otherwise: str, **options: Any
) -> Iterator[Any]:
    """Open a client of a Dask cluster, with nothing on stderr.

    Workers of a cluster on this machine compute with one thread, ignore Ctrl-C, and are killed
    where the block is left by an exception; otherwise they end what they compute.

    Parameters
    ----------
    n_workers : int
        Processes of the cluster on this machine.
    scheduler : str or None
        Address of a running scheduler; it and its workers go on when the client is closed.
    otherwise : str
        The engine to use instead, for the message.
    **options
        More for ``distributed.LocalCluster``.

    Yields
    ------
    distributed.Client

    Raises
    ------
    ParameterError
        If Dask is not installed, the scheduler cannot be reached, or it has no worker.
    """
    distributed = _import_distributed(otherwise)
    silence = import_module("distributed.utils").silence_logging_cmgr
    with silence(logging.CRITICAL):
        if scheduler is None:
            with _local_client(distributed, n_workers, options) as client:
                yield client
        else:
            with _remote_client(distributed, scheduler) as client:
                yield client


def _import_distributed(otherwise: str) -> Any:
    try:
        return import_module("dask.distributed")
    except ImportError as error:
        raise ParameterError(
            f"the engine 'dask' needs Dask, which is not installed ({error}); "
            f"install 'survey-tools[dask]' or use the engine {otherwise!r}"
        ) from None


@contextmanager
def _local_client(distributed: Any, n_workers: int, options: dict[str, Any]) -> Iterator[Any]:
    with ExitStack() as stack:
        room = stack.enter_context(tempfile.TemporaryDirectory(prefix="survey-tools-dask-"))
        config = import_module("dask.config")
        spawning = config.get("distributed.nanny.pre-spawn-environ") | ONE_THREAD | _SILENT
        stack.enter_context(
            config.set(
                {"temporary-directory": room, "distributed.nanny.pre-spawn-environ": spawning}
            )
        )
        stack.callback(_restore_environment, dict(os.environ))
        with hold_interrupts():  # until the cluster is one that can be closed
            cluster = distributed.LocalCluster(
                n_workers=n_workers,
                threads_per_worker=1,
                dashboard_address="127.0.0.1:0",
                silence_logs=logging.CRITICAL,
                **options,
            )
            stack.enter_context(cluster)
            stack.push(lambda kind, *_: _kill_workers(cluster) if kind else None)
        yield stack.enter_context(distributed.Client(cluster))


def _restore_environment(before: dict[str, str]) -> None:
    """Undo what a nanny sets in this process for the workers that it starts."""
    for name in os.environ.keys() - before.keys():
        del os.environ[name]
    os.environ.update(before)


def _kill_workers(cluster: Any) -> None:
    """Kill the workers of a local cluster, so that closing it waits for no task."""
    for nanny in cluster.workers.values():
        nanny.close_gracefully()  # it starts no other worker
        if pid := nanny.pid:
            os.kill(pid, signal.SIGKILL)


@contextmanager
def _remote_client(distributed: Any, scheduler: str) -> Iterator[Any]:
    try:
        client = distributed.Client(scheduler, timeout=f"{_CONNECT_S}s")
    except (OSError, ValueError) as error:
        raise ParameterError(
            f"{scheduler}: no Dask scheduler can be reached there ({error})"
        ) from None
    with client:
        if not client.scheduler_info(n_workers=-1)["workers"]:
            raise ParameterError(f"{scheduler}: the Dask scheduler has no worker; start one")
        yield client

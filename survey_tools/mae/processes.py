"""The device of a run, and the processes that share it when torchrun starts several."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import distributed

from survey_tools.errors import ParameterError, SurveyToolsError

__all__ = [
    "ALONE",
    "LostProcessError",
    "Processes",
    "choose_device",
    "join_processes",
    "notice_lost_process",
]


class LostProcessError(SurveyToolsError):
    """Another process of the same training has ended, so that this one cannot go on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Processes:
    """Which of how many processes this one is.

    Attributes
    ----------
    rank, n_ranks : int
        Of all machines.
    local_rank : int
        On this machine: the number of the GPU.
    """

    rank: int = 0
    n_ranks: int = 1
    local_rank: int = 0

    @property
    def is_first(self) -> bool:
        """Whether this process writes files and talks."""
        return self.rank == 0


ALONE = Processes()
_LETTING_GO = 0.1  # seconds in which Gloo's threads can have the interpreter


def choose_device(name: str, processes: Processes = ALONE) -> torch.device:
    """Return the device of a name; on several processes, "cuda" is the GPU of this one.

    Parameters
    ----------
    name : str
        "cpu", "cuda", "cuda:1" and so on, or "auto": a GPU if there is one.

    Raises
    ------
    ParameterError
        If the name is unknown, or the GPU is not there.
    """
    kind, _, number = name.partition(":")
    if kind not in ("cpu", "cuda", "auto") or (
        number and not (kind == "cuda" and number.isdigit())
    ):
        raise ParameterError(f"device {name!r}: cpu, cuda, cuda:NUMBER or auto is wanted")
    n_gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if kind == "cpu" or (kind == "auto" and not n_gpus):
        return torch.device("cpu")
    wanted = int(number) if number else processes.local_rank
    if not n_gpus:
        raise ParameterError(
            f"device {name!r} is asked for, but torch {torch.__version__} finds no GPU; take "
            "--device cpu, or install a driver and a build of torch for it"
        )
    if wanted >= n_gpus:
        raise ParameterError(
            f"GPU {wanted} is asked for, but there are {n_gpus}, counted from 0; name one of them "
            "or start fewer processes"
        )
    return torch.device("cuda", wanted)


@contextmanager
def notice_lost_process(processes: Processes) -> Iterator[None]:
    """Say in one sentence that an exchange with other processes has failed.

    Gloo notices at once that a connection is closed. NCCL waits for its timeout (10 minutes),
    unless torchrun, which ends all processes when one has ended, is quicker.

    Raises
    ------
    LostProcessError
        If it has; other errors pass.
    """
    try:
        yield
    except RuntimeError as error:
        # Gloo's errors have no class of their own; each names the file of Gloo that raised it
        is_exchange = isinstance(error, distributed.DistError) or "gloo" in str(error)
        if processes.n_ranks == 1 or not is_exchange:
            raise
        raise LostProcessError(
            f"another of the {processes.n_ranks} processes of this training has ended, without "
            "which this one cannot go on"
        ) from None


@contextmanager
def join_processes(device: str = "auto") -> Iterator[Processes]:
    """Join the processes that torchrun has started, or run alone.

    They talk by NCCL where they compute on GPUs, else by Gloo.

    Parameters
    ----------
    device : str
        As for `choose_device`.
    """
    if "RANK" not in os.environ or "WORLD_SIZE" not in os.environ:
        yield ALONE
        return
    processes = Processes(
        rank=int(os.environ["RANK"]),
        n_ranks=int(os.environ["WORLD_SIZE"]),
        local_rank=int(os.environ.get("LOCAL_RANK", "0")),
    )
    chosen = choose_device(device, processes)
    if chosen.type == "cuda":
        torch.cuda.set_device(chosen)
    distributed.init_process_group("nccl" if chosen.type == "cuda" else "gloo")
    try:
        yield processes
    finally:
        distributed.destroy_process_group()
        # Gloo's threads outlive the group. To let go of the tensors of the last exchange one asks
        # for the interpreter; if that has begun to shut down, the whole process is aborted.
        time.sleep(_LETTING_GO)

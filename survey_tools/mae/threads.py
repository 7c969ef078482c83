"""One thread for torch, so that sums come out in the same order wherever they are computed."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

__all__ = ["keep_one_thread", "one_thread"]


def keep_one_thread() -> None:
    """Compute with one thread from now on, in this process."""
    torch.set_num_threads(1)


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute with one thread inside the block, and with as many as before after it."""
    n_threads = torch.get_num_threads()
    keep_one_thread()
    try:
        yield
    finally:
        torch.set_num_threads(n_threads)

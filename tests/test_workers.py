"""Worker processes: deaf to Ctrl-C from their start, one thread each."""

import os
import signal
import subprocess
import sys

import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from survey_tools.workers import hold_interrupts, limit_threads

TELL = "import signal; print(signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ()))"


def start_and_tell() -> str:
    return subprocess.run(
        [sys.executable, "-c", TELL], capture_output=True, text=True, check=True
    ).stdout.strip()


def test_a_held_interrupt_is_raised_at_the_end() -> None:
    """Neither lost nor in the middle."""
    reached = False

    def send() -> None:
        nonlocal reached
        with hold_interrupts():
            os.kill(os.getpid(), signal.SIGINT)
            reached = True

    with pytest.raises(KeyboardInterrupt):
        send()
    assert reached
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_processes_started_meanwhile_never_see_an_interrupt() -> None:
    """From their first instruction; those started later do."""
    with hold_interrupts():
        assert start_and_tell() == "True"
    assert start_and_tell() == "False"


def test_threads_of_blas_and_openmp_are_limited() -> None:
    """Those of libraries that were not loaded before included."""
    with threadpool_limits():  # set back at the end
        limit_threads()
        libraries = threadpool_info()
        assert {library["user_api"] for library in libraries} == {"blas", "openmp"}
        assert {library["num_threads"] for library in libraries} == {1}

"""Worker processes that end with this one, and leave interrupts to it."""

import multiprocessing
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker
from multiprocessing.pool import Pool


@contextmanager
def worker_pool(processes: int, tasks_each: int | None = None, prepared: str | None = None) -> Iterator[Pool]:
    """Start fresh processes, each for so many tasks (default: all); they are ended on the way out.

    With ``prepared``, they are copies of one process that imported this module, where the system can copy processes.
    """
    can_copy = "forkserver" in multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("forkserver" if prepared and can_copy else "spawn")
    if prepared and can_copy:
        context.set_forkserver_preload([prepared])
    resource_tracker.ensure_running()  # it unblocks interrupts when it starts
    with interrupts_blocked():
        pool = context.Pool(processes, maxtasksperchild=tasks_each)
    with pool:
        yield pool


@contextmanager
def interrupts_blocked() -> Iterator[None]:
    """Block interrupts; processes and threads that are started here never see them and are ended by this one."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

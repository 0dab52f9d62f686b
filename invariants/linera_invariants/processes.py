"""Worker processes that end with this one and leave interrupts to it, and forked children for mutants."""

import json
import multiprocessing
import os
import signal
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from multiprocessing import resource_tracker
from multiprocessing.pool import Pool
from typing import IO, Any


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


# --- Forked children: each is free to break its copy of the program ---


def report(out: IO[str], name: str, data: Any) -> None:
    """Send a result from a child at once: what follows may be stopped."""
    out.write(json.dumps([name, data]) + "\n")
    out.flush()


def in_child(work: Callable[[IO[str]], None], seconds: float) -> list[tuple[str, Any]]:
    """Fork a child, stop it after some seconds (0: never), and return what it reported until then."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        signal.alarm(int(seconds) + 1 if seconds else 0)
        with os.fdopen(writer, "w") as out:
            end_process(partial(work, out))
    os.close(writer)
    with os.fdopen(reader) as lines:
        found = [(name, data) for name, data in map(json.loads, lines)]
    os.waitpid(child, 0)
    return found


def end_process(work: Callable[[], None]) -> None:
    """Do the work of a child and end it, whatever happens: it must never return into its parent's code."""
    try:
        work()
        code = 0
    except BaseException:  # noqa: BLE001 - the trace goes to the log of the parent
        traceback.print_exc()
        code = 1
    os._exit(code)


def in_workers(names: Iterable[str], workers: int, work: Callable[[str], None]) -> None:
    """Fork a worker per name, so many at a time."""
    running = 0
    for name in names:
        if running == workers:
            os.wait()
            running -= 1
        if os.fork() == 0:
            end_process(partial(work, name))
        running += 1
    for _ in range(running):
        os.wait()

"""Streams from other processes: what a generator yields there arrives here, and no more than a pipe holds ahead."""

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from linera_invariants.inputs import InputError
from linera_invariants.processes import interrupts_blocked

T = TypeVar("T")


@contextmanager
def in_processes(work: Callable[..., Iterator[T]], tasks: Sequence[tuple[Any, ...]]) -> Iterator[list[Iterator[T]]]:
    """Run a generator function in a process per task; the processes are ended on the way out."""
    context = multiprocessing.get_context("spawn")
    processes, streams = [], []
    try:
        for task in tasks:
            reader, writer = context.Pipe(duplex=False)
            process = context.Process(target=_send, args=(writer, work, task), daemon=True)
            with interrupts_blocked():
                process.start()
            writer.close()
            processes.append(process)
            streams.append(_receive(reader))
        yield streams
    finally:
        for process in processes:
            process.terminate()
            process.join()


def _send(writer: Connection, work: Callable[..., Iterator[Any]], task: tuple[Any, ...]) -> None:
    try:
        for item in work(*task):
            writer.send((item, None))
    except InputError as error:
        writer.send((None, (error.file, error.place, error.expectation)))
    writer.send(None)


def _receive(reader: Connection) -> Iterator[Any]:
    """Yield what a process sends. Raises: InputError."""
    with reader:
        while (received := reader.recv()) is not None:
            item, error = received
            if error is not None:
                raise InputError(*error)
            yield item

"""What commands print: a console for results, one for the rest, one shape of JSON document, one style of table."""

import json
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from attrs import define, field
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from . import __version__

HOLDS, VIOLATED, UNUSABLE, INTERRUPTED = 0, 1, 2, 130
"""Exit codes: it holds; a violation or divergence was found; the input or the usage is wrong; interrupted."""

PATIENCE = 5.0
"""Seconds between lines of progress where there is no terminal to draw a bar on."""


@define
class Ticker:
    """Progress of a long task: a bar on a terminal, else a line now and then, or nothing at all."""

    total: int
    draw: Any
    done: int = 0
    text: str = ""

    def __call__(self, text: str = "", steps: int = 1) -> None:
        """So many steps are done; ``text`` says which."""
        self.done += steps
        self.text = text or self.text
        self.draw(self)


@define
class Output:
    """Where a command's words go."""

    as_json: bool = False
    quiet: bool = False
    verbose: bool = False
    out: Console = field(factory=Console)
    err: Console = field(factory=lambda: Console(stderr=True))

    # --- results ---

    def document(self, command: str, exit_code: int, **content: Any) -> None:
        """Write the one JSON document of a command."""
        self.out.file.write(document(command, exit_code, **content))

    def say(self, text: str = "", style: str | None = None) -> None:
        """Write a line for people; brackets in it are just brackets."""
        if not self.as_json:
            self.out.print(text, style=style, markup=False, highlight=False, soft_wrap=True)

    def tell(self, text: str = "", style: str | None = None) -> None:
        """Write a line that quiet mode leaves out."""
        if not self.quiet:
            self.say(text, style)

    def table(self, title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Write a table."""
        if not self.as_json:
            self.out.print(make_table(title, columns, rows))

    # --- the rest ---

    def complain(self, text: str) -> None:
        """Write what is wrong."""
        self.err.print(f"[bold red]error:[/] {escape(text)}", highlight=False, soft_wrap=True)

    def warn(self, text: str) -> None:
        """Write what the reader should know."""
        self.err.print(text, markup=False, highlight=False, soft_wrap=True)

    @contextmanager
    def progress(self, what: str, total: int) -> Iterator[Ticker]:
        """Show how far a long task is."""
        if self.quiet:
            yield Ticker(total, lambda _: None)
        elif self.err.is_terminal:
            yield from self.bar(what, total)
        else:
            yield Ticker(total, self.lines(what))

    def bar(self, what: str, total: int) -> Iterator[Ticker]:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, TextColumn("[dim]{task.fields[text]}"), console=self.err, transient=True) as progress:
            task = progress.add_task(what, total=total, text="")
            yield Ticker(total, lambda ticker: progress.update(task, completed=ticker.done, text=escape(ticker.text)))

    def lines(self, what: str) -> Any:
        last = time.monotonic()

        def draw(ticker: Ticker) -> None:
            nonlocal last
            if time.monotonic() - last > PATIENCE:
                last = time.monotonic()
                self.warn(f"{what}: {ticker.done} of {ticker.total} {ticker.text}".rstrip())

        return draw


def document(command: str, exit_code: int, **content: Any) -> str:
    """Return the one JSON document of a command."""
    head = {"report": 1, "version": __version__, "command": command, "exit_code": exit_code}
    return json.dumps({**head, **content}, indent=1, ensure_ascii=True) + "\n"


def make_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    """Build a table of plain text."""
    table = Table(title=title or None, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(escape(str(cell)) for cell in row))
    return table


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: 1 block, 2 blocks, 1,000 blocks."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"

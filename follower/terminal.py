"""What a person sees on a terminal, and what a script reads instead: tables and progress bars, through rich.

On a terminal tables are drawn to its width and bars move. Anything else (a file, a pipe) gets plain aligned lines of
any length, and no bars.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, TextIO, cast

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

PLAIN_COLUMNS = 10_000
"""Width of a plain table: wide enough that no line is ever broken."""


class _Unblocked(io.TextIOBase):
    """A terminal under a descriptor of its own that never waits: what it does not take at once is not shown."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._descriptor = os.open(os.ttyname(stream.fileno()), os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._stream.encoding

    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def write(self, text: str) -> int:
        with contextlib.suppress(BlockingIOError):
            os.write(self._descriptor, text.encode(self.encoding, "replace"))
        return len(text)

    def close(self) -> None:
        if not self.closed:
            os.close(self._descriptor)
        super().close()


def unblocked(stream: TextIO) -> TextIO:
    """Return a terminal's stream that can be written to from a thread even when the terminal was stopped (Ctrl-S).

    A thread that waits in a write holds the stream's lock, and then nobody else can write or end the program. What is
    no terminal, and what cannot be opened anew, is returned as it is.
    """
    try:
        return cast(TextIO, _Unblocked(stream)) if stream.isatty() else stream
    except (OSError, ValueError, AttributeError):
        return stream


def make_console(stream: TextIO) -> Console:
    """Return a console that prints text as it is: no markup, no emoji, no highlighted numbers."""
    from rich.console import Console

    width = None if stream.isatty() else PLAIN_COLUMNS
    return Console(file=stream, width=width, markup=False, emoji=False, highlight=False)


def make_table(names: Sequence[str] = (), numbers: Sequence[str] = (), headings: bool = True) -> Table:
    """Return a table without rows; `Table.add_row` takes their text.

    Args:
        names: headings of the first columns, aligned left.
        numbers: headings of the columns after those, aligned right.
        headings: whether the headings are printed.

    Example:
        >>> table = make_table(["scenario"], ["beats"])
        >>> table.add_row("bach", "120")
        >>> print(plain_text(table))
        scenario  beats
        bach        120
    """
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=headings)
    for name in names:
        table.add_column(name)
    for number in numbers:
        table.add_column(number, justify="right")
    return table


def plain_text(table: Table) -> str:
    """Return a table as aligned lines, without spaces at their ends."""
    stream = io.StringIO()
    make_console(stream).print(table)
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines())


def clock_text(seconds: float) -> str:
    """Return minutes and seconds as every option takes them, rounded to a tenth.

    Example:
        >>> clock_text(62.34), clock_text(59.97)
        ('1:02.3', '1:00.0')
    """
    tenths = round(10 * float(seconds))
    sign, tenths = "-" if tenths < 0 else "", abs(tenths)
    return f"{sign}{tenths // 600}:{tenths % 600 / 10:04.1f}"


def print_table(table: Table, stream: TextIO | None = None) -> None:
    """Print a table: to a terminal as wide as it is, to anything else as `plain_text`.

    Args:
        table: see `make_table`.
        stream: where to; None is standard output.
    """
    stream = stream or sys.stdout
    if stream.isatty():
        make_console(stream).print(table)
    else:
        print(plain_text(table), file=stream)


@contextlib.contextmanager
def progress_bar(hidden: bool = False) -> Iterator[Callable[[str, float], None]]:
    """Show a bar on stderr for as long as the block lasts, unless stderr is no terminal.

    Args:
        hidden: show nothing.

    Yields:
        Takes what is being done, and the share of all work done so far (0..1).
    """
    if hidden or not sys.stderr.isatty():
        yield lambda what, share: None
        return
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("<"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=make_console(sys.stderr), transient=True) as progress:
        task = progress.add_task("", total=1.0)
        yield lambda what, share: progress.update(task, description=what, completed=share)

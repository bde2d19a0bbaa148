"""How the program meets the outside of its process: signals that end it, and standard streams that may fail.

A signal that ends a command gives the exit code 128 + its number, whatever the command was doing; files are complete
by then. What is written to standard error is for people and its failure changes nothing; standard output is a result,
and a result that cannot be written is an error.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any, Final, TextIO

from follower.errors import OutputError

ENDING: Final = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
"""What a person, a supervisor or a closing terminal sends."""


class EndedBySignalError(KeyboardInterrupt):
    """A signal asks the program to end; unwinds the stack as Ctrl-C does.

    Args:
        number: of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(f"signal {number}")
        self.number = number


def exit_code(number: int) -> int:
    """Return the exit code after a signal.

    Example:
        >>> exit_code(2), exit_code(15)
        (130, 143)
    """
    return 128 + number


@contextlib.contextmanager
def handling(handle: Callable[[int, Any], None]) -> Iterator[None]:
    """Let `handle(number, frame)` take the ending signals; those the parent had us ignore (`nohup`) stay ignored.

    Outside the main thread, where Python takes no signals, nothing is changed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    ours = [s for s in ENDING if s == signal.SIGINT or signal.getsignal(s) is not signal.SIG_IGN]
    before = {s: signal.signal(s, handle) for s in ours}
    try:
        yield
    finally:
        for s, h in before.items():
            signal.signal(s, h)


def end_by_raising(number: int, frame: Any) -> None:
    """Handle a signal by unwinding the stack, so that what is half written is removed."""
    raise EndedBySignalError(number)


class _Stream:
    """A text stream whose failures are somebody else's."""

    def __init__(self, stream: TextIO, failed: Callable[[OSError], None]) -> None:
        self._stream = stream
        self._failed = failed

    def write(self, text: str) -> int:
        try:
            self._stream.write(text)
        except BrokenPipeError:
            raise
        except OSError as e:
            self._failed(e)
        return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except BrokenPipeError:
            raise
        except OSError as e:
            self._failed(e)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class _ForPeople(_Stream):
    """Standard error: its failure changes nothing, and a terminal that was stopped (Ctrl-S) is not waited for."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream, lambda e: None)

    def write(self, text: str) -> int:
        with contextlib.suppress(BrokenPipeError):
            if takes_text(self._stream):
                super().write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(BrokenPipeError):
            super().flush()


def takes_text(stream: TextIO, within_s: float = 1.0) -> bool:
    """Whether a stream takes text: a terminal that was stopped with Ctrl-S does not, everything else does."""
    try:
        if not stream.isatty():
            return True
        import select

        return bool(select.select([], [stream], [], within_s)[1])
    except (OSError, ValueError):  # no descriptor, or a system that selects sockets only
        return True


def _output_failed(error: OSError) -> None:
    silence_output()
    raise OutputError(f"cannot write standard output: {error.strerror or error}; the result is incomplete") from error


def silence_output() -> None:
    """Send what is still to be written to standard output nowhere: there must be no second failure at the very end."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def fill_standard_descriptors() -> None:
    """Open descriptors 0, 1 and 2 where they are closed, lest the next file becomes standard error."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number: this one
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115


@contextlib.contextmanager
def lasting_streams() -> Iterator[None]:
    """Give standard output and standard error the behaviour this module's docstring says, while the block lasts."""
    fill_standard_descriptors()
    before = sys.stdout, sys.stderr
    sys.stdout = _Stream(before[0], _output_failed)
    sys.stderr = _ForPeople(before[1])
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before

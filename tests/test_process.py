"""Signals, standard streams and stopped terminals, within this process."""

from __future__ import annotations

import contextlib
import io
import os
import pty
import signal
import sys
import termios
import threading
from collections.abc import Iterator
from typing import TextIO

import pytest

import follower.__main__
import offline_prep.__main__
from follower.cli import report_errors
from follower.errors import OutputError
from follower.process import (
    EndedBySignalError,
    end_by_raising,
    fill_standard_descriptors,
    handling,
    lasting_streams,
    takes_text,
)
from follower.terminal import unblocked


class Failing(io.StringIO):
    """Takes nothing."""

    def __init__(self, error: OSError) -> None:
        super().__init__()
        self.error = error

    def write(self, text: str) -> int:
        raise self.error

    def flush(self) -> None:
        raise self.error


FULL = OSError(28, "No space left on device")


def test_a_result_that_cannot_be_written_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", Failing(FULL))
    with lasting_streams(), pytest.raises(OutputError, match="No space left on device"):
        print("a result")
    with lasting_streams(), pytest.raises(OutputError):
        sys.stdout.flush()


def test_a_reader_that_went_away_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", Failing(BrokenPipeError(32, "Broken pipe")))

    def result() -> int:
        print("a result")
        return 3

    assert report_errors(result) == 0


@pytest.mark.parametrize("error", [FULL, BrokenPipeError(32, "Broken pipe")])
def test_what_is_for_people_may_get_lost(monkeypatch: pytest.MonkeyPatch, error: OSError) -> None:
    monkeypatch.setattr(sys, "stderr", Failing(error))

    def tell() -> int:
        print("for people", file=sys.stderr)
        sys.stderr.flush()
        return 3

    assert report_errors(tell) == 3


def test_streams_that_are_closed_are_filled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    monkeypatch.setattr(sys, "stdout", None)
    fill_standard_descriptors()
    print("nowhere", file=sys.stderr)
    print("nowhere")
    sys.stderr.close()
    sys.stdout.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_unwinds_the_stack_and_gives_128_more(number: int, capsys: pytest.CaptureFixture[str]) -> None:
    unwound = []

    def work() -> int:
        try:
            signal.raise_signal(number)
        finally:
            unwound.append(number)
        return 0

    before = signal.getsignal(number)
    assert report_errors(work) == 128 + number
    assert unwound == [number]
    assert capsys.readouterr().err == "interrupted\n"
    assert signal.getsignal(number) is before


def test_what_is_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with handling(end_by_raising):
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_other_threads_take_no_signals() -> None:
    done: list[int] = []
    thread = threading.Thread(target=lambda: done.append(report_errors(lambda: 5)))
    thread.start()
    thread.join()
    assert done == [5]


@pytest.mark.parametrize(
    ("main", "where"),
    [(follower.__main__.main, "follower.cli.main"), (offline_prep.__main__.main, "offline_prep.cli.main")],
)
def test_an_entry_point_shows_no_traceback(main: object, where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> int:
        raise EndedBySignalError(signal.SIGINT)

    monkeypatch.setattr(where, interrupted)
    assert main() == 130  # type: ignore[operator]
    monkeypatch.setattr(where, lambda: 7)
    assert main() == 7  # type: ignore[operator]


@pytest.fixture
def terminal() -> Iterator[tuple[int, TextIO]]:
    master, slave = pty.openpty()
    with os.fdopen(slave, "w") as stream:
        yield master, stream
        with contextlib.suppress(termios.error):
            termios.tcflow(slave, termios.TCOON)
    os.close(master)


def test_a_stopped_terminal_takes_nothing_and_nobody_waits(terminal: tuple[int, TextIO]) -> None:
    master, stream = terminal
    shown = unblocked(stream)
    assert shown is not stream and shown.isatty() and shown.encoding == stream.encoding
    assert takes_text(stream)
    print("before", file=shown, flush=True)
    read = b""
    while not read.endswith(b"\n"):  # the line and its end may come one by one
        read += os.read(master, 100)
    assert read == b"before\r\n"
    termios.tcflow(stream.fileno(), termios.TCOOFF)
    assert not takes_text(stream, within_s=0.0)
    for _ in range(100):
        print("x" * 1000, file=shown, flush=True)
    shown.close()
    shown.close()


def test_what_is_no_terminal_is_left_as_it_is() -> None:
    stream = io.StringIO()
    assert unblocked(stream) is stream
    assert takes_text(stream)

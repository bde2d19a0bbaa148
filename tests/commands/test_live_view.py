"""The terminal's line: the newest position, ten times a second; elsewhere a line per change of state."""

from __future__ import annotations

import gc
import io
import sys

import pytest

from follower.commands.follow import low_jitter
from follower.commands.live_view import REFRESH_S, LiveView, position_text
from follower.events import Gap, Notice, Position, State, StateChange
from follower.testing import RATE_HZ, position


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def a_terminal_that_can_move_its_cursor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")


def test_it_shows_the_newest_position_and_every_notice() -> None:
    now = [0.0]
    terminal = Terminal()
    display = LiveView(terminal, 100.0, clock=lambda: now[0])
    display.deliver([position(1), Gap(0, RATE_HZ, 1), position(2)])
    display.deliver([position(3)])  # too soon
    now[0] += REFRESH_S
    display.deliver([Notice(0, RATE_HZ, "the audio input is back"), position(4)])
    display.close()
    shown = terminal.getvalue()
    assert [f"orchestra 0:0{n}.0" in shown for n in range(1, 5)] == [False, True, False, True]
    assert "the audio input is back\n" in shown
    assert "following" in shown.rpartition("orchestra 0:04.0")[2], "the last position stays"


def test_without_a_terminal_there_is_a_line_for_every_change_of_state_and_notice() -> None:
    stream = io.StringIO()
    with LiveView(stream, 100.0) as display:
        for event in (
            position(1),
            StateChange(2 * RATE_HZ, RATE_HZ, State.PAUSED, State.FOLLOWING, "the pianist stopped"),
            position(2),
            Notice(0, RATE_HZ, "the audio input is back"),
        ):
            display.send(event)
    assert stream.getvalue().splitlines() == [
        "piano 0:02.0  orchestra 0:01.0  paused: the pianist stopped",
        "the audio input is back",
    ]


def test_on_a_terminal_it_runs_in_its_thread() -> None:
    terminal = Terminal()
    with LiveView(terminal, 100.0) as display:
        display.send(position(1))
        display.send(Gap(0, RATE_HZ, 1))
    assert "orchestra 0:01.0/1:40.0" in terminal.getvalue()


class Gone(Terminal):
    def write(self, text: str) -> int:
        raise OSError(5, "Input/output error")


def test_a_terminal_that_is_gone_is_no_failure() -> None:
    with LiveView(Gone(), 100.0) as display:
        display.send(position(1))
    assert display.failure is None


def test_an_unknown_position_is_shown_as_such() -> None:
    unknown = Position(0, RATE_HZ, RATE_HZ, None, None, 1.0, 0.0, State.WAITING)
    assert "---" in position_text(unknown, 100.0, 20.0)
    assert "piano 0:01.0/0:20.0" in position_text(unknown, 100.0, 20.0)


def test_low_jitter_restores_what_it_changes() -> None:
    before_s = sys.getswitchinterval()
    with low_jitter():
        assert gc.get_freeze_count() > 1000
        assert sys.getswitchinterval() < before_s
    assert gc.get_freeze_count() == 0
    assert sys.getswitchinterval() == before_s

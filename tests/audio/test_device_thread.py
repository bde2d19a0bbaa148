"""The thread that talks to PortAudio: one for all, and nobody waits for it longer than he wants to."""

from __future__ import annotations

import atexit
import sys
import threading
from collections.abc import Iterator
from functools import partial
from types import SimpleNamespace

import pytest

from follower.audio import device_thread
from follower.errors import DeviceError


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Opened at the end, so that the thread is there for the next test."""
    opened = threading.Event()
    monkeypatch.setattr(device_thread, "ANSWERS_WITHIN_S", 0.01)
    yield opened
    opened.set()
    device_thread.ask(lambda: None).result()


def test_one_thread_answers_in_the_order_of_the_questions() -> None:
    answers = [device_thread.ask(partial(lambda n: (n, threading.get_ident()), n)) for n in range(20)]
    found = [answer.result() for answer in answers]
    assert [n for n, _ in found] == list(range(20))
    assert len({ident for _, ident in found}) == 1 and found[0][1] != threading.get_ident()


def test_what_is_raised_is_raised_where_it_was_asked_for() -> None:
    with pytest.raises(ZeroDivisionError):
        device_thread.in_time(lambda: 1 // 0)
    assert device_thread.in_time(lambda: 3) == 3, "the thread goes on"


def test_an_answer_that_does_not_come_is_one_line_and_what_comes_later_is_undone(gate: threading.Event) -> None:
    undone: list[str] = []

    def opens() -> str:
        gate.wait()
        return "stream"

    with pytest.raises(DeviceError, match="the sound server hang"):
        device_thread.in_time(opens, undone.append)
    gate.set()
    device_thread.ask(lambda: None).result()
    assert undone == ["stream"]


def test_a_program_whose_sound_server_hangs_ends_without_asking_it(
    gate: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At its end sounddevice would wait for PortAudio, which waits for the sound server."""
    module = SimpleNamespace(_exit_handler=lambda: None)
    monkeypatch.setitem(sys.modules, "sounddevice", module)
    forgotten: list[object] = []
    monkeypatch.setattr(atexit, "unregister", forgotten.append)
    device_thread.in_time(lambda: None)
    assert forgotten == [], "a program whose sound server answers takes its leave"
    with pytest.raises(DeviceError):
        device_thread.in_time(gate.wait)
    assert forgotten == [module._exit_handler]

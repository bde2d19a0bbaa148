"""An engine that does not keep up is told to everybody, once, and so is its recovery."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

from follower.events import Notice, Position
from follower.files.source import FileSource
from follower.session.runner import run
from follower.testing import BLOCK, RATE_HZ, FakeEngine, ListSink, ScriptedSource, audio


def test_positions_that_come_late_are_told_once() -> None:
    now_s = 0.0

    def later(seconds: float) -> None:
        nonlocal now_s
        now_s += seconds

    block_s = BLOCK / RATE_HZ
    items: list[object] = [audio(n * BLOCK, capture_time_s=n * block_s) for n in range(500)]
    items.insert(100, lambda: later(3.0))  # the computer is busy with something else, then catches up
    sink = ListSink()

    def clock() -> float:
        later(0.25 * block_s)
        return now_s

    run(ScriptedSource(items), FakeEngine(), [sink], clock=clock)
    told = [e.message for e in sink.events if isinstance(e, Notice)]
    latencies = [e.latency_ms for e in sink.events if isinstance(e, Position)]
    assert max(x for x in latencies if x is not None) > 1000.0
    assert len(told) == 2, told
    assert "late" in told[0] and "in time again" in told[1]


def test_positions_in_time_are_not_worth_a_word() -> None:
    sink = ListSink()
    items: list[object] = [audio(n * BLOCK, capture_time_s=n * BLOCK / RATE_HZ) for n in range(50)]
    run(ScriptedSource(items), FakeEngine(), [sink], clock=lambda: 0.2)
    assert not any(isinstance(e, Notice) for e in sink.events)


def test_a_replay_as_fast_as_it_goes_is_never_late(tmp_path: Path) -> None:
    """The computer may do something else for a while (as a busy one does): there is no instant it could be late for."""
    soundfile.write(tmp_path / "p.wav", np.zeros(20 * BLOCK), RATE_HZ)
    sink, now_s = ListSink(), 0.0

    def clock() -> float:
        nonlocal now_s
        now_s += 2.0
        return now_s

    with FileSource(tmp_path / "p.wav", BLOCK, None, clock) as source:
        run(source, FakeEngine(), [sink], clock=clock)
    assert [type(e) for e in sink.events] == [Position] * 20, "nobody is told that it is late"

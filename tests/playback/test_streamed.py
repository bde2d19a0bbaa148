"""The orchestra for a listener elsewhere, in simulated time: what is made when, and for which instant."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from follower.playback.followed_player import FollowedPlayer
from follower.playback.streamed import FIRST_LEAD_S, HEADER, LEADS_S, LeadTime, Stamp, StreamedOutput
from tests.playback.playback_simulation import position, position_player, silent_recording

RATE_HZ = 8000
BEGUN_S = 100.0
"""When the listener plays frame 0."""


class Listener:
    """Keeps the blocks it is sent."""

    def __init__(self) -> None:
        self.now_s = BEGUN_S
        self.first: list[int] = []
        self.arrived = threading.Event()
        self.sound: list[np.ndarray] = []
        followed = FollowedPlayer(position_player(silent_recording(60.0)))
        self.output = StreamedOutput(followed, 7, self.take, lambda: self.now_s)

    def take(self, block: bytes) -> None:
        stream, frames, first = HEADER.unpack_from(block)
        samples = np.frombuffer(block, "<i2", offset=HEADER.size).reshape(-1, 2)
        assert (stream, frames) == (7, len(samples))
        self.first.append(first)
        self.sound.append(samples)
        self.arrived.set()

    def run(self, seconds: float, rate: float = 1.0) -> None:
        """Let time pass; the pianist is at 5 s when it begins."""
        end_s = self.now_s + seconds
        while self.now_s < end_s:
            at_s = self.now_s - BEGUN_S
            self.output.followed.on_event(position(at_s, 5.0 + rate * at_s, rate, capture_time_s=self.now_s))
            if round(at_s / 0.02) % 10 == 0:
                self.report()
            self.output.produce()
            self.now_s += 0.02

    def report(self, slack_s: float = 0.03, missing: int = 0) -> None:
        frame = round((self.now_s - BEGUN_S) * RATE_HZ)
        self.output.report(Stamp(frame, BEGUN_S + frame / RATE_HZ, slack_s, missing))


def test_nothing_is_made_before_the_listener_says_when_it_plays() -> None:
    listener = Listener()
    listener.output.produce()
    assert listener.first == []


def test_blocks_follow_each_other_a_little_ahead_of_time() -> None:
    listener = Listener()
    listener.run(3.0)
    ends = [first + len(sound) for first, sound in zip(listener.first, listener.sound, strict=True)]
    assert listener.first == [0, *ends[:-1]]
    ahead_s = BEGUN_S + ends[-1] / RATE_HZ - listener.now_s
    assert FIRST_LEAD_S - 0.1 < ahead_s < FIRST_LEAD_S + 0.1


def test_what_is_heard_is_where_the_pianist_is_at_that_instant() -> None:
    listener = Listener()
    listener.run(4.0)
    at_s = listener.now_s - 0.5
    heard = listener.output.followed.sounding(at_s)
    assert heard.orchestra_time_s == pytest.approx(5.0 + (at_s - BEGUN_S), abs=0.01)


def test_a_producer_that_was_held_up_leaves_a_gap_and_is_right_again() -> None:
    listener = Listener()
    listener.run(2.0)
    listener.now_s += 3.0
    before = listener.first[-1]
    listener.run(2.0)
    steps = np.diff(listener.first[listener.first.index(before) :])
    assert steps.max() > 2.5 * RATE_HZ and (steps == steps.max()).sum() == 1
    at_s = listener.now_s - 0.2
    heard = listener.output.followed.sounding(at_s)
    assert heard.orchestra_time_s == pytest.approx(5.0 + (at_s - BEGUN_S), abs=0.01)


def test_a_late_block_moves_the_lead_at_once_and_calm_takes_it_back_slowly() -> None:
    lead = LeadTime()
    lead.observe(-0.05, 400, 1000, 9000, 0.0)
    grown_s = lead.s
    assert grown_s == pytest.approx(FIRST_LEAD_S + 0.08)
    lead.observe(-0.05, 400, 5000, 9500, 0.5)
    assert lead.s == grown_s, "that was made before the change"
    for k in range(100):
        lead.observe(0.2, 0, 10_000 + k, 10_500 + k, 1.0 + 0.2 * k)
        if 0.2 * k < 9.0:
            assert lead.s == grown_s
    assert LEADS_S[0] <= lead.s < grown_s
    for k in range(50):
        lead.observe(-2.0, 1, 10**6 + 2 * 10**5 * k, 10**6 + 2 * 10**5 * k, 100.0 + k)
    assert lead.s == LEADS_S[1]


def test_the_thread_makes_sound_and_ends() -> None:
    listener = Listener()
    listener.report()
    with listener.output:
        for _ in range(10_000):
            # Time passes no faster than the thread can wake: otherwise it would be held up for ever.
            if listener.arrived.wait(1e-3):
                break
            listener.now_s += 1e-3
    assert listener.arrived.is_set()
    assert listener.output.failure is None

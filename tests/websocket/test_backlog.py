"""Audio that waits, in the network or for the engine: in simulated time, from the client on."""

from __future__ import annotations

from collections import deque

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from follower.events import AudioBlock, Notice
from follower.websocket.capture_clock import CaptureClock
from follower.websocket.source import KEPT_S, TOLD_AGAIN_S, WebSocketSource

RATE_HZ = 1000
FRAME = 100


class Client:
    """A client that plays in real time, a network that may hold up its frames, and an engine of some speed.

    Args:
        speed: of the engine; 1 takes audio as fast as it is played.
    """

    def __init__(self, speed: float) -> None:
        self.now_s = 50.0
        self.source = WebSocketSource(RATE_HZ, clock=lambda: self.now_s)
        self.network: deque[float] = deque()
        self.played: dict[int, float] = {}  # by the counter of a frame's first sample
        self.sent = 0
        self.speed = speed
        self.credit = 0.0
        self.blocks: list[tuple[AudioBlock, float]] = []
        self.notices: list[str] = []
        self._source_blocks = self.source.blocks()

    def pass_time(self, seconds: float, silent: bool = False, stalled: bool = False, step_s: float = 0.02) -> None:
        """Let so much time pass: a silent client sends nothing, a stalled network holds all back."""
        for _ in range(round(seconds / step_s)):
            self.now_s += step_s
            if not silent and self.now_s - 50.0 >= self.due_s:
                self.network.append(self.now_s)
                self.due_s = self.now_s - 50.0 + FRAME / RATE_HZ - 1e-9
            while not stalled and self.network:
                if not self.source.offer(np.zeros(FRAME, "<f4").tobytes()):
                    break
                self.played[self.sent] = self.network.popleft()
                self.sent += FRAME
            self.credit += self.speed * step_s * RATE_HZ / FRAME
            while self.credit >= 1.0 and self.source._waiting:
                self.credit -= 1.0
                block = next(self._source_blocks)
                while isinstance(block, Notice):
                    self.notices.append(block.message)
                    block = next(self._source_blocks)
                self.blocks.append((block, self.now_s))
            self.credit = min(self.credit, 1.0 + self.speed)

    due_s = 0.0

    def errors_s(self, since: int = 0) -> list[float]:
        """How much newer than the truth the blocks' capture times were."""
        return [(b.capture_time_s or 0.0) - self.played[b.first_sample] for b, _ in self.blocks[since:]]

    def behind_s(self, since: int = 0) -> list[float]:
        """How late the blocks were taken."""
        return [at_s - self.played[b.first_sample] for b, at_s in self.blocks[since:]]


def test_an_engine_that_does_not_keep_up_leaves_out_the_oldest_and_is_never_far_behind() -> None:
    client = Client(speed=0.5)
    client.pass_time(30.0)
    taken = sum(len(b.samples) for b, _ in client.blocks)
    last = client.blocks[-1][0]
    lost = last.first_sample + len(last.samples) - taken
    assert 10.0 < lost / RATE_HZ < 20.0, "half of it"
    assert max(client.behind_s()) < 1.0 + KEPT_S
    assert max(map(abs, client.errors_s())) < 1.5 * FRAME / RATE_HZ
    assert 3 <= len(client.notices) <= 30 / TOLD_AGAIN_S + 1
    assert "s behind: so much of the oldest audio was left out" in client.notices[0]


def test_after_a_stall_of_the_engine_it_has_caught_up_within_a_second() -> None:
    client = Client(speed=4.0)
    client.pass_time(5.0)
    client.speed = 0.0
    client.pass_time(3.0)
    client.speed = 4.0
    seen = len(client.blocks)
    client.pass_time(1.0)
    assert max(client.behind_s(seen)) < 1.0 + KEPT_S
    assert client.behind_s()[-1] < 2 * FRAME / RATE_HZ
    assert client.notices and max(map(abs, client.errors_s())) < 1.5 * FRAME / RATE_HZ


def test_audio_that_waited_in_the_network_is_late_and_none_of_it_is_left_out() -> None:
    """Three seconds without a frame, then all at once: an engine that keeps up takes all of it."""
    client = Client(speed=20.0)
    client.pass_time(5.0)
    client.pass_time(3.0, stalled=True)
    seen = len(client.blocks)
    client.pass_time(2.0)
    errors_s = client.errors_s(seen)
    assert max(client.behind_s(seen)) > 2.5, "it did wait"
    assert max(map(abs, errors_s[1:])) < 1.5 * FRAME / RATE_HZ, "only the first may be taken for a client that paused"
    assert [b.first_sample for b, _ in client.blocks] == list(range(0, FRAME * len(client.blocks), FRAME))
    assert client.notices == []


def test_a_client_that_pauses_and_says_nothing_is_not_late() -> None:
    client = Client(speed=4.0)
    client.pass_time(5.0)
    client.pass_time(7.0, silent=True)
    seen = len(client.blocks)
    client.pass_time(5.0)
    assert max(map(abs, client.errors_s(seen))) < 2 * FRAME / RATE_HZ


@given(st.lists(st.floats(0.0, 0.08), min_size=20, max_size=200), st.floats(-1e-4, 1e-4))
def test_jitter_and_drift_of_the_clocks_are_not_taken_for_time(jitter_s: list[float], drift: float) -> None:
    """Whatever the network adds to single frames: never newer than it arrived, never further off than the jitter."""
    clock = CaptureClock()
    for n, added_s in enumerate([0.0, *jitter_s]):
        played_s = 0.1 * n
        truth_s = 50.0 + played_s * (1 + drift)
        claimed_s = clock.captured_s(played_s, truth_s + added_s)
        assert truth_s - 0.01 <= claimed_s <= truth_s + added_s + 1e-9


def test_a_client_that_is_faster_than_real_time_is_not_behind() -> None:
    source = WebSocketSource(RATE_HZ, capacity_s=0.2, clock=lambda: now_s)
    now_s, blocks = 10.0, source.blocks()
    counter = 0
    for _ in range(500):
        now_s += 0.01
        while not source.offer(np.zeros(FRAME, "<f4").tobytes()):
            block = next(blocks)
            assert isinstance(block, AudioBlock) and block.capture_time_s is not None
            assert 10.0 <= block.capture_time_s <= now_s
            assert block.first_sample == counter, "a recording loses nothing"
            counter += len(block.samples)

"""How far behind a session is, when its engine takes less audio than comes: in simulated time, from the client on."""

from __future__ import annotations

from collections import deque

import numpy as np
import pytest

from follower.websocket.source import WebSocketSource

RATE_HZ = 1000
FRAME = 100


class Overloaded:
    """A client that plays in real time, the network that holds what the server does not take, and a slow engine."""

    def __init__(self, speed: float, capacity_s: float = 2.0) -> None:
        self.now_s = 50.0
        self.source = WebSocketSource(RATE_HZ, capacity_s=capacity_s, clock=lambda: self.now_s)
        self.network: deque[float] = deque()  # capture time of each frame that was sent and not taken
        self.taken: deque[float] = deque()
        self.speed = speed
        self.credit = 0.0
        self.errors_s: list[float] = []
        self._blocks = self.source.blocks()

    def pass_time(self, seconds: float, silent: bool = False) -> None:
        """Let so much time pass, frame by frame; a silent client sends nothing."""
        for _ in range(round(seconds * RATE_HZ / FRAME)):
            self.now_s += FRAME / RATE_HZ
            if not silent:
                self.network.append(self.now_s)
            while self.network and self.source.offer(np.zeros(FRAME, "<f4").tobytes()):
                self.taken.append(self.network.popleft())
            self.credit += self.speed
            while self.credit >= 1.0 and self.taken:
                self.credit -= 1.0
                block = next(self._blocks)
                assert not hasattr(block, "message")
                claimed_s = block.capture_time_s
                assert claimed_s is not None
                self.errors_s.append(claimed_s - self.taken.popleft())
            self.credit = min(self.credit, 1.0 + self.speed)


def test_audio_that_waits_in_the_network_is_counted_as_late() -> None:
    """Ten seconds at half the speed: five seconds behind, of which the server's own queue holds two."""
    client = Overloaded(speed=0.5)
    client.pass_time(10.0)
    behind_s = client.now_s - client.taken[0] if client.taken else 0.0
    assert behind_s > 4.0, "it is overloaded"
    assert max(abs(e) for e in client.errors_s) < 2 * FRAME / RATE_HZ


def test_after_the_backlog_arrival_is_the_truth_again() -> None:
    client = Overloaded(speed=0.5)
    client.pass_time(10.0)
    client.speed = 8.0
    client.pass_time(5.0)
    client.pass_time(7.0, silent=True)  # a client that pauses and says nothing of a gap
    client.errors_s.clear()
    client.pass_time(5.0)
    assert client.errors_s == pytest.approx([0.0] * len(client.errors_s), abs=2 * FRAME / RATE_HZ)


def test_a_client_that_is_faster_than_real_time_is_not_behind() -> None:
    source = WebSocketSource(RATE_HZ, capacity_s=0.2, clock=lambda: now_s)
    now_s, blocks = 10.0, source.blocks()
    for _ in range(50):
        now_s += 0.01
        while not source.offer(np.zeros(FRAME, "<f4").tobytes()):
            block = next(blocks)
            assert block.capture_time_s is not None  # type: ignore[union-attr]
            assert 10.0 <= block.capture_time_s <= now_s  # type: ignore[union-attr]

"""The orchestra for a listener elsewhere: blocks of sound with their place on a time line, a little ahead of time.

The listener (a browser) plays the frames of the time line one after the other and says when which of them leaves its
loudspeaker; from that comes the instant for which every block is made. What comes too late there is silence there, and
the time line goes on: nothing shifts. How far ahead blocks are made follows from how late they came.
"""

from __future__ import annotations

import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from follower.playback.clock import ClockModel
from follower.playback.followed_player import FollowedPlayer
from follower.playback.limiter import Limiter
from follower.playback.output_buffer import OUTPUT_CHANNELS, stereo_of

HEADER: Final = struct.Struct("<IIQ")
"""Before the samples of a block: stream, frames, number of the first frame."""
PACKET_FRAMES: Final = 512
FIRST_LEAD_S: Final = 0.15
"""How far ahead of its sound a block is made, output latency included, before anything is known."""
LEADS_S: Final = (0.03, 0.6)
ENOUGH_SLACK_S: Final = 0.015
"""Blocks that come with less time to spare than this may come late the next time: more is made ahead."""
WANTED_SLACK_S: Final = 0.030
MUCH_SLACK_S: Final = 0.060
CALM_S: Final = 10.0
"""Only after so long with time to spare is less made ahead, so that one bad moment does not come back every second."""
WAKE_S: Final = 0.004
MAX_STAMPS: Final = 64
MAX_CATCH_UP_S: Final = 0.5
"""A producer that was held up longer than this leaves a gap instead of making all that nobody can hear any more."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a listener says of its playing.

    Attributes:
        frame: number of a frame of the time line.
        at_s: when it leaves the loudspeaker, on our monotonic clock.
        slack_s: time to spare with which the latest of the blocks came since the last stamp.
        missing: frames that were silence since the last stamp because they came too late.
    """

    frame: int
    at_s: float
    slack_s: float
    missing: int


class LeadTime:
    """How far ahead of its sound a block is made: at once more when blocks come late, slowly less when all is well.

    Example:
        >>> lead = LeadTime()
        >>> lead.observe(slack_s=-0.050, missing=100, frame=1000, written=9000, now_s=0.0)
        >>> round(lead.s - FIRST_LEAD_S, 3)
        0.08
    """

    def __init__(self) -> None:
        self.s = FIRST_LEAD_S
        self._since_frame = 0
        self._calm_from_s = 0.0
        self._least_s = float("inf")

    def observe(self, slack_s: float, missing: int, frame: int, written: int, now_s: float) -> None:
        """Take a stamp; `written` is the number of the next frame to be made."""
        if frame < self._since_frame:  # of blocks made before the last change
            self._calm_from_s, self._least_s = now_s, float("inf")
            return
        self._least_s = min(self._least_s, slack_s)
        if slack_s < ENOUGH_SLACK_S or missing > 0:
            self._change(max(WANTED_SLACK_S - slack_s, 0.01), written, now_s)
        elif now_s - self._calm_from_s > CALM_S:
            if self._least_s > MUCH_SLACK_S:
                self._change((WANTED_SLACK_S - self._least_s) / 2, written, now_s)
            self._calm_from_s, self._least_s = now_s, float("inf")

    def _change(self, by_s: float, written: int, now_s: float) -> None:
        self.s = max(LEADS_S[0], min(LEADS_S[1], self.s + by_s))
        self._since_frame = written
        self._calm_from_s, self._least_s = now_s, float("inf")


class StreamedOutput:
    """Makes the blocks, in a thread of its own, from `__enter__` to `__exit__`.

    Args:
        followed: the orchestra, at the listener's sample rate.
        stream: number of the stream.
        send: takes a block as bytes: `HEADER` and interleaved 16-bit stereo samples; never waits.
        clock: monotonic seconds, the clock of the positions' capture times.
    """

    def __init__(
        self,
        followed: FollowedPlayer,
        stream: int,
        send: Callable[[bytes], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.followed = followed
        self.stream = stream
        self.lead = LeadTime()
        self.missing = 0
        self.failure: Exception | None = None
        self._send = send
        self._clock = clock
        self._rate_hz = followed.player.sample_rate_hz
        self._limiter = Limiter(OUTPUT_CHANNELS, self._rate_hz)
        self._output_clock = ClockModel(self._rate_hz)
        self._stamps: deque[Stamp] = deque(maxlen=MAX_STAMPS)
        self._written = 0
        self._made = 0
        self._parts: list[NDArray[np.float32]] = []
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        """Start the thread."""
        self._thread = threading.Thread(target=self._work, name="streamed orchestra", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the thread."""
        self.close()
        if self._thread is not None:
            self._thread.join()

    def close(self) -> None:
        """Ask the thread to end, without waiting for it."""
        self._closing.set()

    def report(self, stamp: Stamp) -> None:
        """Take what the listener says (any thread)."""
        self._stamps.append(stamp)

    def produce(self) -> None:
        """Make and send what is to be made by now (the thread's; called by tests in its place)."""
        now_s = self._clock()
        while self._stamps:
            stamp = self._stamps.popleft()
            self._output_clock.stamp(stamp.frame, stamp.at_s)
            self.lead.observe(stamp.slack_s, stamp.missing, stamp.frame, self._written, now_s)
            self.missing += stamp.missing
        self.followed.take_events()
        if not self._output_clock.known:
            return
        until_s = now_s + self.lead.s
        behind_s = until_s - self._output_clock.time_s(self._made)
        if behind_s > MAX_CATCH_UP_S:
            self._made += round(behind_s * self._rate_hz)
            self._written = self._made
            self._parts.clear()
        self.followed.player.clock_stretch = self._output_clock.stretch
        late = self._limiter.latency_samples
        while (at_s := self._output_clock.time_s(self._made + late)) < until_s:
            sound = stereo_of(self.followed.block(at_s))
            self._made += len(sound)
            self._parts.append(self._limiter.process(np.ascontiguousarray(sound)))
            if self._made - self._written >= PACKET_FRAMES:
                self._send_packet()

    def _send_packet(self) -> None:
        frames = np.concatenate(self._parts)
        self._parts.clear()
        samples = np.rint(frames * 32767.0).clip(-32768, 32767).astype("<i2")
        self._send(HEADER.pack(self.stream, len(frames), self._written) + samples.tobytes())
        self._written += len(frames)

    def _work(self) -> None:
        try:
            while not self._closing.wait(WAKE_S):
                self.produce()
        except Exception as e:  # the follower goes on without the orchestra
            self.failure = e

"""What one client or all together may ask of the server."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

from follower.errors import ConfigError


@dataclass(frozen=True)
class Limits:
    """Bounds of a server; every one is positive.

    Attributes:
        clients: connections at a time.
        sessions: audio sessions at a time; each has an engine and a thread.
        text_bytes: longest text frame that is read.
        message_bytes: longest binary frame that is read; a longer one is answered with an error.
        frame_bytes: a longer frame closes the connection (code 1009) before it is read.
        messages_per_s: text messages of one client, in the long run.
        message_burst: text messages of one client at once.
        frames_per_s: binary frames of one client, in the long run and at once; more are read later, not refused.
        loop_share: share of the server's loop that one client's text may take in the long run; then it is read later.
        loop_burst_s: processor time of the loop that one client's text may take at once.
        refusals: refused messages after which a client is sent away (code 1008); one is forgiven every second.
        audio_speed: audio of one session is read at most this many times faster than real time; never refused.
        audio_burst_s: seconds of audio that may come at once.
        unread_bytes: text that a client may have unread; the rest waits here, where newer positions replace older ones.
            More than fits into the server's own buffers, so that who takes nothing is found by `stall_s`.
        stall_s: a client that takes nothing for so long is dropped.
        keepalive_s: a client is pinged this often.
        silent_s: a client that does not answer a ping for so long is cut off; one that reads slowly answers late.
        audio_idle_s: an audio session to which no audio comes for so long ends.
        resume_s: an audio session whose connection broke waits so long for its client to come back.
        handshake_s: time a connection has to finish its HTTP request; with TLS, to finish TLS's own handshake before.
        handshakes: connections that may be busy with their HTTP request at a time; the oldest gives way to a new one.
    """

    clients: int = 1000
    sessions: int = 64
    text_bytes: int = 1 << 13
    message_bytes: int = 1 << 18
    frame_bytes: int = 1 << 21
    messages_per_s: float = 50.0
    message_burst: int = 200
    frames_per_s: float = 2000.0
    loop_share: float = 0.02
    loop_burst_s: float = 0.2
    refusals: int = 100
    audio_speed: float = 16.0
    audio_burst_s: float = 10.0
    unread_bytes: int = 40 << 10
    stall_s: float = 10.0
    keepalive_s: float = 20.0
    silent_s: float = 120.0
    audio_idle_s: float = 60.0
    resume_s: float = 60.0
    handshake_s: float = 10.0
    handshakes: int = 32

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not value > 0:
                raise ConfigError(f"the limit {field.name} is {value}; give a number above 0")


class TokenBucket:
    """Allows `rate_per_s` in the long run and `burst` at once.

    Args:
        rate_per_s: tokens that grow back in a second.
        burst: most tokens there can be; the bucket starts full.
        clock: monotonic seconds.

    Example:
        >>> bucket = TokenBucket(1.0, 2.0, clock=lambda: 0.0)
        >>> [bucket.wait_s(1.0) for _ in range(3)]
        [0.0, 0.0, 1.0]
    """

    def __init__(self, rate_per_s: float, burst: float, clock: Callable[[], float]) -> None:
        self._rate_per_s = rate_per_s
        self._burst = burst
        self._clock = clock
        self._tokens = burst
        self._last_s = clock()

    def wait_s(self, tokens: float) -> float:
        """Take tokens and return 0, or take none and return how long to wait for them.

        More than `burst` at once are let through when the bucket is full: the debt is then worked off.
        """
        now_s = self._clock()
        self._tokens = min(self._burst, self._tokens + (now_s - self._last_s) * self._rate_per_s)
        self._last_s = now_s
        missing = min(tokens, self._burst) - self._tokens
        if missing > 1e-9:
            return missing / self._rate_per_s
        self._tokens -= tokens
        return 0.0

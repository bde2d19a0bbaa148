"""The audio that goes into the engine and the events that come out: frozen values, Python scalars only.

(OSC and JSON reject numpy's.) The commands it takes are those of the protocol, `follower.protocol.commands`.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class State(enum.StrEnum):
    """What the follower believes the pianist is doing."""

    WAITING = "waiting"
    """Nothing has been played yet; there is no position."""
    FOLLOWING = "following"
    """The piano plays and its position is known."""
    ORCHESTRA = "orchestra"
    """The piano rests and the orchestra leads, at its own tempo."""
    PAUSED = "paused"
    """The pianist stopped; the position is held."""
    LOST = "lost"
    """The piano plays, but its position is not known with confidence."""
    ENDED = "ended"
    """The stream or the piece is over."""


@dataclass(frozen=True, slots=True)
class AudioBlock:
    """A block of live piano audio, mono.

    Attributes:
        first_sample: counter of the first sample, at the stream's own rate. A counter that runs ahead of the
            samples delivered so far is a gap: that many samples were lost.
        samples: float32, shape (n,), n >= 0, full scale +-1.
        capture_time_s: monotonic clock when the block's last sample was captured (s); None when there is no clock.
    """

    first_sample: int
    samples: NDArray[np.float32]
    capture_time_s: float | None = None


@dataclass(frozen=True, slots=True)
class Position:
    """An estimate: at the instant `audio_sample` of the live stream the orchestra stands at `orchestra_time_s`.

    Attributes:
        seq: 0, 1, 2, ... over the positions of a session.
        audio_sample: live samples consumed when the position was emitted, at `sample_rate_hz`.
        sample_rate_hz: rate of the live stream.
        orchestra_time_s: position in the orchestra recording (s); None while unknown.
        mix_time_s: position in the full mix (s); None while unknown.
        rate: orchestra seconds per live second from here on.
        confidence: 0..1, the estimated probability that `orchestra_time_s` is within 200 ms.
        state: see `State`.
        capture_time_s: monotonic clock of the newest sample used (s), set by the runner; None without a clock.
        latency_ms: from `capture_time_s` to the moment the position left the engine; None without a clock.
    """

    seq: int
    audio_sample: int
    sample_rate_hz: int
    orchestra_time_s: float | None
    mix_time_s: float | None
    rate: float
    confidence: float
    state: State
    capture_time_s: float | None = None
    latency_ms: float | None = None

    @property
    def audio_time_s(self) -> float:
        """Seconds of live audio consumed when the position was emitted."""
        return self.audio_sample / self.sample_rate_hz


@dataclass(frozen=True, slots=True)
class StateChange:
    """The state changed. `reason` is a short sentence for people."""

    audio_sample: int
    sample_rate_hz: int
    state: State
    previous: State
    reason: str


@dataclass(frozen=True, slots=True)
class Jump:
    """The estimated position jumped: the pianist repeated or skipped, or an error was corrected."""

    audio_sample: int
    sample_rate_hz: int
    from_orchestra_s: float
    to_orchestra_s: float


@dataclass(frozen=True, slots=True)
class Gap:
    """Live audio was lost before `audio_sample` (device overflow, full queue, network)."""

    audio_sample: int
    sample_rate_hz: int
    lost_samples: int


@dataclass(frozen=True, slots=True)
class Notice:
    """Something a person should know that is not a position: a device went away, a listener was dropped."""

    audio_sample: int
    sample_rate_hz: int
    message: str


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Where else the orchestra might stand, while that is in doubt; empty when it is no longer.

    Attributes:
        audio_sample: live samples consumed so far.
        sample_rate_hz: rate of the live stream.
        places: (position in the orchestra recording in s, 0..1 share of the belief), the likeliest first.
    """

    audio_sample: int
    sample_rate_hz: int
    places: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Practice:
    """How the session is practised, whenever something of it changes.

    Attributes:
        audio_sample: live samples consumed so far.
        sample_rate_hz: rate of the live stream.
        start_s: where the pianist last began (s of the orchestra recording); None where nothing was chosen.
        loop_begin_s: where the loop begins (s); None without one.
        loop_end_s: where the loop ends (s); None without one.
        volume_db: level of the orchestra.
        slowest: rate the orchestra does not fall below.
        fastest: rate the orchestra does not exceed.
        lead_in_s: orchestra before every begin (s).
        count_in: clicks before every begin.
        beats_per_minute: tempo of the clicks.
        tune_to: whose pitch the orchestra is played at, "piano" or "recording".
        piano_cents: tuning of the live piano, cents above A = 440 Hz; None while unknown.
        piano_cents_error: standard error of it (cents); None while unknown.
        recording_cents: tuning of the orchestra recording; None while unknown.
        shift_cents: by how much the orchestra is played higher than recorded.
        sounding: what stands in front of the pianist's first note: "", "count_in" or "lead_in".
        recorded_s: length of the running recording (s); None without one.
        take: name of the recording that runs, or was completed last; "" for none.
        lead_in_bars: bars of orchestra before every begin, which `lead_in_s` is the length of; 0 where that was said.
        beats_per_bar: of these bars.
    """

    audio_sample: int
    sample_rate_hz: int
    start_s: float | None = None
    loop_begin_s: float | None = None
    loop_end_s: float | None = None
    volume_db: float = 0.0
    slowest: float = 0.4
    fastest: float = 2.5
    lead_in_s: float = 0.0
    count_in: int = 0
    beats_per_minute: float = 60.0
    tune_to: Literal["piano", "recording"] = "recording"
    piano_cents: float | None = None
    piano_cents_error: float | None = None
    recording_cents: float | None = None
    shift_cents: float = 0.0
    sounding: Literal["", "count_in", "lead_in"] = ""
    recorded_s: float | None = None
    take: str = ""
    lead_in_bars: int = 0
    beats_per_bar: int = 4


@dataclass(frozen=True, slots=True)
class Markers:
    """The markers of the piece: (name, position in the orchestra recording in s), in the order of their positions."""

    audio_sample: int
    sample_rate_hz: int
    markers: tuple[tuple[str, float], ...]


Event: TypeAlias = Position | StateChange | Jump | Elsewhere | Gap | Notice | Practice | Markers


@dataclass(frozen=True)
class Session:
    """What a sink may send its listeners about the session before the first event.

    Attributes:
        program_version: of this project.
        method: name of the frontier.
        sample_rate_hz: of the live stream.
        orchestra_duration_s: length of the orchestra recording.
        mix_duration_s: length of the full mix.
        piece: name of the piece, that of its cache's folder; "" when it has none.
    """

    program_version: str
    method: str
    sample_rate_hz: int
    orchestra_duration_s: float
    mix_duration_s: float
    piece: str = ""

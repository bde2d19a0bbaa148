"""What listeners receive. A new message is one Struct here and its name in the union below.

The first sentence of a docstring is the message's line in the JSON schema and in the tables of docs/protocol.md.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, TypeAlias, get_args

from msgspec import UNSET, Meta, Struct, UnsetType

from follower.events import State
from follower.protocol.fields import ClockSeconds, Name, Osc, Seconds, wire_name
from follower.protocol.room_messages import MarkersMessage, PracticeMessage, RoomMessage
from follower.protocol.structs import MessageStruct

PROTOCOL_VERSION: Final = 1
"""Of the messages in docs/protocol.md; a change that a receiver must know of raises it."""

ErrorCode: TypeAlias = Literal[
    "malformed", "invalid", "unexpected", "unknown_cache", "unknown_session", "too_large", "too_many", "rate", "failed",
    "unknown_file", "taken", "disk_full",
]  # fmt: skip
SampleRate: TypeAlias = Annotated[int, Meta(ge=1)]


class HelloMessage(MessageStruct, frozen=True, tag="hello"):
    """Versions, and the session's properties once there is one.

    On connection, and whenever the watched session begins, restarts or changes.

    Attributes:
        protocol: version of these messages.
        program_version: of the server.
        method: name of the tracking method; this and the next three are there once a session is watched.
        sample_rate_hz: of the live audio.
        orchestra_duration_s: length of the orchestra recording (s).
        mix_duration_s: length of the full mix (s).
        piece: name of the piece, that of its cache's folder; not there when it has none ("" in OSC).
        session: name of the session (WebSocket only).
        monotonic_time_s: the server's clock when this was sent, the clock of `capture_time` (WebSocket only).
        caches: names of the pieces a client can choose from (WebSocket only).
    """

    protocol: Annotated[Literal[1], Osc("i")]
    program_version: Annotated[str, Osc("s")]
    method: Annotated[str | UnsetType, Osc("s")] = UNSET
    sample_rate_hz: Annotated[SampleRate | UnsetType, Osc("i")] = UNSET
    orchestra_duration_s: Annotated[Seconds | UnsetType, Osc("d")] = UNSET
    mix_duration_s: Annotated[Seconds | UnsetType, Osc("d")] = UNSET
    piece: Annotated[str | UnsetType, Osc("s")] = UNSET
    session: Name | UnsetType = UNSET
    monotonic_time_s: ClockSeconds | UnsetType = UNSET
    caches: list[Name] | UnsetType = UNSET


class PositionMessage(MessageStruct, frozen=True, tag="position"):
    """Where the orchestra stands; see the extrapolation formula in docs/protocol.md.

    Attributes:
        seq: 0, 1, 2, ... in a session; a step of more than 1 means that this listener missed some.
        orchestra_time_s: where the orchestra recording stands at `audio_time` (s); None while unknown.
        mix_time_s: where the full mix stands (s); None while unknown.
        rate: orchestra seconds per second of live music from here on.
        confidence: estimated probability that the position is right within 200 ms.
        state: see `follower.events.State`.
        audio_time_s: live audio received so far (s), lost samples included.
        capture_time_s: monotonic clock of the server when the newest sample used was captured (s); None without one.
        latency_ms: from `capture_time` to the moment the position left the engine; None without a clock.
    """

    seq: Annotated[int, Meta(ge=0), Osc("i")]
    orchestra_time_s: Annotated[Seconds | None, Osc("d")]
    mix_time_s: Seconds | None
    rate: Annotated[float, Meta(ge=0), Osc("f")]
    confidence: Annotated[float, Meta(ge=0, le=1), Osc("f")]
    state: Annotated[State, Osc("s")]
    audio_time_s: Annotated[Seconds, Osc("d")]
    capture_time_s: Annotated[float | None, Osc("d")]
    latency_ms: Annotated[float | None, Osc("f")]


class StateMessage(MessageStruct, frozen=True, tag="state"):
    """The state changed.

    Attributes:
        audio_time_s: live audio received so far (s).
        state: the new one.
        previous: the one before.
        reason: a short sentence for people.
    """

    audio_time_s: Seconds
    state: Annotated[State, Osc("s")]
    previous: State
    reason: str


class JumpMessage(MessageStruct, frozen=True, tag="jump"):
    """The position jumped: do not glide, cut.

    Attributes:
        audio_time_s: live audio received so far (s).
        from_s: position in the orchestra recording before (s).
        to_s: position in the orchestra recording now (s).
    """

    audio_time_s: Seconds
    from_s: Annotated[Seconds, Osc("d")]
    to_s: Annotated[Seconds, Osc("d")]


class PlaceEntry(Struct, frozen=True, rename=wire_name):
    """A place where the orchestra might stand.

    Attributes:
        orchestra_time_s: position in the orchestra recording (s).
        share: of the belief.
    """

    orchestra_time_s: Seconds
    share: Annotated[float, Meta(ge=0, le=1)]


class ElsewhereMessage(MessageStruct, frozen=True, tag="elsewhere"):
    """Where else the orchestra might stand, while that is in doubt; an empty list when it is no longer.

    Attributes:
        audio_time_s: live audio received so far (s).
        places: the likeliest first.
    """

    audio_time_s: Seconds
    places: list[PlaceEntry]


class GapMessage(MessageStruct, frozen=True, tag="gap"):
    """Samples of live audio were lost before `audio_time`.

    Attributes:
        audio_time_s: live audio received so far (s), the lost included.
        lost_samples: how many, per channel.
    """

    audio_time_s: Seconds
    lost_samples: Annotated[int, Meta(ge=1), Osc("i")]


class NoticeMessage(MessageStruct, frozen=True, tag="notice"):
    """For a person to read.

    Attributes:
        audio_time_s: live audio received so far (s).
        message: a sentence.
    """

    audio_time_s: Seconds
    message: Annotated[str, Osc("s")]


class ErrorMessage(MessageStruct, frozen=True, tag="error"):
    """A message of this client was refused; the connection stays open unless it closes right after.

    Attributes:
        code: what kind of refusal; docs/protocol.md lists them.
        message: what was wrong and what to do.
    """

    code: ErrorCode
    message: str


class PongMessage(MessageStruct, frozen=True, tag="pong"):
    """The answer to `ping`.

    Attributes:
        client_time_s: as the client sent it.
        monotonic_time_s: the server's clock (s).
    """

    client_time_s: ClockSeconds
    monotonic_time_s: ClockSeconds


class ListMessage(MessageStruct, frozen=True, tag="list"):
    """The answer to `list`.

    Attributes:
        caches: names of the pieces a client can choose from.
        sessions: names of the sessions that can be watched.
    """

    caches: list[Name]
    sessions: list[Name]


class EndedMessage(MessageStruct, frozen=True, tag="ended"):
    """The watched session is over.

    Attributes:
        session: name of the session that ended.
        reason: a short sentence for people.
    """

    session: Name
    reason: str


EventMessage: TypeAlias = (
    HelloMessage
    | PositionMessage
    | StateMessage
    | JumpMessage
    | ElsewhereMessage
    | GapMessage
    | NoticeMessage
    | PracticeMessage
    | MarkersMessage
)
"""What every medium carries: by JSONL, WebSocket and OSC."""
Message: TypeAlias = EventMessage | ErrorMessage | PongMessage | ListMessage | EndedMessage | RoomMessage
"""Everything a WebSocket client may receive."""

EVENT_MESSAGES: tuple[type[EventMessage], ...] = get_args(EventMessage)
MESSAGES: tuple[type[Message], ...] = get_args(Message)

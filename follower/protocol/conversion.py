"""Between what the engine says (follower.events) and what is sent (follower.protocol.messages): the only place."""

from __future__ import annotations

from msgspec import UNSET

from follower.events import Elsewhere, Event, Gap, Jump, Markers, Notice, Position, Practice, Session, StateChange
from follower.protocol.messages import (
    PROTOCOL_VERSION,
    ElsewhereMessage,
    EventMessage,
    GapMessage,
    HelloMessage,
    JumpMessage,
    NoticeMessage,
    PlaceEntry,
    PositionMessage,
    StateMessage,
)
from follower.protocol.room_messages import MarkerEntry, MarkersMessage, PracticeMessage


def _audio_time_s(event: Event) -> float:
    return event.audio_sample / event.sample_rate_hz


def message_of(item: Session | Event) -> EventMessage:
    """Return the message of a session announcement or an event.

    Example:
        >>> message_of(Gap(22050, 22050, 512))
        GapMessage(audio_time_s=1.0, lost_samples=512)
    """
    match item:
        case Position():
            return PositionMessage(
                item.seq,
                item.orchestra_time_s,
                item.mix_time_s,
                item.rate,
                item.confidence,
                item.state,
                item.audio_time_s,
                item.capture_time_s,
                item.latency_ms,
            )
        case StateChange():
            return StateMessage(_audio_time_s(item), item.state, item.previous, item.reason)
        case Jump():
            return JumpMessage(_audio_time_s(item), item.from_orchestra_s, item.to_orchestra_s)
        case Elsewhere():
            return ElsewhereMessage(_audio_time_s(item), [PlaceEntry(at_s, share) for at_s, share in item.places])
        case Gap():
            return GapMessage(_audio_time_s(item), item.lost_samples)
        case Notice():
            return NoticeMessage(_audio_time_s(item), item.message)
        case Practice():
            return PracticeMessage(*(getattr(item, name) for name in PracticeMessage.__struct_fields__))
        case Markers():
            return MarkersMessage([MarkerEntry(name, at_s) for name, at_s in item.markers])
        case Session():
            return HelloMessage(
                PROTOCOL_VERSION,
                item.program_version,
                item.method,
                item.sample_rate_hz,
                item.orchestra_duration_s,
                item.mix_duration_s,
                item.piece or UNSET,
            )


def position_of(message: PositionMessage, sample_rate_hz: int) -> Position:
    """Return the position in a message, at the live stream's sample rate.

    Example:
        >>> from follower.events import State
        >>> sent = Position(7, 44100, 44100, 20.0, 21.0, 1.1, 0.9, State.FOLLOWING, 100.0, 2.5)
        >>> position_of(message_of(sent), 44100) == sent
        True
    """
    return Position(
        seq=message.seq,
        audio_sample=round(message.audio_time_s * sample_rate_hz),
        sample_rate_hz=sample_rate_hz,
        orchestra_time_s=message.orchestra_time_s,
        mix_time_s=message.mix_time_s,
        rate=message.rate,
        confidence=message.confidence,
        state=message.state,
        capture_time_s=message.capture_time_s,
        latency_ms=message.latency_ms,
    )

"""Events as plain JSON objects: one vocabulary for JSONL and WebSocket (docs/protocol.md)."""

from __future__ import annotations

import math
from functools import cache
from importlib.metadata import version
from typing import Any

from follower.events import Event, Gap, Jump, Notice, Position, Session, StateChange

DISTRIBUTION = "concerto-follower"
PROTOCOL_VERSION = 1
"""Of the messages in docs/protocol.md; a change that a receiver must know of raises it."""


@cache
def program_version() -> str:
    """Return the version of the installed program."""
    return version(DISTRIBUTION)


def _number(x: float | None) -> float | None:
    """JSON has no NaN; an unknown number is null."""
    return x if x is not None and math.isfinite(x) else None


def message(item: Session | Event) -> dict[str, Any]:
    """Return the JSON object of a session announcement or an event.

    Example:
        >>> from follower.events import Gap
        >>> message(Gap(22050, 22050, 512))
        {'type': 'gap', 'audio_time': 1.0, 'lost_samples': 512}
    """
    match item:
        case Session():
            return {
                "type": "hello",
                "protocol": PROTOCOL_VERSION,
                "program_version": item.program_version,
                "method": item.method,
                "sample_rate": item.sample_rate_hz,
                "orchestra_duration": item.orchestra_duration_s,
                "mix_duration": item.mix_duration_s,
            }
        case Position():
            return {
                "type": "position",
                "seq": item.seq,
                "orchestra_time": item.orchestra_time_s,
                "mix_time": item.mix_time_s,
                "rate": item.rate,
                "confidence": item.confidence,
                "state": item.state.value,
                "audio_time": item.audio_time_s,
                "capture_time": _number(item.capture_time_s),
                "latency_ms": _number(item.latency_ms),
            }
        case StateChange():
            return {
                "type": "state",
                "audio_time": item.audio_sample / item.sample_rate_hz,
                "state": item.state.value,
                "previous": item.previous.value,
                "reason": item.reason,
            }
        case Jump():
            return {
                "type": "jump",
                "audio_time": item.audio_sample / item.sample_rate_hz,
                "from": item.from_orchestra_s,
                "to": item.to_orchestra_s,
            }
        case Gap():
            return {
                "type": "gap",
                "audio_time": item.audio_sample / item.sample_rate_hz,
                "lost_samples": item.lost_samples,
            }
        case Notice():
            return {
                "type": "notice",
                "audio_time": item.audio_sample / item.sample_rate_hz,
                "message": item.message,
            }
